package execenv

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/telemetry"
)

// FuzzRegister: every registration is refused in the service's words, or makes
// one extension that wants what its body says.
func FuzzRegister(f *testing.F) {
	for _, body := range []string{
		`{"events":["INVOKE","SHUTDOWN"]}`, `{"events":null}`, `{"events":[]}`, `{}`, `[]`, `null`, ``, `{"events":["FOO"]}`, `{"events":"INVOKE"}`,
		`{"events":["INVOKE"],"configurationKeys":["a"]}`, `{"Events":["INVOKE"],"events":["SHUTDOWN"]}`, `{"events":[null]}`, `{"events":["INVOKE"]} x`,
		"{\"events\":[\"\xff\"]}", `{"events":["INVOKE","INVOKE","SHUTDOWN","SHUTDOWN"]}`, strings.Repeat("[", 20000),
	} {
		f.Add("agent", "accountId", []byte(body), uint8(0))
		f.Add("inside", "", []byte(body), uint8(9))
	}
	f.Add("", " accountId ,x", []byte(`{}`), uint8(3))
	f.Add("known-3", "accountid", []byte(`{"events":["INVOKE"]}`), uint8(5))
	box := newFakeSandbox(f, hangs)
	e := New(Config{ID: "env", Sandbox: box, Version: &function.Version{
		Key: function.Key{Account: "000000000000", Region: "us-east-1", Name: "f"}, Version: function.Latest,
		Config: function.Config{Runtime: "provided.al2023", Handler: "h"},
	}})
	f.Cleanup(func() { _ = e.Close() })
	types := []string{
		"Extension.InvalidExtensionName", "InvalidRequestFormat", "Extension.InvalidEventType", "Extension.TooManyExtensions",
		"Extension.InvalidExtensionState", "Extension.RegistrationClosed",
	}
	f.Fuzz(func(t *testing.T, name, features string, body []byte, known uint8) {
		e.mu.Lock()
		l := e.beginLifeLocked(telemetry.PhaseInit)
		l.unregistered, l.registered = 1, make(chan struct{})
		l.extensions = []*extension{{name: "agent", external: true, state: extensionStarted}}
		for i := range int(known) % maxExtensions {
			l.extensions = append(l.extensions, &extension{name: "known-" + string(rune('0'+i)), id: newUUID(), state: extensionReady})
		}
		l.registrationClosed = known >= 200
		before := len(l.extensions)
		e.mu.Unlock()
		id, answer, refused := e.Register(name, features, body)
		if refused != nil {
			if refused.Status != 403 || !slices.Contains(types, refused.Type) || refused.Message == "" || len(l.extensions) != before || id != "" {
				t.Fatalf("refused as %+v, with %d extensions after %d", refused, len(l.extensions), before)
			}
			return
		}
		var asked struct{ Events []string }
		if err := json.Unmarshal(body, &asked); err != nil || name == "" || l.registrationClosed || len(l.extensions) > maxExtensions {
			t.Fatalf("%q with %q was accepted: %v", name, body, err)
		}
		x := e.extensionLocked(id)
		if x == nil || x.name != name || x.state != extensionRegistered || x.external != (name == "agent") ||
			x.invoke != slices.Contains(asked.Events, "INVOKE") || x.shutdown != slices.Contains(asked.Events, "SHUTDOWN") {
			t.Fatalf("%q with %q has become %+v", name, body, x)
		}
		if n := strings.Count(string(answer), "000000000000"); !json.Valid(answer) || n > 1 || n == 1 && !strings.Contains(features, "accountId") {
			t.Fatalf("features %q are answered by %s", features, answer)
		}
	})
}
