package invoke

import (
	"context"
	"io"

	"github.com/lambhq/lamb/internal/bandwidth"
	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/execenv"
	"github.com/lambhq/lamb/internal/function"
)

// Stream is an invocation whose response is read while the function writes it.
// One goroutine uses it, and closes it.
type Stream struct {
	inv     *placed
	version *function.Version
	body    *execenv.Stream
	shaper  *bandwidth.Shaper
	held    int // bytes of the last Read, which the reader may still look at
}

// InvokeStream begins a request of a version. Errors are the API's: nothing has
// run then. A caller that goes away closes the Stream, and the function does
// not notice.
func (s *Service) InvokeStream(ctx context.Context, v *function.Version, req Request) (*Stream, error) {
	body := execenv.NewStream()
	inv, err := s.start(ctx, v, req, body, func(inv *placed) {
		o := s.observation(inv, v)
		o.Streamed, o.ResponseBytes, o.Throughput, o.Throttled = true, body.Taken(), body.Throughput(), body.Throttled()
		s.cfg.Observe(o)
	})
	if err != nil {
		return nil, err
	}
	return &Stream{inv: inv, version: v, body: body, shaper: bandwidth.New(s.cfg.Bandwidth, s.cfg.Clock)}, nil
}

// ExecutedVersion is the version that runs.
func (st *Stream) ExecutedVersion() string { return st.version.Version }

// Begun waits for the headers of the response. There are none when the
// invocation ends without one, or ctx ends first.
func (st *Stream) Begun(ctx context.Context) (h envapi.Header, ok bool) {
	return st.body.Begun(ctx.Done())
}

// Read waits for the next bytes of the response, as the function sent them and
// its bandwidth allows. They are valid until the next call of Read or Ready.
// The error is io.EOF at the end and another one when ctx ends first.
func (st *Stream) Read(ctx context.Context) ([]byte, error) {
	st.advance()
	p, err := st.body.Peek(ctx.Done())
	if err != nil {
		return nil, err
	}
	n, waited := st.shaper.Take(ctx.Done(), len(p))
	st.body.AddThrottled(waited)
	if n == 0 {
		return nil, io.ErrClosedPipe
	}
	st.held = n
	return p[:n], nil
}

// Ready reports whether Read would return at once, with bytes: otherwise it is
// time to send what has been read.
func (st *Stream) Ready() bool {
	st.advance()
	n := st.body.Unread()
	return n > 0 && st.shaper.Ready(n)
}

func (st *Stream) advance() {
	if st.held > 0 {
		st.body.Advance(st.held)
		st.held = 0
	}
}

// Result is how the invocation ended, after Read has returned io.EOF. Its
// payload is the error's JSON, or empty. With wantLog it waits for the log
// tail, or the end of ctx.
func (st *Stream) Result(ctx context.Context) Result {
	st.inv.Retire()
	r := Result{Outcome: st.inv.Outcome(), ExecutedVersion: st.version.Version}
	if st.inv.WantLog {
		select {
		case <-st.inv.Finished():
			r.LogTail = st.inv.LogTail()
		case <-ctx.Done():
		}
	}
	return r
}

// Close gives back what the stream holds. The invocation goes on if it has not
// ended.
func (st *Stream) Close() {
	st.body.Leave()
	select {
	case <-st.inv.Answered():
		st.inv.Retire()
	default:
		st.inv.KeepEvent() // its buffer is the caller's, who goes away
	}
}
