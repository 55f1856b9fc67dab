package e2e

import (
	"fmt"
	"strings"

	"github.com/lambhq/lamb/internal/e2e/testdata/scripted/steps"
)

// A subscription with one part that is replaced.
const goodSubscription = `{"schemaVersion":"SCHEMA","types":["platform"],"buffering":{"maxItems":1000,"maxBytes":262144,"timeoutMs":25},"destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:{port}/"}}`

// badSubscriptions are the rules that both APIs have: what is replaced, by what,
// and the refusal.
var badSubscriptions = []struct{ old, new, message string }{
	{`"types":["platform"]`, `"types":[]`, "types is required; it must have at least one of [platform function extension]"},
	{`["platform"]`, `["platform","trace"]`, `types has "trace", which is none of [platform function extension]`},
	{`"maxItems":1000`, `"maxItems":999`, "buffering.maxItems is 999; it must be from 1000 to 10000"},
	{`"maxItems":1000`, `"maxItems":10001`, "buffering.maxItems is 10001; it must be from 1000 to 10000"},
	{`"maxBytes":262144`, `"maxBytes":262143`, "buffering.maxBytes is 262143; it must be from 262144 to 1048576"},
	{`"maxBytes":262144`, `"maxBytes":1048577`, "buffering.maxBytes is 1048577; it must be from 262144 to 1048576"},
	{`"timeoutMs":25`, `"timeoutMs":24`, "buffering.timeoutMs is 24; it must be from 25 to 30000"},
	{`"timeoutMs":25`, `"timeoutMs":30001`, "buffering.timeoutMs is 30001; it must be from 25 to 30000"},
	{`"protocol":"HTTP"`, `"protocol":"UDP"`, `destination.protocol is "UDP"; it must be HTTP or TCP`},
	{`"protocol":"HTTP"`, `"protocol":"TCP","port":0`, "destination.port must be from 1 to 65535"},
	{`sandbox.localdomain:{port}/`, `sandbox.localdomain:9001/`, "port 9001 is reserved"},
	{`sandbox.localdomain`, `example.com`, `destination.URI has the host "example.com"; it must be sandbox.localdomain or sandbox`},
	{`http://`, `https://`, `destination.URI "https://sandbox.localdomain:{port}/" is not of the form http://sandbox.localdomain:PORT`},
	{goodSubscription, `[]`, "request body is not valid: json: cannot unmarshal array into Go value of type telemetry.request"},
}

// subscriptionSteps are the refusals of one API, then what it takes.
func subscriptionSteps(path, kind, schema string) []steps.Step {
	put := func(body string, status int, is string) steps.Step {
		return call("PUT", path, body, status, is, idHeader, "{id}")
	}
	good := strings.Replace(goodSubscription, "SCHEMA", schema, 1)
	all := []steps.Step{
		call("PUT", path, good, 403, apiError("Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header")),
		call("PUT", path, good, 403, apiError("Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier"), idHeader, "x"),
		call("PUT", path, good, 403, apiError("Extension.UnknownExtensionIdentifier", "Unknown extension 00000000-0000-4000-8000-000000000000"),
			idHeader, "00000000-0000-4000-8000-000000000000"),
		call("POST", path, good, 405, "", idHeader, "{id}"),
		put(strings.Replace(good, schema, "1999-01-01", 1), 400, ""),
	}
	for _, bad := range badSubscriptions {
		body := strings.Replace(goodSubscription, bad.old, bad.new, 1)
		all = append(all, put(strings.Replace(body, "SCHEMA", schema, 1), 400, apiError(kind, bad.message)))
	}
	// Five destinations, the first twice; not a sixth.
	for i := range 5 {
		all = append(all, put(strings.Replace(good, "{port}/", fmt.Sprintf("{port}/%d", i), 1), 200, `"OK"`))
	}
	return append(all,
		call("PUT", path+"/", strings.Replace(good, "{port}/", "{port}/0", 1), 200, `"OK"`, idHeader, "{id}"),
		put(good, 400, apiError(kind, "subscription limit (5) reached")),
	)
}

// subscriptionScene has an extension go through such steps, subscribe to the
// other API too, and once more when its time is over.
func subscriptionScene(all []steps.Step, path, schema, other, otherSchema string, mixed, closed string) scene {
	put := func(path, schema string, status int, is string) steps.Step {
		return call("PUT", path, strings.Replace(goodSubscription, "SCHEMA", schema, 1), status, is, idHeader, "{id}")
	}
	x := append([]steps.Step{register("x", "INVOKE", "SHUTDOWN"), do(steps.Listen, steps.OverHTTP)}, all...)
	x = append(x, put(other, otherSchema, 400, mixed), nextEvent(`"INVOKE"`), put(path, schema, 403, closed), do(steps.Attend, ""))
	return scene{
		play: steps.Play{"bootstrap": script(serves), "x": script(x...)}, extensions: []string{"x"},
		calls: []outcome{{payload: `{"call":0}`}},
		says:  []string{"x: SHUTDOWN spindown", "x: END"},
	}
}

const (
	telemetryPath = "/2022-07-01/telemetry"
	logsPath      = "/2020-08-15/logs"
)

func subscriptionTable() scene {
	all := append(subscriptionSteps(telemetryPath, "ValidationError", "2022-12-13"),
		call("PUT", telemetryPath, strings.Replace(goodSubscription, `"schemaVersion":"SCHEMA",`, "", 1), 400,
			apiError("ValidationError", "schemaVersion is required; it must be one of [2022-07-01 2022-12-13 2025-01-29]"), idHeader, "{id}"))
	s := subscriptionScene(all, telemetryPath, "2022-07-01", logsPath, "2020-08-15",
		apiError("Logs.ValidationError", "the extension has subscribed to the Telemetry API; it can use only one"),
		apiError("Telemetry.SubscriptionClosed", "Telemetry API subscription is closed already"))
	s.says = append([]string{"TELEMETRY\tName: x\tState: Subscribed\tTypes: [Platform]"}, s.says...)
	return s
}

func logsTable() scene {
	all := append(subscriptionSteps(logsPath, "Logs.ValidationError", "2021-03-18"),
		call("PUT", logsPath, strings.Replace(strings.Replace(goodSubscription, "SCHEMA", "2020-08-15", 1), `"URI"`, `"method":"GET","URI"`, 1), 400,
			apiError("Logs.ValidationError", `destination.method is "GET"; it must be POST or PUT`), idHeader, "{id}"),
		call("PUT", logsPath, strings.Replace(strings.Replace(goodSubscription, "SCHEMA", "2020-08-15", 1), `"URI"`, `"encoding":"XML","URI"`, 1), 400,
			apiError("Logs.ValidationError", `destination.encoding is "XML"; it must be JSON`), idHeader, "{id}"))
	s := subscriptionScene(all, logsPath, "2020-08-15", telemetryPath, "2022-07-01",
		apiError("ValidationError", "the extension has subscribed to the Logs API; it can use only one"),
		apiError("Logs.SubscriptionClosed", "Logs API subscription is closed already"))
	s.says = append([]string{"LOGS\tName: x\tState: Subscribed\tTypes: [Platform]"}, s.says...)
	return s
}
