package lambda_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/lambhq/lamb/lambda"
	"github.com/lambhq/lamb/lambda/lambdacontext"
)

// run runs a handler in this process until the stub's events are used up, or
// it ends by itself.
func run(t testing.TB, s *stub, handler any, env map[string]string, opts ...lambda.Option) error {
	t.Helper()
	previous := log.Writer()
	log.SetOutput(io.Discard)
	defer log.SetOutput(previous)
	r := lambda.Runtime{
		Handler: handler, Options: opts, Endpoint: s.address(),
		Getenv: func(name string) string { return env[name] },
		Setenv: func(string, string) error { return nil },
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		select {
		case <-s.idle:
			cancel()
		case <-ctx.Done():
		}
	}()
	return r.Run(ctx)
}

// brief is what was posted, in a line each.
func brief(s *stub) []string {
	var lines []string
	for _, r := range s.answers() {
		path := strings.TrimPrefix(strings.TrimPrefix(r.path, "/2018-06-01/runtime/"), "invocation/"+requestID+"/")
		line := fmt.Sprintf("%s %s", path, r.body)
		if mode := r.header.Get("Lambda-Runtime-Function-Response-Mode"); mode != "" {
			line += " (" + mode + " " + r.header.Get("Content-Type") + ")"
		}
		for _, name := range []string{"Lambda-Runtime-Function-Error-Type", "Lambda-Runtime-Function-Error-Body"} {
			line += strings.TrimRight(" "+r.header.Get(name)+r.trailer.Get(name), " ")
		}
		lines = append(lines, line)
	}
	return lines
}

func expect(t *testing.T, s *stub, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, brief(s)); diff != "" {
		t.Errorf("- want, + got:\n%s", diff)
	}
}

func TestResponseStream(t *testing.T) {
	type order struct{ Name string }
	for name, c := range map[string]struct {
		handler any
		want    string
		fails   bool
	}{
		"three arguments": {func(_ context.Context, o order, w *lambda.ResponseStream) error {
			fmt.Fprintf(w, "Hello, ")
			_, err := fmt.Fprintf(w, "%s!", o.Name)
			return err
		}, "response Hello, Lamb! (streaming application/octet-stream)", false},
		"no event": {func(w *lambda.ResponseStream) error {
			return errors.Join(w.SetContentType("text/plain"), func() error { _, err := io.WriteString(w, "x"); return err }())
		}, "response x (streaming text/plain)", false},
		"nothing": {func(_ context.Context, w *lambda.ResponseStream) error { return w.SetContentType("text/plain") }, "response  (streaming text/plain)", false},
		"prelude": {func(w *lambda.ResponseStream) error {
			if err := w.WritePrelude(lambda.Prelude{Headers: map[string]string{"a": "b"}, Cookies: []string{"c=d"}}); err != nil {
				return err
			}
			if err := w.WritePrelude(lambda.Prelude{}); !errors.Is(err, lambda.ErrStarted) {
				return err
			}
			_, err := io.WriteString(w, "body")
			return err
		}, `response {"statusCode":200,"headers":{"a":"b"},"cookies":["c=d"]}` + "\x00\x00\x00\x00\x00\x00\x00\x00body (streaming application/vnd.awslambda.http-integration-response)", false},
		"an error before": {func(*lambda.ResponseStream) error { return customError{1} },
			`error {"errorMessage":"code \u003c1\u003e","errorType":"customError"} Function.customError`, false},
		"an error after": {func(w *lambda.ResponseStream) error {
			_, _ = io.WriteString(w, "so far")
			return customError{2}
		}, "response so far (streaming application/octet-stream) customError eyJlcnJvck1lc3NhZ2UiOiJjb2RlIFx1MDAzYzJcdTAwM2UiLCJlcnJvclR5cGUiOiJjdXN0b21FcnJvciJ9", false},
		"a panic after": {func(w *lambda.ResponseStream) error {
			_, _ = io.WriteString(w, "so far")
			panic(lambda.Error{Message: "m", Type: "T", ShouldExit: true})
		}, "response so far (streaming application/octet-stream) T eyJlcnJvck1lc3NhZ2UiOiJtIiwiZXJyb3JUeXBlIjoiVCJ9", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStub(t, event{payload: `{"name":"Lamb"}`})
			if err := run(t, s, c.handler, nil); (err != nil) != c.fails {
				t.Errorf("ended with %v", err)
			}
			expect(t, s, c.want)
			// Outside a runtime, as middleware calls it, the answer is one piece.
			if strings.HasPrefix(c.want, "response") && !c.fails && !strings.Contains(name, "after") {
				got, err := lambda.NewHandler(c.handler).Invoke(t.Context(), []byte(`{"name":"Lamb"}`))
				if want, _, _ := strings.Cut(strings.TrimPrefix(c.want, "response "), " (streaming"); err != nil || string(got) != want {
					t.Errorf("Invoke gives %q, %v; want %q", got, err, want)
				}
			}
		})
	}
}

