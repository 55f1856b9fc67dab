package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/lambhq/lamb/internal/e2e/testdata/scripted/steps"
)

// scene is a function whose runtime and extensions play scripts.
type scene struct {
	play steps.Play
	// extensions are the names of the external ones; broken are files in their
	// folder that cannot be started.
	extensions, broken []string
	timeout            int32 // seconds; 30 if zero
	// calls are what the invocations give, one after the other.
	calls []outcome
	// stays leaves the function where it is in the end; otherwise it is deleted,
	// and so its environment ends.
	stays bool
	// says are lines of the function's log, in their order; the test waits for
	// them. Never are texts that must not be in it.
	says, never []string
}

// outcome is what an invocation gives: a payload, or the platform's error.
type outcome struct {
	after            string // what the log has to say before it is made
	payload          string
	errType, message string // of an error by the platform
	failed           bool   // the payload is the function's own error
	early            bool   // the answer does not wait until the environment is free
}

// scenes is what the scenes of one test have in common.
type scenes struct {
	l      *lamb
	mu     sync.Mutex
	layers map[string]string // ARNs by the extensions' names
	plays  []byte
}

// play plays scenes, all at once.
func play(t *testing.T, l *lamb, all map[string]scene) {
	t.Helper()
	plays := steps.Plays{}
	for name, s := range all {
		plays[name] = s.play
	}
	b, err := json.Marshal(plays)
	if err != nil {
		t.Fatal(err)
	}
	stage := &scenes{l: l, layers: map[string]string{}, plays: b}
	// Subtests that are not parallel, but run from goroutines: most of their
	// time they wait, and take no other test's place.
	var wg sync.WaitGroup
	defer wg.Wait()
	room := make(chan struct{}, 16)
	for name, s := range all {
		wg.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			t.Run(name, func(t *testing.T) { stage.run(t, name, s) })
		})
	}
}

// layer is the layer with a scene's extensions, its bootstrap and all scripts.
func (st *scenes) layer(t *testing.T, s scene) string {
	t.Helper()
	key := strings.Join(append(slices.Clone(s.extensions), s.broken...), "+")
	st.mu.Lock()
	defer st.mu.Unlock()
	if arn, ok := st.layers[key]; ok {
		return arn
	}
	program, err := os.ReadFile(scripted.build(t))
	if err != nil {
		t.Fatal(err)
	}
	files := []file{
		{"scripted", 0o755, string(program)}, {"scripts.json", 0o644, string(st.plays)},
		{"bootstrap", 0o777 | os.ModeSymlink, "scripted"},
	}
	for _, name := range s.extensions {
		files = append(files, file{"extensions/" + name, 0o777 | os.ModeSymlink, "../scripted"})
	}
	for _, name := range s.broken {
		files = append(files, file{"extensions/" + name, 0o644, "#!/bin/sh\n"})
	}
	st.layers[key] = st.l.publishLayer(t, fmt.Sprintf("scripted-%d", len(st.layers)), zipOf(t, files...))
	return st.layers[key]
}

// run plays one scene.
func (st *scenes) run(t *testing.T, name string, s scene) {
	l := st.l
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("its log:\n%s", strings.Join(l.logOf(name), "\n"))
		}
	})
	l.create(t, fn{name: name, handler: "h", code: zipOf(t, file{"empty", 0o644, ""}), timeout: s.timeout, layers: []string{st.layer(t, s)}})
	for i, want := range s.calls {
		if want.after != "" {
			if err := l.says(name, want.after); err != nil {
				t.Fatal(err)
			}
		}
		// With its log, an answer waits until the environment is free: otherwise
		// the next call might find another one, and a script in its first life.
		log := withTail
		if want.early {
			log = func(*lambda.InvokeInput) {}
		}
		if err := want.is(l.invoke(t, name, fmt.Sprintf(`{"call":%d}`, i), log)); err != nil {
			t.Errorf("invocation %d: %v", i, err)
		}
	}
	if !s.stays {
		if _, err := l.client().DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: &name}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.says(name, s.says...); err != nil {
		t.Fatal(err)
	}
	for _, line := range l.logOf(name) {
		for _, text := range append(s.never, ": WRONG") {
			if strings.Contains(line, text) {
				t.Errorf("the log has %q", line)
			}
		}
	}
}

