package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// any reads a value of any type, for comparison with encoding/json.
func (d *jsonReader) any() (any, error) {
	c, err := d.peek()
	if err != nil {
		return nil, err
	}
	switch c {
	case '{':
		m := map[string]any{}
		return m, d.object(func(key string) error {
			v, err := d.any()
			m[key] = v
			return err
		})
	case '[':
		list := []any{}
		err := d.array(func() error {
			v, err := d.any()
			list = append(list, v)
			return err
		})
		return list, err
	case '"':
		return d.string()
	case 't', 'f':
		return d.boolean()
	case 'n':
		return nil, d.word("null")
	}
	text, err := d.number("a value")
	return json.Number(text), err
}

// document reads one complete document.
func (d *jsonReader) document() (any, error) {
	v, err := d.any()
	if err != nil {
		return nil, err
	}
	end, err := d.atEnd()
	if err == nil && !end {
		err = errors.New("more follows")
	}
	return v, err
}

func standard(data []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("more follows")
	}
	return v, nil
}

// stricter tells whether the reader may refuse what encoding/json accepts.
func stricter(data []byte, err error) bool {
	if !utf8.Valid(data) {
		return true
	}
	for _, text := range []string{"nested too deeply", "Unpaired surrogate", "number in the request body is too long"} {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

var jsonSeeds = []string{
	`{}`, ` { "a" : [ 1 , -2.5e+3 , true , false , null , "x" ] } `, `[]`, `""`, `"\u00e9\ud83d\ude00\n\/"`, `"\ud800"`,
	`01`, `-`, `1.`, `.5`, `1e`, `-0`, `1E5`, `{"a":1,"a":2}`, `{"a":1,}`, `[1,]`, `{"a"}`, `{1:2}`, `[1 2]`, `"`, `"\x"`,
	"\"a\nb\"", `tru`, `nul`, `{} {}`, "\ufeff{}", `{"ZipFile":"UEsDBA=="}`, strings.Repeat("[", 80) + strings.Repeat("]", 80), "\"\xff\"",
}

func compareDocuments(t *testing.T, data []byte) {
	t.Helper()
	want, wantErr := standard(data)
	for _, src := range []io.Reader{bytes.NewReader(data), iotest.OneByteReader(bytes.NewReader(data))} {
		got, err := newJSONReader(src, 64, "").document()
		switch {
		case err != nil && wantErr == nil:
			if !stricter(data, err) {
				t.Fatalf("%q: refused with %v", data, err)
			}
		case err == nil && wantErr != nil:
			t.Fatalf("%q: accepted as %#v; encoding/json says %v", data, got, wantErr)
		case err == nil:
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%q (-encoding/json +ours):\n%s", data, diff)
			}
		}
	}
}

func TestJSONReaderAgreesWithEncodingJSON(t *testing.T) {
	for _, seed := range jsonSeeds {
		compareDocuments(t, []byte(seed))
	}
}

func FuzzJSONReader(f *testing.F) {
	for _, seed := range jsonSeeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(compareDocuments)
}

// createBody is what encoding/json makes of a CreateFunction, with names that
// match by case as the service's do.
type createBody map[string]json.RawMessage

// FuzzDecodeCreateFunction compares a whole operation's decoder, upload
// included, with encoding/json.
func FuzzDecodeCreateFunction(f *testing.F) {
	for _, seed := range []string{
		`{"FunctionName":"f","Code":{"ZipFile":"UEsDBA=="},"Timeout":3}`,
		`{"Code":{"ZipFile":"UEs\u0044B\/==","S3Bucket":"b"}}`, `{"Code":{"ZipFile":null}}`, `{"Code":null}`,
		`{"Code":{"ZipFile":""}}`, `{"Code":{"ZipFile":"A=="}}`, `{"Code":{"ZipFile":"AA==AAAA"}}`, `{"Code":{"ZipFile":5}}`,
		`{"Code":{},"Code":{}}`, `{"Environment":{"Variables":{}},"Layers":[]}`, `{"Layers":[null]}`, `{"Timeout":"3"}`, ``, `null`, `[]`,
		`{"Code":{"zipfile":"UEsDBA=="},"Description":"\ud83d\ude00"}`,
	} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		d := newJSONReader(bytes.NewReader(data), int64(len(data)), dir)
		var got CreateFunctionRequest
		err := readBody(d, &got)
		if err != nil {
			if err := d.discard(nil); err != nil {
				t.Fatal(err)
			}
			var e Error
			if !errors.As(err, &e) {
				t.Fatalf("%q: %v is not an answer", data, err)
			}
			return
		}
		defer got.Close()
		if len(bytes.TrimSpace(data)) == 0 || string(bytes.TrimSpace(data)) == "null" {
			return
		}
		var want createBody
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatalf("%q: accepted; encoding/json says %v", data, err)
		}
		compareMember(t, data, want, "FunctionName", got.FunctionName)
		compareMember(t, data, want, "Description", got.Description)
		compareMember(t, data, want, "Layers", got.Layers)
		if got.Code != nil && got.Code.ZipFile != nil {
			var code createBody
			if err := json.Unmarshal(want["Code"], &code); err != nil {
				t.Fatalf("%q: %v", data, err)
			}
			content, err := io.ReadAll(io.NewSectionReader(got.Code.ZipFile, 0, got.Code.ZipFile.Size()))
			if err != nil {
				t.Fatal(err)
			}
			if content == nil {
				content = []byte{}
			}
			compareMember(t, data, code, "ZipFile", content)
		}
	})
}

