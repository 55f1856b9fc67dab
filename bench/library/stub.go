// Package library runs the functions of the benchmarks' library rows, which are
// its folders ours and theirs, on a Runtime API that is a process of its own,
// stub.
package library

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Stub is a Runtime API that serves one event, again and again.
type Stub struct {
	address string
	cmd     *exec.Cmd
	orders  io.WriteCloser
	answers *bufio.Reader
}

// Start starts the stub's program.
func Start(program string) (*Stub, error) {
	s := &Stub{cmd: exec.Command(program)}
	s.cmd.Stderr = os.Stderr
	var err error
	if s.orders, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.answers = bufio.NewReader(out)
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	if s.address, err = s.line(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Address is what goes into AWS_LAMBDA_RUNTIME_API.
func (s *Stub) Address() string { return s.address }

// Close ends the stub.
func (s *Stub) Close() error { return errors.Join(s.orders.Close(), s.cmd.Wait()) }

// SetEvent says what is served to the functions that are accepted from now on.
func (s *Stub) SetEvent(event []byte) error {
	_, err := s.order("event", len(event), event)
	return err
}

// Accept hangs up on the functions that there were, and waits until n others
// have asked for an event.
func (s *Stub) Accept(n int) error {
	_, err := s.order("accept", n, nil)
	return err
}

// Serve gives n events to the functions, in all, takes the answers, which have
// to be the event, and tells how long it took until all were there and every
// function asked for one more.
func (s *Stub) Serve(n int) (time.Duration, error) { return s.order("serve", n, nil) }

// order has the stub do something and tells how long that took.
func (s *Stub) order(what string, n int, more []byte) (time.Duration, error) {
	if _, err := fmt.Fprintf(s.orders, "%s %d\n%s", what, n, more); err != nil {
		return 0, err
	}
	line, err := s.line()
	if err != nil {
		return 0, err
	}
	ns, err := strconv.ParseInt(line, 10, 64)
	return time.Duration(ns), err
}

// line is a line that the stub says.
func (s *Stub) line() (string, error) {
	line, err := s.answers.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("the stub has ended: %w", err)
	}
	return strings.TrimSuffix(line, "\n"), nil
}
