package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// Floors are processes of their own: this program, started again with the
// word floor. One ends when its standard input does, that is, with us.
const floorWord = "floor"

func floorCommand(args []string) bool { return len(args) > 2 && args[1] == floorWord }

// runFloor is the main function of a floor: "echo", or "proxy URL", or what
// streams, "stream" and "stream-proxy URL".
func runFloor(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var h http.Handler
	switch {
	case len(args) == 1 && args[0] == "echo":
		h = http.HandlerFunc(echo)
	case len(args) == 2 && args[0] == "proxy":
		h = newProxy(args[1])
	case len(args) == 1 && args[0] == "stream":
		h = http.HandlerFunc(streamPieces)
	case len(args) == 2 && args[0] == "stream-proxy":
		to, err := url.Parse(args[1])
		if err != nil {
			fmt.Fprintln(stderr, err)
			return 2
		}
		h = newStreamProxy(to)
	default:
		fmt.Fprintf(stderr, "no floor %q\n", args)
		return 2
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	fmt.Fprintln(stdout, l.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, stdin) // until its end, however that comes
		l.Close()
	}()
	if err := http.Serve(l, h); !errors.Is(err, net.ErrClosed) {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// echo answers with the request's body.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(r.Body, r.ContentLength)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer(w, body)
}

// readBody reads a body into a buffer of its size.
func readBody(from io.Reader, length int64) ([]byte, error) {
	if length < 0 {
		return nil, errors.New("no Content-Length")
	}
	body := make([]byte, length)
	_, err := io.ReadFull(from, body)
	return body, err
}

func answer(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // a client that has gone finds out itself
}

// newProxy passes requests on to another server. It reads each body whole
// before: passing it on as it arrives broke connections at 1 MB.
func newProxy(url string) http.Handler {
	transport := &http.Transport{MaxIdleConns: 1024, MaxIdleConnsPerHost: 1024, DisableCompression: true}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := pass(r, transport, url)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		answer(w, body)
	})
}

func pass(r *http.Request, transport *http.Transport, url string) ([]byte, error) {
	body, err := readBody(r.Body, r.ContentLength)
	if err != nil {
		return nil, err
	}
	out, err := http.NewRequestWithContext(r.Context(), http.MethodPost, url+r.URL.Path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := transport.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(resp.Status)
	}
	return readBody(resp.Body, resp.ContentLength)
}

// child is a process that was started for the run.
type child struct {
	cmd     *exec.Cmd
	stdin   io.Closer
	address string // HOST:PORT where it serves
}

// startFloor starts a floor and waits until it listens.
func startFloor(ctx context.Context, args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, append([]string{floorWord}, args...)...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{cmd: cmd, stdin: stdin}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("floor %s does not start: %w", args[0], err), c.Close())
	}
	c.address = strings.TrimSpace(line)
	return c, nil
}

// Close ends the floor and waits for it.
func (c *child) Close() error {
	return errors.Join(c.stdin.Close(), c.cmd.Wait())
}
