package execenv

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/telemetry"
)

// Register implements envapi.ExtensionHandler: an extension says what it is.
func (e *Environment) Register(name, features string, body []byte) (string, []byte, *envapi.Error) {
	if name == "" {
		return "", nil, extensionError("InvalidExtensionName", "Empty extension name")
	}
	var asked struct {
		Events            []string
		ConfigurationKeys []string
	}
	if err := json.Unmarshal(body, &asked); err != nil {
		return "", nil, &envapi.Error{Status: 403, Type: "InvalidRequestFormat", Message: err.Error()}
	}
	if len(asked.ConfigurationKeys) > 0 {
		return "", nil, &envapi.Error{Status: 403, Type: "InvalidRequestFormat",
			Message: "configurationKeys are deprecated; use environment variables instead"}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.life == nil || e.life.registrationClosed {
		return "", nil, extensionError("RegistrationClosed", "Extension registration closed already")
	}
	x, apiErr := e.life.registrant(name)
	if apiErr != nil {
		return "", nil, apiErr
	}
	var events extension
	for _, event := range asked.Events {
		switch {
		case event == "INVOKE":
			events.invoke = true
		case event == "SHUTDOWN" && x.external:
			events.shutdown = true
		case event == "SHUTDOWN":
			return "", nil, extensionError("InvalidEventType", event+": ShutdownEventNotSupportedForInternalExtension")
		default:
			return "", nil, extensionError("InvalidEventType", event+": ErrorInvalidEventType")
		}
	}
	x.invoke, x.shutdown = events.invoke, events.shutdown
	x.id, x.state = newUUID(), extensionRegistered
	e.life.admit(x)
	return x.id, e.registration(features), nil
}

// registration is the answer to a registration.
func (e *Environment) registration(features string) []byte {
	v := e.cfg.Version
	answer := struct {
		AccountID string `json:"accountId,omitempty"`
		Name      string `json:"functionName"`
		Version   string `json:"functionVersion"`
		Handler   string `json:"handler"`
	}{Name: v.Key.Name, Version: v.Version, Handler: e.run.Handler}
	for feature := range strings.SplitSeq(features, ",") {
		if strings.TrimSpace(feature) == "accountId" {
			answer.AccountID = v.Key.Account
		}
	}
	b, _ := json.Marshal(answer) // strings always marshal
	return b
}

// registrant is the extension that registers under a name: an external one, or
// a new internal one.
func (l *life) registrant(name string) (*extension, *envapi.Error) {
	for _, x := range l.extensions {
		switch {
		case x.name != name:
		case !x.external:
			return nil, extensionError("InvalidExtensionState", "Extension with this name already registered")
		default:
			return x, x.move(extensionRegistered, x.name, extensionStarted)
		}
	}
	if len(l.extensions) >= maxExtensions {
		return nil, extensionError("TooManyExtensions", "Extension limit (10) reached")
	}
	return &extension{name: name}, nil
}

// admit counts an extension that has registered.
func (l *life) admit(x *extension) {
	if !x.external {
		l.extensions = append(l.extensions, x)
		return
	}
	if l.unregistered--; l.unregistered == 0 {
		close(l.registered)
	}
}

// NextEvent implements envapi.ExtensionHandler: an extension is ready for an
// event, and has done with the one before.
func (e *Environment) NextEvent(id string, w *envapi.Waiter) *envapi.Error {
	e.mu.Lock()
	x := e.extensionLocked(id)
	if x == nil {
		e.mu.Unlock()
		return extensionError("UnknownExtensionIdentifier", "Unknown extension "+id)
	}
	if err := x.move(extensionReady, id, extensionRegistered, extensionReady, extensionRunning); err != nil {
		e.mu.Unlock()
		return err
	}
	x.state, x.waiter = extensionReady, w
	if ev := x.pending; ev != nil {
		x.pending = nil
		w = x.take(ev)
		e.mu.Unlock()
		e.hand(x, w, ev)
		return nil
	}
	e.checkInitLocked(e.life)
	inv := e.inv
	over := inv != nil && inv.runtimeDone && !e.life.busy()
	e.mu.Unlock()
	if over {
		e.invocationDone(inv)
	}
	return nil
}

// ExtensionInitError implements envapi.ExtensionHandler.
func (e *Environment) ExtensionInitError(id, errorType string, _ []byte) *envapi.Error {
	return e.extensionReports(id, errorType, extensionInitError, errTypeExtensionInit, "InitError", extensionRegistered)
}

// ExtensionExitError implements envapi.ExtensionHandler.
func (e *Environment) ExtensionExitError(id, errorType string, _ []byte) *envapi.Error {
	return e.extensionReports(id, errorType, extensionExitError, errTypeExtensionExit, "Exited",
		extensionRegistered, extensionReady, extensionRunning)
}

// extensionReports ends an extension by its own account; to say it again
// changes nothing.
func (e *Environment) extensionReports(id, cause string, to extensionState, errType string, said extensionState, from ...extensionState) *envapi.Error {
	e.mu.Lock()
	x := e.extensionLocked(id)
	if x == nil {
		e.mu.Unlock()
		return extensionError("UnknownExtensionIdentifier", "Unknown Lambda-Extension-Identifier")
	}
	if x.state == to {
		e.mu.Unlock()
		return nil
	}
	if err := x.move(said, id, from...); err != nil {
		e.mu.Unlock()
		return err
	}
	x.state, x.errType, x.pending = to, cause, nil
	e.wg.Add(1) // the answer comes first: who reports may be killed for it
	go func() {
		defer e.wg.Done()
		e.mu.Lock()
		e.failLocked(e.life, failure{errType: errType, cause: cause})
	}()
	e.mu.Unlock()
	return nil
}

// Subscribe implements envapi.ExtensionHandler.
func (e *Environment) Subscribe(logs bool, id string, body []byte) (string, *envapi.Error) {
	e.mu.Lock()
	x := e.extensionLocked(id)
	e.mu.Unlock()
	if x == nil {
		return "", extensionError("UnknownExtensionIdentifier", "Unknown Lambda-Extension-Identifier")
	}
	api := telemetry.TelemetryAPI
	if logs {
		api = telemetry.LogsAPI
	}
	s, changed, err := e.hub.Subscribe(api, x.name, body)
	if refused := (*telemetry.Error)(nil); errors.As(err, &refused) {
		return "", &envapi.Error{Status: refused.Status, Type: refused.Type, Message: refused.Message}
	}
	if err != nil {
		e.cfg.Log.Error("subscription failed", "extension", x.name, "err", err)
		return "", envapi.ErrInternal
	}
	if changed {
		at := e.cfg.Clock.Now()
		ev := telemetry.Subscribing{API: api, Name: x.name, State: telemetry.Subscribed, Types: s.Types.Names()}
		e.hub.Subscribing(at, ev)
		e.book.subscription(at, ev)
	}
	return telemetry.Accepted, nil
}

// extensionLocked is the registered extension with an identifier, or nil.
func (e *Environment) extensionLocked(id string) *extension {
	if e.life == nil {
		return nil
	}
	i := slices.IndexFunc(e.life.extensions, func(x *extension) bool { return x.id != "" && x.id == id })
	if i < 0 {
		return nil
	}
	return e.life.extensions[i]
}

func extensionError(kind, message string) *envapi.Error {
	return &envapi.Error{Status: 403, Type: "Extension." + kind, Message: message}
}

var _ envapi.ExtensionHandler = (*Environment)(nil)
