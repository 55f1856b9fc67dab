package gateway

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
)

// The limits of NewServer.
const (
	// HeaderTimeout is the longest wait for a request's headers.
	HeaderTimeout = 20 * time.Second
	// MaxHeaderBytes is the limit of request line and headers, as on AWS.
	MaxHeaderBytes = 1 << 20
	// IdleTimeout is how long a connection is kept between requests: longer
	// than the longest function, so that a client which waits on one
	// connection finds its others still there.
	IdleTimeout = 16 * time.Minute
)

// NewServer makes the server for a Gateway. There is no write timeout, since
// an invocation may take 900 s before its first byte; the Gateway itself
// bounds how slowly bodies may come and go.
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:                      h,
		ReadHeaderTimeout:            HeaderTimeout,
		IdleTimeout:                  IdleTimeout,
		MaxHeaderBytes:               MaxHeaderBytes,
		DisableGeneralOptionsHandler: true, // "OPTIONS *" is refused like any other
		ConnContext:                  environmentContext,
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// ListenPolicy refuses, in a sentence for the operator, an address to listen
// on (HOST:PORT) which the network can reach, unless there are access keys
// that guard it or the operator says that it is meant. What is no such address
// is refused as well.
func ListenPolicy(addr string, insecure, hasKeys bool) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("listen address %q is not HOST:PORT: %w", addr, err)
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return fmt.Errorf("the port of listen address %q is not one: %w", addr, err)
	}
	if insecure || hasKeys || strings.EqualFold(host, "localhost") || isLoopback(host) {
		return nil
	}
	return fmt.Errorf("refusing to listen on %s: lamb runs code for whoever can reach it, and no access keys are configured. "+
		"Listen on 127.0.0.1, or give --insecure if everyone on that network may run code here", addr)
}
