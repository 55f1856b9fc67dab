package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// A wire is a server that decodes one request and answers it with what the
// test has put there, without validating: the generated values break
// constraints.
type wire struct {
	rt     *Router
	dir    string
	client *lambda.Client

	answer any   // for the next request
	fail   error // instead of the answer
	got    any   // what the last request was decoded to
	op     string
	err    error // why the last request could not be served
}

func newWire(t *testing.T) *wire {
	w := &wire{dir: t.TempDir()}
	w.rt = NewRouter(RouterConfig{SpoolDir: w.dir})
	srv := httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(srv.Close)
	w.client = lambda.New(lambda.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(srv.URL),
		Credentials:  credentials.NewStaticCredentialsProvider("AKID", "SECRET", ""),
		Retryer:      aws.NopRetryer{},
	})
	return w
}

// serve writes nothing before it has left its notes: the test reads them when
// the answer arrives.
func (w *wire) serve(rw http.ResponseWriter, r *http.Request) {
	rec := httptest.NewRecorder()
	w.got, w.op = nil, ""
	if w.err = w.handle(rec, r); w.err != nil {
		WriteError(rec, "", w.err)
	}
	maps.Copy(rw.Header(), rec.Header())
	rw.WriteHeader(rec.Code)
	_, _ = rw.Write(rec.Body.Bytes()) // 204 has no body
}

func (w *wire) handle(rec *httptest.ResponseRecorder, r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	op, params, err := w.rt.Lookup(r.Method, r.URL.EscapedPath(), r.URL.RawQuery)
	if err != nil {
		return err
	}
	w.op = op.Name
	if w.got, err = op.decode(newRequest(r, params, BytesBody(body), w.dir)); err != nil {
		return err
	}
	if w.fail != nil {
		return w.fail
	}
	return op.Encode(rec, w.answer)
}

// call sends in with the SDK's method of that name.
func (w *wire) call(name string, in reflect.Value) (reflect.Value, error) {
	out := reflect.ValueOf(w.client).MethodByName(name).Call([]reflect.Value{
		reflect.ValueOf(context.Background()), in,
	})
	err, _ := out[1].Interface().(error)
	return out[0], err
}

// fill makes a random value of our type ours, whose twin in the SDK has type
// sdk. What the SDK cannot tell from an absent value is made absent.
func fill(t *rapid.T, ours reflect.Value, sdk reflect.Type, all, plain bool) {
	switch dst := ours.Addr().Interface().(type) {
	case **Upload:
		u, err := NewUpload("", strings.NewReader(rapid.String().Draw(t, "upload")))
		if err != nil {
			t.Fatal(err)
		}
		*dst = u
		return
	case *[]byte:
		*dst = []byte(rapid.StringN(1, 20, -1).Draw(t, "blob"))
		return
	case *Time:
		dst.Time = time.UnixMilli(rapid.Int64Range(0, 4e12).Draw(t, "time")).UTC()
		return
	case *string:
		*dst = text(plain).Draw(t, "string")
		return
	}
	switch ours.Kind() {
	case reflect.Pointer:
		if !all && rapid.Bool().Draw(t, "absent") {
			return
		}
		v := reflect.New(ours.Type().Elem())
		elem := sdk
		if sdk.Kind() == reflect.Pointer {
			elem = sdk.Elem()
		}
		fill(t, v.Elem(), elem, all, plain)
		if sdk.Kind() != reflect.Pointer && v.Elem().IsZero() {
			return
		}
		ours.Set(v)
	case reflect.Slice:
		n := rapid.IntRange(1, 3).Draw(t, "length")
		ours.Set(reflect.MakeSlice(ours.Type(), n, n))
		for i := range n {
			fill(t, ours.Index(i), sdk.Elem(), all, plain)
		}
	case reflect.Map:
		ours.Set(reflect.MakeMap(ours.Type()))
		for range rapid.IntRange(0, 2).Draw(t, "size") {
			v := reflect.New(ours.Type().Elem()).Elem()
			fill(t, v, sdk.Elem(), all, plain)
			ours.SetMapIndex(reflect.ValueOf(text(plain).Draw(t, "key")), v)
		}
	case reflect.Struct:
		for i := range ours.NumField() {
			twin, ok := sdk.FieldByName(ours.Type().Field(i).Name)
			if !ok {
				t.Fatalf("the SDK's %s has no %s", sdk, ours.Type().Field(i).Name)
			}
			fill(t, ours.Field(i), twin.Type, all, plain)
		}
	case reflect.Bool:
		ours.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int:
		ours.SetInt(int64(rapid.Int32().Draw(t, "int")))
	case reflect.Int64:
		ours.SetInt(rapid.Int64Range(-1<<53, 1<<53).Draw(t, "long"))
	case reflect.Float64:
		ours.SetFloat(rapid.Float64Range(-1e6, 1e6).Draw(t, "double"))
	default:
		t.Fatalf("no value for %s", ours.Type())
	}
}

