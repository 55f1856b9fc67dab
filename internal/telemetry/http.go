package telemetry

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
)

// maxResponse is how much of a response, headers included, is read.
const maxResponse = 64 << 10

// httpSink posts batches over one connection, kept open between them. It is
// no http.Client, because that has goroutines of its own, follows redirects,
// and is far more than a request to a port needs.
type httpSink struct {
	connector

	target string
	method func() string
	limit  *io.LimitedReader // on conn
	r      *bufio.Reader     // on limit
}

// send implements sink: a body has arrived when the response is 2xx.
func (k *httpSink) send(ctx context.Context, body []byte) (int, error) {
	reused := k.conn != nil && k.r.Buffered() == 0
	if k.conn != nil && !reused {
		k.close() // it talks out of turn
	}
	err := k.post(ctx, body)
	if err != nil && reused && errors.As(err, new(staleError)) && ctx.Err() == nil {
		err = k.post(ctx, body) // it had been closed in the meantime
	}
	if err != nil {
		return 0, err
	}
	return len(body), nil
}

// staleError is the failure of a connection before anything came back.
type staleError struct{ error }

func (e staleError) Unwrap() error { return e.error }

// statusError is a response that is no acknowledgement.
type statusError int

func (e statusError) Error() string {
	return fmt.Sprintf("the subscriber answered with status %d", int(e))
}

func (k *httpSink) post(ctx context.Context, body []byte) error {
	if k.conn == nil {
		if err := k.connect(ctx); err != nil {
			return err
		}
		k.limit = &io.LimitedReader{R: k.conn}
		k.r = bufio.NewReader(k.limit)
	}
	defer k.abortOn(ctx)()
	k.limit.N = maxResponse
	request := net.Buffers{k.head(body), body}
	if _, err := request.WriteTo(k.conn); err != nil {
		k.close()
		return staleError{err}
	}
	if _, err := k.r.Peek(1); err != nil {
		k.close()
		return staleError{err}
	}
	keep, err := k.response()
	if !keep {
		k.close()
	}
	return err
}

// head is the request line with the headers. Sequence-Id, the body's hash, is
// what AWS sends: the same body again is a retry.
func (k *httpSink) head(body []byte) []byte {
	h := make([]byte, 0, 256)
	h = append(h, k.method()...)
	h = append(h, ' ')
	h = append(h, k.target...)
	h = append(h, " HTTP/1.1\r\nHost: sandbox.localdomain:"...)
	h = strconv.AppendInt(h, int64(k.port), 10)
	h = append(h, "\r\nContent-Type: application/json\r\nContent-Length: "...)
	h = strconv.AppendInt(h, int64(len(body)), 10)
	sum := sha256.Sum256(body)
	h = append(h, "\r\nSequence-Id: "...)
	h = base64.StdEncoding.AppendEncode(h, sum[:])
	return append(h, "\r\n\r\n"...)
}

// response reads the answer; keep tells whether the connection can be used
// again. Once the status is there, nothing that follows changes the outcome.
func (k *httpSink) response() (keep bool, err error) {
	for {
		resp, err := http.ReadResponse(k.r, &http.Request{Method: http.MethodPost})
		if err != nil {
			return false, fmt.Errorf("reading the subscriber's response: %w", err)
		}
		if resp.StatusCode/100 == 1 && resp.StatusCode != http.StatusSwitchingProtocols {
			continue // as often as maxResponse allows
		}
		keep = !resp.Close && (resp.ContentLength >= 0 || len(resp.TransferEncoding) > 0)
		if keep { // a body up to the end of the connection is not waited for
			_, err := io.Copy(io.Discard, resp.Body)
			keep = err == nil
		}
		if resp.StatusCode/100 != 2 {
			return keep, statusError(resp.StatusCode)
		}
		return keep, nil
	}
}
