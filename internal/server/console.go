package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/lambhq/lamb/internal/execenv"
	"github.com/lambhq/lamb/internal/function"
)

const (
	// maxConsole bounds the log lines that wait for a slow terminal.
	maxConsole = 1 << 20
	// consolePause is how long lines may wait for more of them. To wake the
	// writer for every line would cost an invocation more than its log does.
	consolePause = 5 * time.Millisecond
	// consoleBatch is what is written without waiting for more.
	consoleBatch = 64 << 10
)

// console writes the functions' logs to lamb's own output, each line with the
// function's name in front. A slow terminal never delays a function: what
// does not fit is dropped, and the drop is told.
type console struct {
	out  io.Writer
	wake chan struct{} // has a token when there is something to write
	done chan struct{} // closed when the writer has ended
	// closeWait is how long close waits for a terminal that takes nothing.
	closeWait time.Duration

	mu      sync.Mutex
	timer   *time.Timer // gives the token when the pause is over
	pending []byte
	dropped int
	closed  bool
}

// newConsole starts the writer; close ends it.
func newConsole(out io.Writer) *console {
	c := &console{out: out, wake: make(chan struct{}, 1), done: make(chan struct{}), closeWait: 2 * time.Second}
	c.timer = time.AfterFunc(consolePause, c.kick)
	go c.run()
	return c
}

// logs is the destination of one environment's log.
func (c *console) logs(v *function.Version, _ string) execenv.Logs {
	name := v.Key.Name
	if v.Version != function.Latest {
		name += ":" + v.Version
	}
	return consoleLogs{c, []byte("[" + name + "] ")}
}

type consoleLogs struct {
	c      *console
	prefix []byte
}

// Line implements execenv.Logs.
func (l consoleLogs) Line(_ time.Time, line []byte) {
	c := l.c
	c.mu.Lock()
	defer c.mu.Unlock()
	switch before := len(c.pending); {
	case c.closed:
		return
	case before+len(l.prefix)+len(line) > maxConsole:
		c.dropped++
		return
	case before == 0:
		c.timer.Reset(consolePause)
	case before > consoleBatch:
		c.kick()
	}
	for one := range bytes.Lines(line) {
		c.pending = append(append(c.pending, l.prefix...), harmless(one)...)
	}
}

// kick has what is pending written.
func (c *console) kick() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// harmless takes the control characters out of a line that would let a
// function draw on the operator's terminal, or over another's line. Colours
// pass in no form.
func harmless(line []byte) []byte {
	if rest, ok := bytes.CutSuffix(line, []byte("\r\n")); ok {
		line = append(rest, '\n')
	}
	if bytes.IndexFunc(line, isControl) < 0 {
		return line
	}
	return bytes.Map(func(r rune) rune {
		if isControl(r) {
			return '�'
		}
		return r
	}, line)
}

func isControl(r rune) bool {
	return r < 0x20 && r != '\t' && r != '\n' || r >= 0x7f && r < 0xa0
}

func (c *console) run() {
	defer close(c.done)
	var batch []byte
	for range c.wake {
		c.mu.Lock()
		batch, c.pending = c.pending, batch[:0]
		dropped, closed := c.dropped, c.closed
		c.dropped = 0
		c.mu.Unlock()
		if len(batch) > 0 {
			_, _ = c.out.Write(batch) // a terminal that is gone is nobody's error
		}
		if dropped > 0 {
			fmt.Fprintf(c.out, "lamb: %d log lines were dropped because the output is slow\n", dropped)
		}
		if closed {
			return
		}
	}
}

// close writes what is left and ends the writer. A terminal that takes nothing
// (Ctrl-S, a pager) must not keep lamb from ending: the writer is then left
// behind, and the error says so.
func (c *console) close() error {
	c.mu.Lock()
	c.closed = true
	c.timer.Stop()
	c.mu.Unlock()
	c.kick()
	t := time.NewTimer(c.closeWait)
	defer t.Stop()
	select {
	case <-c.done:
		return nil
	case <-t.C:
		return errors.New("the functions' last log lines were not written: the output takes nothing")
	}
}
