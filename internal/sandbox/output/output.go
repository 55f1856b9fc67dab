//go:build unix

// Package output carries what programs in a sandbox write to the writers that
// are to have it. It owns the pipes and the goroutines that empty them; it
// buffers almost nothing, so a writer that blocks makes the program block, and
// Flush is a barrier.
package output

import (
	"context"
	"io"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/lambhq/lamb/internal/poison"
)

// outputBuffer is how much of a stream is in lamb's memory at most, and only
// while it is being copied: an idle stream holds no buffer. With the pipe
// itself (64 KiB on Linux) it bounds how far a program can be ahead of a
// writer that blocks.
const outputBuffer = 32 << 10

// stream copies one pipe to one writer. Reading and writing happen under mu,
// by whoever is there first, the copying goroutine or Flush; that is what
// makes Flush a barrier and keeps the order.
type stream struct {
	file    *os.File // the pipe's reading end, non-blocking
	conn    syscall.RawConn
	buffers *Buffers
	done    chan struct{} // closed when run has returned

	mu     sync.Mutex
	dst    io.Writer
	failed bool // dst has returned an error; the rest is discarded
	ended  bool // every writing end is closed
}

func newStream(r *os.File, dst io.Writer, buffers *Buffers) (*stream, error) {
	conn, err := r.SyscallConn()
	if err != nil {
		return nil, err
	}
	return &stream{file: r, conn: conn, buffers: buffers, dst: dst, done: make(chan struct{})}, nil
}

// run copies until every writing end is closed, or finish.
func (s *stream) run() {
	defer close(s.done)
	defer s.file.Close()
	// Its error is that the file was closed, by finish.
	_ = s.conn.Read(func(fd uintptr) bool {
		for {
			n, wait := s.copyOnce(int(fd), outputBuffer)
			if wait {
				return false
			}
			if n == 0 {
				return true
			}
		}
	})
}

// copyOnce copies at most max bytes. n is zero at the end of the stream; wait
// means that the pipe is empty.
func (s *stream) copyOnce(fd, max int) (n int, wait bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.copyLocked(fd, max)
}

func (s *stream) copyLocked(fd, max int) (n int, wait bool) {
	if s.ended {
		return 0, false
	}
	buf := s.buffers.pool.Get().(*[]byte)
	defer s.buffers.put(buf)
	for {
		n, err := unix.Read(fd, (*buf)[:min(max, len(*buf))])
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return 0, true
		case err != nil || n <= 0:
			s.ended = true
			return 0, false
		}
		if !s.failed {
			if _, err := s.dst.Write((*buf)[:n]); err != nil {
				// The program must not be blocked or killed because its log
				// cannot be kept: go on reading.
				s.failed = true
			}
		}
		return n, false
	}
}

// flush returns when what is in the pipe now has been written.
func (s *stream) flush() {
	// Control fails when the stream has ended: then everything is written.
	_ = s.conn.Control(func(fd uintptr) {
		s.mu.Lock()
		defer s.mu.Unlock()
		// Only what is there now: a program that writes for ever must not
		// keep a Flush for ever.
		for left := buffered(int(fd)); left > 0; {
			n, wait := s.copyLocked(int(fd), left)
			if n == 0 || wait {
				return
			}
			left -= n
		}
	})
}

// finish writes what is in the pipe and ends the stream, whoever may still
// hold a writing end.
func (s *stream) finish() {
	s.flush()
	// Closing wakes run; an error means that it has ended by itself.
	_ = s.file.Close()
	<-s.done
}

// finishAll finishes streams together, because each may wait for its writer.
func finishAll(streams []*stream) {
	var wg sync.WaitGroup
	for _, s := range streams {
		wg.Go(s.finish)
	}
	wg.Wait()
}

// Buffers lends the memory that copying needs; sandboxes share one.
type Buffers struct{ pool sync.Pool } // of *[]byte, outputBuffer long

