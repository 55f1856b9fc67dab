package lambdacontext

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// logger writes into a buffer, with settings as the environment has them.
func logger(format, level string, options ...LogOption) (*slog.Logger, *bytes.Buffer) {
	var b bytes.Buffer
	env := map[string]string{"AWS_LAMBDA_LOG_FORMAT": format, "AWS_LAMBDA_LOG_LEVEL": level}
	return slog.New(newLogHandler(&b, func(name string) string { return env[name] }, options)), &b
}

var invoked = NewContext(context.Background(), &LambdaContext{AwsRequestID: "id", InvokedFunctionArn: "arn", TenantID: "blue"})

// record decodes a line without its timestamp, which has to be there.
func record(t *testing.T, b *bytes.Buffer) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(b.Bytes(), &m); err != nil {
		t.Fatalf("%v: %q", err, b)
	}
	if m["timestamp"] == nil {
		t.Errorf("no timestamp: %q", b)
	}
	delete(m, "timestamp")
	return m
}

func TestJSON(t *testing.T) {
	l, b := logger("JSON", "", WithFunctionARN(), WithTenantID())
	l.With("a", 1).InfoContext(invoked, "hello", "b", 2)
	want := map[string]any{"level": "INFO", "message": "hello", "requestId": "id", "functionArn": "arn", "tenantId": "blue", "a": 1., "b": 2.}
	if diff := cmp.Diff(want, record(t, b)); diff != "" {
		t.Error(diff)
	}
	b.Reset()
	l.Info("outside")
	if diff := cmp.Diff(map[string]any{"level": "INFO", "message": "outside"}, record(t, b)); diff != "" {
		t.Error(diff)
	}
}

// TestGroup has the invocation's fields beside the group, where Lambda looks.
func TestGroup(t *testing.T) {
	l, b := logger("JSON", "")
	l = l.With("a", 1).WithGroup("g").With("b", 2).WithGroup("").WithGroup("h")
	for range 2 { // a logger is used more than once
		b.Reset()
		l.InfoContext(invoked, "hello", "message", 3)
		want := map[string]any{"level": "INFO", "message": "hello", "requestId": "id", "a": 1., "g": map[string]any{"b": 2., "h": map[string]any{"message": 3.}}}
		if diff := cmp.Diff(want, record(t, b)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestText(t *testing.T) {
	l, b := logger("Text", "", WithTenantID())
	l.InfoContext(NewContext(context.Background(), &LambdaContext{AwsRequestID: "id"}), "hello")
	if got := b.String(); !strings.HasPrefix(got, "timestamp=") || !strings.HasSuffix(got, " level=INFO message=hello requestId=id\n") {
		t.Errorf("%q", got)
	}
}

func TestLevels(t *testing.T) {
	all := []slog.Level{LevelTrace, slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError, LevelFatal}
	names := []string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}
	for setting, first := range map[string]int{"TRACE": 0, "debug": 1, "INFO": 2, "": 2, "loud": 2, "WARN": 3, "ERROR": 4, "FATAL": 5} {
		l, b := logger("JSON", setting)
		for i, level := range all {
			b.Reset()
			l.Log(invoked, level, "x")
			if (b.Len() > 0) != (i >= first) {
				t.Errorf("level %q: logs %s: %t", setting, names[i], b.Len() > 0)
			}
			if b.Len() > 0 && record(t, b)["level"] != names[i] {
				t.Errorf("%s is logged as %q", names[i], b)
			}
		}
	}
}

func TestClientContext(t *testing.T) {
	var cc ClientContext
	if err := json.Unmarshal([]byte(`{"client":{"app_title":"t"},"env":{"e":"f"},"custom":{"s":"x","o":{"a": 1},"n":null}}`), &cc); err != nil {
		t.Fatal(err)
	}
	want := ClientContext{Client: ClientApplication{AppTitle: "t"}, Env: map[string]string{"e": "f"}, Custom: map[string]string{"s": "x", "o": `{"a": 1}`, "n": ""}}
	if diff := cmp.Diff(want, cc); diff != "" {
		t.Error(diff)
	}
	if err := json.Unmarshal([]byte(`{"custom":[]}`), &cc); err == nil {
		t.Error("a list was taken for custom")
	}
}

func TestMaxConcurrency(t *testing.T) {
	for value, want := range map[string]int{"": 1, "x": 1, "-3": 1, "0": 1, "64": 64} {
		t.Setenv("AWS_LAMBDA_MAX_CONCURRENCY", value)
		if got := MaxConcurrency(); got != want {
			t.Errorf("%q: %d, want %d", value, got, want)
		}
	}
}

func TestNoContext(t *testing.T) {
	if lc, ok := FromContext(context.Background()); ok || lc != nil || TraceID(context.Background()) != "" {
		t.Error("there is no invocation")
	}
}
