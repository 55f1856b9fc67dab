package e2e

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

const role = "arn:aws:iam::000000000000:role/e2e"

// file is a file of a deployment package.
type file struct {
	name string
	mode fs.FileMode
	body string
}

func zipBytes(files ...file) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate}
		h.SetMode(f.mode)
		entry, err := w.CreateHeader(h)
		if err != nil {
			return nil, err
		}
		if _, err := entry.Write([]byte(f.body)); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

// zipOf is a deployment package of text files.
func zipOf(t testing.TB, files ...file) []byte {
	t.Helper()
	b, err := zipBytes(files...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// fn is a function to be. Empty members have defaults.
type fn struct {
	name, runtime, handler string
	code                   []byte
	timeout, memory        int32
	env                    map[string]string
	layers                 []string // ARNs
	logging                *types.LoggingConfig
	with                   func(*lambda.CreateFunctionInput) // what else it has; nil for nothing
}

// create makes a function and waits until it is active.
func (l *lamb) create(t testing.TB, f fn) {
	t.Helper()
	c := l.client()
	if f.runtime == "" {
		f.runtime = "provided.al2023"
	}
	if f.timeout == 0 {
		f.timeout = 30
	}
	if f.memory == 0 {
		f.memory = 128
	}
	in := &lambda.CreateFunctionInput{
		FunctionName: &f.name, Runtime: types.Runtime(f.runtime), Handler: &f.handler, Role: aws.String(role),
		Code: &types.FunctionCode{ZipFile: f.code}, Timeout: &f.timeout, MemorySize: &f.memory, Layers: f.layers,
		LoggingConfig: f.logging,
	}
	if f.env != nil {
		in.Environment = &types.Environment{Variables: f.env}
	}
	if f.with != nil {
		f.with(in)
	}
	if _, err := c.CreateFunction(t.Context(), in); err != nil {
		t.Fatalf("create %s: %v", f.name, err)
	}
	waitActive(t, c, f.name)
}

func waitActive(t testing.TB, c *lambda.Client, name string) {
	t.Helper()
	w := lambda.NewFunctionActiveV2Waiter(c, func(o *lambda.FunctionActiveV2WaiterOptions) {
		o.MinDelay, o.MaxDelay = 10*time.Millisecond, 100*time.Millisecond
	})
	if err := w.Wait(t.Context(), &lambda.GetFunctionInput{FunctionName: &name}, patience); err != nil {
		t.Fatalf("wait for %s: %v", name, err)
	}
}

// answer is what an invocation gave, in a form to compare.
type answer struct {
	*lambda.InvokeOutput
	Log string // the tail, decoded
}

// invoke invokes a function and expects an answer, if only the function's
// error.
func (l *lamb) invoke(t testing.TB, name, payload string, with ...func(*lambda.InvokeInput)) answer {
	t.Helper()
	in := &lambda.InvokeInput{FunctionName: &name, Payload: []byte(payload)}
	for _, f := range with {
		f(in)
	}
	out, err := l.client().Invoke(t.Context(), in)
	if err != nil {
		t.Fatalf("invoke %s: %v", name, err)
	}
	return answer{out, decodeBase64(t, aws.ToString(out.LogResult))}
}

func withTail(in *lambda.InvokeInput) { in.LogType = types.LogTypeTail }

// succeeded is the payload of an invocation that must have succeeded.
func (a answer) succeeded(t testing.TB) string {
	t.Helper()
	if a.FunctionError != nil {
		t.Fatalf("function error %s: %s\n%s", *a.FunctionError, a.Payload, a.Log)
	}
	return string(a.Payload)
}

// into decodes the payload of a success.
func (a answer) into(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.succeeded(t)), v); err != nil {
		t.Fatalf("payload %s: %v", a.Payload, err)
	}
}

// functionError is the error object of an invocation that must have failed.
type functionError struct {
	Type       string          `json:"errorType"`
	Message    string          `json:"errorMessage"`
	RequestID  *string         `json:"requestId"`
	StackTrace json.RawMessage `json:"stackTrace"`
	Trace      []string        `json:"trace"`
}

func (a answer) failed(t testing.TB) functionError {
	t.Helper()
	if got := aws.ToString(a.FunctionError); got != "Unhandled" {
		t.Fatalf("function error %q, want Unhandled; payload %.200s\n%s", got, a.Payload, a.Log)
	}
	if a.StatusCode != 200 {
		t.Errorf("status %d of a function error, want 200", a.StatusCode)
	}
	var e functionError
	if err := json.Unmarshal(a.Payload, &e); err != nil {
		t.Fatalf("error payload %s: %v", a.Payload, err)
	}
	return e
}

// failure checks an error object that the platform makes: exactly its two
// members in their order, and the request's id in the message.
func (a answer) failure(t testing.TB, errorType, message string) {
	t.Helper()
	a.failed(t)
	want := `{"errorType":"` + errorType + `","errorMessage":"RequestId: ` + requestID(a.InvokeOutput) + ` Error: ` + message + `"}`
	if got := string(a.Payload); got != want {
		t.Errorf("payload\n %s, want\n %s", got, want)
	}
}

// hasLines checks that a log contains texts in their order.
func hasLines(t testing.TB, log string, texts ...string) {
	t.Helper()
	rest := log
	for _, text := range texts {
		_, after, ok := strings.Cut(rest, text)
		if !ok {
			t.Errorf("the log has no %q after what comes before it:\n%s", text, log)
			return
		}
		rest = after
	}
}
