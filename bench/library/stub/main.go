// Command stub is the Runtime API that the benchmarks' library rows run
// functions on: as little of a server as can be, so that what is measured is
// the functions' libraries. It is one thread that waits for all connections at
// once (epoll) and answers from bytes that are made beforehand; only an event's
// request id and trace are written into them. Go's scheduler and poller have no
// part in it: their wake-ups would cost more than the functions that are
// measured, and more where these take long.
//
// It is a Runtime API for any client nevertheless: requests may come in pieces
// and answers to events in chunks, with trailers, every event has an id of its
// own, and an answer that is not the event, byte by byte, ends all.
//
// Package library drives it over standard input and output.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"time"
)

func main() {
	runtime.LockOSThread()
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "stub:", err)
		os.Exit(1)
	}
}

// run says where it listens and does what it is told, until in ends. Orders are
//
//	event SIZE      followed by the event: the one to be served from now on
//	accept N        hang up on all, and let N functions ask for their first event
//	serve N         give N events to these functions, and take the answers
//
// and every one is answered with a line: how many nanoseconds it took.
func run(in io.Reader, out io.Writer) (err error) {
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return err
	}
	defer l.Close()
	s := &stub{listener: l}
	defer func() { err = errors.Join(err, s.hangUp()) }()
	if _, err := fmt.Fprintln(out, l.Addr()); err != nil {
		return err
	}
	for orders := bufio.NewReader(in); ; {
		var order string
		var n int
		if _, err := fmt.Fscanf(orders, "%s %d\n", &order, &n); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		began := time.Now()
		switch order {
		case "event":
			s.event = make([]byte, n)
			_, err = io.ReadFull(orders, s.event)
		case "accept":
			err = s.accept(n)
		case "serve":
			err = s.serve(n)
		default:
			err = fmt.Errorf("no order %q", order)
		}
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(out, time.Since(began).Nanoseconds()); err != nil {
			return err
		}
	}
}
