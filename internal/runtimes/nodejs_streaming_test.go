package runtimes

import (
	"encoding/base64"
	"strings"
	"testing"
)

// TestNodeStreaming runs streaming handlers of every kind one after another on
// one runtime: each event is the body of the handler.
func TestNodeStreaming(t *testing.T) {
	t.Parallel()
	const code = `
const { pipeline } = require('stream/promises');
const { Readable } = require('stream');
exports.f = awslambda.streamifyResponse(async (event, responseStream, context) => {
  await eval('(async () => {' + event + '})()');
});`
	const prelude = `{"statusCode":201,"headers":{"X-A":"b"},"cookies":["c=d"]}` + "\x00\x00\x00\x00\x00\x00\x00\x00"
	from := `responseStream = awslambda.HttpResponseStream.from(responseStream, {statusCode: 201, headers: {'X-A': 'b'}, cookies: ['c=d']}); `
	tests := []struct {
		name, run   string
		body        string
		contentType string
		failed      string // the trailer's error type
		posted      bool   // as an error
	}{
		{"pieces", `responseStream.write('one'); responseStream.write(Buffer.from('two')); responseStream.end('three');`, "onetwothree", "application/octet-stream", "", false},
		{"values", `responseStream.write({a: 1}); responseStream.end([2]);`, `{"a":1}[2]`, "application/octet-stream", "", false},
		{"content type", `responseStream.setContentType('text/x'); responseStream.end('x');`, "x", "text/x", "", false},
		{"nothing", `responseStream.end();`, "", "application/octet-stream", "", false},
		{"metadata", from + `responseStream.write('body'); responseStream.end();`, prelude + "body", "application/vnd.awslambda.http-integration-response", "", false},
		{"metadata alone", from + `responseStream.end();`, prelude, "application/vnd.awslambda.http-integration-response", "", false},
		{"pipeline", `await pipeline(Readable.from(['a', 'b', 'c']), responseStream);`, "abc", "application/octet-stream", "", false},
		{"large", `responseStream.end(Buffer.alloc(9 << 20, 'x'));`, strings.Repeat("x", 9<<20), "application/octet-stream", "", false},
		{"later", `setTimeout(() => responseStream.end('late'), 5);`, "late", "application/octet-stream", "", false},
		{"handler goes on", `responseStream.end('done'); await new Promise((r) => setTimeout(r, 5));`, "done", "application/octet-stream", "", false},
		{"fails before", `throw new RangeError('early');`, "", "application/json", "RangeError", true},
		{"fails within", `responseStream.write('some'); await new Promise((r) => setTimeout(r, 5)); throw new RangeError('late');`, "some", "application/octet-stream", "RangeError", false},
		{"pipeline fails", `await pipeline(async function* () { yield 'some'; throw new TypeError('t'); }, responseStream);`, "some", "application/octet-stream", "TypeError", false},
		{"after all", `responseStream.end('still here');`, "still here", "application/octet-stream", "", false},
	}
	events := make([]event, len(tests))
	for i, tt := range tests {
		events[i].body = `"` + strings.ReplaceAll(tt.run, `"`, `\"`) + `"`
	}
	for _, runtime := range []string{"nodejs20.x", "nodejs24.x"} {
		res := program{files: map[string]string{"x.js": code}, handler: "x.f", events: events}.run(t, node(t, runtime))
		if len(res.posts) != len(tests) {
			t.Fatalf("%s: %d posts, want %d; stderr %q", runtime, len(res.posts), len(tests), res.stderr)
		}
		for i, tt := range tests {
			p := res.posts[i]
			if tt.posted {
				if !strings.HasSuffix(p.path, "/error") || p.errorType() != tt.failed {
					t.Errorf("%s: posted to %s, %s", tt.name, p.path, p.errorType())
				}
				continue
			}
			if p.body != tt.body || !strings.HasSuffix(p.path, "/response") {
				t.Errorf("%s: %s got %d bytes: %.100q", tt.name, p.path, len(p.body), p.body)
			}
			if ct, mode := p.header.Get("Content-Type"), p.header.Get("Lambda-Runtime-Function-Response-Mode"); ct != tt.contentType || mode != "streaming" {
				t.Errorf("%s: content type %q, mode %q", tt.name, ct, mode)
			}
			if got := p.trailer.Get("Lambda-Runtime-Function-Error-Type"); got != tt.failed {
				t.Errorf("%s: error type %q", tt.name, got)
			}
			errBody, err := base64.StdEncoding.DecodeString(p.trailer.Get("Lambda-Runtime-Function-Error-Body"))
			if err != nil || strings.Contains(string(errBody), `"errorType":"`+tt.failed+`"`) != (tt.failed != "") {
				t.Errorf("%s: error body %s, %v", tt.name, errBody, err)
			}
		}
	}
}

// TestNodeStreamingExceptions: what nobody catches ends the stream, then the
// process.
func TestNodeStreamingExceptions(t *testing.T) {
	t.Parallel()
	const code = `exports.f = awslambda.streamifyResponse(async (event, responseStream) => {
  responseStream.write('some');
  setTimeout(() => { throw new RangeError('nobody'); }, 5);
  await new Promise(() => {});
});`
	res := program{files: map[string]string{"x.js": code}, handler: "x.f", events: []event{{"1", nil}}}.run(t, node(t, "nodejs20.x"))
	p := res.only(t)
	if p.body != "some" || p.trailer.Get("Lambda-Runtime-Function-Error-Type") != "RangeError" || res.exit != 129 {
		t.Errorf("posted %q with trailers %v, exit %d", p.body, p.trailer, res.exit)
	}

	const plain = `exports.f = awslambda.streamifyResponse((event, responseStream) => {});`
	res = program{files: map[string]string{"x.js": plain}, handler: "x.f", events: []event{{"1", nil}, {"2", nil}}}.run(t, node(t, "nodejs20.x"))
	for _, p := range res.posts {
		if !strings.Contains(p.body, "Streaming does not support non-async handlers.") {
			t.Errorf("not async: posted %q to %s", p.body, p.path)
		}
	}
}
