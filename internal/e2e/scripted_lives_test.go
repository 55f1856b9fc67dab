package e2e

import (
	"testing"

	"github.com/lambhq/lamb/internal/e2e/testdata/scripted/steps"
)

// TestLives goes through the lifecycle of environments: how their processes
// begin, fail, end and begin again, and who is told of it.
func TestLives(t *testing.T) {
	t.Parallel()
	play(t, startLamb(t), map[string]scene{
		"ends-with-external": {
			play: steps.Play{
				"bootstrap": script(do(steps.Catch, "term"), spawn(serves), do(steps.Wait, "term"), exit(0)),
				"told":      script(register("told", "INVOKE", "SHUTDOWN"), do(steps.Attend, "")),
				"untold":    script(register("untold", "INVOKE"), do(steps.Attend, "")),
			},
			extensions: []string{"told", "untold"},
			calls:      []outcome{{payload: `{"call":0}`}, {payload: `{"call":1}`}},
			says:       []string{"told: INVOKE", "told: INVOKE", "bootstrap: SIGTERM", "told: SHUTDOWN spindown", "told: END"},
			never:      []string{"untold: SHUTDOWN", "untold: END"},
		},
		"deaf-to-the-signal": { // killed after its time, and the extension has the rest
			play: steps.Play{
				"bootstrap": script(do(steps.Catch, "term"), serves),
				"x":         script(register("x", "SHUTDOWN"), do(steps.Attend, "")),
			},
			extensions: []string{"x"},
			calls:      []outcome{{payload: `{"call":0}`}},
			says:       []string{"bootstrap: SIGTERM", "x: SHUTDOWN spindown", "x: END"},
		},
		"ends-with-internal": {
			play: steps.Play{"bootstrap": script(
				do(steps.Catch, "term"), register("inside"),
				spawn(call("GET", extensionAPI+"event/next", "", 200, "", idHeader, "{id}")), spawn(serves),
				do(steps.Wait, "term"), do(steps.Print, "cleaned up"), exit(0),
			)},
			calls: []outcome{{payload: `{"call":0}`}},
			says:  []string{"EXTENSION\tName: inside\tState: Ready\tEvents: []", "bootstrap: SIGTERM", "bootstrap: cleaned up"},
		},
		"ends-alone": { // without extensions nobody is asked
			play:  steps.Play{"bootstrap": script(do(steps.Catch, "term"), serves)},
			calls: []outcome{{payload: `{"call":0}`}},
			says:  []string{"REPORT"},
			never: []string{"SIGTERM"},
		},
		"internal-sees-invocations": {
			play: steps.Play{"bootstrap": script(
				register("inside", "INVOKE"),
				spawn(nextEvent(`"eventType":"INVOKE"`), do(steps.Print, "inside has it"), nextEvent(`"eventType":"INVOKE"`), do(steps.Print, "and the next"), nextEvent("")),
				serves,
			)},
			calls: []outcome{{payload: `{"call":0}`}, {payload: `{"call":1}`}},
			says:  []string{"EXTENSION\tName: inside\tState: Ready\tEvents: [INVOKE]", "inside has it", "and the next"},
		},
		"no-events-asked": {
			play:       steps.Play{"bootstrap": script(serves), "x": script(register("x"), do(steps.Attend, ""))},
			extensions: []string{"x"},
			calls:      []outcome{{payload: `{"call":0}`}},
			says:       []string{"EXTENSION\tName: x\tState: Ready\tEvents: []"},
			never:      []string{"x: INVOKE", "x: SHUTDOWN"},
		},
		"runtime-ends-in-init": {
			play: steps.Play{"bootstrap": lives([]steps.Step{exit(4)}, []steps.Step{serves}),
				"x": script(register("x", "INVOKE", "SHUTDOWN"), do(steps.Attend, ""))},
			extensions: []string{"x"},
			calls:      []outcome{{payload: `{"call":0}`}},
			says: []string{"INIT_REPORT Init Duration: ", "x: SHUTDOWN failure", "x: END", "START",
				"EXTENSION\tName: x\tState: Ready\tEvents: [INVOKE, SHUTDOWN]", "x: INVOKE", "x: SHUTDOWN spindown"},
		},
		"runtime-ends-in-event": {
			play: steps.Play{"bootstrap": lives([]steps.Step{take(), exit(5)}, []steps.Step{serves}),
				"x": script(register("x", "INVOKE", "SHUTDOWN"), do(steps.Attend, ""))},
			extensions: []string{"x"},
			calls:      []outcome{{errType: "Runtime.ExitError", message: "Runtime exited with error: exit status 5"}, {payload: `{"call":1}`}},
			says:       []string{"x: INVOKE", "x: SHUTDOWN failure", "x: END", "Error Type: Runtime.ExitError", "x: INVOKE", "x: SHUTDOWN spindown"},
		},
		"runtime-ends-after-answer": { // the answer stands
			play: steps.Play{"bootstrap": lives([]steps.Step{take(), respond(`"well"`), exit(0)}, []steps.Step{serves}),
				"x": script(register("x", "INVOKE", "SHUTDOWN"), do(steps.Attend, ""))},
			extensions: []string{"x"},
			calls:      []outcome{{payload: `"well"`}, {payload: `{"call":1}`}},
			says:       []string{"x: SHUTDOWN failure", "x: INVOKE", "x: SHUTDOWN spindown"},
		},
		"timeout": {
			play: steps.Play{"bootstrap": lives([]steps.Step{do(steps.Set, "kept"), take(), do(steps.Hang, "")}, []steps.Step{do(steps.Wait, "kept"), serves}),
				"x": script(register("x", "INVOKE", "SHUTDOWN"), do(steps.Attend, ""))},
			extensions: []string{"x"}, timeout: 3,
			calls: []outcome{{errType: "Sandbox.Timedout", message: "Task timed out after 3.00 seconds"}, {payload: `{"call":1}`}},
			says:  []string{"x: INVOKE", "x: SHUTDOWN timeout", "Status: timeout", "x: INVOKE", "x: SHUTDOWN spindown"},
		},
		"extension-hangs-in-event": { // the caller is answered; the environment is not free
			play: steps.Play{"bootstrap": script(serves),
				"x": lives([]steps.Step{register("x", "INVOKE"), nextEvent("INVOKE"), do(steps.Hang, "")}, []steps.Step{register("x", "INVOKE", "SHUTDOWN"), do(steps.Attend, "")})},
			extensions: []string{"x"}, timeout: 3,
			calls: []outcome{{payload: `{"call":0}`, early: true}, {payload: `{"call":1}`, after: "Status: timeout"}},
			says:  []string{"START", "Status: timeout", "x: INVOKE", "x: SHUTDOWN spindown"},
		},
		"extension-ends-idle": { // the next invocation has new processes
			play: steps.Play{
				"bootstrap": lives([]steps.Step{do(steps.Catch, "term"), take(), respond(`"well"`), do(steps.Set, "idle"), spawn(take()), do(steps.Wait, "term"), exit(0)}, []steps.Step{serves}),
				"x":         lives([]steps.Step{register("x"), spawn(nextEvent("")), do(steps.Wait, "idle"), exit(9)}, []steps.Step{register("x", "SHUTDOWN"), do(steps.Attend, "")}),
			},
			extensions: []string{"x"},
			calls:      []outcome{{payload: `"well"`}, {payload: `{"call":1}`, after: "bootstrap: SIGTERM"}},
			says:       []string{"bootstrap: SIGTERM", "x: SHUTDOWN spindown"},
		},
		"cannot-be-started": {
			play:   steps.Play{"bootstrap": script(serves)},
			broken: []string{"x.sh"},
			calls:  []outcome{{errType: "Extension.LaunchError", message: "fork/exec /opt/extensions/x.sh: permission denied"}},
			says:   []string{"EXTENSION\tName: x.sh\tState: LaunchError\tEvents: []\tError Type: PermissionDenied", "Phase: init\tStatus: error\tError Type: Extension.LaunchError"},
		},
	})
}

