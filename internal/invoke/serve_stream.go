package invoke

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"github.com/lambhq/lamb/internal/api"
)

// ServeStream answers the operation InvokeWithResponseStream; in is a decoded
// and validated *api.InvokeWithResponseStreamRequest, and the request's context
// carries the api.Caller.
// https://docs.aws.amazon.com/lambda/latest/api/API_InvokeWithResponseStream.html
func (s *Service) ServeStream(w http.ResponseWriter, r *http.Request, in any) {
	caller := api.CallerFrom(r.Context())
	if err := s.serveStream(w, r, in.(*api.InvokeWithResponseStreamRequest), caller); err != nil {
		api.WriteError(w, caller.RequestID, err)
	}
}

// serveStream returns an error only before the answer has begun. After that
// the status is 200, and what goes wrong is told by the last event.
func (s *Service) serveStream(w http.ResponseWriter, r *http.Request, in *api.InvokeWithResponseStreamRequest, caller api.Caller) error {
	v, req, err := s.accept(r, caller, asked{
		name: in.FunctionName, qualifier: in.Qualifier, tenant: in.TenantId,
		clientContext: in.ClientContext, logType: in.LogType, payload: in.Payload,
	})
	if err != nil {
		return err
	}
	if api.Value(in.InvocationType) == api.ResponseStreamingInvocationTypeDryRun {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	stream, err := s.InvokeStream(r.Context(), v, req)
	if err != nil {
		return err
	}
	defer stream.Close()
	h := w.Header()
	h.Set("X-Amzn-Trace-Id", req.Trace.Header)
	h.Set("Content-Type", "application/vnd.amazon.eventstream")
	h.Set("X-Amz-Executed-Version", stream.ExecutedVersion())
	events := eventWriter{w: w, control: http.NewResponseController(w), encoder: eventstream.NewEncoder()}
	// A write that fails is a caller that has gone: the function goes on, and
	// nobody is left to tell.
	if events.copy(r, stream) == nil {
		_ = events.complete(stream.Result(r.Context()))
	}
	return nil
}

// eventWriter writes the events of one stream.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	encoder *eventstream.Encoder
}

// copy sends the response, each piece when it has come, up to its end.
func (e *eventWriter) copy(r *http.Request, from *Stream) error {
	for {
		p, err := from.Read(r.Context())
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = e.send("PayloadChunk", "application/octet-stream", p)
		}
		if err == nil && !from.Ready() {
			err = e.control.Flush()
		}
		if err != nil {
			return err
		}
	}
}

// complete sends the last event.
func (e *eventWriter) complete(result Result) error {
	defer result.Release()
	var event api.InvokeWithResponseStreamCompleteEvent
	if code := result.Code(); code != "" {
		details := string(result.Payload)
		event.ErrorCode, event.ErrorDetails = &code, &details
	}
	if result.LogTail != "" {
		tail := base64.StdEncoding.EncodeToString([]byte(result.LogTail))
		event.LogResult = &tail
	}
	body, err := json.Marshal(event)
	if err != nil {
		return err
	}
	if err := e.send("InvokeComplete", "application/json", body); err != nil {
		return err
	}
	return e.control.Flush()
}

func (e *eventWriter) send(kind, contentType string, payload []byte) error {
	return e.encoder.Encode(e.w, eventstream.Message{
		Headers: eventstream.Headers{
			{Name: ":event-type", Value: eventstream.StringValue(kind)},
			{Name: ":content-type", Value: eventstream.StringValue(contentType)},
			{Name: ":message-type", Value: eventstream.StringValue("event")},
		},
		Payload: payload,
	})
}
