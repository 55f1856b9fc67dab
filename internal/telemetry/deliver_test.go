package telemetry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestHTTPDelivery: what happened before the subscription comes first, and a
// batch is one request.
func TestHTTPDelivery(t *testing.T) {
	w, got := httpWorld(t, nil, nil)
	w.InitStart(epoch, InitStart{InitializationType: OnDemand, Phase: PhaseInit})
	w.mustSubscribe(TelemetryAPI, "ext", httpBody)
	w.Line(epoch, function("hello"))
	w.expire(batchTimeout)

	p := await(t, got)
	if diff := cmp.Diff([]string{"platform.initStart", `"hello"`}, kinds(p.events)); diff != "" {
		t.Error(diff)
	}
	sum := sha256.Sum256(p.body)
	if p.method != "POST" || p.uri != "/events?x=1" || p.host != "sandbox.localdomain:4243" ||
		p.header.Get("Content-Type") != "application/json" ||
		p.header.Get("Sequence-Id") != base64.StdEncoding.EncodeToString(sum[:]) {
		t.Errorf("request %s %s to %s with %v", p.method, p.uri, p.host, p.header)
	}
}

// TestTCPDelivery: the same, an event per line.
func TestTCPDelivery(t *testing.T) {
	ln := listen(t)
	w := newWorld(t, ln.Addr(), nil)
	w.InitStart(epoch, InitStart{InitializationType: OnDemand, Phase: PhaseInit})
	w.mustSubscribe(TelemetryAPI, "ext", tcpBody)
	w.Line(epoch, function("hel\nlo"))
	w.expire(batchTimeout)

	_, r := accept(t, ln)
	if diff := cmp.Diff([]string{"platform.initStart", `"hel\nlo"`}, kinds([]event{readEvent(t, r), readEvent(t, r)})); diff != "" {
		t.Error(diff)
	}
}

// TestBatches: a batch goes at the first of its limits, without the clock's
// help but for the timeout, and none is above twice its bytes.
func TestBatches(t *testing.T) {
	kb := strings.Repeat("x", 1000)
	for _, tt := range []struct {
		name  string
		limit string
		lines []string // each is emitted as often as it takes
		count int
		want  []int // events per request
	}{
		{"items", `"maxItems":1000`, []string{"a"}, 2000, []int{1000, 1000}},
		{"bytes", `"maxBytes":262144`, []string{kb}, 246, []int{246}}, // 1067 bytes each: 245 are below
		{"twice the bytes", `"maxBytes":262144`, []string{strings.Repeat("x", 10_000), strings.Repeat("y", 520_000)}, 2, []int{1, 1}},
		{"nearly twice", `"maxBytes":262144`, []string{strings.Repeat("y", 260_000)}, 2, []int{2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, got := httpWorld(t, nil, nil)
			w.mustSubscribe(TelemetryAPI, "a", strings.Replace(httpBody, `"types"`, `"buffering":{`+tt.limit+`},"types"`, 1))
			for i := range tt.count {
				w.Line(epoch, function(tt.lines[i%len(tt.lines)]))
			}
			for _, want := range tt.want {
				p := await(t, got)
				if len(p.events) != want || len(p.body) > 2*DefaultBytes+2 {
					t.Errorf("request of %d events and %d bytes, want %d events", len(p.events), len(p.body), want)
				}
			}
			if dropped := w.Stats().Dropped; dropped != 0 {
				t.Errorf("%d dropped", dropped)
			}
		})
	}
}

// TestTimeoutOfBatch: it counts from the batch's first event, and there is no
// request without events.
func TestTimeoutOfBatch(t *testing.T) {
	w, got := httpWorld(t, nil, nil)
	w.mustSubscribe(LogsAPI, "a", strings.Replace(logsBody, `"types"`, `"buffering":{"timeoutMs":25},"types"`, 1))
	w.clock.Advance(time.Hour)
	for range 3 {
		w.Line(epoch, function("one"))
		w.started(25 * time.Millisecond)
		w.clock.Advance(24 * time.Millisecond)
		w.Line(epoch, function("two"))
		w.clock.Advance(time.Millisecond)
		if diff := cmp.Diff([]string{`"one"`, `"two"`}, kinds(await(t, got).events)); diff != "" {
			t.Error(diff)
		}
		if err := w.Flush(context.Background()); err != nil { // waits for the answer
			t.Error(err)
		}
		w.clock.Advance(time.Hour)
	}
}

