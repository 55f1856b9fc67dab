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
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/lambhq/lamb/internal/e2e/testdata/scripted/steps"
)

// scene is a function whose runtime and extensions play scripts.
type scene struct {
	play steps.Play
	// extensions are the names of the external ones; broken are files in their
	// folder that cannot be started.
	extensions, broken []string
	timeout            int32 // seconds; 30 if zero
	kind               kind
	// calls are what the invocations give, one after the other.
	calls []outcome
	// stays leaves the function where it is in the end; otherwise it is deleted,
	// and so its environment ends.
	stays bool
	// says are lines of the function's log, in their order; the test waits for
	// them. Never are texts that must not be in it.
	says, never []string
}

// kind is the kind of a scene's environments: on demand, if nothing else is said.
type kind int

const (
	_ kind = iota
	// managed ones serve two invocations at once, in a function with a capacity
	// provider.
	managed
	// resumed ones are a published version's with SnapStart; its interpreter
	// becomes the player when it loads the function.
	resumed
)

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
	files := st.players(t)
	for _, name := range s.extensions {
		files = append(files, file{"extensions/" + name, 0o777 | os.ModeSymlink, "../scripted"})
	}
	for _, name := range s.broken {
		files = append(files, file{"extensions/" + name, 0o644, "#!/bin/sh\n"})
	}
	st.layers[key] = st.l.publishLayer(t, fmt.Sprintf("scripted-%d", len(st.layers)), zipOf(t, files...))
	return st.layers[key]
}

// players are the program, its scripts, and the runtime.
func (st *scenes) players(t *testing.T) []file {
	t.Helper()
	program, err := os.ReadFile(scripted.build(t))
	if err != nil {
		t.Fatal(err)
	}
	return []file{
		{"scripted", 0o755, string(program)}, {"scripts.json", 0o644, string(st.plays)},
		{"bootstrap", 0o777 | os.ModeSymlink, "scripted"},
	}
}

// becomesPlayer is a Python function that is the player when it is loaded.
const becomesPlayer = `
import os
os.execv(os.path.join(os.path.dirname(os.path.realpath(__file__)), "bootstrap"), ["bootstrap"])
`

// function makes a scene's function, and returns the name of its log and what
// tells an invocation which version is meant.
func (st *scenes) function(t *testing.T, name string, s scene) (logName string, version func(*lambda.InvokeInput)) {
	t.Helper()
	f := fn{name: name, handler: "h", code: zipOf(t, file{"empty", 0o644, ""}), timeout: s.timeout}
	if len(s.extensions)+len(s.broken) > 0 || s.kind != resumed {
		f.layers = []string{st.layer(t, s)}
	}
	switch s.kind {
	case managed:
		f.memory = 2048
		f.logging = &types.LoggingConfig{LogFormat: types.LogFormatJson}
		f.with = func(in *lambda.CreateFunctionInput) { in.CapacityProviderConfig = capacity(2) }
	case resumed:
		f.runtime, f.handler, f.code = "python3.12", "app.handler", zipOf(t, append(st.players(t), file{"app.py", 0o644, becomesPlayer})...)
		f.with = func(in *lambda.CreateFunctionInput) {
			in.SnapStart = &types.SnapStart{ApplyOn: types.SnapStartApplyOnPublishedVersions}
		}
	}
	st.l.create(t, f)
	if s.kind != resumed {
		return name, func(*lambda.InvokeInput) {}
	}
	published := publishResumed(t, st.l.client(), name)
	return name + ":" + published, func(in *lambda.InvokeInput) { in.Qualifier = &published }
}

// publishResumed publishes a version of a function with SnapStart, waits until
// its init has been run, and returns its number.
func publishResumed(t *testing.T, c *lambda.Client, name string) string {
	t.Helper()
	published, err := c.PublishVersion(t.Context(), &lambda.PublishVersionInput{FunctionName: &name})
	if err != nil {
		t.Fatal(err)
	}
	w := lambda.NewFunctionActiveV2Waiter(c, func(o *lambda.FunctionActiveV2WaiterOptions) {
		o.MinDelay, o.MaxDelay = 10*time.Millisecond, 100*time.Millisecond
	})
	if err := w.Wait(t.Context(), &lambda.GetFunctionInput{FunctionName: &name, Qualifier: published.Version}, patience); err != nil {
		t.Fatal(err)
	}
	return *published.Version
}

// run plays one scene.
func (st *scenes) run(t *testing.T, name string, s scene) {
	l := st.l
	logName, version := st.function(t, name, s)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("its log:\n%s", strings.Join(l.logOf(logName), "\n"))
		}
	})
	for i, want := range s.calls {
		if want.after != "" {
			if err := l.says(logName, want.after); err != nil {
				t.Fatal(err)
			}
		}
		// With its log, an answer waits until the environment is free: otherwise
		// the next call might find another one, and a script in its first life.
		log := withTail
		if want.early {
			log = func(*lambda.InvokeInput) {}
		}
		if err := want.is(l.invoke(t, name, fmt.Sprintf(`{"call":%d}`, i), log, version)); err != nil {
			t.Errorf("invocation %d: %v", i, err)
		}
	}
	if !s.stays {
		if _, err := l.client().DeleteFunction(t.Context(), &lambda.DeleteFunctionInput{FunctionName: &name}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.says(logName, s.says...); err != nil {
		t.Fatal(err)
	}
	for _, line := range l.logOf(logName) {
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