// compareMember checks one decoded member against encoding/json's reading.
func compareMember[T any](t *testing.T, data []byte, body createBody, name string, got T) {
	t.Helper()
	var want T
	if raw := body[name]; raw != nil {
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatalf("%q: %s: accepted as %v; encoding/json says %v", data, name, got, err)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%q: %s (-encoding/json +ours):\n%s", data, name, diff)
	}
}

func TestWrongTypes(t *testing.T) {
	for body, want := range map[string]string{
		`{"FunctionName":5}`:                        "NUMBER_VALUE can not be converted to a String",
		`{"FunctionName":{}}`:                       "Start of structure or map found where not expected.",
		`{"FunctionName":["f"]}`:                    "Start of list found where not expected",
		`{"FunctionName":true}`:                     "TRUE_VALUE can not be converted to a String",
		`{"Timeout":"3"}`:                           "STRING_VALUE can not be converted to an Integer",
		`{"Timeout":3.5}`:                           "NUMBER_VALUE can not be converted to an Integer",
		`{"Timeout":3000000000}`:                    "NUMBER_VALUE can not be converted to an Integer",
		`{"Timeout":1e400}`:                         "NUMBER_VALUE can not be converted to an Integer",
		`{"Publish":"true"}`:                        "STRING_VALUE can not be converted to a Boolean",
		`{"Layers":"x"}`:                            "STRING_VALUE can not be converted to a list",
		`{"Layers":[null]}`:                         "null is not allowed as an element of a list or a map",
		`{"Environment":"x"}`:                       "STRING_VALUE can not be converted to a structure or map",
		`{"Environment":{"Variables":{"A":null}}}`:  "null is not allowed as an element of a list or a map",
		`{"Code":{"ZipFile":7}}`:                    "NUMBER_VALUE can not be converted to a Blob",
		`{"Code":{"ZipFile":"?"}}`:                  "A blob of the request body is not valid base64",
		`{"Code":{"ZipFile":"AAAA"},"Code":{}}`:     "A member of the request body is there twice",
		`{"Code":{"ZipFile":"AA==","ZipFile":"A"}}`: "A member of the request body is there twice",
		`[]`:                  "Start of list found where not expected",
		`{"Timeout":3`:        "Unexpected end of the request body",
		`{"Timeout":3} x`:     "Unexpected data after the end of the request body",
		`{"Timeout" 3}`:       `Unexpected character '3' in the request body`,
		`<?xml?>`:             `Unexpected character '<' in the request body`,
		"{\"Role\":\"\xff\"}": "The request body is not valid UTF-8",
	} {
		_, err := decodeRequest(t, "POST", "/2015-03-31/functions", body)
		var e *SerializationException
		if !errors.As(err, &e) || e.Message != want || e.HTTPStatus() != http.StatusBadRequest {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
	for target, method := range map[string]string{
		"/2015-03-31/functions?MaxItems=ten":                           "GET",
		"/2015-03-31/functions?MaxItems=99999999999":                   "GET",
		"/2018-10-31/layers/l/versions/one":                            "GET",
		"/2025-12-01/durable-executions/x/history?ReverseOrder=1":      "GET",
		"/2025-12-01/functions/f/durable-executions?StartedAfter=soon": "GET",
	} {
		_, err := decodeRequest(t, method, target, "")
		var e *SerializationException
		if !errors.As(err, &e) {
			t.Errorf("%s: %v, want a SerializationException", target, err)
		}
	}
}

func TestWholeNumbersWithAPoint(t *testing.T) {
	in, err := decodeRequest(t, "PUT", "/2015-03-31/functions/f/configuration", `{"Timeout":3.0,"MemorySize":1.28e2}`)
	if err != nil {
		t.Fatal(err)
	}
	got := in.(*UpdateFunctionConfigurationRequest)
	if Value(got.Timeout) != 3 || Value(got.MemorySize) != 128 {
		t.Errorf("%d, %d, want 3, 128", Value(got.Timeout), Value(got.MemorySize))
	}
}

func TestAbsentNullAndEmpty(t *testing.T) {
	decode := func(body string) *UpdateFunctionConfigurationRequest {
		t.Helper()
		in, err := decodeRequest(t, "PUT", "/2015-03-31/functions/f/configuration", body)
		if err != nil {
			t.Fatal(err)
		}
		return in.(*UpdateFunctionConfigurationRequest)
	}
	for _, body := range []string{"", "  ", "null", "{}", `{"Layers":null,"Environment":null}`} {
		if got := decode(body); got.Layers != nil || got.Environment != nil {
			t.Errorf("%q: %+v", body, got)
		}
	}
	got := decode(`{"Layers":[],"Environment":{"Variables":{}},"Description":""}`)
	if got.Layers == nil || got.Environment == nil || got.Environment.Variables == nil || got.Description == nil {
		t.Errorf("empty members are absent: %+v", got)
	}
}

func TestInvokePayloadIsNotCopied(t *testing.T) {
	payload := []byte(`{"k":"v"}`)
	r := httptest.NewRequest("POST", "/2015-03-31/functions/f/invocations", nil)
	r.Header.Set("X-Amz-Log-Type", "Tail")
	op, params, err := NewRouter(RouterConfig{}).Lookup("POST", r.URL.Path, "")
	if err != nil {
		t.Fatal(err)
	}
	in, err := op.Decode(r, params, BytesBody(payload))
	if err != nil {
		t.Fatal(err)
	}
	got := in.(*InvocationRequest)
	if &got.Payload[0] != &payload[0] || Value(got.LogType) != LogTypeTail || Value(got.FunctionName) != "f" {
		t.Errorf("%+v", got)
	}
	if got.Qualifier != nil || got.ClientContext != nil {
		t.Errorf("absent members are there: %+v", got)
	}
	in, err = op.Decode(r, params, BytesBody(nil))
	if err != nil || in.(*InvocationRequest).Payload != nil {
		t.Errorf("no body: %+v, %v", in, err)
	}
}

func BenchmarkInvokeDecode(b *testing.B) {
	rt := NewRouter(RouterConfig{})
	payload := BytesBody(bytes.Repeat([]byte("x"), 1024))
	r := httptest.NewRequest("POST", "/2015-03-31/functions/my-function/invocations", nil)
	r.Header.Set("X-Amz-Invocation-Type", "RequestResponse")
	path := r.URL.EscapedPath()
	b.ReportAllocs()
	for b.Loop() {
		op, params, err := rt.Lookup("POST", path, r.URL.RawQuery)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := op.Decode(r, params, payload); err != nil {
			b.Fatal(err)
		}
	}
}
