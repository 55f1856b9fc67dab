//go:build unix

package process

import (
	"io"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/lambhq/lamb/internal/sandbox"
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
	buffers *sync.Pool
	done    chan struct{} // closed when run has returned

	mu     sync.Mutex
	dst    io.Writer
	failed bool // dst has returned an error; the rest is discarded
	ended  bool // every writing end is closed
}

func newStream(r *os.File, dst io.Writer, buffers *sync.Pool) (*stream, error) {
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
	buf := s.buffers.Get().(*[]byte)
	defer s.buffers.Put(buf)
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

// outputs is the pipes of a program that is being started.
type outputs struct {
	stdout, stderr *os.File // writing ends; nil to discard
	streams        []*stream
}

func (b *box) openOutputs(p sandbox.Process) (*outputs, error) {
	o := &outputs{}
	var err error
	if o.stdout, err = o.open(p.Stdout, b.provider.buffers); err != nil {
		return nil, err
	}
	if sameWriter(p.Stdout, p.Stderr) {
		// One pipe for both keeps their order, as a terminal does.
		o.stderr = o.stdout
		return o, nil
	}
	if o.stderr, err = o.open(p.Stderr, b.provider.buffers); err != nil {
		o.closeWriters()
		o.closeReaders()
		return nil, err
	}
	return o, nil
}

func (o *outputs) open(dst io.Writer, buffers *sync.Pool) (*os.File, error) {
	if dst == nil {
		return nil, nil
	}
	r, w, err := pipe()
	if err != nil {
		return nil, err
	}
	s, err := newStream(r, dst, buffers)
	if err != nil {
		r.Close()
		w.Close()
		return nil, err
	}
	o.streams = append(o.streams, s)
	return w, nil
}

func (o *outputs) closeWriters() {
	if o.stdout != nil {
		o.stdout.Close()
	}
	if o.stderr != nil && o.stderr != o.stdout {
		o.stderr.Close()
	}
}

func (o *outputs) closeReaders() {
	for _, s := range o.streams {
		s.file.Close()
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
