package conform

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/lambhq/lamb/lambdatest"
)

// Extension are the rules for external extensions.
func Extension() []Check {
	return []Check{
		{"register/first", "An extension registers before it asks for an event, once.", pageExtensions, registersFirst},
		{"register/name", "An extension registers with the full name of its file.", pageExtensions, registersItsName},
		{"register/events", "An extension registers for INVOKE, SHUTDOWN, both or none.", pageExtensions, registersForEvents},
		{"next/ends-init", "An extension ends its initialization by asking for its first event, within the function's init.", pageExtensions, extensionEndsInit},
		{"next/after-every-event", "An extension asks for the next event when it has dealt with the one before.", pageExtensions, asksAfterEveryEvent},
		{"calls/no-runtime-api", "An extension leaves the function's events to the runtime.", pageExtensions, leavesTheRuntimeAPI},
		{"shutdown/exits-in-time", "After SHUTDOWN an extension exits within two seconds.", pageEnvironment, exitsInTime},
		{"reset/starts-again", "After a timeout an extension is told of SHUTDOWN, and starts again in the same environment.", pageEnvironment, extensionStartsAgain},
		{"freeze/survives", "An extension may be stopped while it waits for an event, and goes on.", pageEnvironment, extensionSurvivesFreezing},
		{"telemetry/listens-first", "An extension that subscribes to telemetry listens before it subscribes, and takes what it is sent.", pageTelemetry, takesTelemetry},
	}
}

const (
	extensionPaths = "/2020-01-01/extension/"
	registerPath   = extensionPaths + "register"
	eventNextPath  = extensionPaths + "event/next"
	// shutdownBudget is what an environment with extensions has to end.
	shutdownBudget = 2 * time.Second
)

// state is the extension's, or nil before it has registered.
func (t *trial) state(env *lambdatest.Environment) *lambdatest.ExtensionState {
	all := env.Extensions()
	i := slices.IndexFunc(all, func(x lambdatest.ExtensionState) bool { return x.Name == t.subject.Extension.Name })
	if i < 0 {
		return nil
	}
	return &all[i]
}

// wants reports whether the extension has registered for an event.
func (t *trial) wants(env *lambdatest.Environment, event string) bool {
	s := t.state(env)
	return s != nil && slices.Contains(s.Events, event)
}

func registersFirst(t *trial) {
	env := t.ready(nil)
	calls := callsOf(env, extensionPaths)
	registrations := 0
	for _, call := range calls {
		if call.Path == registerPath {
			registrations++
		}
	}
	if len(calls) == 0 || calls[0].Path != registerPath || calls[0].Method != "POST" || registrations != 1 {
		t.Errorf("it called %s, want register once and first", describe(calls))
	}
}

func registersItsName(t *trial) {
	env := t.ready(nil)
	for _, call := range callsOf(env, registerPath) {
		if got := call.Header.Get("Lambda-Extension-Name"); got != t.subject.Extension.Name {
			t.Errorf("Lambda-Extension-Name: %s, want %s", got, t.subject.Extension.Name)
		}
	}
}

func registersForEvents(t *trial) {
	env := t.ready(nil)
	for _, call := range callsOf(env, registerPath) {
		var body struct{ Events []string }
		if err := json.Unmarshal(call.Body, &body); err != nil {
			t.Errorf("the body %.200q: %v", call.Body, err)
		}
	}
	if t.state(env) == nil {
		t.Errorf("it has not registered")
	}
}

func extensionEndsInit(t *trial) {
	env := t.ready(nil)
	if s := t.state(env); s == nil || s.State != "Ready" {
		t.Errorf("after the init its state is %+v", s)
	}
}

func asksAfterEveryEvent(t *trial) {
	env := t.ready(nil)
	if !t.wants(env, "INVOKE") {
		t.skip("it has not registered for INVOKE")
	}
	const events = 2
	for n := range events {
		echo(t, env, n)
	}
	n := 0
	for _, call := range callsOf(env, eventNextPath) {
		if call.Method == "GET" && call.Header.Get("Lambda-Extension-Identifier") != "" {
			n++
		}
	}
	if n != events+1 {
		t.Errorf("it asked %d times for an event, want %d", n, events+1)
	}
}

func leavesTheRuntimeAPI(t *trial) {
	env := t.ready(nil)
	inv := env.Invoke(lambdatest.Request{})
	inv.Wait()
	// The runtime's own calls: it asks twice and answers once.
	if got := describe(runtimeCalls(env)); got != "next response next" {
		t.Errorf("the runtime and the extension have called %s", got)
	}
}

func exitsInTime(t *trial) {
	env := t.ready(nil)
	echo(t, env, "before")
	if !t.wants(env, "SHUTDOWN") {
		t.skip("it has not registered for SHUTDOWN, and is killed")
	}
	if r := env.Shutdown(); r.Took >= shutdownBudget {
		t.Errorf("it was killed after %s", r.Took)
	}
}

func extensionStartsAgain(t *trial) {
	env := t.ready(nil)
	told := t.wants(env, "SHUTDOWN")
	if r := env.Reset(lambdatest.Timeout); told && r.Took >= shutdownBudget {
		t.Errorf("it was killed after %s", r.Took)
	}
	echo(t, env, "after it")
	if s := t.state(env); s == nil || s.State != "Ready" {
		t.Errorf("after the second init its state is %+v", s)
	}
}

func extensionSurvivesFreezing(t *trial) {
	env := t.ready(nil)
	for n := range 3 {
		env.Freeze()
		echo(t, env, n)
	}
	startedOnce(t, env)
}

func takesTelemetry(t *trial) {
	env := t.ready(nil)
	if len(env.Events("platform.telemetrySubscription", "platform.logsSubscription")) == 0 {
		t.skip("it has not subscribed")
	}
	echo(t, env, "x")
	// What is held back for it keeps an environment from ending at once.
	if r := env.Shutdown(); r.Took >= shutdownBudget {
		t.Errorf("its telemetry was not taken: the shutdown took %s", r.Took)
	}
	if stats := env.Telemetry(); stats.Delivered == 0 || stats.Dropped > 0 {
		t.Errorf("%d records were delivered and %d dropped", stats.Delivered, stats.Dropped)
	}
}
