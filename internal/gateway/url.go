package gateway

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/lambhq/lamb/internal/auth"
	"github.com/lambhq/lamb/internal/functionurl"
)

// functionURL reports whether a request is to a function's URL, which one, and
// the path that follows it, as it was sent. A URL is reached by its host,
// <id>.lambda-url.<region>.<domain>, or by its path. Both have the id, which
// nobody guesses: a web page that was not told of a URL does not reach one.
func (g *Gateway) functionURL(r *http.Request) (id, path string, is bool) {
	if g.cfg.FunctionURLs == nil {
		return "", "", false
	}
	path = r.URL.EscapedPath()
	host, ok := cutPort(r.Host)
	if !ok {
		return "", "", false
	}
	host = strings.ToLower(host)
	labels := strings.SplitN(host, ".", 4)
	if len(labels) == 4 && labels[1] == "lambda-url" {
		domain := labels[3]
		is = domain == g.cfg.URLDomain || domain == "on.aws" || g.hosts.allows(host) || g.hosts.allows(domain)
		return labels[0], path, is
	}
	rest, byPath := strings.CutPrefix(path, URLPrefix)
	if !byPath || !g.hosts.allows(r.Host) {
		return "", "", false
	}
	id, path, _ = strings.Cut(rest, "/")
	return id, "/" + path, true
}

// serveURL answers a request to a function's URL.
func (g *Gateway) serveURL(rq *request, id, path string) {
	urls := g.cfg.FunctionURLs
	rq.w.operation = "FunctionUrl"
	g.metrics.inFlight.Inc()
	rq.counted = true
	u, ok := urls.Find(id)
	if !ok {
		g.refuseURL(rq, http.StatusForbidden, functionurl.Forbidden)
		return
	}
	if urls.Preflight(rq.w, rq.r, u) {
		return
	}
	call := functionurl.Call{URL: u, RequestID: rq.id, Path: path}
	var who signer
	if u.AuthType == functionurl.AuthIAM {
		var err error
		who, err = g.identify(rq.r)
		if err != nil || who.minted && !auth.Allowed(who.owner.Access, "Invoke") {
			g.refuseURL(rq, http.StatusForbidden, functionurl.Forbidden)
			return
		}
		call.Caller = &functionurl.Caller{
			AccessKey: who.signature.AccessKeyID, Account: who.scope.Account,
			ARN: "arn:" + who.scope.Partition + ":iam::" + who.scope.Account + ":root",
		}
		if who.minted {
			call.Caller.ARN = who.owner.ARN()
		}
	}
	if rq.r.ContentLength > functionurl.MaxEvent {
		g.refuseURL(rq, http.StatusRequestEntityTooLarge, functionurl.TooLarge)
		return
	}
	b, err := g.bodies.read(rq.w, rq.r, functionurl.MaxEvent, functionurl.MaxEvent, who.minted)
	if err != nil {
		g.refuseURLBody(rq, err)
		return
	}
	rq.body = b
	call.Received, call.BodyRead = rq.start, time.Since(rq.start)
	if who.minted {
		err := auth.Verify(rq.r, who.signature, who.credentials, b.sum, g.cfg.Clock.Now())
		if refused := (*auth.Error)(nil); errors.As(err, &refused) {
			urls.Refuse(rq.w, http.StatusForbidden, refused.Message)
			return
		}
	}
	call.Body = b.data
	urls.Serve(rq.w, rq.r, call)
}

func (g *Gateway) refuseURLBody(rq *request, err error) {
	var large *tooLargeError
	switch {
	case errors.As(err, &large):
		g.refuseURL(rq, http.StatusRequestEntityTooLarge, functionurl.TooLarge)
	case errors.Is(err, errTooSlow):
		g.cfg.FunctionURLs.Refuse(rq.w, http.StatusBadRequest, "The request body was not received in time.")
	case errors.Is(err, errCut):
		g.refuseURL(rq, http.StatusBadRequest, "The request body was not received completely.")
	default:
		rq.failUnread(err)
	}
}

// refuseURL answers when (some of) the body has not been read.
func (g *Gateway) refuseURL(rq *request, status int, message string) {
	rq.unread(func() { g.cfg.FunctionURLs.Refuse(rq.w, status, message) })
}
