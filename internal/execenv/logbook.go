package execenv

import (
	"bytes"
	"fmt"
	"sync"
	"time"

	"github.com/lambhq/lamb/internal/clock"
	"github.com/lambhq/lamb/internal/function"
)

// Logs takes one environment's log, a line at a time, in order.
type Logs interface {
	// Line gets one line with its newline; it does not keep it. It must not
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

	mu      sync.Mutex
	streams [2]*stream // of the runtime's present life
	tail    []byte     // up to 2*tailSize, cut when it is read or full
	inside  bool       // between START and REPORT
}

func newLogbook(out Logs, c clock.Clock) *logbook {
	return &logbook{out: out, clock: c}
}

// stream takes one output of a process; bytes become lines.
type stream struct {
	book    *logbook
	partial []byte // guarded by book.mu
}

// streamPair gives the outputs of a new runtime process.
func (b *logbook) streamPair() (stdout, stderr *stream) {
	stdout, stderr = &stream{book: b}, &stream{book: b}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.streams = [2]*stream{stdout, stderr}
	return stdout, stderr
}

// Write implements io.Writer; it never fails.
func (s *stream) Write(p []byte) (int, error) {
	b := s.book
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(p)
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			s.partial = append(s.partial, p...)
			if len(s.partial) >= maxLine {
				s.endLine()
			}
			break
		}
		if len(s.partial) == 0 {
			b.lineLocked(p[:i+1])
		} else {
			s.partial = append(s.partial, p[:i+1]...)
			b.lineLocked(s.partial)
			s.partial = s.partial[:0]
		}
		p = p[i+1:]
	}
	return n, nil
}

// endLine ends a line that has no newline yet.
func (s *stream) endLine() {
	if len(s.partial) == 0 {
		return
	}
	s.partial = append(s.partial, '\n')
	s.book.lineLocked(s.partial)
	s.partial = s.partial[:0]
}

func (b *logbook) lineLocked(line []byte) {
	b.out.Line(b.clock.Now(), line)
	if !b.inside {
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

func (b *logbook) printf(format string, args ...any) {
	b.lineLocked(fmt.Appendf(nil, format, args...))
}

func (b *logbook) initStart(c function.Config) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.printf("INIT_START Runtime Version: %s\tRuntime Version ARN: %s\n",
		c.Runtime, c.RuntimeVersionARN)
}

func (b *logbook) initReport(took time.Duration, phase, errType string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if errType == errTypeTimeout {
		b.printf("INIT_REPORT Init Duration: %.2f ms\tPhase: %s\tStatus: timeout\n", ms(took), phase)
		return
	}
	b.printf("INIT_REPORT Init Duration: %.2f ms\tPhase: %s\tStatus: error\tError Type: %s\n", ms(took), phase, errType)
}

// start begins an invocation's part of the log.
func (b *logbook) start(requestID, version string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tail, b.inside = b.tail[:0], true
	b.printf("START RequestId: %s Version: %s\n", requestID, version)
}

// flush waits until all output so far has arrived and ends open lines.
func (b *logbook) flush(f flusher) {
	f.Flush()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.streams {
		if s != nil {
			s.endLine()
		}
	}
}

// report is what an invocation's last lines say.
type report struct {
	requestID    string
	duration     time.Duration
	initDuration time.Duration // zero: not the first invocation
	memoryMB     int
	peakBytes    int64
	status       string // "success", "error", "timeout", "failure"
	errType      string
	timedOut     bool
}

// finish writes END and REPORT and returns the tail.
func (b *logbook) finish(r report) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.printf("END RequestId: %s\n", r.requestID)
	line := fmt.Appendf(nil, "REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %d ms\tMemory Size: %d MB\tMax Memory Used: %d MB\t",
		r.requestID, ms(r.duration), billed(r.duration, r.initDuration), r.memoryMB, (r.peakBytes+1<<20-1)>>20)
	if r.initDuration > 0 {
		line = fmt.Appendf(line, "Init Duration: %.2f ms\t", ms(r.initDuration))
	}
	switch {
	case r.timedOut:
		line = append(line, "Status: timeout"...)
	case r.status != "success":
		line = fmt.Appendf(line, "Status: error\tError Type: %s", r.errType)
	}
	b.lineLocked(append(line, '\n'))
	b.inside = false
	return string(b.tail[max(0, len(b.tail)-tailSize):])
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// timeoutText is the cause of a timeout, with the configured seconds.
func timeoutText(d time.Duration) string {
	return fmt.Sprintf("Task timed out after %.2f seconds", d.Seconds())
}
