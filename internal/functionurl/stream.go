package functionurl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/invoke"
)

const (
	// integrationResponse is the content type of a stream that begins with
	// metadata.
	integrationResponse = "application/vnd.awslambda.http-integration-response"
	// maxPrelude bounds that metadata, in bytes.
	maxPrelude = 64 << 10
)

// preludeEnd is what comes after the metadata.
var preludeEnd = make([]byte, 8)

// stream answers while the function writes. An error means that the function
// has not run.
func (h *Handler) stream(a *answer, v *function.Version, req invoke.Request) error {
	stream, err := h.cfg.Invoke.InvokeStream(a.r.Context(), v, req)
	if err != nil {
		return err
	}
	defer stream.Close()
	ctx := a.r.Context()
	header, begun := stream.Begun(ctx)
	switch {
	case !begun:
		a.failed(ctx)
	case isWhole(header):
		a.gathered(ctx, stream)
	default:
		a.live(ctx, stream, header.ContentType)
	}
	return nil
}

// isWhole reports whether a response is that of a function which does not
// stream: its object form is taken apart as with a buffered URL.
func isWhole(h envapi.Header) bool {
	return !h.HasResponseMode && (h.ContentType == "application/json" || h.ContentType == "")
}

// failed is the answer when the function gave none.
func (a *answer) failed(ctx context.Context) {
	if ctx.Err() == nil {
		badGateway(a.w)
	}
}

// gathered answers with a response that is not a stream.
func (a *answer) gathered(ctx context.Context, stream *invoke.Stream) {
	var payload bytes.Buffer
	for {
		p, err := stream.Read(ctx)
		if err == io.EOF {
			break
		}
		if err != nil || payload.Len()+len(p) > envapi.MaxPayload {
			a.failed(ctx)
			return
		}
		payload.Write(p)
	}
	result := stream.Result(ctx)
	defer result.Release()
	if result.FunctionError != "" {
		badGateway(a.w)
		return
	}
	a.whole(payload.Bytes())
}

// live passes a stream on.
func (a *answer) live(ctx context.Context, stream *invoke.Stream, contentType string) {
	var rest []byte // of the body, that came with the metadata
	var m metadata
	if contentType == integrationResponse {
		var err error
		if m, rest, err = readPrelude(ctx, stream); err != nil {
			a.failed(ctx)
			return
		}
		contentType = "application/octet-stream"
	} else {
		// A function that fails before its first byte gets a status of its own.
		p, err := stream.Read(ctx)
		if err != nil && (err != io.EOF || functionFailed(ctx, stream)) {
			a.failed(ctx)
			return
		}
		rest = bytes.Clone(p)
	}
	if contentType == "" {
		contentType = "application/octet-stream"
	}
	if err := a.head(m, contentType, -1); err != nil {
		badGateway(a.w)
		return
	}
	if a.copy(ctx, stream, rest) != nil || functionFailed(ctx, stream) {
		// The status is out: what is left is to cut the connection, so that
		// nobody takes the answer for whole.
		panic(http.ErrAbortHandler)
	}
}

// copy sends the body, each piece when it has come.
func (a *answer) copy(ctx context.Context, stream *invoke.Stream, first []byte) error {
	_, err := a.w.Write(first)
	if err == nil && !stream.Ready() {
		err = a.control.Flush()
	}
	for err == nil {
		var p []byte
		if p, err = stream.Read(ctx); err != nil {
			break
		}
		if _, err = a.w.Write(p); err == nil && !stream.Ready() {
			err = a.control.Flush()
		}
	}
	if err == io.EOF || errors.Is(err, http.ErrBodyNotAllowed) {
		return nil
	}
	return err
}

// functionFailed reports how a stream ended that was read to its end.
func functionFailed(ctx context.Context, stream *invoke.Stream) bool {
	result := stream.Result(ctx)
	defer result.Release()
	return result.FunctionError != ""
}

// readPrelude reads the metadata, and what of the body came with it.
func readPrelude(ctx context.Context, stream *invoke.Stream) (m metadata, rest []byte, err error) {
	var read []byte
	for {
		p, err := stream.Read(ctx)
		if err != nil {
			return m, nil, err
		}
		from := max(0, len(read)-len(preludeEnd)+1)
		read = append(read, p...)
		if i := bytes.Index(read[from:], preludeEnd); i >= 0 {
			i += from
			err := json.Unmarshal(read[:i], &m)
			return m, read[i+len(preludeEnd):], err
		}
		if len(read) > maxPrelude {
			return m, nil, errBadResponse
		}
	}
}
