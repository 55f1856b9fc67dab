package gateway

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/auth"
	"github.com/lambhq/lamb/internal/clock"
	"github.com/lambhq/lamb/internal/functionurl"
	"github.com/lambhq/lamb/internal/metrics"
)

// DefaultGrace is how long a body may take before its pace counts.
const DefaultGrace = 30 * time.Second

// RawHandler answers an operation itself, with its decoded input: Invoke,
// whose payload is not JSON of the API and whose status and headers depend on
// the outcome. The context of r carries the api.Caller. Nothing of in may be
// kept after the handler returns: its payload lies in a buffer that the next
// request gets. A handler that fails calls api.WriteError.
type RawHandler func(w http.ResponseWriter, r *http.Request, in any)

// CodeOpener opens the archive that a link of Code.Location names. parts are
// the segments of the path after CodePrefix, unescaped. An archive that is not
// there (any more) gives an error that is fs.ErrNotExist.
type CodeOpener func(ctx context.Context, parts []string) (io.ReadSeekCloser, error)

// View gives what operators read at its path, or at a path below it: rest is
// what follows the slash, empty for the path itself. The value is encoded as
// JSON; nil means that there is nothing.
type View func(rest string) any

// Config is what a Gateway needs. Fields without a word about nil are required.
type Config struct {
	// Service runs the operations that Raw does not. Payloads in its inputs
	// are good until its method returns, like those of a RawHandler.
	Service api.Service
	// Raw has the operations that answer themselves, by name; may be nil.
	Raw map[string]RawHandler
	// FunctionURLs serves requests to functions' URLs, whose hosts end in
	// URLDomain (without a port) or one by which lamb may be called; nil: there
	// are none.
	FunctionURLs *functionurl.Handler
	URLDomain    string
	// Logs answers CloudWatch Logs; nil: it is not there.
	Logs LogsHandler
	// Keyring knows the credentials that lamb has minted.
	Keyring *auth.Keyring
	// Account is where callers act whose key says no account: 12 digits.
	Account string
	// Hosts are names and addresses, without port, by which lamb may be called
	// in addition to loopback, *.localhost and InternalHost; may be nil.
	Hosts []string
	// Insecure says that whoever reaches lamb may read health and metrics
	// without a signature, and not only from this machine.
	Insecure bool
	// SpoolDir is where large bodies go while they are decoded; empty means
	// the system's folder for temporary files.
	SpoolDir string
	// Ready reports whether requests can be served; health answers 503 before.
	Ready func() bool
	// Version is what health says of this lamb.
	Version string
	// Registry takes the gateway's metrics, and is what /metrics shows.
	Registry *metrics.Registry
	// Views are what operators can read as JSON below /_lamb/, by the first
	// segment of the path; may be nil.
	Views map[string]View
	// Links checks the links of Code.Location, Code opens what they name. Both
	// may be nil: there are no links then.
	Links *auth.Links
	Code  CodeOpener
	// Log takes the access log and what went wrong inside.
	Log *slog.Logger
	// Clock is the time of signatures and links; nil means clock.System.
	Clock clock.Clock
	// Grace is how long a body may take before its pace counts; zero means
	// DefaultGrace.
	Grace time.Duration
}

// Gateway is lamb's HTTP handler. It may be used from several goroutines and
// holds nothing that needs closing.
type Gateway struct {
	cfg     Config
	router  *api.Router
	hosts   hostRule
	bodies  *bodySource
	metrics *doorMetrics
}

// New makes a Gateway and registers its metrics.
func New(cfg Config) (*Gateway, error) {
	if !auth.IsAccountID(cfg.Account) {
		return nil, fmt.Errorf("account id %q is not 12 digits", cfg.Account)
	}
	hosts, err := newHostRule(cfg.Hosts)
	if err != nil {
		return nil, err
	}
	router := api.NewRouter(api.RouterConfig{SpoolDir: cfg.SpoolDir})
	for name := range cfg.Raw {
		if router.Operation(name) == nil {
			return nil, fmt.Errorf("raw handler for %q: there is no such operation", name)
		}
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.System
	}
	if cfg.Grace == 0 {
		cfg.Grace = DefaultGrace
	}
	return &Gateway{
		cfg:     cfg,
		router:  router,
		hosts:   hosts,
		metrics: newMetrics(cfg.Registry),
		bodies: &bodySource{
			dir: cfg.SpoolDir, grace: cfg.Grace, buffers: newBufferPool(), slots: make(chan struct{}, maxSpools),
		},
	}, nil
}

// ServeHTTP answers one request.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rq := &request{g: g, w: newResponse(w, g.cfg.Grace), r: r, id: newRequestID(), start: time.Now()}
	rq.w.Header().Set("X-Amzn-Requestid", rq.id)
	if r.ContentLength != 0 {
		// From the start, and not only for those who read the body: net/http
		// reads what is left of it, and would wait for ever.
		_ = rq.w.control.SetReadDeadline(rq.start.Add(g.cfg.Grace))
	}
	rq.w.leave = rq.leave
	defer func() {
		if !rq.left {
			rq.end()
		}
	}()
	defer rq.recover()
	g.route(rq)
}

// route is the one place where a request's host and path decide what it is.
func (g *Gateway) route(rq *request) {
	if id, path, is := g.functionURL(rq.r); is {
		g.serveURL(rq, id, path) // as web pages may
		return
	}
	switch {
	case !g.hosts.allows(rq.r.Host):
		rq.fail(api.NewAccessDenied("Lamb does not answer to this Host, only to loopback addresses, localhost, *.localhost, %s and the hosts that it is configured with.", InternalHost))
	case fromWebPage(rq.r):
		rq.fail(api.NewAccessDenied("Lamb does not answer to web pages: the request has an Origin or comes from another site."))
	case isOperatorPath(rq.r.URL.Path) && environmentOf(rq.r.Context()) != "":
		rq.fail(api.NewAccessDenied("Functions may call the Lambda API here, and nothing else."))
	case isOperatorPath(rq.r.URL.Path):
		g.serveOperator(rq)
	case g.isLogs(rq.r):
		g.serveLogs(rq)
	default:
		g.serveAPI(rq)
	}
}
