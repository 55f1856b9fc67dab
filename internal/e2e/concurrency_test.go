package e2e

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// TestParallel has 64 invocations in flight at the same moment, of a function
// whose environments are together far larger than this machine.
func TestParallel(t *testing.T) {
	t.Parallel()
	const n = 64
	l := startLamb(t)
	h := newHook(t, l)
	name := l.goFn(t, "parallel", "hook", func(f *fn) {
		f.memory, f.timeout, f.env = 1769, 120, map[string]string{"HOOK": h.URL}
	})
	c := l.client()
	var (
		mu     sync.Mutex
		places = map[place]bool{}
		all    sync.WaitGroup
	)
	for range n {
		all.Go(func() {
			out, err := c.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &name, Payload: []byte(`300`)})
			if err != nil {
				t.Error(err)
				return
			}
			var at place
			answer{out, ""}.into(t, &at)
			mu.Lock()
			defer mu.Unlock()
			places[at] = true
		})
	}
	h.await(t, n) // all 64 run, and none has ended
	running := l.places(t)
	if busy := l.metric(t, "lamb_environments_busy"); busy != n {
		t.Errorf("%v environments are busy, want %d", busy, n)
	}
	h.letGo()
	all.Wait()
	if len(places) != n {
		t.Errorf("%d processes served %d invocations at once", len(places), n)
	}
	for at := range places {
		if running != nil && running[at] == 0 {
			t.Errorf("%v was not below lamb", at)
		}
	}
	started := l.metric(t, "lamb_environments_started_total")
	for range 50 { // one after the other
		l.invoke(t, name, `0`).succeeded(t)
	}
	if now := l.metric(t, "lamb_environments_started_total"); now != started {
		t.Errorf("%v environments were started for invocations that found idle ones", now-started)
	}
}

// TestSequential shows that a client which calls one after the other is served
// by one environment, although it has its answers before the runtime is ready
// for the next event. Lamb waits for a runtime for a tenth of a second, which a
// busy machine may take away from it: so it does not run beside others, and one
// round of several is enough. Without the wait there is none.
func TestSequential(t *testing.T) {
	l := startLamb(t)
	const invocations = 100
	var all []map[place]int
	for round := range 5 {
		name := l.goFn(t, fmt.Sprint("sequential-", round), "act")
		before, places := l.metric(t, "lamb_environments_started_total"), map[place]int{}
		for range invocations {
			var s place
			l.invoke(t, name, `{}`).into(t, &s)
			places[s]++
		}
		if started := l.metric(t, "lamb_environments_started_total") - before; float64(len(places)) != started {
			t.Fatalf("%d processes in %v environments", len(places), started)
		}
		if len(places) == 1 {
			return
		}
		all = append(all, places)
	}
	t.Errorf("one client was served by several environments: %v", all)
}

// TestThrottling meets the limit of concurrency and that of memory.
func TestThrottling(t *testing.T) {
	t.Parallel()
	t.Run("concurrency", func(t *testing.T) {
		t.Parallel()
		l := startLamb(t, "--concurrency", "2")
		h := newHook(t, l)
		name := l.goFn(t, "limited", "hook", func(f *fn) { f.env = map[string]string{"HOOK": h.URL} })
		var held sync.WaitGroup
		for range 2 {
			held.Go(func() {
				if _, err := l.client().Invoke(t.Context(), &lambda.InvokeInput{
					FunctionName: &name, Payload: []byte(`0`), LogType: types.LogTypeTail, // answered when it is over
				}); err != nil {
					t.Error(err)
				}
			})
		}
		h.await(t, 2)
		wantThrottle(t, l, name, types.ThrottleReasonConcurrentInvocationLimitExceeded)
		// The limit is that of an account in a region.
		other := l.client(inRegion("eu-west-1"))
		_, err := other.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &name})
		wantError(t, err, 404, "ResourceNotFoundException", name)
		h.letGo()
		held.Wait()
		l.invoke(t, name, `0`).succeeded(t)
	})
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		l := startLamb(t, "--memory-reserve", fmt.Sprint(int64(1)<<60))
		wantThrottle(t, l, l.goFn(t, "starved", "act"), "")
	})
}

func wantThrottle(t *testing.T, l *lamb, name string, reason types.ThrottleReason) {
	t.Helper()
	_, err := l.client().Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &name, Payload: []byte(`0`)})
	wantError(t, err, 429, "TooManyRequestsException", "Rate Exceeded.")
	var throttled *types.TooManyRequestsException
	if !errors.As(err, &throttled) {
		return
	}
	if throttled.Reason == "" || reason != "" && throttled.Reason != reason {
		t.Errorf("reason %q, want %q", throttled.Reason, reason)
	}
	if s := aws.ToString(throttled.RetryAfterSeconds); s == "" || s == "0" {
		t.Errorf("Retry-After %q", s)
	}
}
