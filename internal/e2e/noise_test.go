package e2e

import "testing"

// TestNoise has runtimes that speak garbage to the Runtime API, while another
// function is served.
func TestNoise(t *testing.T) {
	t.Parallel()
	l := startLamb(t)
	good := l.goFn(t, "good", "echo")
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if p := string(l.invoke(t, good, `"well"`).Payload); p != `"well"` {
				t.Errorf("a good function answered %s", p)
			}
		}
	}()
	noisy := func(handler string) string {
		f := fn{name: "noise-" + handler, handler: handler, code: rawFunction.zip(t)}
		if handler == "hang" {
			f.timeout = 3
		}
		l.create(t, f)
		return "noise-" + handler
	}
	// Not parallel: they would wait for other tests, and the good function
	// would keep the machine busy meanwhile.
	for handler, want := range map[string][2]string{
		"hang":       {"Sandbox.Timedout", "Task timed out after 3.00 seconds"},
		"exit":       {"Runtime.ExitError", "Runtime exited with error: exit status 3"},
		"init-noise": {"Runtime.ExitError", "Runtime exited with error: exit status 3"},
	} {
		t.Run(handler, func(t *testing.T) {
			name := noisy(handler)
			for range 2 {
				l.invoke(t, name, `{}`).failure(t, want[0], want[1])
			}
		})
	}
	t.Run("half", func(t *testing.T) {
		l.invoke(t, noisy("half"), `{}`).failed(t)
	})
	t.Run("survive", func(t *testing.T) {
		name := noisy("survive")
		for range 3 {
			var said struct{ Refused int }
			l.invoke(t, name, `{}`).into(t, &said)
			if said.Refused < 10 {
				t.Errorf("only %d of the requests were refused in words", said.Refused)
			}
		}
	})
	t.Run("not-json", func(t *testing.T) {
		if p := l.invoke(t, noisy("not-json"), `{}`).succeeded(t); p != "this is <no> JSON" {
			t.Errorf("payload %s, want it as the runtime wrote it", p)
		}
	})
	close(stop)
	<-done
	if status, _ := l.get(t, "/_lamb/health"); status != 200 {
		t.Errorf("health %d", status)
	}
}