// NewBuffers returns an empty pool.
func NewBuffers() *Buffers {
	return &Buffers{sync.Pool{New: func() any {
		b := make([]byte, outputBuffer)
		return &b
	}}}
}

func (b *Buffers) put(buf *[]byte) {
	if poison.Always {
		poison.Fill(*buf)
	}
	b.pool.Put(buf)
}

// Set is the outputs of one sandbox's programs.
type Set struct {
	buffers *Buffers

	mu      sync.Mutex // guards streams
	streams map[*stream]struct{}
}

// NewSet returns a set without outputs.
func NewSet(buffers *Buffers) *Set {
	return &Set{buffers: buffers, streams: map[*stream]struct{}{}}
}

// Pipes is the pipes of a program that is being started. Their owner calls
// CloseWriters in any case, and either Start or CloseReaders.
type Pipes struct {
	// Stdout and Stderr are the writing ends, for the program; nil to discard.
	// They are one file when the writers are one.
	Stdout, Stderr *os.File

	set     *Set
	streams []*stream
}

// Open makes the pipes of a program whose outputs go to these writers; nil
// discards.
func (t *Set) Open(stdout, stderr io.Writer) (*Pipes, error) {
	o := &Pipes{set: t}
	var err error
	if o.Stdout, err = o.open(stdout); err != nil {
		return nil, err
	}
	if sameWriter(stdout, stderr) {
		// One pipe for both keeps their order, as a terminal does.
		o.Stderr = o.Stdout
		return o, nil
	}
	if o.Stderr, err = o.open(stderr); err != nil {
		o.CloseWriters()
		o.CloseReaders()
		return nil, err
	}
	return o, nil
}

func (o *Pipes) open(dst io.Writer) (*os.File, error) {
	if dst == nil {
		return nil, nil
	}
	r, w, err := pipe()
	if err != nil {
		return nil, err
	}
	s, err := newStream(r, dst, o.set.buffers)
	if err != nil {
		r.Close()
		w.Close()
		return nil, err
	}
	o.streams = append(o.streams, s)
	return w, nil
}

// Start copies from now on, until every writing end is closed or Finish: the
// end of CloseWriters is enough if the program does not start after all.
func (o *Pipes) Start() {
	t := o.set
	t.mu.Lock()
	for _, s := range o.streams {
		t.streams[s] = struct{}{}
	}
	t.mu.Unlock()
	for _, s := range o.streams {
		go func() {
			s.run()
			t.mu.Lock()
			delete(t.streams, s)
			t.mu.Unlock()
		}()
	}
}

// CloseWriters closes lamb's copies of the writing ends.
func (o *Pipes) CloseWriters() {
	if o.Stdout != nil {
		o.Stdout.Close()
	}
	if o.Stderr != nil && o.Stderr != o.Stdout {
		o.Stderr.Close()
	}
}

// CloseReaders gives the pipes up.
func (o *Pipes) CloseReaders() {
	for _, s := range o.streams {
		s.file.Close()
	}
}

func (t *Set) live() []*stream {
	t.mu.Lock()
	defer t.mu.Unlock()
	streams := make([]*stream, 0, len(t.streams))
	for s := range t.streams {
		streams = append(streams, s)
	}
	return streams
}

// Flush returns when what is in the pipes now has been written.
func (t *Set) Flush() {
	for _, s := range t.live() {
		s.flush()
	}
}

// Finish writes what is in the pipes and ends the copying, whoever may still
// hold a writing end. It waits for a Write under way.
func (t *Set) Finish() { finishAll(t.live()) }

// FinishWithin is Finish, bounded by a context: that bounds the wait, not the
// copying.
func (t *Set) FinishWithin(ctx context.Context) error {
	done := make(chan struct{})
	streams := t.live()
	go func() {
		defer close(done)
		finishAll(streams)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sameWriter tells whether a and b are one writer. Types that cannot be
// compared are taken as different.
func sameWriter(a, b io.Writer) (same bool) {
	defer func() {
		if recover() != nil {
			same = false
		}
	}()
	return a != nil && a == b
}
