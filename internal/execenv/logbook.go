package execenv

import (
	"bytes"
	"sync"
	"time"

	"github.com/lambhq/lamb/internal/clock"
	"github.com/lambhq/lamb/internal/telemetry"
)

// Logs takes one environment's log, a line at a time, in order.
type Logs interface {
	// Line gets one line with its newline, or an event of several lines; it
	// does not keep it. It must not
	// block for long: the function's output waits behind it.
	Line(at time.Time, line []byte)
}

type discardLogs struct{}

func (discardLogs) Line(time.Time, []byte) {}

const (
	// tailSize is what LogType Tail returns at most.
	tailSize = 4 << 10
	// maxLine bounds a line of output; a longer one is cut in pieces.
	maxLine = 64 << 10
)

// flusher is the part of a sandbox that the logbook needs: when Flush returns,
// what the function had written has reached the streams.
type flusher interface{ Flush() }

// logbook puts the platform's lines and the function's output in one order
// and remembers the tail of the current invocation.
type logbook struct {
	out   Logs
	clock clock.Clock
	hub   *telemetry.Hub
	// asJSON says that platform lines are JSON, those of level and above;
	// otherwise they are text.
	asJSON bool
	level  level

	mu      sync.Mutex
	streams []*stream // of the present life's processes
	tail    []byte    // up to 2*tailSize, cut when it is read or full
	keep    bool      // the tail is wanted: from START to REPORT
	scratch []byte    // the platform's lines are built here
}

func newLogbook(cfg *Config, hub *telemetry.Hub) *logbook {
	c := cfg.Version.Runs().Config.Logging
	return &logbook{
		out: cfg.Logs, clock: cfg.Clock, hub: hub,
		asJSON: c.Format == "JSON", level: parseLevel(c.SystemLevel),
	}
}

// stream takes one output of a process; bytes become lines.
type stream struct {
	book    *logbook
	partial []byte // guarded by book.mu
	// events says that a line is an event whose own line breaks the runtime
	// has written as carriage returns, as lamb's Python and Node programs do.
	events bool
	frame  *frame             // nil when the program cannot write any
	source telemetry.Category // Function or Extension
}

// streamPair gives the outputs of a new runtime process. A managed one writes
// events: frames, or lines as stream.events has them.
func (b *logbook) streamPair(managed bool) (stdout, stderr *stream) {
	stdout, stderr = b.pair(stream{book: b, events: managed, source: telemetry.Function})
	if managed {
		stdout.frame = new(frame)
	}
	return stdout, stderr
}

func (b *logbook) pair(s stream) (stdout, stderr *stream) {
	out, errs := s, s
	stdout, stderr = &out, &errs
	b.mu.Lock()
	defer b.mu.Unlock()
	b.streams = append(b.streams, stdout, stderr)
	return stdout, stderr
}

// extensionStreams are the outputs of an extension's process.
func (b *logbook) extensionStreams() (stdout, stderr *stream) {
	return b.pair(stream{book: b, source: telemetry.Extension})
}

// newLife forgets the outputs of the processes that have ended.
func (b *logbook) newLife() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.streams = nil
}

// Write implements io.Writer; it never fails.
func (s *stream) Write(p []byte) (int, error) {
	b := s.book
	b.mu.Lock()
	defer b.mu.Unlock()
	s.write(p)
	return len(p), nil
}

// write takes all of p.
func (s *stream) write(p []byte) {
	for len(p) > 0 {
		text := p
		if s.frame != nil {
			i := s.frame.begins(p)
			if i == 0 {
				p = s.writeFrame(p)
				continue
			}
			if i > 0 {
				text = p[:i]
			}
		}
		p = p[s.writeText(text):]
	}
}

// writeText takes text up to the end of the first line, or all of it, and
// returns how much that was.
func (s *stream) writeText(p []byte) int {
	i := bytes.IndexByte(p, '\n')
	switch {
	case i < 0:
		s.partial = append(s.partial, p...)
		if len(s.partial) >= maxLine {
			s.endLine()
		}
		return len(p)
	case len(s.partial) == 0:
		s.line(p[:i+1])
	default:
		s.partial = append(s.partial, p[:i+1]...)
		s.line(s.partial)
		s.partial = s.partial[:0]
	}
	return i + 1
}

// endLine ends a line that has no newline yet.
func (s *stream) endLine() {
	for s.frame != nil && s.frame.have > 0 && s.frame.left == 0 {
		s.noFrame() // its head would have come in one piece
	}
	if len(s.partial) == 0 {
		return
	}
	s.partial = append(s.partial, '\n')
	s.line(s.partial)
	s.partial = s.partial[:0]
}

// line passes one line on, in an event with its line breaks.
func (s *stream) line(line []byte) {
	if s.events && bytes.IndexByte(line, '\r') >= 0 {
		end := len(bytes.TrimRight(line, "\r\n"))
		line = append(bytes.ReplaceAll(line[:end], []byte{'\r'}, []byte{'\n'}), '\n')
	}
	s.pass(s.book.clock.Now(), line)
}

// pass hands a line or an event on.
func (s *stream) pass(at time.Time, line []byte) {
	b := s.book
	if b.hub.Wants(s.source) {
		b.hub.Line(at, telemetry.Line{Source: s.source, Text: bytes.TrimRight(line, "\r\n"), JSON: b.asJSON})
	}
	b.putLocked(at, line)
}

// lineLocked writes a line of the platform.
func (b *logbook) lineLocked(line []byte) { b.putLocked(b.clock.Now(), line) }

func (b *logbook) putLocked(at time.Time, line []byte) {
	b.out.Line(at, line)
	if !b.keep {
		return
	}
	if len(line) > tailSize {
		line = line[len(line)-tailSize:]
	}
	if len(b.tail)+len(line) > 2*tailSize {
		b.tail = append(b.tail[:0], b.tail[len(b.tail)-tailSize:]...)
	}
	b.tail = append(b.tail, line...)
}

// flush waits until all output so far has arrived and ends open lines.
func (b *logbook) flush(f flusher) {
	f.Flush()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.streams {
		s.endLine()
	}
}

// keepTail has the tail of the log kept from here to the end of the report, for
// takeTail.
func (b *logbook) keepTail() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keep = true
}

// takeTail returns what has been kept.
func (b *logbook) takeTail() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	tail := string(b.tail[max(0, len(b.tail)-tailSize):])
	b.tail, b.keep = b.tail[:0], false
	return tail
}
