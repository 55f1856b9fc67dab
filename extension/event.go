package extension

import (
	"encoding/json"
	"time"
)

// Event is what Next returns: an invocation or the end.
type Event struct {
	Type EventType
	// Deadline is when the invocation times out, or when the process is killed.
	Deadline time.Time
	// Invoke is set if the type is Invoke.
	Invoke *InvokeEvent
	// Shutdown is set if the type is Shutdown.
	Shutdown *ShutdownEvent
}

// InvokeEvent is an invocation of the function. Extensions do not get the
// function's event.
type InvokeEvent struct {
	RequestID          string
	InvokedFunctionARN string
	// TraceID is an X-Ray trace header, if there is one.
	TraceID string
}

// Reason is why an environment ends.
type Reason string

// Reasons of a shutdown.
const (
	// Spindown is the normal end.
	Spindown Reason = "spindown"
	// Timeout is that of an invocation, or of the initialization.
	Timeout Reason = "timeout"
	// Failure is a crash of the runtime or of an extension.
	Failure Reason = "failure"
)

// ShutdownEvent is the end of the environment.
type ShutdownEvent struct {
	Reason Reason
}

// parseEvent reads an event. One of a type that is not known yet has neither
// Invoke nor Shutdown.
func parseEvent(body []byte) (*Event, error) {
	var wide struct {
		EventType          EventType `json:"eventType"`
		DeadlineMs         int64     `json:"deadlineMs"`
		RequestID          string    `json:"requestId"`
		InvokedFunctionARN string    `json:"invokedFunctionArn"`
		Tracing            struct {
			Value string `json:"value"`
		} `json:"tracing"`
		ShutdownReason Reason `json:"shutdownReason"`
	}
	if err := json.Unmarshal(body, &wide); err != nil {
		return nil, err
	}
	e := &Event{Type: wide.EventType, Deadline: time.UnixMilli(wide.DeadlineMs)}
	switch e.Type {
	case Invoke:
		e.Invoke = &InvokeEvent{wide.RequestID, wide.InvokedFunctionARN, wide.Tracing.Value}
	case Shutdown:
		e.Shutdown = &ShutdownEvent{wide.ShutdownReason}
	}
	return e, nil
}
