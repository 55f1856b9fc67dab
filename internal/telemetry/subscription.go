package telemetry

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The ranges and defaults of a subscription's buffering.
const (
	MinItems, MaxItems, DefaultItems       = 1000, 10000, 10000
	MinBytes, MaxBytes, DefaultBytes       = 256 << 10, 1 << 20, 256 << 10
	MinTimeout, MaxTimeout, DefaultTimeout = 25 * time.Millisecond, 30 * time.Second, time.Second
)

// runtimeAPIPort is the Runtime API's own: no subscriber may be there.
const runtimeAPIPort = 9001

// Subscription is a valid subscription request.
type Subscription struct {
	API         API
	Schema      Schema
	Types       Category // a union
	Destination Destination
	Method      string // POST or PUT, for HTTP
	Buffering   Buffering
}

// Destination is where events go, inside the environment. Two equal ones are
// the same subscriber.
type Destination struct {
	Protocol Protocol
	Port     int
	Target   string // path and query of HTTP's request line; empty for TCP
}

// Protocol is how events are delivered.
type Protocol string

// The protocols.
const (
	HTTP Protocol = "HTTP" // requests whose bodies are JSON arrays
	TCP  Protocol = "TCP"  // one JSON object per line
)

// Buffering says when a batch is sent: at any of the three limits.
type Buffering struct {
	MaxItems int
	MaxBytes int
	Timeout  time.Duration // since the batch's first event
}

// Rules are what depends on the environment in the check of a request.
type Rules struct {
	// ManagedInstances accepts schema version 2025-01-29 only.
	ManagedInstances bool
	// RefusedPorts may not be subscribed, in addition to 9001.
	RefusedPorts []int
}

// Names are the categories' names in subscriptions: platform, function,
// extension, in this order.
func (c Category) Names() []string {
	var names []string
	for _, one := range categories {
		if c&one.bit != 0 {
			names = append(names, one.name)
		}
	}
	return names
}

var categories = []struct {
	name string
	bit  Category
}{{"platform", Platform}, {"function", Function}, {"extension", Extension}}

// request is the body of a subscription request. Unknown members are ignored.
type request struct {
	SchemaVersion *string             `json:"schemaVersion"`
	Types         []string            `json:"types"`
	Buffering     requestBuffering    `json:"buffering"`
	Destination   *requestDestination `json:"destination"`
}

type requestBuffering struct {
	MaxItems  *int64 `json:"maxItems"`
	MaxBytes  *int64 `json:"maxBytes"`
	TimeoutMs *int64 `json:"timeoutMs"`
}

type requestDestination struct {
	Protocol string `json:"protocol"`
	URI      string `json:"URI"`
	Port     *int64 `json:"port"`
	Method   string `json:"method"`
	Encoding string `json:"encoding"`
}

// ParseSubscription reads and checks the body of a subscription request. Every
// error is an *Error with status 400.
func ParseSubscription(api API, body []byte, rules Rules) (Subscription, error) {
	if len(body) > MaxBody {
		return Subscription{}, invalid(api, "request body is longer than %d bytes", MaxBody)
	}
	var req request
	if err := json.Unmarshal(body, &req); err != nil {
		return Subscription{}, invalid(api, "request body is not valid: %.200s", err.Error())
	}
	s := Subscription{API: api}
	for _, check := range []func(*request, *Subscription, Rules) error{
		parseSchema, parseTypes, parseBuffering, parseDestination,
	} {
		if err := check(&req, &s, rules); err != nil {
			return Subscription{}, err
		}
	}
	return s, nil
}

// schemas are the versions that each API takes.
var schemas = map[API][]Schema{
	TelemetryAPI: {Telemetry20220701, Telemetry20221213, Telemetry20250129},
	LogsAPI:      {Logs20200815, Logs20210318},
}

func parseSchema(req *request, s *Subscription, rules Rules) error {
	allowed := schemas[s.API]
	if rules.ManagedInstances {
		allowed = []Schema{Telemetry20250129}
	}
	switch {
	case rules.ManagedInstances && s.API == LogsAPI:
		return invalid(s.API, "Managed Instances have no Logs API")
	case req.SchemaVersion != nil:
		s.Schema = Schema(*req.SchemaVersion)
	case s.API == LogsAPI:
		s.Schema = Logs20200815
	default:
		return invalid(s.API, "schemaVersion is required; it must be one of %s", allowed)
	}
	if !slices.Contains(allowed, s.Schema) {
		return invalid(s.API, "schemaVersion %.40q is not supported; it must be one of %s", s.Schema, allowed)
	}
	return nil
}

