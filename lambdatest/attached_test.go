package lambdatest_test

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lambhq/lamb/extension"
	"github.com/lambhq/lamb/lambdatest"
)

// TestAttach: a process that the test has started is stopped, goes on, is killed
// and told to end like any other.
func TestAttach(t *testing.T) {
	t.Parallel()
	events := make(chan *extension.Event, 10)
	env := lambdatest.New(t, lambdatest.Config{
		Runtime: lambdatest.Attached(), Timeout: 10 * time.Second,
		Extensions: []lambdatest.Extension{{Name: "collector", Program: collector(events, extension.Shutdown)}},
	})
	start := func() int {
		cmd := exec.Command(self(t), "a-runtime")
		cmd.Env = env.Environ()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		env.Attach("bootstrap", cmd.Process)
		return cmd.Process.Pid
	}
	works := func() {
		t.Helper()
		if res := env.Call("work"); string(res.Payload) != `"128"` {
			t.Fatalf("%+v %s", res, res.Payload)
		}
	}
	first := start()
	works()
	env.Freeze()
	if s := becomes(t, first, syscall.WUNTRACED); !s.Stopped() {
		t.Errorf("frozen, it is %v", s)
	}
	works()
	if res := env.Do(lambdatest.Request{Payload: []byte(`"hang"`), Timeout: 100 * time.Millisecond}); res.Status != lambdatest.TimedOut {
		t.Errorf("%+v %s", res, res.Payload)
	}
	// It ends by SIGTERM: where there is an extension, a reset begins with that.
	if s := becomes(t, first, 0); !s.Signaled() {
		t.Errorf("after the timeout it is %v", s)
	}
	next := env.Invoke(lambdatest.Request{Payload: []byte(`"work"`)}) // starts the runtime again
	second := start()
	if res := next.Wait(); string(res.Payload) != `"128"` {
		t.Errorf("%+v %s", res, res.Payload)
	}
	env.Shutdown()
	if s := becomes(t, second, 0); !s.Signaled() || s.Signal() != syscall.SIGTERM {
		t.Errorf("after the shutdown it is %v", s)
	}

	text := fails(t, func(t lambdatest.TB) {
		lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.Attached()}).Attach("agent", nil)
	})
	if !strings.Contains(text, `no Attached program "agent"`) {
		t.Error(text)
	}
}

// becomes waits for a child to stop or to end.
func becomes(t *testing.T, pid, options int) (status syscall.WaitStatus) {
	t.Helper()
	for {
		_, err := syscall.Wait4(pid, &status, options, nil)
		if err == nil {
			return status
		}
		if err != syscall.EINTR {
			t.Fatal(err)
		}
	}
}
