package e2e

import (
	"fmt"
	"testing"

	"github.com/lambhq/lamb/internal/e2e/testdata/scripted/steps"
)

// TestErrorTables drives every row of the error tables of the environment's
// APIs, by a runtime and extensions that ask for what is not allowed.
func TestErrorTables(t *testing.T) {
	t.Parallel()
	l := startLamb(t)
	play(t, l, map[string]scene{
		"runtime-api":    runtimeTable(),
		"extensions-api": extensionTable(),
		"init-error-api": {
			play: steps.Play{"bootstrap": script(
				call("POST", runtimeAPI+"init/error", `{"errorType":"Own","errorMessage":"no"}`, 202, accepted, "Lambda-Runtime-Function-Error-Type", "Runtime.Own"),
				call("POST", runtimeAPI+"init/error", "{}", 403, noMove("InitError", "InitError")),
				call("GET", runtimeAPI+"invocation/next", "", 403, noMove("InitError", "Ready")),
				exit(3),
			)},
			calls: []outcome{{payload: `{"errorType":"Own","errorMessage":"no"}`, failed: true}},
			says:  []string{"INIT_REPORT", "Phase: invoke\tStatus: error\tError Type: Runtime.Own", "Error Type: Runtime.Own"},
		},
		"telemetry-api": subscriptionTable(),
		"logs-api":      logsTable(),
	})
}

func noMove(from, to string) string {
	return apiError("InvalidStateTransition", "State transition from "+from+" to "+to+" failed for runtime. Error: State transition is not allowed")
}

func runtimeTable() scene {
	const invocation = runtimeAPI + "invocation/"
	unknown := apiError("InvalidRequestID", "Invalid request ID")
	redelivered := call("GET", invocation+"next", "", 200, `{"call":0}`)
	tooLarge := call("POST", invocation+"{request}/response", "", 413, apiError("RequestEntityTooLarge", "Exceeded maximum allowed payload size (6291556 bytes)."))
	tooLarge.Fill = 6291557
	largest := respond("")
	largest.Fill = 6291556
	half := do(steps.Raw, "POST "+invocation+"{request}/response HTTP/1.1\r\nHost: {api}\r\nContent-Length: 1000\r\n\r\n{\"half")
	half.Has = apiError("TruncatedHTTPRequest", "HTTP request detected as truncated")
	previous := take()
	previous.Save = map[string]string{"old": "Lambda-Runtime-Aws-Request-Id"}
	return scene{
		play: steps.Play{"bootstrap": script(
			call("GET", "/2018-06-01/ping", "", 200, "pong"),
			call("POST", "/2018-06-01/ping", "", 405, ""),
			call("GET", "/2018-06-01/runtime", "", 404, "404 page not found"),
			call("POST", invocation+"none/response", "{}", 400, unknown),
			call("POST", invocation+"none/error", "{}", 400, unknown),
			previous,
			redelivered,
			call("POST", runtimeAPI+"init/error", "{}", 403, noMove("Running", "InitError")),
			call("POST", invocation+"none/response", "{}", 400, unknown),
			call("POST", invocation+"{old}/response", `"first"`, 202, accepted),
			call("POST", invocation+"{old}/response", "{}", 403, noMove("RuntimeResponseSentState", "InvocationResponse")),
			call("POST", invocation+"{old}/error", "{}", 403, noMove("RuntimeResponseSentState", "InvocationErrorResponse")),
			call("POST", runtimeAPI+"init/error", "{}", 403, noMove("RuntimeResponseSentState", "InitError")),
			take(),
			call("POST", invocation+"{old}/response", "{}", 400, unknown),
			call("POST", invocation+"{old}/error", "{}", 400, unknown),
			call("POST", invocation+"{request}/response", "{}", 400, apiError("InvalidFunctionResponseMode", "Invalid function response mode"),
				"Lambda-Runtime-Function-Response-Mode", "buffered"),
			take(),
			tooLarge,
			take(),
			largest,
			take(),
			call("POST", invocation+"{request}/error", `{"errorMessage":"own"}`, 202, accepted, "Lambda-Runtime-Function-Error-Type", "Function.Own"),
			take(),
			call("POST", invocation+"{request}/error", "", 202, accepted, "Lambda-Runtime-Function-Error-Type", "Function.Own"),
			take(),
			half,
			serves,
		)},
		calls: []outcome{
			{payload: `"first"`},
			{errType: "Runtime.InvalidResponseModeHeader", message: "Invalid function response mode"},
			{payload: `{"errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes).","errorType":"Function.ResponseSizeTooLarge"}`, failed: true},
			{payload: fmt.Sprintf("%6291556s", "")},
			{payload: `{"errorMessage":"own"}`, failed: true},
			{payload: `{"errorMessage":"Unknown application error occurred","errorType":"Function.Own"}`, failed: true},
			{errType: "Runtime.TruncatedResponse", message: "HTTP request detected as truncated"},
			{payload: `{"call":7}`},
		},
	}
}

