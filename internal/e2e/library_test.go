package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// moveImports makes an overlay for the go command in which a program's import
// of aws-lambda-go is one of our own packages: what its author would do.
func moveImports(pkg string) (overlay string, err error) {
	source, err := filepath.Abs(filepath.Join(pkg, "main.go"))
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(source)
	if err != nil {
		return "", err
	}
	own := strings.NewReplacer(
		`"github.com/aws/aws-lambda-go/lambda"`, `"github.com/lambhq/lamb/lambda"`,
		`"github.com/aws/aws-lambda-go/lambdacontext"`, `"github.com/lambhq/lamb/lambda/lambdacontext"`,
	).Replace(string(text))
	into := filepath.Join(scratch, "moved.go")
	if err := os.WriteFile(into, []byte(own), 0o600); err != nil {
		return "", err
	}
	list, err := json.Marshal(map[string]map[string]string{"Replace": {source: into}})
	if err != nil {
		return "", err
	}
	overlay = filepath.Join(scratch, "moved.json")
	return overlay, os.WriteFile(overlay, list, 0o600)
}

// TestMovedFunction has a function that was written for aws-lambda-go, and the
// same with its imports changed to ours, answer the same.
func TestMovedFunction(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	for i, tt := range []struct{ handler, payload string }{
		{"typed", `{"item":"ink","count":4}`},
		{"typed", `{"item":5}`},
		{"nothing", ``},
		{"reader", `{"streamed": [1, 2,  3]}`},
		{"echo", `{"größe":"\ud83d\udc11","n":1e400}`},
		{"fail", `{}`},
		{"panic", `{}`},
		{"big", `6291556`},
		{"big", `6291557`},
	} {
		t.Run(tt.handler+tt.payload, func(t *testing.T) {
			t.Parallel()
			ask := func(p *program, name string) answer {
				name += fmt.Sprint("-", tt.handler, i)
				l.create(t, fn{name: name, handler: tt.handler, code: p.zip(t), memory: 512})
				return l.invoke(t, name, tt.payload)
			}
			theirs, ours := ask(&goFunction, "theirs"), ask(&moved, "ours")
			if (theirs.FunctionError == nil) != (ours.FunctionError == nil) {
				t.Fatalf("theirs: %s, ours: %s", theirs.Payload, ours.Payload)
			}
			if tt.handler == "panic" { // stacks name what is in them
				a, b := theirs.failed(t), ours.failed(t)
				if a.Type != b.Type || a.Message != b.Message || !strings.Contains(string(b.StackTrace), "gofunc/main.go") {
					t.Errorf("theirs: %+v, ours: %+v", a, b)
				}
				return
			}
			if string(theirs.Payload) != string(ours.Payload) {
				t.Errorf("theirs: %.300s, ours: %.300s", theirs.Payload, ours.Payload)
			}
		})
	}
	t.Run("goes on after too large a response", func(t *testing.T) {
		t.Parallel()
		l.create(t, fn{name: "ours-goes-on", handler: "big", code: moved.zip(t), memory: 512})
		l.invoke(t, "ours-goes-on", `6291557`, withTail).failed(t) // and the environment is free again
		if got := l.invoke(t, "ours-goes-on", `10`, withTail); strings.Contains(got.Log, "INIT") || got.succeeded(t) != `"xxxxxxxx"` {
			t.Errorf("payload %s, log\n%s", got.Payload, got.Log)
		}
	})
}

// TestOwnFunction runs what only our package has.
func TestOwnFunction(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	for i, tt := range []struct{ handler, payload, want, errorType, message string }{
		{"typed", `{"a":1}`, `"map[a:1]"`, "", ""},
		{"stream", `{}`, "piece 0\npiece 1\npiece 2\n", "", ""},
		{"stream", `{"Fail":true}`, "", "errorString", "broken off"},
		{"stream", `{"Panic":true}`, "", "string", "broken off"},
		{"init", `{}`, "", "Function.NoTable", "no table"},
		{"shape", `{}`, "", "errorString", "handler takes two arguments, but the first is not Context. got int"},
		{"inside", `{}`, "true", "", ""},
	} {
		t.Run(tt.handler+tt.payload, func(t *testing.T) {
			t.Parallel()
			name := fmt.Sprint("own-", tt.handler, i)
			l.create(t, fn{name: name, handler: tt.handler, code: ownFunction.zip(t)})
			for range 2 { // cold, and warm or cold again
				got := l.invoke(t, name, tt.payload, withTail)
				if tt.errorType == "" {
					if p := got.succeeded(t); p != tt.want {
						t.Errorf("payload %q, want %q", p, tt.want)
					}
				} else if e := got.failed(t); e.Type != tt.errorType || e.Message != tt.message {
					t.Errorf("error %s, want %s %q", got.Payload, tt.errorType, tt.message)
				}
				if tt.handler == "typed" {
					hasLines(t, got.Log, "level=INFO message=typed n=1 requestId="+requestID(got.InvokeOutput)+"\n")
				}
			}
		})
	}
}

