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
		Events            []string `json:"events"`
		ConfigurationKeys []string `json:"configurationKeys"`
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
	if e.life == nil {
		return "", nil, errRegistrationClosed
	}
	x := e.life.named(name)
	external := x != nil && x.external
	invoke, shutdown, apiErr := registeredEvents(asked.Events, external)
	if apiErr == nil && e.many != nil {
		apiErr = concurrentEvents(asked.Events, external)
	}
	if apiErr == nil {
		x, apiErr = e.life.registrant(name, x)
	}
	if apiErr != nil {
		return "", nil, apiErr
	}
	x.invoke, x.shutdown = invoke, shutdown
	x.id, x.state = newUUID(), extensionRegistered
	e.life.admit(x)
	return x.id, e.registration(features), nil
}

// registeredEvents reads the list of a registration.
func registeredEvents(names []string, external bool) (invoke, shutdown bool, _ *envapi.Error) {
	for _, event := range names {
		switch {
		case event == "INVOKE":
			invoke = true
		case event == "SHUTDOWN" && external:
			shutdown = true
		case event == "SHUTDOWN":
			return false, false, extensionError("InvalidEventType", event+": ShutdownEventNotSupportedForInternalExtension")
		default:
			return false, false, extensionError("InvalidEventType", event+": ErrorInvalidEventType")
		}
	}
	return invoke, shutdown, nil
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
	if len(e.cfg.Registration) > 0 {
		more, _ := json.Marshal(e.cfg.Registration) // likewise
		b = append(append(b[:len(b)-1], ','), more[1:]...)
	}
	return b
}

// named is the extension with a name, or nil.
func (l *life) named(name string) *extension {
	i := slices.IndexFunc(l.extensions, func(x *extension) bool { return x.name == name })
	if i < 0 {
		return nil
	}
	return l.extensions[i]
}

// registrant is the extension that registers under a name: known, the one that
// has it, if that is external, or else a new internal one. The order of the
// checks is the emulator's.
func (l *life) registrant(name string, known *extension) (*extension, *envapi.Error) {
	switch {
	case known != nil && known.external && known.state != extensionStarted:
		return nil, known.move(extensionRegistered, known.name, extensionStarted)
	case l.registrationClosed:
		return nil, errRegistrationClosed
	case known != nil && known.external:
		return known, nil
	case len(l.extensions) >= maxExtensions:
		return nil, extensionError("TooManyExtensions", "Extension limit (10) reached")
	case known != nil:
		return nil, extensionError("InvalidExtensionState", "Extension with this name already registered")
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
		return unknownExtension(id)
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
	if e.cfg.NextAcknowledges && x.told {
		x.told = false // once
		close(x.acknowledged)
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
	return e.extensionReports(id, errorType, extensionInitError, extensionInitError, extensionRegistered)
}

// ExtensionExitError implements envapi.ExtensionHandler.
func (e *Environment) ExtensionExitError(id, errorType string, _ []byte) *envapi.Error {
	return e.extensionReports(id, errorType, extensionExitError, extensionExited,
		extensionRegistered, extensionReady, extensionRunning)
}

// extensionReports takes an extension's word that it has failed; to say it
// again changes nothing. Refusals call the state that it wants to go to said.
func (e *Environment) extensionReports(id, errorType string, to, said extensionState, from ...extensionState) *envapi.Error {
	e.mu.Lock()
	defer e.mu.Unlock()
	x := e.extensionLocked(id)
	if x == nil {
		return extensionError("UnknownExtensionIdentifier", "Unknown Lambda-Extension-Identifier")
	}
	if x.state == to {
		return nil
	}
	if err := x.move(said, id, from...); err != nil {
		return err
	}
	x.state, x.errType, x.pending = to, errorType, nil
	l := e.life
	e.wg.Go(func() { e.expectExit(l, x) })
	return nil
}

// expectExit gives an extension that has reported its failure the time to end
// by itself: how it ended is what the caller is told. An internal one does not
// end, and one that stays ends the life all the same.
func (e *Environment) expectExit(l *life, x *extension) {
	if x.external {
		limit := e.cfg.Clock.NewTimer(budgetExternal)
		defer limit.Stop()
		select {
		case <-x.ended:
			return // extensionEnded has told
		case <-limit.C():
		}
	}
	e.mu.Lock()
	e.failLocked(l, failure{errType: x.fatal(), cause: x.errType})
}

// Subscribe implements envapi.ExtensionHandler.
func (e *Environment) Subscribe(logs bool, id string, body []byte) (string, *envapi.Error) {
	e.mu.Lock()
	x := e.extensionLocked(id)
	e.mu.Unlock()
	if x == nil {
		return "", unknownExtension(id)
	}
	api := telemetry.TelemetryAPI
	if logs {
		api = telemetry.LogsAPI
	}
	s, changed, err := e.hub.Subscribe(api, x.name, body)
	e.countSubscription(api, err)
	if refused := (*telemetry.Error)(nil); errors.As(err, &refused) {
		return "", &envapi.Error{Status: refused.Status, Type: refused.Type, Message: refused.Message}
	}
	if err != nil {
		e.cfg.Log.Error("subscription failed", "extension", x.name, "err", err)
		return "", envapi.ErrInternal
	}
	if changed {
		e.tell.Subscribing(e.cfg.Clock.Now(), telemetry.Subscribing{
			API: api, Name: x.name, State: telemetry.Subscribed, Types: s.Types.Names(),
		})
	}
	return telemetry.Accepted, nil
}

// countSubscription counts the answer to a subscription.
func (e *Environment) countSubscription(api telemetry.API, err error) {
	status := 200
	if refused := (*telemetry.Error)(nil); errors.As(err, &refused) {
		status = refused.Status
	} else if err != nil {
		status = 500
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.life == nil:
	case api == telemetry.LogsAPI:
		e.life.subscriptions.Logs.count(status)
	default:
		e.life.subscriptions.Telemetry.count(status)
	}
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

var errRegistrationClosed = extensionError("RegistrationClosed", "Extension registration closed already")

func extensionError(kind, message string) *envapi.Error {
	return &envapi.Error{Status: 403, Type: "Extension." + kind, Message: message}
}

func unknownExtension(id string) *envapi.Error {
	return extensionError("UnknownExtensionIdentifier", "Unknown extension "+id)
}

var _ envapi.ExtensionHandler = (*Environment)(nil)