func parseTypes(req *request, s *Subscription, _ Rules) error {
	if len(req.Types) == 0 {
		return invalid(s.API, "types is required; it must have at least one of %s", allCategories.Names())
	}
next:
	for _, name := range req.Types {
		for _, one := range categories {
			if one.name == name {
				s.Types |= one.bit
				continue next
			}
		}
		return invalid(s.API, "types has %.40q, which is none of %s", name, allCategories.Names())
	}
	return nil
}

func parseBuffering(req *request, s *Subscription, _ Rules) error {
	items, bytes, timeout := int64(DefaultItems), int64(DefaultBytes), DefaultTimeout.Milliseconds()
	for _, limit := range []struct {
		name     string
		given    *int64
		value    *int64
		min, max int64
	}{
		{"maxItems", req.Buffering.MaxItems, &items, MinItems, MaxItems},
		{"maxBytes", req.Buffering.MaxBytes, &bytes, MinBytes, MaxBytes},
		{"timeoutMs", req.Buffering.TimeoutMs, &timeout, MinTimeout.Milliseconds(), MaxTimeout.Milliseconds()},
	} {
		if limit.given == nil {
			continue
		}
		if *limit.given < limit.min || *limit.given > limit.max {
			return invalid(s.API, "buffering.%s is %d; it must be from %d to %d", limit.name, *limit.given, limit.min, limit.max)
		}
		*limit.value = *limit.given
	}
	s.Buffering = Buffering{int(items), int(bytes), time.Duration(timeout) * time.Millisecond}
	return nil
}

func parseDestination(req *request, s *Subscription, rules Rules) error {
	d := req.Destination
	if d == nil {
		return invalid(s.API, "destination is required")
	}
	if d.Encoding != "" && d.Encoding != "JSON" {
		return invalid(s.API, "destination.encoding is %.40q; it must be JSON", d.Encoding)
	}
	var err error
	switch Protocol(d.Protocol) {
	case HTTP:
		err = parseURI(d, s)
	case TCP:
		err = parsePort(d, s)
	default:
		err = invalid(s.API, "destination.protocol is %.40q; it must be HTTP or TCP", d.Protocol)
	}
	if err != nil {
		return err
	}
	if port := s.Destination.Port; port == runtimeAPIPort || slices.Contains(rules.RefusedPorts, port) {
		return invalid(s.API, "port %d is reserved", port)
	}
	return nil
}

func parsePort(d *requestDestination, s *Subscription) error {
	if d.Port == nil || *d.Port < 1 || *d.Port > 65535 {
		return invalid(s.API, "destination.port must be from 1 to 65535")
	}
	s.Destination = Destination{Protocol: TCP, Port: int(*d.Port)}
	return nil
}

// parseURI takes the two names that an environment has for itself, and no
// others: a subscription must not be a way to send requests elsewhere.
func parseURI(d *requestDestination, s *Subscription) error {
	u, err := url.Parse(d.URI)
	if err != nil || u.Scheme != "http" || u.User != nil {
		return invalid(s.API, "destination.URI %.200q is not of the form http://sandbox.localdomain:PORT", d.URI)
	}
	if host := u.Hostname(); host != "sandbox.localdomain" && host != "sandbox" {
		return invalid(s.API, "destination.URI has the host %.100q; it must be sandbox.localdomain or sandbox", host)
	}
	port := 80
	if text := u.Port(); text != "" {
		if port, err = strconv.Atoi(text); err != nil || port < 1 || port > 65535 {
			return invalid(s.API, "destination.URI has the port %.40q; it must be from 1 to 65535", text)
		}
	}
	switch s.Method = d.Method; s.Method {
	case "":
		s.Method = "POST"
	case "POST", "PUT":
	default:
		return invalid(s.API, "destination.method is %.40q; it must be POST or PUT", d.Method)
	}
	// Package url lets spaces stand in a query; a request line must have none.
	target := strings.ReplaceAll(u.RequestURI(), " ", "%20")
	s.Destination = Destination{Protocol: HTTP, Port: port, Target: target}
	return nil
}
