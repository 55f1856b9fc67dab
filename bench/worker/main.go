// Command worker is the function of the benchmarks' raw rows: a bootstrap that
// speaks the Runtime API by hand, on one blocking socket, and answers every
// event with itself: next to nothing of what is measured is its own. Its
// handler "credentials" answers with the credentials of its environment, "stream"
// streams what the event says. As a
// file in /opt/extensions it is an extension that wants to know of invocations
// and does nothing about them.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

const (
	base = "/2018-06-01/runtime/invocation/"
	// maxHead bounds the Runtime API's headers, in bytes.
	maxHead = 64 << 10
)

func main() {
	if dir, name := filepath.Split(os.Args[0]); filepath.Base(dir) == "extensions" {
		fmt.Fprintln(os.Stderr, idle(os.Getenv("AWS_LAMBDA_RUNTIME_API"), name))
		os.Exit(1)
	}
	fmt.Fprintln(os.Stderr, run(os.Getenv("AWS_LAMBDA_RUNTIME_API"), os.Getenv("_HANDLER")))
	os.Exit(1)
}

// run answers events until the Runtime API fails.
func run(api, handler string) error {
	conn, err := dial(api)
	if err != nil {
		return err
	}
	w := &worker{conn: conn, in: bufio.NewReaderSize(conn, maxHead)}
	next := []byte("GET " + base + "next HTTP/1.1\r\nHost: " + api + "\r\n\r\n")
	for {
		if _, err := conn.Write(next); err != nil {
			return err
		}
		event, err := w.read()
		if err != nil {
			return err
		}
		if handler == "stream" {
			if err := w.stream(api, event); err != nil {
				return err
			}
			continue
		}
		if handler == "credentials" {
			event = credentials()
		}
		// Head and body leave in one write.
		w.out = fmt.Appendf(w.out[:0], "POST %s%s/response HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n", base, w.id, api, len(event))
		w.out = append(w.out, event...)
		if _, err := conn.Write(w.out); err != nil {
			return err
		}
		if _, err := w.read(); err != nil {
			return err
		}
	}
}

// idle registers an extension and asks for events until the API fails.
func idle(api, name string) error {
	conn, err := dial(api)
	if err != nil {
		return err
	}
	w := &worker{conn: conn, in: bufio.NewReaderSize(conn, maxHead)}
	const path, events = "/2020-01-01/extension/", `{"events":["INVOKE"]}`
	request := fmt.Sprintf("POST %sregister HTTP/1.1\r\nHost: %s\r\nLambda-Extension-Name: %s\r\nContent-Length: %d\r\n\r\n%s", path, api, name, len(events), events)
	for {
		if _, err := conn.Write([]byte(request)); err != nil {
			return err
		}
		if _, err := w.read(); err != nil {
			return err
		}
		request = fmt.Sprintf("GET %sevent/next HTTP/1.1\r\nHost: %s\r\nLambda-Extension-Identifier: %s\r\n\r\n", path, api, w.id)
	}
}

// socket is a connection whose calls block in the kernel, and are not made
// known to Go's scheduler: there is one goroutine and one connection, so there
// is nothing else to do meanwhile, and waking threads to look for something
// costs more than all that this program does.
type socket int

func dial(api string) (socket, error) {
	addr, err := netip.ParseAddrPort(api)
	if err != nil {
		return 0, err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	syscall.CloseOnExec(fd)
	// As package net does: a request in two writes must not wait for an ACK.
	if err := syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1); err != nil {
		return 0, os.NewSyscallError("setsockopt", err)
	}
	return socket(fd), os.NewSyscallError("connect", syscall.Connect(fd, &syscall.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}))
}

func (s socket) Read(p []byte) (int, error) {
	for {
		n, _, err := syscall.RawSyscall(syscall.SYS_READ, uintptr(s), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		switch {
		case err == syscall.EINTR:
		case err != 0:
			return 0, os.NewSyscallError("read", err)
		case n == 0:
			return 0, io.EOF
		default:
			return int(n), nil
		}
	}
}

func (s socket) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n, _, err := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(s), uintptr(unsafe.Pointer(&p[done])), uintptr(len(p)-done))
		switch {
		case err == syscall.EINTR:
		case err != 0:
			return done, os.NewSyscallError("write", err)
		default:
			done += int(n)
		}
	}
	return done, nil
}

// stream answers with pieces of a size in bytes and a pause after each, in
// milliseconds, as the event says.
func (w *worker) stream(api string, event []byte) error {
	var pieces, size, pause int
	if _, err := fmt.Sscanf(string(event), `{"pieces":%d,"size":%d,"pause":%d}`, &pieces, &size, &pause); err != nil {
		return err
	}
	piece := fmt.Appendf(nil, "%x\r\n%s\r\n", size, bytes.Repeat([]byte("s"), size))
	// The head leaves with the first piece, and the end by itself.
	w.out = fmt.Appendf(w.out[:0], "POST %s%s/response HTTP/1.1\r\nHost: %s\r\nLambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n\r\n", base, w.id, api)
	w.out = append(w.out, piece...)
	out := w.out
	for range pieces {
		if _, err := w.conn.Write(out); err != nil {
			return err
		}
		out = piece
		if pause > 0 {
			time.Sleep(time.Duration(pause) * time.Millisecond)
		}
	}
	if _, err := w.conn.Write([]byte("0\r\n\r\n")); err != nil {
		return err
	}
	_, err := w.read()
	return err
}

// credentials are what lamb has given to this environment, as JSON.
func credentials() []byte {
	return fmt.Appendf(nil, `{"key":%q,"secret":%q,"token":%q}`,
		os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN"))
}

type worker struct {
	conn socket
	in   *bufio.Reader
	id   []byte // of the last event, or the extension's own
	body []byte // of the last answer
	out  []byte
}

// read reads an answer of the Runtime API and returns its body, which is valid
// until the next call.
func (w *worker) read() ([]byte, error) {
	length := 0
	for first := true; ; first = false {
		line, err := w.in.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if first {
			if !bytes.HasPrefix(line, []byte("HTTP/1.1 20")) {
				return nil, fmt.Errorf("the Runtime API answered %q", line)
			}
			continue
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("content-length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return nil, err
			}
		case bytes.EqualFold(name, []byte("lambda-runtime-aws-request-id")), bytes.EqualFold(name, []byte("lambda-extension-identifier")):
			w.id = append(w.id[:0], value...)
		}
	}
	w.body = slices.Grow(w.body[:0], length)[:length]
	_, err := io.ReadFull(w.in, w.body)
	return w.body, err
}