// text draws a string; a plain one can be a header.
func text(plain bool) *rapid.Generator[string] {
	if plain {
		return rapid.StringMatching(`[!-~]{1,12}`)
	}
	return rapid.OneOf(rapid.StringN(1, 12, -1), rapid.StringMatching(`[a-z:/$%+ &=?#."\\<>-]{1,12}`))
}

// toSDK copies ours into the SDK's value of the same shape.
func toSDK(ours, sdk reflect.Value) {
	switch v := ours.Interface().(type) {
	case *Upload:
		content := make([]byte, v.Size())
		if _, err := v.ReadAt(content, 0); err != nil && err != io.EOF {
			panic(err)
		}
		sdk.Set(reflect.ValueOf(content))
		return
	case *Time:
		if v != nil {
			sdk.Set(reflect.ValueOf(new(v.Time)))
		}
		return
	case []byte:
		if sdk.Kind() == reflect.Interface { // a stream
			sdk.Set(reflect.ValueOf(strings.NewReader(string(v))))
			return
		}
	}
	switch ours.Kind() {
	case reflect.Pointer:
		if ours.IsNil() {
			return
		}
		if sdk.Kind() == reflect.Pointer {
			sdk.Set(reflect.New(sdk.Type().Elem()))
			sdk = sdk.Elem()
		}
		toSDK(ours.Elem(), sdk)
	case reflect.Slice:
		if ours.IsNil() {
			return
		}
		sdk.Set(reflect.MakeSlice(sdk.Type(), ours.Len(), ours.Len()))
		for i := range ours.Len() {
			toSDK(ours.Index(i), sdk.Index(i))
		}
	case reflect.Map:
		sdk.Set(reflect.MakeMap(sdk.Type()))
		for iter := ours.MapRange(); iter.Next(); {
			v := reflect.New(sdk.Type().Elem()).Elem()
			toSDK(iter.Value(), v)
			sdk.SetMapIndex(iter.Key().Convert(sdk.Type().Key()), v)
		}
	case reflect.Struct:
		for i := range ours.NumField() {
			toSDK(ours.Field(i), sdk.FieldByName(ours.Type().Field(i).Name))
		}
	default:
		sdk.Set(ours.Convert(sdk.Type()))
	}
}

// compareOurs compares uploads by content, and repeated query parameters in any
// order: the SDK's signer sorts them.
func compareOurs() []cmp.Option {
	content := func(u *Upload) string {
		all, err := io.ReadAll(io.NewSectionReader(u, 0, u.Size()))
		if err != nil {
			panic(err)
		}
		return string(all)
	}
	return []cmp.Option{
		cmp.Comparer(func(a, b *Upload) bool {
			return a == b || a != nil && b != nil && content(a) == content(b)
		}),
		cmp.FilterPath(func(p cmp.Path) bool {
			name := p.Last().String()
			return name == ".TagKeys" || name == ".Statuses"
		}, cmpopts.SortSlices(strings.Compare)),
	}
}

// compareSDK compares what the SDK's structures export.
func compareSDK() []cmp.Option {
	return []cmp.Option{
		cmp.FilterPath(func(p cmp.Path) bool {
			f, ok := p.Last().(cmp.StructField)
			return ok && (f.Name() == "ResultMetadata" || f.Name()[0] >= 'a' && f.Name()[0] <= 'z')
		}, cmp.Ignore()),
		cmpopts.EquateApproxTime(time.Millisecond), // the SDK cuts where it should round
		cmpopts.EquateEmpty(),                      // an empty list and none are one to the SDK's users
	}
}

const examples = 4 // of each operation

// Requests: what the SDK sends must be decoded to what was put in.
func TestRequestsOfTheSDK(t *testing.T) {
	w := newWire(t)
	client := reflect.TypeOf(w.client)
	svc := reflect.TypeFor[Service]()
	for i := range svc.NumMethod() {
		m := svc.Method(i)
		t.Run(m.Name, func(t *testing.T) {
			sdkMethod, ok := client.MethodByName(m.Name)
			if !ok {
				t.Fatal("the SDK has no such method")
			}
			sdkType := sdkMethod.Type.In(2).Elem()
			ours := m.Type.In(1).Elem()
			plain := strings.HasPrefix(m.Name, "Invoke") // has members in headers
			w.answer, w.fail = nil, NewService("only the request matters")
			sent := 0
			for seed := range examples {
				// The SDK refuses to send a request without its required
				// members: those with an odd seed may lack some.
				in := example(seed, ours, sdkType, seed%2 == 0, plain)
				sdkIn := reflect.New(sdkType)
				toSDK(in.Elem(), sdkIn.Elem())
				w.got = nil
				_, err := w.call(m.Name, sdkIn)
				var service *types.ServiceException
				if !errors.As(err, &service) {
					if seed%2 == 0 {
						t.Fatalf("not sent: %v", err)
					}
					continue
				}
				sent++
				if !errors.Is(w.err, w.fail) || w.op != m.Name {
					t.Fatalf("seed %d: served as %s: %v", seed, w.op, w.err)
				}
				if diff := cmp.Diff(in.Interface(), w.got, compareOurs()...); diff != "" {
					t.Errorf("seed %d (-sent +decoded):\n%s", seed, diff)
				}
				closeAll(t, in.Interface(), w.got)
			}
			if sent < examples/2 {
				t.Errorf("only %d requests were sent", sent)
			}
		})
	}
}

