package telemetry

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestEverythingAtOnce: several emitters, subscribers that are good, failing
// and slow, pauses and flushes; at the end every subscriber has every record
// once, in each emitter's order, or has been told how many it has not.
func TestEverythingAtOnce(t *testing.T) {
	const emitters, each, subscribers = 4, 3000, 3
	ln := listen(t)
	tallies := map[string]*tally{}
	for i := range subscribers {
		tallies[fmt.Sprintf("/%d", i)] = newTally()
	}
	n := 0
	var mu sync.Mutex
	srv := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if n++; n%5 == 0 {
			// Unread, it would keep the server's goroutine beyond the test.
			_, _ = io.Copy(io.Discard, r.Body)
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		var events []event
		if err := json.NewDecoder(r.Body).Decode(&events); err != nil {
			t.Errorf("request: %v", err)
		}
		tallies[r.RequestURI].take(t, events)
	})}
	served := make(chan struct{})
	go func() { defer close(served); _ = srv.Serve(ln) }()
	defer func() { _ = srv.Close(); <-served }()

	h := New(Config{
		FirstBackoff: time.Millisecond, MaxBackoff: time.Millisecond,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, ln.Addr().String())
		},
	})
	defer h.Close()
	for target := range tallies {
		body := strings.Replace(httpBody, "/events?x=1", target, 1)
		body = strings.Replace(body, `"types"`, `"buffering":{"timeoutMs":25,"maxItems":1000},"types"`, 1)
		if _, _, err := h.Subscribe(TelemetryAPI, "a", []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	h.CloseSubscriptions()
	var emitting sync.WaitGroup
	for e := range emitters {
		emitting.Go(func() {
			for i := range each {
				h.Line(time.Now(), Line{Source: Function, Text: fmt.Appendf(nil, "%d %d %s", e, i, strings.Repeat("x", i%500))})
				if i%1000 == 0 {
					h.Pause()
					h.Resume()
				}
			}
		})
	}
	emitting.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for range 2 { // the second one tells of losses during the first
		if err := h.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for target, got := range tallies {
		if got.records+got.dropped != emitters*each {
			t.Errorf("%s: %d records and %d dropped, want %d together", target, got.records, got.dropped, emitters*each)
		}
	}
	if h.held != 0 {
		t.Errorf("%d bytes held", h.held)
	}
}

// tally is what a subscriber has got.
type tally struct {
	records, dropped int
	last             map[int]int // record by emitter
}

func newTally() *tally { return &tally{last: map[int]int{}} }

func (s *tally) take(t *testing.T, events []event) {
	for _, e := range events {
		var dropped struct{ DroppedRecords int }
		var text string
		var emitter, i int
		if e.Type == "platform.logsDropped" {
			if err := json.Unmarshal(e.Record, &dropped); err != nil {
				t.Error(err)
			}
			s.dropped += dropped.DroppedRecords
			continue
		}
		if err := json.Unmarshal(e.Record, &text); err != nil {
			t.Error(err)
		}
		if _, err := fmt.Sscanf(text, "%d %d", &emitter, &i); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if last, ok := s.last[emitter]; ok && i <= last {
			t.Errorf("emitter %d: %d after %d", emitter, i, last)
		}
		s.last[emitter] = i
		s.records++
	}
}

// TestResetsMeetEverything: resets, subscriptions and events from everywhere
// at once end in a Hub that works.
func TestResetsMeetEverything(t *testing.T) {
	w, got := httpWorld(t, nil, func(c *Config) { c.Clock = nil })
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for range 50 {
				_, _, _ = w.Subscribe(TelemetryAPI, "a", []byte(httpBody))
				_, _, _ = w.Subscribe(TelemetryAPI, "a", []byte(tcpBody))
				w.CloseSubscriptions()
				w.Reset()
			}
		})
		all.Go(func() {
			for range 1000 {
				w.Line(epoch, function("lost"))
				w.Stats()
			}
		})
	}
	all.Wait()
	w.Reset()
	if w.held != 0 || w.Stats().Subscriptions != 0 {
		t.Errorf("%d bytes held, stats %+v", w.held, w.Stats())
	}
	w.mustSubscribe(TelemetryAPI, "a", httpBody)
	w.Line(epoch, function("kept"))
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := await(t, got)
	if last := kinds(p.events); last[len(last)-1] != `"kept"` {
		t.Errorf("got %q", last)
	}
}

// BenchmarkEmit is what telemetry costs an ordinary invocation: a log line and
// three platform events.
func BenchmarkEmit(b *testing.B) {
	id := "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
	text := []byte("2022-10-12T00:00:15.064Z\t8476a536-e9f4-11e8-9739-2dfe598c3fcd\tINFO\ta line as functions write them")
	b.Run("without subscribers", func(b *testing.B) {
		h := New(Config{})
		defer h.Close()
		h.CloseSubscriptions()
		b.ReportAllocs()
		for b.Loop() {
			emitInvocation(h, epoch, id, text)
		}
	})
	for _, destinations := range []int{1, 3} {
		b.Run(fmt.Sprintf("with %d TCP subscribers", destinations), func(b *testing.B) {
			h := New(Config{Dial: func(context.Context, string, string) (net.Conn, error) {
				near, far := net.Pipe()
				go func() { _, _ = bufio.NewReaderSize(far, 1<<20).WriteTo(discard{}) }()
				return near, nil
			}})
			defer h.Close()
			for i := range destinations {
				if _, _, err := h.Subscribe(TelemetryAPI, "a", []byte(strings.Replace(tcpBody, "4243", fmt.Sprint(1+i), 1))); err != nil {
					b.Fatal(err)
				}
			}
			h.CloseSubscriptions()
			b.ReportAllocs()
			for b.Loop() {
				emitInvocation(h, epoch, id, text)
			}
		})
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
