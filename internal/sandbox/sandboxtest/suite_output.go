//go:build unix

package sandboxtest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/sandbox"
)

// sequence checks that a flood arrives whole and in order, and how much
// memory this process has meanwhile.
type sequence struct {
	next uint64
	rest []byte // of a number that a Write cut
	bad  error
	heap uint64 // the most seen
	seen int
}

func (s *sequence) Write(p []byte) (int, error) {
	if s.seen>>24 != (s.seen+len(p))>>24 { // every 16 MiB
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		s.heap = max(s.heap, m.HeapInuse)
	}
	s.seen += len(p)
	n := len(p)
	if len(s.rest) > 0 {
		take := min(8-len(s.rest), len(p))
		s.rest = append(s.rest, p[:take]...)
		p = p[take:]
		if len(s.rest) == 8 {
			s.check(s.rest)
			s.rest = s.rest[:0]
		}
	}
	for ; len(p) >= 8; p = p[8:] {
		s.check(p)
	}
	s.rest = append(s.rest, p...)
	return n, nil
}

func (s *sequence) check(b []byte) {
	if got := binary.BigEndian.Uint64(b); got != s.next && s.bad == nil {
		s.bad = fmt.Errorf("number %d where %d belongs", got, s.next)
	}
	s.next++
}

func (s *suite) flood(t *testing.T) {
	k := newKit(t, s.newProvider(t), "a", nil)
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	seq := &sequence{}
	p := k.program(nil, fmt.Sprint("flood:", floodMiB))
	p.Stdout = seq
	proc, err := k.Start(k.ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	if exit := k.wait(proc); exit != (sandbox.Exit{}) {
		t.Fatalf("exit %s", exit)
	}
	k.Flush()
	if seq.bad != nil || seq.next != floodMiB<<17 {
		t.Errorf("%d numbers of %d; %v", seq.next, floodMiB<<17, seq.bad)
	}
	if grown := int64(seq.heap) - int64(before.HeapInuse); grown > 16<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
}

// gate is a writer that blocks until it is opened.
type gate struct {
	text
	entered chan struct{} // has an element when a Write has begun
	open    chan struct{} // closed to let Writes through
}

func (g *gate) Write(p []byte) (int, error) {
	select {
	case g.entered <- struct{}{}:
	default:
	}
	<-g.open
	return g.text.Write(p)
}

func (s *suite) blockedWriter(t *testing.T) {
	k := newKit(t, s.newProvider(t), "a", nil)
	g := &gate{entered: make(chan struct{}, 1), open: make(chan struct{})}
	var progress text
	p := k.program(nil, "flood:4")
	p.Stdout, p.Stderr = g, &progress
	proc, err := k.Start(k.ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	<-g.entered
	// Time in which an unbounded buffer would swallow the 4 MiB.
	<-time.After(200 * time.Millisecond)
	if got := progress.String(); got != "" {
		t.Errorf("the program went on to MiB %q although its output is blocked", got)
	}
	close(g.open)
	if exit := k.wait(proc); exit != (sandbox.Exit{}) {
		t.Errorf("exit %s", exit)
	}
	k.Flush()
	if g.Len() != 4<<20 || strings.TrimSpace(progress.String()) != "1\n2\n3\n4" {
		t.Errorf("%d bytes, progress %q", g.Len(), progress.String())
	}
}

// logDescriptor: a further descriptor leads to where standard output does, in
// one order with it, and is the only one.
func (s *suite) logDescriptor(t *testing.T) {
	k := newKit(t, s.newProvider(t), "a", nil)
	const number = 62
	var out output
	p := k.program(&out, "say:1", fmt.Sprintf("log:%d=2", number), "say:3", fmt.Sprintf("log:%d=4", number), "descriptors")
	p.LogDescriptor = number
	proc, err := k.Start(k.ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	if exit := k.wait(proc); exit != (sandbox.Exit{}) {
		t.Fatalf("exit %s: %s", exit, out.stderr.String())
	}
	k.Flush()
	lines := out.stdout.lines()
	if got := strings.Join(lines[:min(4, len(lines))], " "); got != "1 2 3 4" {
		t.Errorf("lines %q", lines)
	}
	files := map[string]string{}
	for _, line := range lines[min(4, len(lines)):] {
		number, file, _ := strings.Cut(line, " ")
		files[number] = file
	}
	if files["62"] == "" || files["62"] != files["1"] || files["62"] == files["2"] {
		t.Errorf("descriptors:\n%s", out.stdout.String())
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("disk full") }

// failingWriter: a program must not suffer from a log that cannot be kept.
func (s *suite) failingWriter(t *testing.T) {
	k := newKit(t, s.newProvider(t), "a", nil)
	p := k.program(nil, "flood:2")
	p.Stdout, p.Stderr = failing{}, nil
	proc, err := k.Start(k.ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	if exit := k.wait(proc); exit != (sandbox.Exit{}) {
		t.Errorf("exit %s", exit)
	}
}

func (s *suite) oneWriter(t *testing.T) {
	k := newKit(t, s.newProvider(t), "a", nil)
	both := &text{}
	p := k.program(nil, "say:1", "complain:2", "say:3", "complain:4")
	p.Stdout, p.Stderr = both, both
	proc, err := k.Start(k.ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	k.wait(proc)
	k.Flush()
	if got := both.lines(); !equalSorted(got, []string{"1", "2", "3", "4"}) {
		t.Errorf("got %q", got)
	}
}

// accept serves one connection to the sandbox's listener: it returns the
// first line and echoes it.
func (k *kit) accept() <-chan string {
	heard := make(chan string, 1)
	go func() {
		defer close(heard)
		conn, err := k.Listener().Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		line, _ := bufio.NewReader(conn).ReadString('\n')
		heard <- line
		_, _ = io.WriteString(conn, line) // the program tells when it is missing
	}()
	return heard
}

// connect accepts one connection.
func (k *kit) connect() net.Conn {
	k.t.Helper()
	// Without a connection the sandbox is closed and Accept fails.
	timeout := time.AfterFunc(patience, func() { _ = k.Close() })
	defer timeout.Stop()
	conn, err := k.Listener().Accept()
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		k.t.Fatal(err)
	}
	return conn
}

// outputAfterExit: a child that writes after the program's end is heard, and
// neither it nor the pipe that it holds open keeps anything waiting.
func (s *suite) outputAfterExit(t *testing.T) {
	k := newKit(t, s.newProvider(t), "a", nil)
	var out output
	proc := k.start(&out, "say:first", "spawn:dial:"+k.Address()+"|hear:go|say:late|wait", "say:second")
	conn := k.connect()
	k.wait(proc)
	k.Flush()
	if got := out.stdout.String(); got != "first\nsecond\n" {
		t.Errorf("at the program's end: %q", got)
	}
	if _, err := io.WriteString(conn, "go\n"); err != nil {
		t.Fatal(err)
	}
	out.stdout.awaitLine(t, "late", 1)
	k.kill()
	if got := out.stdout.String() + out.stderr.String(); got != "first\nsecond\nlate\n" {
		t.Errorf("in the end: %q", got)
	}
}

// outputBeforeKill: what was written before is there when Kill returns.
func (s *suite) outputBeforeKill(t *testing.T) {
	k := newKit(t, s.newProvider(t), "a", nil)
	var out output
	k.start(&out, "dial:"+k.Address(), "say:last words", "tell:said", "wait")
	conn := k.connect()
	if line, err := bufio.NewReader(conn).ReadString('\n'); line != "said\n" {
		t.Fatalf("heard %q, %v", line, err)
	}
	k.kill()
	if got := out.stdout.String(); got != "last words\n" {
		t.Errorf("after Kill: %q", got)
	}
}

func (s *suite) flushBarrier(t *testing.T) {
	k := newKit(t, s.newProvider(t), "a", nil)
	const rounds = 300
	var out output
	proc := k.start(&out, "dial:"+k.Address(), fmt.Sprint("barrier:", rounds))
	conn := k.connect()
	lines := bufio.NewReaderSize(conn, 64<<10)
	for i := range rounds {
		// Long ones too: they come in several pieces.
		want := fmt.Sprint(i, strings.Repeat("x", i%10*4000))
		if _, err := io.WriteString(conn, want+"\n"); err != nil {
			t.Fatal(err)
		}
		if line, err := lines.ReadString('\n'); err != nil || line != want+"\n" {
			t.Fatalf("round %d: %d bytes back, %v; stderr %s", i, len(line), err, out.stderr.String())
		}
		k.Flush()
		if got := out.stdout.take(); got != want+"\n" {
			t.Fatalf("round %d: after Flush there are %d bytes of %d", i, len(got), len(want)+1)
		}
	}
	k.wait(proc)
}
