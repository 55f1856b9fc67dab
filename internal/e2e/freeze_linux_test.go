package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// envState is what an operator sees of one.
type envState struct {
	ID, FunctionARN, Phase, Runtime, FirstFatalError string
	Frozen                                           bool
	Invocations                                      int
	MaxMemoryUsedBytes                               int64
	Request                                          *struct{ RequestID string }
}

// environments are those of a function.
func (l *lamb) environments(t testing.TB, function string) []envState {
	t.Helper()
	status, body := l.get(t, "/_lamb/environments")
	var all struct{ Environments []envState }
	if err := json.Unmarshal([]byte(body), &all); err != nil || status != 200 {
		t.Fatalf("environments: %d %v %s", status, err, body)
	}
	var list []envState
	for _, e := range all.Environments {
		if strings.Contains(e.FunctionARN, ":function:"+function+":") {
			list = append(list, e)
		}
	}
	return list
}

// awaitEnvironment waits until the function's only environment is as wanted.
func (l *lamb) awaitEnvironment(t testing.TB, function string, wanted func(envState) bool) envState {
	t.Helper()
	for deadline := time.Now().Add(patience); ; <-time.After(5 * time.Millisecond) {
		list := l.environments(t, function)
		if len(list) == 1 && wanted(list[0]) {
			return list[0]
		}
		if time.Now().After(deadline) {
			t.Fatalf("environments of %s: %+v", function, list)
		}
	}
}

// TestFreeze: between invocations nothing of a function runs, its timers go on
// afterwards, and it does not outlive lamb.
func TestFreeze(t *testing.T) {
	t.Parallel()
	l := startLamb(t)
	value := fmt.Sprint("frozen-", l.PID)
	const name = "ticker"
	l.create(t, fn{name: name, handler: "tick", code: rawFunction.zip(t), env: map[string]string{"SURVIVOR": value}})
	for i := range 3 {
		l.invoke(t, name, "{}").succeeded(t)
		e := l.awaitEnvironment(t, name, func(e envState) bool { return e.Frozen })
		if e.Phase != "Ready" || e.Runtime != "Ready" || e.Invocations != i+1 || e.MaxMemoryUsedBytes == 0 || e.Request != nil {
			t.Errorf("a frozen environment is %+v", e)
		}
		l.mustStopTicking(t)
	}
	l.kill()
	awaitNoProcess(t, "SURVIVOR="+value, "kill -9 of lamb")
}

// mustStopTicking waits until a function that ticks every 5 ms has said nothing
// for a while: what it had said before it was frozen is on its way.
func (l *lamb) mustStopTicking(t *testing.T) {
	t.Helper()
	const still = 200 * time.Millisecond
	ticks := func() int { return strings.Count(l.stdout.String(), "tick\n") }
	for deadline, last := time.Now().Add(patience), 0; ; {
		<-time.After(still)
		now := ticks()
		switch {
		case now > 0 && now == last:
			return
		case time.Now().After(deadline):
			t.Fatalf("a frozen function has said %d things in %s", now-last, still)
		}
		last = now
	}
}

// TestFreezeOff: with --freeze off an idle function goes on.
func TestFreezeOff(t *testing.T) {
	t.Parallel()
	l := startLamb(t, "--freeze", "off")
	const name = "ticker"
	l.create(t, fn{name: name, handler: "tick", code: rawFunction.zip(t)})
	l.invoke(t, name, "{}").succeeded(t)
	stop := make(chan struct{})
	timer := time.AfterFunc(patience, func() { close(stop) })
	defer timer.Stop()
	for before := strings.Count(l.stdout.String(), "tick\n"); strings.Count(l.stdout.String(), "tick\n") < before+100; {
		select {
		case <-stop:
			t.Fatal("it does not go on")
		case <-time.After(10 * time.Millisecond):
		}
	}
	if e := l.awaitEnvironment(t, name, func(envState) bool { return true }); e.Frozen {
		t.Errorf("%+v", e)
	}
}