// TestRetry: the same request until it is acknowledged, on the same
// connection, with growing pauses.
func TestRetry(t *testing.T) {
	statuses := []int{500, 404, 302, 429, 400, 503, 200}
	w, got := httpWorld(t, func(n int, w http.ResponseWriter) {
		w.Header().Set("Location", "http://example.com/")
		w.WriteHeader(statuses[n-1])
	}, nil)
	w.mustSubscribe(TelemetryAPI, "a", strings.Replace(httpBody, `"protocol"`, `"method":"PUT","protocol"`, 1))
	w.Line(epoch, function("one"))
	w.expire(batchTimeout)
	var first posted
	for i := range statuses {
		p := await(t, got)
		if i == 0 {
			first = p
		}
		if p.method != "PUT" || !bytes.Equal(p.body, first.body) || p.header.Get("Sequence-Id") != first.header.Get("Sequence-Id") {
			t.Errorf("attempt %d: %s %s", i, p.method, p.body)
		}
		if i < len(statuses)-1 {
			w.expire(min(firstBackoff<<i, DefaultMaxBackoff))
		}
	}
	if err := w.Flush(context.Background()); err != nil {
		t.Error(err)
	}
	if stats := w.Stats(); stats.Delivered != 1 || stats.Dropped != 0 || w.dials.Load() != 1 {
		t.Errorf("stats %+v, %d connections", stats, w.dials.Load())
	}
}

// TestGivesUp: after too many attempts a batch is dropped, which the next one
// tells.
func TestGivesUp(t *testing.T) {
	w, got := httpWorld(t, func(n int, w http.ResponseWriter) {
		if n <= 2 {
			w.WriteHeader(500)
		}
	}, func(c *Config) { c.Attempts = 2 })
	w.mustSubscribe(TelemetryAPI, "a", httpBody)
	w.Line(epoch, function("one"))
	w.Line(epoch, function("two"))
	w.expire(batchTimeout)
	lost := await(t, got)
	w.expire(firstBackoff)
	await(t, got)
	// The flush also tells of the loss if the batch is given up by then; if it
	// is not, it waits for that.
	if err := w.Flush(context.Background()); err != nil {
		t.Error(err)
	}
	w.Line(epoch, function("three"))
	if err := w.Flush(context.Background()); err != nil {
		t.Error(err)
	}
	var told []event
	for len(told) < 2 {
		told = append(told, await(t, got).events...)
	}
	if diff := cmp.Diff([]string{"platform.logsDropped", `"three"`}, kinds(told)); diff != "" {
		t.Error(diff)
	}
	want := fmt.Sprintf(`{"droppedRecords":2,"droppedBytes":%d,"reason":"%s"}`, len(lost.body), reasonTexts[unacknowledged])
	if record := string(told[0].Record); record != want {
		t.Errorf("got %s, want %s", record, want)
	}
	if stats := w.Stats(); stats.Delivered != 2 || stats.Dropped != 2 || w.held != 0 {
		t.Errorf("stats %+v, %d bytes held", stats, w.held)
	}
}

// TestDeadSubscriber: nobody listens. Telling it of its losses is no reason
// to send for ever.
func TestDeadSubscriber(t *testing.T) {
	for _, body := range []string{httpBody, tcpBody} {
		refused := errors.New("refused")
		w := newWorld(t, nil, func(c *Config) {
			c.Attempts = 1
			c.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, refused }
		})
		w.mustSubscribe(TelemetryAPI, "a", body)
		for i := range 3 {
			w.Line(epoch, function("one"))
			if err := w.Flush(context.Background()); err != nil {
				t.Error(err)
			}
			// The line, and from the second time on the loss of what was before.
			if want := int64(1 + 2*i); w.Stats() != (Stats{Subscriptions: 1, Dropped: want}) {
				t.Errorf("stats %+v, want %d dropped", w.Stats(), want)
			}
		}
		if w.held != 0 || len(w.subs[0].queue) != 0 {
			t.Errorf("%d bytes held, %d batches queued", w.held, len(w.subs[0].queue))
		}
	}
}