// TestExtensionFailures has an extension fail at each step of its life, every
// time anew: it is the caller's error, whatever the runtime does.
func TestExtensionFailures(t *testing.T) {
	t.Parallel()
	all := map[string]scene{}
	for name, f := range map[string]struct {
		x           []steps.Step
		kind, cause string
		state       string
		inEvent     bool
	}{
		"at-once":        {[]steps.Step{exit(7)}, "Extension.Crash", "exit status 7", "Started\tEvents: []", false},
		"at-once-well":   {[]steps.Step{exit(0)}, "Extension.Crash", "exit code 0", "Started\tEvents: []", false},
		"registered":     {[]steps.Step{register("x", "INVOKE", "SHUTDOWN"), exit(7)}, "Extension.Crash", "exit status 7", "Registered\tEvents: [INVOKE, SHUTDOWN]", false},
		"init-error":     {[]steps.Step{register("x", "INVOKE"), fails("init", "Extension.NoKey"), exit(0)}, "Extension.InitError", "exit code 0", "InitError\tEvents: [INVOKE]\tError Type: Extension.NoKey", false},
		"exit-error":     {[]steps.Step{register("x"), fails("exit", "Extension.NoKey"), exit(3)}, "Extension.ExitError", "exit status 3", "ExitError\tEvents: []\tError Type: Extension.NoKey", false},
		"in-event":       {[]steps.Step{register("x", "INVOKE"), nextEvent("INVOKE"), exit(2)}, "Extension.Crash", "exit status 2", "Ready\tEvents: [INVOKE]", true},
		"error-in-event": {[]steps.Step{register("x", "INVOKE"), nextEvent("INVOKE"), fails("exit", "Extension.Gone"), exit(1)}, "Extension.ExitError", "exit status 1", "Ready\tEvents: [INVOKE]", true},
	} {
		want := outcome{errType: f.kind, message: f.cause}
		runtime := script(serves)
		says := []string{"EXTENSION\tName: x\tState: " + f.state, "Phase: init\tStatus: error\tError Type: " + f.kind, "Status: error\tError Type: " + f.kind}
		if f.inEvent {
			runtime = script(take(), do(steps.Hang, ""))
			says = []string{says[0], says[2]}
		}
		all[name] = scene{play: steps.Play{"bootstrap": runtime, "x": script(f.x...)}, extensions: []string{"x"}, calls: []outcome{want, want}, says: says}
	}
	play(t, startLamb(t), all)
}
