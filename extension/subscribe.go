package extension

import (
	"encoding/json"
	"time"
)

// Stream is what can be subscribed to.
type Stream string

// The streams of the Telemetry API.
const (
	// Platform has what happens to the environment and to invocations.
	Platform Stream = "platform"
	// Function has what the function logs.
	Function Stream = "function"
	// Extensions has what extensions log.
	Extensions Stream = "extension"
)

// Subscription is what Subscribe asks for.
type Subscription struct {
	// Schema is the version of the events; empty means 2022-12-13. Managed
	// instances need 2025-01-29.
	Schema string
	// Streams are what is sent; nil means all.
	Streams []Stream
	// MaxItems, MaxBytes and Timeout say when a batch is sent: as soon as one of
	// them is reached. They are 1,000 to 10,000 events, 262,144 to 1,048,576
	// bytes and 25 ms to 30 s; zero means 10,000, 262,144 and 1 s.
	MaxItems int
	MaxBytes int
	Timeout  time.Duration
	// Destination is where it is sent to; it has to listen already.
	Destination Destination
}

// Destination is a listener inside the environment.
type Destination struct {
	// URI is of an HTTP listener: http://sandbox.localdomain:PORT.
	URI string
	// Port is of a TCP listener, if there is no URI.
	Port int
}

// Subscribe asks for telemetry. It is possible after Register and before the
// first Next; what happened before comes, too. An emulator without telemetry
// answers with status 202, which is an *Error here.
//
// See https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api.html
func (c *Client) Subscribe(s Subscription) error {
	type buffering struct {
		MaxItems  int   `json:"maxItems,omitempty"`
		MaxBytes  int   `json:"maxBytes,omitempty"`
		TimeoutMs int64 `json:"timeoutMs,omitempty"`
	}
	type destination struct {
		Protocol string `json:"protocol"`
		URI      string `json:"URI,omitempty"`
		Port     int    `json:"port,omitempty"`
	}
	request := struct {
		SchemaVersion string      `json:"schemaVersion"`
		Types         []Stream    `json:"types"`
		Buffering     *buffering  `json:"buffering,omitempty"`
		Destination   destination `json:"destination"`
	}{s.Schema, s.Streams, nil, destination{"HTTP", s.Destination.URI, 0}}
	if request.SchemaVersion == "" {
		request.SchemaVersion = "2022-12-13"
	}
	if request.Types == nil {
		request.Types = []Stream{Platform, Function, Extensions}
	}
	if b := (buffering{s.MaxItems, s.MaxBytes, s.Timeout.Milliseconds()}); b != (buffering{}) {
		request.Buffering = &b
	}
	if s.Destination.URI == "" {
		request.Destination = destination{"TCP", "", s.Destination.Port}
	}
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	c.start("PUT", telemetryPath)
	return c.post("telemetry", 200, body)
}