// TestOwnStream has a stream of our package on lamb: whole, broken off, and
// larger than an answer in one piece may be.
func TestOwnStream(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	l.create(t, fn{name: "own-live", handler: "stream", code: ownFunction.zip(t)})
	for payload, code := range map[string]string{`{}`: "", `{"Fail":true}`: "errorString", `{"Panic":true}`: "string"} {
		_, stream := l.beginStream(t, "own-live", []byte(payload))
		got := readStream(t, stream)
		if got.text() != "piece 0\npiece 1\npiece 2\n" || aws.ToString(got.complete.ErrorCode) != code {
			t.Errorf("%s: %q, error %q", payload, got.text(), aws.ToString(got.complete.ErrorCode))
		}
		if code != "" && !strings.Contains(aws.ToString(got.complete.ErrorDetails), `"errorMessage":"broken off"`) {
			t.Errorf("%s: details %s", payload, aws.ToString(got.complete.ErrorDetails))
		}
	}
	l.create(t, fn{name: "own-big", handler: "big", code: moved.zip(t), memory: 512})
	_, stream := l.beginStream(t, "own-big", []byte("8388608"))
	if got := readStream(t, stream); len(got.text()) != 8<<20 || got.complete.ErrorCode != nil {
		t.Errorf("%d bytes, %+v", len(got.text()), got.complete)
	}
}

// TestOwnHTTP has an http.Handler behind a function URL of each kind.
func TestOwnHTTP(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	for handler, mode := range map[string]types.InvokeMode{"http": types.InvokeModeBuffered, "http-stream": types.InvokeModeResponseStream} {
		name := "own-" + handler
		l.create(t, fn{name: name, handler: handler, code: ownFunction.zip(t)})
		home := l.urlOf(t, name, func(in *lambda.CreateFunctionUrlConfigInput) { in.InvokeMode = mode })
		got := l.ask(t, "PUT", home+"a%20b/c?q=1", "\x00body", "X-Own", "header", "Content-Type", "application/octet-stream")
		if got.StatusCode != 418 || got.text != `<p>PUT /a%20b/c?q=1 "\x00body"` || got.Header.Get("X-Own") != "header" ||
			got.Header.Get("Content-Type") != "text/html; charset=utf-8" || strings.Join(got.Header["Set-Cookie"], "|") != "a=1|b=2" {
			t.Errorf("%s: %d %q, header %v", handler, got.StatusCode, got.text, got.Header)
		}
	}
}

// TestOwnSIGTERM ends an environment whose function wants to know.
func TestOwnSIGTERM(t *testing.T) {
	t.Parallel()
	l := startLamb(t)
	l.create(t, fn{name: "sigterm", handler: "sigterm", code: ownFunction.zip(t)})
	l.invoke(t, "sigterm", `{}`).succeeded(t)
	name := "sigterm"
	if _, err := l.client().DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: &name}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if line := l.stdout.line("the callback has run", ctx.Done()); !strings.Contains(line, "the callback has run") {
		t.Errorf("the callback's line is %q", line)
	}
}

// TestLogshipper has the example extension write a function's log to a file,
// which the function reads.
func TestLogshipper(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	program, err := os.ReadFile(logshipper.build(t))
	if err != nil {
		t.Fatal(err)
	}
	layer := l.publishLayer(t, "logshipper", zipOf(t, file{"extensions/logshipper", 0o755, string(program)}))
	l.create(t, fn{name: "shipped", handler: "shipped", code: ownFunction.zip(t), layers: []string{layer}})
	// With its log, an answer waits until the environment is free for the next:
	// all are in the one that has the file.
	first := l.invoke(t, "shipped", `"the first line"`, withTail)
	first.succeeded(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var text string
	for !strings.Contains(text, "the first line") && ctx.Err() == nil {
		l.invoke(t, "shipped", `"another"`, withTail).into(t, &text) // and its invocation gives telemetry time
	}
	line, _, _ := strings.Cut(text, "\n")
	var got struct{ Time, RequestID, Message string }
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	if got.RequestID != requestID(first.InvokeOutput) || strings.TrimSpace(got.Message) != "the first line" || got.Time == "" {
		t.Errorf("shipped %+v", got)
	}
}
