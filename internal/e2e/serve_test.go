package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// TestRefusesToStart has what lamb serve says when it cannot.
func TestRefusesToStart(t *testing.T) {
	t.Parallel()
	data := folder(t)
	l := startLamb(t, "--data-dir", data)
	address := strings.TrimPrefix(l.URL, "http://")
	newer, foreign := folder(t), folder(t)
	put(t, filepath.Join(newer, "format"), "99\n")
	put(t, filepath.Join(foreign, "thesis.txt"), "do not touch")
	for _, tt := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"port in use", []string{"--ephemeral", "--listen", address}, 1, "lamb: " + address + " is in use by another program: stop it, or choose another address with --listen"},
		{"data in use", []string{"--data-dir", data, "--listen", "127.0.0.1:0"}, 1, fmt.Sprintf("lamb: data directory %s is in use by another lamb (process %d)", data, l.PID)},
		{"newer format", []string{"--data-dir", newer, "--listen", "127.0.0.1:0"}, 1, "data directory was made by a newer lamb: its format is 99"},
		{"somebody's folder", []string{"--data-dir", foreign, "--listen", "127.0.0.1:0"}, 1, "not a lamb data directory"},
		{"off loopback", []string{"--ephemeral", "--listen", "0.0.0.0:0"}, 2, "--insecure"},
		{"account", []string{"--ephemeral", "--account-id", "12"}, 2, "12 digits"},
		{"unknown flag", []string{"--frobnicate"}, 2, "unknown flag: --frobnicate"},
		{"contradiction", []string{"--ephemeral", "--data-dir", foreign}, 2, "exclude each other"},
		{"log bytes", []string{"--ephemeral", "--log-bytes", "1000"}, 2, "--log-bytes 1000: at least 1048576"},
		{"log retention", []string{"--ephemeral", "--log-retention", "-1h"}, 2, "--log-retention -1h0m0s: cannot be less than nothing"},
		{"log level", []string{"--ephemeral", "--log-level", "loud"}, 2, `--log-level "loud": use debug, info, warn or error`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, said := runLamb(t, tt.args...)
			if code != tt.code || !strings.Contains(said, tt.says) {
				t.Errorf("exit code %d, %q\nwant %d, %q", code, said, tt.code, tt.says)
			}
		})
	}
	if left, err := os.ReadDir(foreign); err != nil || len(left) != 1 {
		t.Errorf("somebody's folder has %v, %v", left, err)
	}
	if status, _ := l.get(t, "/_lamb/health"); status != 200 {
		t.Errorf("the first lamb's health is %d", status)
	}
}

// TestDrain ends lamb while a function runs: it is answered first.
func TestDrain(t *testing.T) {
	t.Parallel()
	l := startLamb(t)
	h := newHook(t, l)
	name := l.goFn(t, "draining", "hook", func(f *fn) { f.env = map[string]string{"HOOK": h.URL} })
	got := make(chan answer, 1)
	go func() { got <- l.invoke(t, name, `0`) }()
	h.await(t, 1)
	inside := watch(t, descendants(t, l.PID)...)
	l.terminate(t)
	stop := make(chan struct{})
	time.AfterFunc(patience, func() { close(stop) })
	if l.stderr.line("lamb: stopping; invocations in flight have 30s", stop) == "" {
		t.Fatal("lamb does not say that it stops")
	}
	refused(t, l)
	select {
	case <-got:
		t.Fatal("the invocation ended before it was let go")
	case <-l.exited:
		t.Fatal("lamb did not wait for the invocation")
	default:
	}
	h.letGo()
	a := <-got
	a.succeeded(t)
	if code := l.exitCode(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, l.stderr)
	}
	mustEnd(t, inside)
}

// refused waits until lamb takes no new connections, which is a moment after
// it said so.
func refused(t *testing.T, l *lamb) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		c, err := net.Dial("tcp", strings.TrimPrefix(l.URL, "http://"))
		if err != nil {
			return
		}
		c.Close()
	}
	t.Error("lamb still takes connections")
}

// TestDrainDeadline has an invocation that does not end: it is cut off.
func TestDrainDeadline(t *testing.T) {
	t.Parallel()
	l := startLamb(t, "--drain", "200ms")
	h := newHook(t, l)
	name := l.goFn(t, "endless", "hook", func(f *fn) { f.timeout, f.env = 900, map[string]string{"HOOK": h.URL} })
	cut := make(chan error, 1)
	go func() {
		_, err := l.client().Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &name, Payload: []byte(`0`)})
		cut <- err
	}()
	h.await(t, 1)
	inside := watch(t, descendants(t, l.PID)...)
	l.terminate(t)
	l.exitCode(t) // in less than the 30 s that a drain has otherwise
	if err := <-cut; err == nil {
		t.Error("an invocation that was cut off was answered as if it had succeeded")
	}
	mustEnd(t, inside)
}
