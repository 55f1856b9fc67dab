package gateway

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/auth"
)

// LogsHandler answers a request of CloudWatch Logs with its body, which it
// must not keep. The context of r carries the api.Caller.
type LogsHandler func(w http.ResponseWriter, r *http.Request, body []byte)

const (
	// logsTarget begins the X-Amz-Target of every operation of CloudWatch Logs.
	logsTarget = "Logs_20140328."
	// maxLogsBody is the largest request, in bytes: none of them brings lines.
	maxLogsBody = 64 << 10
	// logsOperation is what all of its operations are called in metrics.
	logsOperation = "CloudWatchLogs"
)

// isLogs tells the requests of CloudWatch Logs, which share "/" with nothing of
// the Lambda API.
func (g *Gateway) isLogs(r *http.Request) bool {
	return g.cfg.Logs != nil && r.Method == http.MethodPost && r.URL.Path == "/" &&
		strings.HasPrefix(r.Header.Get("X-Amz-Target"), logsTarget)
}

// serveLogs answers a request of CloudWatch Logs.
func (g *Gateway) serveLogs(rq *request) {
	g.metrics.inFlight.Inc()
	rq.counted = true
	rq.w.operation = logsOperation
	signer, err := g.identifyFor(rq.r, auth.LogsService)
	switch {
	case err != nil:
		rq.failUnread(err)
		return
	case signer.minted && signer.owner.Access != auth.AccessFull:
		rq.failUnread(api.NewAccessDenied("Functions of this lamb may not call CloudWatch Logs: it runs with --function-access %s.", signer.owner.Access))
		return
	case rq.r.ContentLength > maxLogsBody:
		rq.failUnread(logsTooLarge())
		return
	}
	b, err := g.bodies.read(rq.w, rq.r, maxLogsBody, maxLogsBody, signer.minted)
	var large *tooLargeError
	switch {
	case errors.Is(err, errTooSlow):
		rq.fail(api.NewInvalidRequestContent("The request body was not received in time."))
		return
	case errors.Is(err, errCut):
		rq.failUnread(api.NewInvalidRequestContent("The request body was not received completely."))
		return
	case errors.As(err, &large):
		rq.failUnread(logsTooLarge())
		return
	case err != nil:
		rq.failUnread(err)
		return
	}
	rq.body = b
	if signer.minted {
		if err := auth.Verify(rq.r, signer.signature, signer.credentials, b.sum, g.cfg.Clock.Now()); err != nil {
			rq.fail(err)
			return
		}
	}
	g.cfg.Logs(rq.w, rq.r.WithContext(api.WithCaller(rq.r.Context(), rq.caller(signer))), b.data)
}

// writeLogsError answers with err as AWS JSON 1.1 has it, where the error's
// type is in the body.
func writeLogsError(w http.ResponseWriter, err error) {
	e := api.AsError(err)
	body, err := json.Marshal(struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}{e.ErrorCode(), e.ErrorMessage()})
	if err != nil { // two strings cannot fail
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(e.HTTPStatus())
	_, _ = w.Write(body) // the client has gone: nobody is left to tell
}

func logsTooLarge() error {
	return api.NewRequestEntityTooLarge("Request must be smaller than %d bytes", maxLogsBody+1)
}