func example(seed int, ours, sdk reflect.Type, all, plain bool) reflect.Value {
	return rapid.Custom(func(t *rapid.T) reflect.Value {
		rapid.Bool().Draw(t, "unused") // rapid refuses to draw nothing, as an empty structure does
		v := reflect.New(ours)
		fill(t, v.Elem(), sdk, all, plain)
		return v
	}).Example(seed)
}

func closeAll(t *testing.T, values ...any) {
	t.Helper()
	for _, v := range values {
		if c, ok := v.(io.Closer); ok {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// Answers: what we encode must be decoded by the SDK to what was put in. The
// event stream of InvokeWithResponseStream is left out: it is not a member
// that the encoder builds, but bytes that it passes on.
func TestAnswersToTheSDK(t *testing.T) {
	w := newWire(t)
	client := reflect.TypeOf(w.client)
	svc := reflect.TypeFor[Service]()
	for i := range svc.NumMethod() {
		m := svc.Method(i)
		if m.Name == "InvokeWithResponseStream" {
			continue
		}
		t.Run(m.Name, func(t *testing.T) {
			sdkMethod, _ := client.MethodByName(m.Name)
			sdkIn, sdkOut := sdkMethod.Type.In(2).Elem(), sdkMethod.Type.Out(0).Elem()
			for seed := range examples {
				in := example(seed, m.Type.In(1).Elem(), sdkIn, true, true)
				arg := reflect.New(sdkIn)
				toSDK(in.Elem(), arg.Elem())
				closeAll(t, in.Interface())
				want := reflect.New(sdkOut)
				w.fail, w.answer = nil, nil
				if m.Type.NumOut() == 2 {
					out := example(100+seed, m.Type.Out(0).Elem(), sdkOut, seed%2 == 0, m.Name == "Invoke")
					realStatus(out.Elem(), w.rt.Operation(m.Name).SuccessStatus)
					toSDK(out.Elem(), want.Elem())
					w.answer = out.Interface()
				}
				got, err := w.call(m.Name, arg)
				closeAll(t, w.got)
				if err != nil || w.err != nil {
					t.Fatalf("seed %d: %v; server: %v", seed, err, w.err)
				}
				if diff := cmp.Diff(want.Interface(), got.Interface(), compareSDK()...); diff != "" {
					t.Errorf("seed %d (-answered +received):\n%s", seed, diff)
				}
			}
		})
	}
}

// realStatus replaces a random status, which is not one.
func realStatus(out reflect.Value, status int) {
	for _, name := range []string{"StatusCode", "Status"} {
		if f := out.FieldByName(name); f.IsValid() && f.Type() == reflect.TypeFor[*int]() {
			f.Set(reflect.ValueOf(&status))
		}
	}
}

// Errors: the SDK must see the type, the message and the members.
func TestErrorsToTheSDK(t *testing.T) {
	w := newWire(t)
	modelled := 0
	for _, e := range errorTypes() {
		if e.wire().faultType == "" {
			continue // not of the model: the SDK has no type for it
		}
		modelled++
		reflect.ValueOf(e).Elem().FieldByName("Message").SetString("the text of " + e.ErrorCode())
		if x, ok := e.(*TooManyRequestsException); ok {
			x.Reason, x.RetryAfterSeconds = "CallerRateLimitExceeded", "7"
		}
		w.fail = e
		_, err := w.client.Invoke(context.Background(), &lambda.InvokeInput{FunctionName: aws.String("f")})
		var api interface {
			ErrorCode() string
			ErrorMessage() string
		}
		if !errors.As(err, &api) || api.ErrorCode() != e.ErrorCode() || api.ErrorMessage() != e.ErrorMessage() {
			t.Errorf("%s: the SDK sees %v", e.ErrorCode(), err)
			continue
		}
		v := reflect.Indirect(reflect.ValueOf(api))
		if name := v.Type().Name(); name != e.ErrorCode() {
			t.Errorf("%s: the SDK sees a %s", e.ErrorCode(), name)
			continue
		}
		if typ := fmt.Sprint(reflect.Indirect(v.FieldByName("Type"))); typ != e.wire().faultType {
			t.Errorf("%s: Type is %s", e.ErrorCode(), typ)
		}
		var throttled *types.TooManyRequestsException
		if errors.As(err, &throttled) {
			if throttled.Reason != types.ThrottleReasonCallerRateLimitExceeded || aws.ToString(throttled.RetryAfterSeconds) != "7" {
				t.Errorf("throttled: %+v", throttled)
			}
		}
	}
	if modelled != 47 {
		t.Errorf("%d modelled errors, want 47", modelled)
	}
}
