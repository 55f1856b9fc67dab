package gateway

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/auth"
	"github.com/lambhq/lamb/internal/metrics"
)

// The paths that are not the Lambda API's.
const (
	HealthPath  = "/_lamb/health"
	MetricsPath = "/metrics"
	// CodePrefix begins the paths of Code.Location.
	CodePrefix = "/_lamb/code/"
	// URLPrefix begins the paths by which functions' URLs are reached under any
	// of lamb's own hosts: an id and the URL's own path follow.
	URLPrefix = "/_lamb/url/"

	lambPrefix = "/_lamb/"
)

func isOperatorPath(path string) bool {
	return path == MetricsPath || strings.HasPrefix(path, lambPrefix)
}

// serveOperator answers what is lamb's own. It only reads.
func (g *Gateway) serveOperator(rq *request) {
	if rq.r.Method != http.MethodGet && rq.r.Method != http.MethodHead {
		rq.w.Header().Set("Allow", "GET, HEAD")
		rq.fail(api.NewMethodNotAllowed("Only GET and HEAD are allowed for %s*", lambPrefix))
		return
	}
	if strings.HasPrefix(rq.r.URL.Path, CodePrefix) {
		g.serveCode(rq)
		return
	}
	rq.quiet = true
	if err := g.mayOperate(rq.r); err != nil {
		rq.fail(err)
		return
	}
	switch rq.r.URL.Path {
	case HealthPath:
		g.serveHealth(rq)
	case MetricsPath:
		g.serveMetrics(rq)
	default:
		g.serveView(rq)
	}
}

// serveView answers with what a View gives.
func (g *Gateway) serveView(rq *request) {
	name, rest, below := strings.Cut(strings.TrimPrefix(rq.r.URL.Path, lambPrefix), "/")
	view := g.cfg.Views[name]
	if view == nil || below && rest == "" {
		rq.fail(api.NewUnknownOperation("There is nothing at this path."))
		return
	}
	value := view(rest)
	if value == nil {
		rq.fail(api.NewResourceNotFound("There is no %q in %s%s.", rest, lambPrefix, name))
		return
	}
	rq.answerJSON(http.StatusOK, value)
}

// answerJSON answers an operator with a value that is of this moment.
func (rq *request) answerJSON(status int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		rq.fail(err)
		return
	}
	rq.w.Header().Set("Content-Type", "application/json")
	rq.w.Header().Set("Cache-Control", "no-store")
	rq.w.WriteHeader(status)
	_, _ = rq.w.Write(append(text, '\n')) // the client has gone: nobody is left to tell
}

// mayOperate lets health checks and Prometheus in, which sign nothing: from
// this machine, or where the operator has opened lamb to the network. Others
// must sign.
func (g *Gateway) mayOperate(r *http.Request) error {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if g.cfg.Insecure || err == nil && peer.Addr().Unmap().IsLoopback() {
		return nil
	}
	signer, err := g.identify(r)
	if err != nil {
		return err
	}
	if !signer.minted {
		return nil
	}
	return auth.Verify(r, signer.signature, signer.credentials, auth.EmptyBody, g.cfg.Clock.Now())
}

func (g *Gateway) serveHealth(rq *request) {
	health := struct {
		Service string `json:"service"`
		Version string `json:"version"`
		Status  string `json:"status"`
	}{"lamb", g.cfg.Version, "ready"}
	status := http.StatusOK
	if !g.cfg.Ready() {
		health.Status, status = "starting", http.StatusServiceUnavailable
	}
	rq.answerJSON(status, health)
}

func (g *Gateway) serveMetrics(rq *request) {
	rq.w.Header().Set("Content-Type", metrics.ContentType)
	_, _ = rq.w.Write(g.cfg.Registry.Append(nil)) // the client has gone: nobody is left to tell
}

// serveCode answers a link of Code.Location with the archive as it was
// uploaded.
func (g *Gateway) serveCode(rq *request) {
	path := rq.r.URL.EscapedPath()
	if g.cfg.Links == nil || g.cfg.Code == nil {
		rq.fail(api.NewUnknownOperation("There is nothing at this path."))
		return
	}
	switch err := g.cfg.Links.Check(path, rq.r.URL.RawQuery, g.cfg.Clock.Now()); {
	case errors.Is(err, auth.ErrLinkExpired):
		rq.fail(api.NewAccessDenied("Request has expired. GetFunction gives a new link."))
		return
	case err != nil:
		rq.fail(api.NewAccessDenied("The link is not valid. GetFunction gives a new one."))
		return
	}
	parts := strings.Split(strings.TrimPrefix(path, CodePrefix), "/")
	for i, part := range parts {
		var err error
		if parts[i], err = url.PathUnescape(part); err != nil {
			rq.fail(api.NewUnknownOperation("There is nothing at this path."))
			return
		}
	}
	archive, err := g.cfg.Code(rq.r.Context(), parts)
	if errors.Is(err, fs.ErrNotExist) {
		rq.fail(api.NewResourceNotFound("The archive of this link does not exist any more."))
		return
	}
	if err != nil {
		rq.fail(err)
		return
	}
	defer archive.Close() // it was only read: no error matters
	rq.w.Header().Set("Content-Type", "application/zip")
	rq.w.Header().Set("Cache-Control", "private, no-store")
	// A link's content never changes: there is no time to compare with.
	http.ServeContent(rq.w, rq.r, "", time.Time{}, archive)
}
