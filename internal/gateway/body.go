package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/auth"
)

const (
	// memoryBody is the largest body that every operation keeps in memory.
	memoryBody = 1 << 20
	// firstBuffer is what a body of unknown length, or one that only claims to
	// be long, gets before any of it has come.
	firstBuffer = 64 << 10
	// maxSpools bounds how many large bodies are on disk at once; more wait.
	maxSpools = 32
)

var (
	// errTooSlow says that a body did not come at minRate.
	errTooSlow = errors.New("request body came too slowly")
	// errCut says that a body ended too early, or had a broken encoding.
	errCut = errors.New("request body is cut")
)

// tooLargeError says that a body of unknown length went over its limit.
type tooLargeError struct{ atLeast int64 }

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("request body has at least %d bytes", e.atLeast)
}

// body is a request's body as it came, complete: in memory or in a file. Its
// bytes belong to the gateway and are good until close, which comes after the
// operation has returned and its answer is written.
type body struct {
	data    []byte
	pooled  *[]byte
	buffers *bufferPool // where pooled goes back to
	file    *os.File
	slots   chan struct{} // where the file's slot goes back to
	size    int64
	sum     string // SHA-256 in hexadecimal, when it was asked for
}

// forAPI is the body as package api reads it.
func (b *body) forAPI() api.Body {
	if b.file != nil {
		return fileBody{b.file, b.size}
	}
	return api.BytesBody(b.data)
}

// fileBody is a spooled body.
type fileBody struct {
	*os.File
	size int64
}

func (f fileBody) Size() int64 { return f.size }

// close gives the memory or the file back.
func (b *body) close() {
	if b.pooled != nil {
		b.buffers.put(b.pooled)
		b.pooled, b.data = nil, nil
	}
	if b.file != nil {
		// Its name went when it was made: closing frees the space, and there is
		// nothing to do about an error.
		_ = b.file.Close()
		b.file = nil
		<-b.slots
	}
}

// bodySource reads bodies: within limits, at a pace, into memory or files.
type bodySource struct {
	dir     string
	grace   time.Duration
	buffers *bufferPool
	slots   chan struct{} // one element for each spooled body
}

// read takes the whole body of r. limit is the most it may have, memory the
// most that is kept in memory; r.ContentLength has been checked against limit.
// With sum, the body's hash is computed on the way.
func (s *bodySource) read(w *response, r *http.Request, limit, memory int64, sum bool) (*body, error) {
	if r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody {
		b := &body{}
		if sum {
			b.sum = auth.EmptyBody
		}
		return b, nil
	}
	in := &pacedReader{r: r.Body, control: w.control, grace: s.grace, limit: limit, start: time.Now()}
	if sum {
		in.hash = sha256.New()
	}
	b, err := s.fill(r, in, min(memory, limit))
	if err != nil {
		return nil, err
	}
	// The deadline would end the connection under a running invocation.
	_ = w.control.SetReadDeadline(time.Time{})
	if sum {
		b.sum = hex.EncodeToString(in.hash.Sum(nil))
	}
	return b, nil
}

func (s *bodySource) fill(r *http.Request, in *pacedReader, memory int64) (*body, error) {
	want := r.ContentLength // -1 when it is not known
	if want > memory {
		return s.spool(r, nil, in)
	}
	first := int64(firstBuffer)
	if want >= 0 {
		first = min(want, firstBuffer)
	}
	buf := s.buffers.get(first)
	for {
		free := (*buf)[in.n:cap(*buf)]
		_, err := in.Read(free)
		switch {
		case err == io.EOF || err == nil && in.n == want:
			return &body{data: (*buf)[:in.n], pooled: buf, buffers: s.buffers, size: in.n}, nil
		case err != nil:
			s.buffers.put(buf)
			return nil, readError(err)
		case in.n < int64(cap(*buf)):
			continue
		case in.n >= memory && memory < in.limit:
			return s.spool(r, buf, in)
		}
		// More gets room only now that this much has come.
		bigger := s.buffers.get(in.n + 1)
		copy((*bigger)[:in.n], (*buf)[:in.n])
		s.buffers.put(buf)
		buf = bigger
	}
}

// spool writes the body to a file: first what has been read of it, which it
// gives back to the pool, then the rest.
func (s *bodySource) spool(r *http.Request, head *[]byte, in *pacedReader) (*body, error) {
	if head != nil {
		defer s.buffers.put(head)
	}
	select {
	case s.slots <- struct{}{}:
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	// Waiting for a slot was not the client's slowness.
	in.start = time.Now().Add(-paced(in.n))
	_ = in.control.SetReadDeadline(in.start.Add(in.grace + paced(in.n)))
	b := &body{slots: s.slots}
	var err error
	if b.file, err = createSpool(s.dir); err != nil {
		<-s.slots
		return nil, err
	}
	if err := s.write(b.file, head, in); err != nil {
		b.close()
		return nil, err
	}
	b.size = in.n
	return b, nil
}

func (s *bodySource) write(f *os.File, head *[]byte, in *pacedReader) error {
	if head != nil {
		if _, err := f.Write((*head)[:in.n]); err != nil {
			return fmt.Errorf("spool request body: %w", err)
		}
	}
	chunk := s.buffers.get(firstBuffer)
	defer s.buffers.put(chunk)
	for {
		n, err := in.Read((*chunk)[:cap(*chunk)])
		if _, werr := f.Write((*chunk)[:n]); werr != nil {
			return fmt.Errorf("spool request body: %w", werr)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return readError(err)
		}
	}
}

// createSpool makes a file without a name, so that it does not outlive lamb.
func createSpool(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "body-*")
	if err != nil {
		return nil, fmt.Errorf("spool request body: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(fmt.Errorf("spool request body: %w", err), f.Close())
	}
	return f, nil
}

func readError(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errTooSlow
	}
	if large := (*tooLargeError)(nil); errors.As(err, &large) {
		return err
	}
	return fmt.Errorf("%w: %w", errCut, err)
}

// pacedReader counts a body against its limit and sets, before each read, the
// deadline that minRate gives it; the first one is set already.
type pacedReader struct {
	r       io.Reader
	control *http.ResponseController
	grace   time.Duration
	limit   int64
	start   time.Time
	n       int64
	hash    hash.Hash
}

func (p *pacedReader) Read(buf []byte) (int, error) {
	if p.n > 0 {
		// A recorder, in a test, has no deadlines and does not block.
		_ = p.control.SetReadDeadline(p.start.Add(p.grace + paced(p.n)))
	}
	n, err := p.r.Read(buf)
	p.n += int64(n)
	if p.n > p.limit {
		return n, &tooLargeError{p.n}
	}
	if p.hash != nil {
		p.hash.Write(buf[:n])
	}
	return n, err
}
