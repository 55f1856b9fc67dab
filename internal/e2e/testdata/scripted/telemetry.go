package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lambhq/lamb/internal/e2e/testdata/scripted/steps"
)

// listen starts a server for telemetry that behaves in a way.
func (p *player) listen(how string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	p.must(err)
	p.save("port", strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	switch how {
	case steps.OverTCP:
		go p.accept(l, p.lines)
	case steps.Resets:
		go p.accept(l, func(c net.Conn) {
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		})
	default:
		go func() { p.must(http.Serve(l, p.telemetry(how))) }()
	}
}

func (p *player) accept(l net.Listener, serve func(net.Conn)) {
	for {
		c, err := l.Accept()
		p.must(err)
		go serve(c)
	}
}

// lines takes telemetry over TCP.
func (p *player) lines(c net.Conn) {
	defer c.Close()
	s := bufio.NewScanner(c)
	s.Buffer(nil, 4<<20)
	for s.Scan() {
		p.note(append(json.RawMessage(nil), s.Bytes()...))
	}
}

// telemetry takes it over HTTP.
func (p *player) telemetry(how string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		p.must(err)
		switch how {
		case steps.Hangs:
			<-r.Context().Done()
			return
		case steps.Refuses:
			w.WriteHeader(http.StatusInternalServerError)
			return
		case steps.Slow:
			time.Sleep(200 * time.Millisecond)
		case steps.Held:
			for !exists(flag("go")) && r.Context().Err() == nil {
				time.Sleep(time.Millisecond)
			}
			if r.Context().Err() != nil {
				return // it will be sent again
			}
		}
		var batch []json.RawMessage
		p.must(json.Unmarshal(body, &batch))
		p.note(batch...)
	})
}

func (p *player) note(events ...json.RawMessage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = append(p.seen, events...)
}

// dump tells what has come, when it is at least n events.
func (p *player) dump(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.seen) < n {
		p.mu.Unlock()
		time.Sleep(time.Millisecond)
		p.mu.Lock()
	}
	for _, event := range p.seen {
		p.say("event %s", event)
	}
}

// await waits for telemetry.
func (p *player) await(text string) {
	for has := false; !has; time.Sleep(time.Millisecond) {
		p.mu.Lock()
		has = slices.ContainsFunc(p.seen, func(e json.RawMessage) bool { return strings.Contains(string(e), text) })
		p.mu.Unlock()
	}
}

// tally tells when n events have come or are said to be dropped, of which some
// have to be.
func (p *player) tally(n int) {
	for {
		came, dropped, bytes, reasons := p.count()
		if came+dropped >= n {
			p.say("tally: %d events; some came: %t, some were dropped: %t, with bytes: %t, reasons: %s",
				came+dropped, came > 0, dropped > 0, bytes > dropped, strings.Join(reasons, ", "))
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// count counts the events that have come, and what they say of others.
func (p *player) count() (came, dropped, bytes int, reasons []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, event := range p.seen {
		var e struct {
			Type   string
			Record json.RawMessage
		}
		p.must(json.Unmarshal(event, &e))
		if e.Type != "platform.logsDropped" {
			came++
			continue
		}
		var d struct {
			Reason                       string
			DroppedRecords, DroppedBytes int
		}
		p.must(json.Unmarshal(e.Record, &d))
		dropped += d.DroppedRecords
		bytes += d.DroppedBytes
		if !slices.Contains(reasons, d.Reason) {
			reasons = append(reasons, d.Reason)
		}
	}
	return came, dropped, bytes, reasons
}