// is tells what is not as expected.
func (o outcome) is(a answer) error {
	want, failed := o.payload, o.failed
	if o.errType != "" {
		want = `{"errorType":"` + o.errType + `","errorMessage":"RequestId: ` + requestID(a.InvokeOutput) + ` Error: ` + o.message + `"}`
		failed = true
	}
	if got := string(a.Payload); got != want || failed != (a.FunctionError != nil) {
		return fmt.Errorf("payload\n %s, want\n %s", got, want)
	}
	return nil
}

// logOf is what a function and its extensions have logged, and the platform's
// lines about them.
func (l *lamb) logOf(name string) []string {
	var lines []string
	for line := range strings.Lines(l.stdout.String()) {
		if rest, ok := strings.CutPrefix(line, "["+name+"] "); ok {
			lines = append(lines, strings.TrimSuffix(rest, "\n"))
		}
	}
	return lines
}

// says waits until a function's log has texts in lines of this order.
func (l *lamb) says(name string, texts ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		l.stdout.mu.Lock()
		changed := l.stdout.changed
		l.stdout.mu.Unlock()
		rest := texts
		for _, line := range l.logOf(name) {
			if len(rest) > 0 && strings.Contains(line, rest[0]) {
				rest = rest[1:]
			}
		}
		if len(rest) == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("the log has no %q after what comes before it", rest[0])
		}
	}
}

// What scripts are made of.

const (
	extensionAPI = "/2020-01-01/extension/"
	runtimeAPI   = "/2018-06-01/runtime/"

	nameHeader = "Lambda-Extension-Name"
	idHeader   = "Lambda-Extension-Identifier"
	typeHeader = "Lambda-Extension-Function-Error-Type"

	accepted = `{"status":"OK"}`
)

// call is a request and what is expected of its answer; headers are names and
// values in turns.
func call(method, path, body string, status int, is string, headers ...string) steps.Step {
	s := steps.Step{Do: steps.Call, Method: method, Path: path, Body: body, Status: status, Is: is, Header: map[string]string{}}
	for i := 0; i+1 < len(headers); i += 2 {
		s.Header[headers[i]] = headers[i+1]
	}
	return s
}

// apiError is the body of an error.
func apiError(errType, message string) string {
	b, _ := json.Marshal(message) // a string always marshals
	return `{"errorMessage":` + string(b) + `,"errorType":"` + errType + `"}`
}

// register registers the player of this name, whose identifier is {id} then.
func register(name string, events ...string) steps.Step {
	b, _ := json.Marshal(map[string][]string{"events": append([]string{}, events...)}) // strings always marshal
	s := call("POST", extensionAPI+"register", string(b), 200, "", nameHeader, name)
	s.Save = map[string]string{"id": idHeader}
	return s
}

// nextEvent asks for an event whose JSON has a text.
func nextEvent(has string) steps.Step {
	s := call("GET", extensionAPI+"event/next", "", 200, "", idHeader, "{id}")
	s.Has = has
	return s
}

// fails reports a failure of the extension.
func fails(phase, errType string) steps.Step {
	return call("POST", extensionAPI+phase+"/error", "{}", 202, accepted, idHeader, "{id}", typeHeader, errType)
}

// take takes an event; respond answers the one that was taken.
func take() steps.Step {
	s := call("GET", runtimeAPI+"invocation/next", "", 200, "")
	s.Save = map[string]string{"request": "Lambda-Runtime-Aws-Request-Id"}
	return s
}

func respond(body string) steps.Step {
	return call("POST", runtimeAPI+"invocation/{request}/response", body, 202, accepted)
}

// subscribe subscribes to telemetry of all types on {port}.
func subscribe(schema string) steps.Step {
	return call("PUT", "/2022-07-01/telemetry", `{"schemaVersion":"`+schema+`","types":["platform","function","extension"],"buffering":{"timeoutMs":25},`+
		`"destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:{port}/in"}}`, 200, `"OK"`, idHeader, "{id}")
}

func do(v steps.Verb, text string) steps.Step { return steps.Step{Do: v, Text: text} }

func exit(code int) steps.Step { return steps.Step{Do: steps.Exit, Code: code} }

func spawn(s ...steps.Step) steps.Step { return steps.Step{Do: steps.Spawn, Steps: s} }

// script is a player's one script.
func script(s ...steps.Step) [][]steps.Step { return [][]steps.Step{s} }

// lives are a player's scripts, life by life.
func lives(scripts ...[]steps.Step) [][]steps.Step { return scripts }

var serves = do(steps.Serve, "")
