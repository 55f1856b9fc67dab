package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// patience is how long a test waits for what should take milliseconds.
const patience = 20 * time.Second

// ofLamb is a variable of lamb's own environment, which no function may see.
const ofLamb = "LAMB_E2E_PRIVATE=the-private-value-of-lamb"

// lamb is a running `lamb serve`.
type lamb struct {
	URL            string
	PID            int
	stdout, stderr *output
	// sandbox and network are what lamb says that functions have.
	sandbox, network string

	calls  *http.Client // of all SDK clients: each its own would keep a connection each
	cmd    *exec.Cmd
	exited chan struct{} // closed when the process has ended and err is set
	err    error         // what exec.Cmd.Wait said
}

// startLamb runs lamb serve on a free port until the test ends. Unless the
// arguments say otherwise, it keeps its data in a temporary folder.
func startLamb(t testing.TB, args ...string) *lamb {
	t.Helper()
	if !strings.Contains(strings.Join(args, " "), "--data-dir") {
		args = append(args, "--ephemeral")
	}
	l, err := launch(lambCommand.build(t), folder(t), append([]string{"--listen", "127.0.0.1:0"}, args...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.mustDie(t) })
	return l
}

// mustDie kills lamb, if it has not ended, and checks that nobody is left and
// that nothing went wrong in it.
func (l *lamb) mustDie(t testing.TB) {
	t.Helper()
	var processes []watched
	select {
	case <-l.exited:
	default:
		processes = watch(t, descendants(t, l.PID)...)
	}
	l.kill()
	mustEnd(t, processes)
	if err := l.broken(); err != nil {
		t.Error(err)
	}
	if t.Failed() {
		t.Logf("lamb said:\n%s", tail(l.stderr.String()))
	}
}

// broken is an error when lamb panicked, or raced under the race detector.
func (l *lamb) broken() error {
	out := l.stderr.String()
	for _, word := range []string{"panic", "fatal error: ", "DATA RACE"} {
		if before, _, found := strings.Cut(out, word); found {
			return fmt.Errorf("lamb is broken:\n%.8000s", out[max(0, len(before)-500):])
		}
	}
	return nil
}

// tail is the end of a long text.
func tail(s string) string { return s[max(0, len(s)-8<<10):] }

// launch runs lamb serve and waits until it is ready.
func launch(command, home string, args []string) (*lamb, error) {
	l, err := startCommand(here.command(context.Background(), home, command, append([]string{"serve"}, args...)...))
	if err != nil {
		return nil, err
	}
	stop := make(chan struct{})
	timer := time.AfterFunc(patience, func() { close(stop) })
	defer timer.Stop()
	const ready = "serves the Lambda API at "
	_, url, ok := strings.Cut(l.stderr.line(ready, stop), ready)
	if !ok {
		l.kill()
		return nil, fmt.Errorf("lamb did not start: %v\n%s", l.err, l.stderr)
	}
	l.URL = url
	_, sandbox, _ := strings.Cut(l.stderr.line("  sandbox ", stop), "  sandbox ")
	l.sandbox, _, _ = strings.Cut(strings.TrimSpace(sandbox), ";")
	_, l.network, _ = strings.Cut(l.stderr.line("; network: ", stop), "; network: ")
	return l, nil
}

// startCommand starts a lamb that serves something.
func startCommand(cmd *exec.Cmd) (*lamb, error) {
	l := &lamb{
		cmd: cmd, stdout: newOutput(), stderr: newOutput(), exited: make(chan struct{}),
		calls: &http.Client{Transport: ownBodies{awshttp.NewBuildableClient().GetTransport()}},
	}
	l.cmd.Stdout, l.cmd.Stderr = l.stdout, l.stderr
	// A process that outlives lamb and holds its output would hang Wait; so it
	// is an error instead, which the tests see.
	l.cmd.WaitDelay = patience
	if err := start(l.cmd); err != nil {
		return nil, err
	}
	l.PID = l.cmd.Process.Pid
	go func() {
		l.err = l.cmd.Wait()
		l.stdout.finish()
		l.stderr.finish()
		close(l.exited)
	}()
	return l, nil
}

// ownBodies sends bodies that nobody closes. The SDK closes a request's body as
// soon as the response begins, and a net/http that has sent all of it and looks
// whether there is more takes that for an error and breaks the connection off:
// a stream that begins at once is cut, now and then (smithy-go 1.28).
type ownBodies struct{ *http.Transport }