// TestDeadSubscriberRests: two batches given up leave nothing to send.
func TestDeadSubscriberRests(t *testing.T) {
	w := newWorld(t, nil, func(c *Config) {
		c.Attempts = 1
		c.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("refused") }
	})
	w.mustSubscribe(TelemetryAPI, "a", httpBody)
	now, cancel := context.WithCancel(context.Background())
	cancel()
	w.Pause()
	for range 2 {
		w.Line(epoch, function("one"))
		if err := w.Flush(now); !errors.Is(err, context.Canceled) { // makes it a batch
			t.Fatal(err)
		}
	}
	w.Resume()
	if err := w.subs[0].await(context.Background(), w.life.ctx, 2); err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held != 0 || len(w.subs[0].queue) != 0 {
		t.Errorf("%d bytes held, %d batches queued", w.held, len(w.subs[0].queue))
	}
}

// TestHang: a subscriber that takes the request and says nothing costs its own
// events, not memory and not the emitter's time; it is told what it missed.
func TestHang(t *testing.T) {
	goOn := make(chan struct{})
	w, got := httpWorld(t, func(n int, _ http.ResponseWriter) {
		if n == 1 {
			<-goOn
		}
	}, nil)
	open := sync.OnceFunc(func() { close(goOn) })
	t.Cleanup(open) // before the server is closed
	w.mustSubscribe(TelemetryAPI, "a", httpBody)
	line := function(strings.Repeat("x", 1000))
	const emitted = 5000 // 5 MB, when 0.25 are under way and 1 may be queued
	for range emitted {
		w.Line(epoch, line)
	}
	w.mu.Lock()
	if queued := w.subs[0].queued; queued > QueueFactor*DefaultBytes || w.held > (QueueFactor+2)*DefaultBytes {
		t.Errorf("%d bytes queued, %d held", queued, w.held)
	}
	w.mu.Unlock()
	open()
	if err := w.Flush(context.Background()); err != nil {
		t.Error(err)
	}
	if err := w.Flush(context.Background()); err != nil { // of the loss, if that came late
		t.Error(err)
	}
	records, dropped := 0, 0
	for records+dropped < emitted {
		for _, e := range await(t, got).events {
			var told struct{ DroppedRecords, DroppedBytes int }
			switch {
			case e.Type != "platform.logsDropped":
				records++
			case json.Unmarshal(e.Record, &told) != nil || told.DroppedBytes != told.DroppedRecords*len(`{"time":"2022-10-12T00:00:15.064Z","type":"function","record":""}`+string(line.Text)):
				t.Errorf("loss is %s", e.Record)
			default:
				dropped += told.DroppedRecords
			}
		}
	}
	if records+dropped != emitted || dropped == 0 || w.held != 0 {
		t.Errorf("%d records and %d dropped of %d, %d bytes held", records, dropped, emitted, w.held)
	}
}

// TestHungAttempt: an attempt ends after its time by the clock, and the
// request is made again.
func TestHungAttempt(t *testing.T) {
	arrived, ended := make(chan struct{}), make(chan struct{})
	w, got := httpWorld(t, func(n int, _ http.ResponseWriter) {
		if n == 1 {
			close(arrived)
			<-ended
		}
	}, nil)
	t.Cleanup(func() { close(ended) })
	w.mustSubscribe(TelemetryAPI, "a", httpBody)
	w.Line(epoch, function("one"))
	w.expire(batchTimeout)
	await(t, arrived)
	w.expire(attemptTimeout)
	w.expire(firstBackoff)
	if diff := cmp.Diff([]string{`"one"`}, kinds(await(t, got).events)); diff != "" {
		t.Error(diff)
	}
	if n := w.dials.Load(); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
}

// TestTooLong: an event that fits into no request is dropped at once.
func TestTooLong(t *testing.T) {
	w, got := httpWorld(t, nil, nil)
	w.mustSubscribe(TelemetryAPI, "a", httpBody)
	w.Line(epoch, function(strings.Repeat("x", 2*DefaultBytes)))
	w.Line(epoch, function("one"))
	w.expire(batchTimeout)
	if diff := cmp.Diff([]string{"platform.logsDropped", `"one"`}, kinds(await(t, got).events)); diff != "" {
		t.Error(diff)
	}
}

// TestTotalBounded: many subscribers together have one bound.
func TestTotalBounded(t *testing.T) {
	w := newWorld(t, nil, func(c *Config) {
		c.MaxBytes = 100_000
		c.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
	})
	for i := range 10 {
		w.mustSubscribe(TelemetryAPI, fmt.Sprint(i), httpBody)
	}
	for range 1000 {
		w.Line(epoch, function(strings.Repeat("x", 1000)))
	}
	if w.held > 100_000+10*10 || w.Stats().Dropped < 9000 {
		t.Errorf("%d bytes held, stats %+v", w.held, w.Stats())
	}
}
