package execenv

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/clock"
	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/telemetry"
)

// TestReportedError: what a runtime's POST of an error becomes for the caller.
func TestReportedError(t *testing.T) {
	const octets = "application/octet-stream"
	type told struct{ Payload, ContentType, ErrorType string }
	tests := []struct {
		name string
		h    envapi.Header
		body string
		want told
	}{
		{"as it is", envapi.Header{ContentType: "application/json", ErrorType: "Function.MyError"}, `{"errorMessage": "m", "x":[]}`,
			told{`{"errorMessage": "m", "x":[]}`, "application/json", "Function.MyError"}},
		{"type of one letter", envapi.Header{ErrorType: "Runtime.E"}, `{}`, told{`{}`, "", "Runtime.Unknown"}},
		{"function's odd type", envapi.Header{ErrorType: "Function.<E>"}, `{}`, told{`{}`, "", "Function.Unknown"}},
		{"digits", envapi.Header{ErrorType: "Runtime.Error1"}, `{}`, told{`{}`, "", "Runtime.Unknown"}},
		{"other category", envapi.Header{ErrorType: "Sandbox.Failure"}, `{}`, told{`{}`, "", "Runtime.Unknown"}},
		{"no body", envapi.Header{ErrorType: "Runtime.NoBody"}, "",
			told{`{"errorMessage":"Unknown application error occurred","errorType":"Runtime.NoBody"}`, "application/json", "Runtime.NoBody"}},
		{"nothing", envapi.Header{ContentType: "text/plain"}, "",
			told{`{"errorMessage":"Unknown application error occurred"}`, "application/json", "Runtime.Unknown"}},
		{"cause", envapi.Header{ContentType: causeContentType, ErrorType: "Function.MyError"},
			`{"errorType":"T","errorMessage":"<m>","stackTrace":["s"],"errorCause":{"paths":[]},"x":1}`,
			told{`{"errorMessage":"<m>","errorType":"T","stackTrace":["s"]}`, "application/json", "Function.MyError"}},
		{"bad cause", envapi.Header{ContentType: causeContentType, ErrorType: "Function.MyError"}, `{"errorType":`,
			told{`"Invalid error body"`, octets, "Function.MyError"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := reportedError(tt.h, []byte(tt.body))
			if diff := cmp.Diff(tt.want, told{string(o.Payload), o.ContentType, o.ErrorType}); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if o.FunctionError != Unhandled {
				t.Errorf("function error %q", o.FunctionError)
			}
		})
	}
}

// TestReportedInitError: its body is JSON or else bytes, whatever its header says.
func TestReportedInitError(t *testing.T) {
	for body, want := range map[string]string{`{"errorMessage":"m"}`: "application/json", "Traceback:": "application/octet-stream"} {
		f := reportedInitError(envapi.Header{ContentType: "text/html"}, []byte(body))
		if o := f.outcome("id"); string(o.Payload) != body || o.ContentType != want {
			t.Errorf("%s: got %s as %s, want %s", body, o.Payload, o.ContentType, want)
		}
	}
}

func TestTrailerErrors(t *testing.T) {
	tests := []struct {
		name    string
		trailer envapi.Trailer
		payload string
	}{
		{"body", envapi.Trailer{ErrorType: "Function.Boom", ErrorBody: "eyJlcnJvck1lc3NhZ2UiOiJtIn0="}, `{"errorMessage":"m"}`},
		{"no body", envapi.Trailer{ErrorType: "Function.Boom"}, `{"errorType":"Function.Boom","errorMessage":"Unknown application error occurred"}`},
		{"no base64", envapi.Trailer{ErrorType: "Function.Boom", ErrorBody: "{}"}, `{"errorType":"Function.Boom","errorMessage":"Unknown application error occurred"}`},
	}
	for _, tt := range tests {
		o := trailerError(tt.trailer)
		if string(o.Payload) != tt.payload || o.FunctionError != Unhandled || o.ErrorType != "Function.Boom" {
			t.Errorf("%s: got %s, %+v", tt.name, o.Payload, o)
		}
	}
}

// TestLogTailIsOnesOwn: an invocation that ends before its START was written
// does not get the lines of the one before.
func TestLogTailIsOnesOwn(t *testing.T) {
	b := newLogbook(&Config{Version: &function.Version{}, Logs: discardLogs{}, Clock: clock.System}, nil)
	b.keepTail()
	b.InvokeStart(start, telemetry.InvokeStart{RequestID: "id-1"})
	b.Report(start, telemetry.Report{RequestID: "id-1"})
	if tail := b.takeTail(); !strings.Contains(tail, "REPORT RequestId: id-1") {
		t.Errorf("got %q", tail)
	}
	b.Report(start, telemetry.Report{RequestID: "id-2"})
	if tail := b.takeTail(); tail != "" {
		t.Errorf("got %q", tail)
	}
}