// TestRefusedHandlers are errors of initialization.
func TestRefusedHandlers(t *testing.T) {
	for want, handler := range map[string]any{
		"handler is nil":               nil,
		"handler kind int is not func": 1,
		"handlers may not take more than two arguments, but handler takes 3":    func(context.Context, int, int) {},
		"handler takes two arguments, but the first is not Context. got int":    func(int, int) {},
		`handler takes an interface, but it is not context.Context: \"Reader\"`: func(io.Reader) {},
		"handler may not return more than two values":                           func() (int, int, error) { return 0, 0, nil },
		"handler returns two values, but the second does not implement error":   func() (int, int) { return 0, 0 },
		"handler returns a single value, but it does not implement error":       func() int { return 0 },
		"handler writes to a ResponseStream and returns a value besides":        func(*lambda.ResponseStream) (int, error) { return 0, nil },
		"handler takes two arguments, but the first is not Context. got ptr":    func(*lambda.ResponseStream, int) {},
	} {
		s := newStub(t)
		if err := run(t, s, handler, nil); err == nil {
			t.Errorf("%s: no error", want)
		}
		expect(t, s, `init/error {"errorMessage":"`+want+`","errorType":"errorString"} Runtime.InvalidHandler`)
		if _, err := lambda.NewHandler(handler).Invoke(t.Context(), nil); err == nil {
			t.Errorf("%s: NewHandler does not say so", want)
		}
	}
}

func TestHooks(t *testing.T) {
	var order []string
	hook := func(name string) lambda.Hook {
		return func(context.Context) error {
			order = append(order, name)
			return nil
		}
	}
	hooks := []lambda.Option{
		lambda.WithAfterRestore(hook("after 1")), lambda.WithAfterRestore(hook("after 2")),
		lambda.WithBeforeSnapshot(hook("before")), lambda.WithInit(hook("init 1")), lambda.WithInit(hook("init 2")),
	}
	handler := func() { order = append(order, "event") }
	snapStart := map[string]string{"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}

	s := newStub(t, event{})
	if err := run(t, s, handler, nil, hooks...); err != nil {
		t.Error(err)
	}
	if want := []string{"init 1", "init 2", "event"}; !slices.Equal(order, want) {
		t.Errorf("on demand: %q, want %q", order, want)
	}

	order = nil
	s = newStub(t, event{})
	s.restored = make(chan struct{})
	close(s.restored)
	if err := run(t, s, handler, snapStart, hooks...); err != nil {
		t.Error(err)
	}
	if want := []string{"init 1", "init 2", "before", "after 1", "after 2", "event"}; !slices.Equal(order, want) {
		t.Errorf("with SnapStart: %q, want %q", order, want)
	}
	expect(t, s, "restore/next ", "response null")

	fail := func(context.Context) error { return customError{1} }
	for want, opt := range map[string]lambda.Option{
		"init/error init Function.customError":                        lambda.WithInit(fail),
		"init/error before Runtime.BeforeSnapshotError":               lambda.WithBeforeSnapshot(fail),
		"restore/next |restore/error after Runtime.AfterRestoreError": lambda.WithAfterRestore(fail),
	} {
		s = newStub(t, event{})
		s.restored = make(chan struct{})
		close(s.restored)
		if err := run(t, s, handler, snapStart, opt); !errors.As(err, new(*lambda.Error)) {
			t.Errorf("%s: ended with %v", want, err)
		}
		for _, name := range []string{" init ", " before ", " after "} {
			want = strings.Replace(want, name, ` {"errorMessage":"code \u003c1\u003e","errorType":"customError"} `, 1)
		}
		expect(t, s, strings.Split(want, "|")...)
	}
}

// TestInitPanic reports the stack of a hook that panics.
func TestInitPanic(t *testing.T) {
	s := newStub(t)
	if err := run(t, s, func() {}, nil, lambda.WithInit(func(context.Context) error { panic("no") })); err == nil {
		t.Error("no error")
	}
	if got := s.answers()[0]; got.path != "/2018-06-01/runtime/init/error" || !strings.Contains(got.body, "runtime_test.go") || got.header.Get("Lambda-Runtime-Function-Xray-Error-Cause") == "" {
		t.Errorf("reported %+v", got)
	}
}

func TestConcurrency(t *testing.T) {
	const n = 4
	events := make([]event, n)
	for i := range events {
		events[i] = event{payload: fmt.Sprint(i), header: map[string]string{"Lambda-Runtime-Aws-Request-Id": fmt.Sprint("id-", i), "Lambda-Runtime-Trace-Id": fmt.Sprint("trace-", i)}}
	}
	s := newStub(t, events...)
	var together sync.WaitGroup
	together.Add(n)
	handler := func(ctx context.Context, i int) (string, error) {
		together.Done()
		together.Wait() // none answers before all are being handled
		lc, _ := lambdacontext.FromContext(ctx)
		return fmt.Sprint(i, " ", lc.AwsRequestID, " ", lambdacontext.TraceID(ctx)), nil
	}
	if err := run(t, s, handler, map[string]string{"AWS_LAMBDA_MAX_CONCURRENCY": fmt.Sprint(n)}); err != nil {
		t.Error(err)
	}
	got := brief(s)
	slices.Sort(got)
	for i, line := range got {
		if want := fmt.Sprintf(`invocation/id-%d/response "%d id-%d trace-%d"`, i, i, i, i); line != want {
			t.Errorf("%q, want %q", line, want)
		}
	}
	if len(got) != n {
		t.Errorf("%d answers", len(got))
	}
}

// TestRefusedAnswers goes on after what is the invocation's affair, and ends
// after all else.
func TestRefusedAnswers(t *testing.T) {
	for status, goesOn := range map[int]bool{413: true, 410: true, 403: false, 400: false, 500: false} {
		s := newStub(t, event{}, event{})
		s.refuse = func(string) (int, string) { return status, `{"errorType":"T","errorMessage":"M"}` }
		err := run(t, s, func() {}, nil)
		if (err == nil) != goesOn || (len(s.answers()) == 2) != goesOn {
			t.Errorf("status %d: %d answers, error %v", status, len(s.answers()), err)
		}
	}
}

func TestNextFails(t *testing.T) {
	s := newStub(t)
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, `{"errorType":"InternalServerError","errorMessage":"Internal Server Error"}`)
	})
	if err := run(t, s, func() {}, nil); err == nil || !strings.Contains(err.Error(), "status 500") {
		t.Errorf("error %v", err)
	}
}

