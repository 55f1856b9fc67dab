// Command worker is the function of the benchmarks' raw rows: a bootstrap that
// speaks the Runtime API by hand, on one connection, with one buffer, and
// answers every event with itself. Its handler "credentials" answers with the
// credentials of its environment instead.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
)

const (
	base = "/2018-06-01/runtime/invocation/"
	// maxHead bounds the Runtime API's headers, in bytes.
	maxHead = 64 << 10
)

func main() {
	fmt.Fprintln(os.Stderr, run(os.Getenv("AWS_LAMBDA_RUNTIME_API"), os.Getenv("_HANDLER")))
	os.Exit(1)
}

// run answers events until the Runtime API fails.
func run(api, handler string) error {
	conn, err := net.Dial("tcp", api)
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

// credentials are what lamb has given to this environment, as JSON.
func credentials() []byte {
	return fmt.Appendf(nil, `{"key":%q,"secret":%q,"token":%q}`,
		os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN"))
}

type worker struct {
	conn net.Conn
	in   *bufio.Reader
	id   []byte // of the last event
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
		case bytes.EqualFold(name, []byte("lambda-runtime-aws-request-id")):
			w.id = append(w.id[:0], value...)
		}
	}
	w.body = slices.Grow(w.body[:0], length)[:length]
	_, err := io.ReadFull(w.in, w.body)
	return w.body, err
}
