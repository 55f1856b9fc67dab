package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
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