// TestSIGTERM sends a process the signal, as Lambda does when an environment
// with an extension ends: it runs its callbacks and ends.
func TestSIGTERM(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no signals")
	}
	s := newStub(t, event{payload: "{}"})
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childLibrary+"=ours", childHandler+"=SIGTERM", "AWS_LAMBDA_RUNTIME_API="+s.address())
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-s.idle
	<-s.waiting
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || stdout.String() != "first\nsecond\n" {
		t.Errorf("ended with %v, after %q", err, &stdout)
	}
	var paths []string
	for _, r := range s.answers() {
		paths = append(paths, r.path+" "+r.body)
	}
	slices.Sort(paths) // the extension's next may come before or after the response
	want := []string{
		"/2018-06-01/runtime/invocation/" + requestID + "/response null",
		"/2020-01-01/extension/event/next ", `/2020-01-01/extension/register {"events":[]}`,
	}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("- want, + got:\n%s", diff)
	}
}

// TestLocal runs a handler as a program outside Lambda.
func TestLocal(t *testing.T) {
	file := t.TempDir() + "/event.json"
	if err := os.WriteFile(file, []byte(`{"name":"File"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		handler, stdin string
		args           []string
		stdout, stderr string
		fails          bool
	}{
		"standard input": {"all", `{"name":"Lamb"}`, nil, "{\"message\":\"Hello Lamb!\",\"html\":\"<b>&</b>\"}\n", "", false},
		"file":           {"all", "", []string{file}, "{\"message\":\"Hello File!\",\"html\":\"<b>&</b>\"}\n", "", false},
		"no file":        {"all", "", []string{file + "x"}, "", "no such file", true},
		"an option":      {"all", "", []string{"-h"}, "", "one argument", true},
		"an error":       {"a custom error", "{}", nil, "", `"errorType": "customError"`, true},
		"a panic":        {"a panic", "{}", nil, "", `"stackTrace": [`, true},
		"a reader":       {"a reader", "{}", nil, "plain <text>\n", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], c.args...)
			cmd.Env = append(os.Environ(), childLibrary+"=ours", childHandler+"="+c.handler, "AWS_LAMBDA_RUNTIME_API=")
			cmd.Stdin = strings.NewReader(c.stdin)
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			err := cmd.Run()
			if (err != nil) != c.fails || stdout.String() != c.stdout || !strings.Contains(stderr.String(), c.stderr) {
				t.Errorf("error %v, output %q, errors %q", err, &stdout, &stderr)
			}
		})
	}
}

// TestLogFormat looks at what a failure leaves in the function's log.
func TestLogFormat(t *testing.T) {
	for format, want := range map[string]string{
		"":     `^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \{"errorMessage":"code \\u003c3\\u003e","errorType":"customError"\}\n$`,
		"JSON": `^\{"timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","level":"ERROR","requestId":"` + requestID + `","message":"code \\u003c3\\u003e","errorType":"customError","errorMessage":"code \\u003c3\\u003e"\}\n$`,
	} {
		s := newStub(t, event{payload: "{}"})
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childLibrary+"=ours", childHandler+"=a custom error", "AWS_LAMBDA_RUNTIME_API="+s.address(), "AWS_LAMBDA_LOG_FORMAT="+format)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		<-s.idle
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
		if !regexp.MustCompile(want).Match(stderr.Bytes()) {
			t.Errorf("format %q logs %q, want %s", format, &stderr, want)
		}
	}
}