// RoundTrip implements http.RoundTripper.
func (o ownBodies) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		b, err := io.ReadAll(req.Body)
		if err := errors.Join(err, req.Body.Close()); err != nil {
			return nil, err
		}
		req = req.WithContext(req.Context()) // a copy
		req.Body = io.NopCloser(bytes.NewReader(b))
	}
	return o.Transport.RoundTrip(req)
}

// kill ends lamb by SIGKILL and waits for that.
func (l *lamb) kill() {
	_ = l.cmd.Process.Kill() // it may have ended
	<-l.exited
	l.calls.CloseIdleConnections()
}

// terminate asks lamb to end.
func (l *lamb) terminate(t testing.TB) {
	t.Helper()
	if err := l.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}

// exitCode waits for the end of lamb.
func (l *lamb) exitCode(t testing.TB) int {
	t.Helper()
	select {
	case <-l.exited:
		if errors.Is(l.err, exec.ErrWaitDelay) {
			t.Errorf("somebody holds the output of a lamb that has ended")
		}
		return l.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatalf("lamb does not end:\n%s", tail(l.stderr.String()))
		return -1
	}
}

// runLamb runs a lamb serve that is expected to give up, and returns its exit
// code and what it said.
func runLamb(t testing.TB, args ...string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := here.command(ctx, folder(t), lambCommand.build(t), append([]string{"serve"}, args...)...)
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("lamb serve %q does not give up:\n%s", args, out)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// place is where a function's process is, as it knows itself: its number, and
// its environment's log stream. Numbers alone may be the same in all
// environments.
type place struct {
	PID    int
	Stream string
}

// client is an SDK client as a user has it, but that it never tries again:
// a test wants to see what lamb answered first.
func (l *lamb) client(options ...func(*lambda.Options)) *lambda.Client {
	return lambda.New(lambda.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(l.URL),
		HTTPClient:   l.calls,
		Credentials:  credentials.NewStaticCredentialsProvider("test", "the-caller's-secret-key", ""),
		Retryer:      aws.NopRetryer{},
	}, options...)
}

// inRegion makes a client for another region.
func inRegion(region string) func(*lambda.Options) {
	return func(o *lambda.Options) { o.Region = region }
}

// staticCredentials are those in a function's environment.
func staticCredentials(env map[string]string) aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env["AWS_SESSION_TOKEN"])
}

// get reads a resource of lamb's that needs no signature.
func (l *lamb) get(t testing.TB, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, l.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// metric is the value of a metric without labels.
func (l *lamb) metric(t testing.TB, name string) float64 {
	t.Helper()
	_, text := l.get(t, "/metrics")
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			v, err := strconv.ParseFloat(rest, 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

// sharedLamb serves the tests that need nothing special: they run at the same
// time and use function names of their own.
var sharedLamb shared

type shared struct {
	once    sync.Once
	l       *lamb
	err     error
	mu      sync.Mutex
	secrets map[string]string // what must not be in the output, and what it is
}

// get returns the shared lamb, which logs all it ever logs.
func (s *shared) get(t testing.TB) *lamb {
	t.Helper()
	command := lambCommand.build(t)
	s.once.Do(func() {
		home := filepath.Join(scratch, "shared")
		if s.err = errors.Join(os.Mkdir(home, 0o700), here.give(home)); s.err != nil {
			return
		}
		s.l, s.err = launch(command, home, []string{"--listen", "127.0.0.1:0", "--ephemeral", "--log-level", "debug"})
	})
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.l
}

// secret registers a text that lamb must never print.
func (s *shared) secret(what, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.secrets == nil {
		s.secrets = map[string]string{}
	}
	s.secrets[text] = what
}

// end stops the shared lamb as a user does, and says what was not right.
func (s *shared) end() error {
	if s.l == nil {
		return nil
	}
	if err := s.l.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("it has ended before its time: %w\n%s", err, tail(s.l.stderr.String()))
	}
	select {
	case <-s.l.exited:
	case <-time.After(patience):
		s.l.kill()
		return errors.New("it did not end after SIGTERM")
	}
	var errs []error
	if s.l.err != nil {
		errs = append(errs, fmt.Errorf("it ended with %w\n%s", s.l.err, tail(s.l.stderr.String())))
	}
	for name, out := range map[string]string{"stdout": s.l.stdout.String(), "stderr": s.l.stderr.String()} {
		for text, what := range s.secrets {
			if strings.Contains(out, text) {
				errs = append(errs, fmt.Errorf("it printed %s on %s", what, name))
			}
		}
	}
	return errors.Join(append(errs, s.l.broken())...)
}
