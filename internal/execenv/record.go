package execenv

import (
	"strings"
	"time"

	"github.com/lambhq/lamb/internal/telemetry"
)

// Record is everything that was measured of one invocation.
type Record struct {
	RequestID, TenantID string
	Status              telemetry.Status
	ErrorType           string // empty on success
	ErrorCause          []byte // see Outcome.Cause

	// Received is when the caller's request had come, RequestRead how long its
	// body took, as Terms had them; Received is Started where there were none.
	Received     time.Time
	RequestRead  time.Duration
	RequestBytes int // of the event
	// Started is when the environment took the invocation, RuntimeReady when
	// the runtime asked for the next event (zero if it never did), and Finished
	// when extensions had done with it, too.
	Started, RuntimeReady, Finished time.Time
	// Duration is the reported one: after a timeout, the function's timeout.
	Duration     time.Duration
	InitDuration time.Duration // of the environment; zero unless it is the first invocation after it

	// ResponseMode is how the caller wanted the response, FunctionResponseMode
	// how the runtime sent it.
	ResponseMode, FunctionResponseMode ResponseMode
	// Responded says that the runtime has sent a whole response; the figures
	// below are zero otherwise. Latency is from Started to its first byte,
	// ResponseDuration from there to its last, Throttled the part of that in
	// which it was held back.
	Responded                                    bool
	ResponseLatency, ResponseDuration, Throttled time.Duration
	ResponseBytes                                int64
	// ResponseThroughput is in bytes per second; zero if it took no time.
	ResponseThroughput int64

	// Extensions are the names of those that were registered.
	Extensions []string
	// ExtensionsReset is how long processes took to end, if the invocation
	// ended in a reset.
	ExtensionsReset time.Duration
	// RuntimeRelease names the runtime's client of the Runtime API.
	RuntimeRelease string
	// Subscriptions counts what extensions asked of the Telemetry and Logs APIs.
	Subscriptions Subscriptions
	// MaxMemoryBytes is the environment's high-water mark so far.
	MaxMemoryBytes int64
}

// maxExtensionNames bounds ExtensionNames, in bytes, as AWS does.
const maxExtensionNames = 127

// ExtensionNames is the list of extensions in one string, with semicolons
// between, cut where it gets too long.
func (r Record) ExtensionNames() string { return joinNames(r.Extensions) }

func joinNames(names []string) string {
	all := strings.Join(names, ";")
	if len(all) <= maxExtensionNames {
		return all
	}
	return all[:max(0, strings.LastIndexByte(all[:maxExtensionNames+1], ';'))]
}

// Subscriptions counts requests to the APIs that extensions subscribe with.
type Subscriptions struct {
	Telemetry, Logs SubscriptionCounts
}

// SubscriptionCounts are the answers of one API.
type SubscriptionCounts struct {
	Accepted int // 200
	Refused  int // the request's fault
	Failed   int // lamb's
}

func (c *SubscriptionCounts) count(status int) {
	switch {
	case status < 300:
		c.Accepted++
	case status < 500:
		c.Refused++
	default:
		c.Failed++
	}
}

// throttler is a Body that holds back what comes too fast.
type throttler interface{ Throttled() time.Duration }

// Record is what was measured; valid after Finished is closed.
func (inv *Invocation) Record() Record {
	r := Record{
		RequestID: inv.Event.RequestID, TenantID: inv.Event.TenantID,
		Status: inv.ended.status, ErrorType: inv.ended.errType, ErrorCause: inv.outcome.Cause,
		Received: inv.started, RequestBytes: int(inv.size),
		Started: inv.started, Finished: inv.started.Add(inv.ended.duration + inv.resetTook),
		Duration: inv.ended.duration, InitDuration: inv.ended.initDuration,
		ResponseMode: ResponseStreaming, FunctionResponseMode: ResponseBuffered,
		Responded: inv.responded, ExtensionsReset: inv.resetTook, MaxMemoryBytes: inv.ended.peakBytes,
	}
	if t := inv.Terms; t != nil && !t.Received.IsZero() {
		r.Received, r.RequestRead = t.Received, t.RequestRead
	}
	if inv.runtimeDone {
		r.RuntimeReady = inv.started.Add(inv.runtimeTook)
	}
	if inv.sink.streamed {
		r.FunctionResponseMode = ResponseStreaming
	}
	if _, buffered := inv.Responder.(Buffered); buffered {
		r.ResponseMode = ResponseBuffered
	}
	if inv.responded {
		r.measureResponse(inv)
	}
	if inv.life != nil {
		inv.life.describe(&r)
	}
	return r
}

func (r *Record) measureResponse(inv *Invocation) {
	m := &inv.sink.measured
	r.ResponseLatency, r.ResponseDuration = m.began.Sub(inv.started), m.over.Sub(m.began)
	r.ResponseBytes = m.bytes
	if r.ResponseDuration > 0 {
		r.ResponseThroughput = int64(float64(m.bytes) / r.ResponseDuration.Seconds())
	}
	if t, ok := inv.Responder.(throttler); ok {
		r.Throttled = t.Throttled()
	}
}

// describe fills in what a record has of a life.
func (l *life) describe(r *Record) {
	s := l.summary()
	r.Extensions, r.RuntimeRelease, r.Subscriptions = s.extensions, s.release, s.subscriptions
}

// lifeSummary is what results and records tell of a life.
type lifeSummary struct {
	extensions    []string
	release       string
	subscriptions Subscriptions
}

func (l *life) summary() lifeSummary {
	l.env.mu.Lock()
	defer l.env.mu.Unlock()
	s := lifeSummary{release: l.release, subscriptions: l.subscriptions}
	for _, x := range l.extensions {
		if x.id != "" {
			s.extensions = append(s.extensions, x.name)
		}
	}
	return s
}

// maxRelease bounds a runtime's release, in bytes, as AWS does.
const maxRelease = 128

// runtimeRelease names a runtime by what its requests say of their client:
// the first word of User-Agent, and Lambda-Runtime-Features in parentheses.
func runtimeRelease(userAgent, features string) string {
	release, _, _ := strings.Cut(strings.TrimSpace(userAgent), " ")
	if release == "" {
		release = "Unknown"
	}
	features = strings.NewReplacer("(", "", ")", "").Replace(features)
	if len(release) > maxRelease {
		return release[:maxRelease]
	}
	if room := maxRelease - len(release) - len(" ()"); features != "" && room > 0 {
		release += " (" + features[:min(len(features), room)] + ")"
	}
	return release
}