// extensionTable has an external extension, x, and internal ones ask for what
// the Extensions API refuses.
func extensionTable() scene {
	const none = "00000000-0000-4000-8000-000000000000"
	wrong := func(path, body, errType, message string, headers ...string) steps.Step {
		method := "POST"
		if path == "event/next" {
			method = "GET"
		}
		return call(method, extensionAPI+path, body, 403, apiError(errType, message), headers...)
	}
	state := func(from, to, who string) string {
		return "State transition from " + from + " to " + to + " failed for extension " + who + ". Error: State transition is not allowed"
	}
	const invalidState, unknown, some = "Extension.InvalidExtensionState", "Extension.UnknownExtensionIdentifier", `{"events":["INVOKE"]}`
	x := script(
		wrong("register", some, "Extension.InvalidExtensionName", "Empty extension name"),
		wrong("register", "", "InvalidRequestFormat", "unexpected end of JSON input", nameHeader, "x"),
		wrong("register", `{"configurationKeys":["a"]}`, "InvalidRequestFormat", "configurationKeys are deprecated; use environment variables instead", nameHeader, "x"),
		wrong("register", `{"events":["SHUTDOWN","FOO"]}`, "Extension.InvalidEventType", "FOO: ErrorInvalidEventType", nameHeader, "x"),
		wrong("event/next", "", "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header"),
		wrong("event/next", "", "Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier", idHeader, "x"),
		wrong("event/next", "", unknown, "Unknown extension "+none, idHeader, none),
		wrong("init/error", "{}", unknown, "Unknown Lambda-Extension-Identifier", idHeader, none, typeHeader, "Extension.A"),
		wrong("exit/error", "{}", unknown, "Unknown Lambda-Extension-Identifier", idHeader, none, typeHeader, "Extension.A"),
		wrong("exit/error", "{}", "Extension.MissingHeader", "Lambda-Extension-Function-Error-Type not found", idHeader, none),
		wrong("init/error", "{}", "Extension.MissingHeader", "Lambda-Extension-Function-Error-Type not found", idHeader, none),
		wrong("init/error", "{}", "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header"),
		wrong("exit/error", "{}", "Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier", idHeader, "x"),
		steps.Step{Do: steps.Call, Method: "POST", Path: extensionAPI + "register", Body: `{"events":["INVOKE","SHUTDOWN"]}`, Status: 200,
			Is:     `{"accountId":"000000000000","functionName":"extensions-api","functionVersion":"$LATEST","handler":"h"}`,
			Header: map[string]string{nameHeader: "x", "Lambda-Extension-Accept-Feature": "other, accountId"}, Save: map[string]string{"id": idHeader}},
		wrong("register", some, invalidState, state("Registered", "Registered", "x"), nameHeader, "x"),
		nextEvent(`"eventType":"INVOKE"`),
		wrong("init/error", "{}", invalidState, state("Running", "InitError", "{id}"), idHeader, "{id}", typeHeader, "Extension.A"),
		wrong("register", some, invalidState, state("Running", "Registered", "x"), nameHeader, "x"),
		wrong("register", some, "Extension.RegistrationClosed", "Extension registration closed already", nameHeader, "late"),
		nextEvent(`"shutdownReason":"spindown"`),
	)
	inside := []steps.Step{
		wrong("register", `{"events":["SHUTDOWN"]}`, "Extension.InvalidEventType", "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension", nameHeader, "inside"),
	}
	for i := range 9 {
		one := register(fmt.Sprintf("inside-%d", i))
		one.Is = `{"functionName":"extensions-api","functionVersion":"$LATEST","handler":"h"}`
		one.Save = map[string]string{fmt.Sprintf("id%d", i): idHeader}
		inside = append(inside, one)
		if i == 0 {
			inside = append(inside, wrong("register", some, invalidState, "Extension with this name already registered", nameHeader, "inside-0"))
		}
		inside = append(inside, spawn(call("GET", extensionAPI+"event/next", "", 200, "", idHeader, fmt.Sprintf("{id%d}", i))))
	}
	inside = append(inside, wrong("register", some, "Extension.TooManyExtensions", "Extension limit (10) reached", nameHeader, "eleventh"), serves)
	return scene{
		play: steps.Play{"bootstrap": script(inside...), "x": x}, extensions: []string{"x"},
		calls: []outcome{{payload: `{"call":0}`}},
		says:  []string{"EXTENSION\tName: x\tState: Ready\tEvents: [INVOKE, SHUTDOWN]", "EXTENSION\tName: inside-8\tState: Ready\tEvents: []", "x: END"},
	}
}
