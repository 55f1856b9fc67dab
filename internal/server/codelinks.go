package server

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"time"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/artifact"
	"github.com/lambhq/lamb/internal/gateway"
)

// codeLocation is the link to the zip with a digest.
func (s *Server) codeLocation(ctx context.Context, sha256 string) (string, error) {
	host := api.CallerFrom(ctx).Host
	if host == "" {
		host = s.listener.Addr().String()
	}
	return "http://" + host + s.links.Sign(gateway.CodePrefix+sha256, time.Now()), nil
}

// openCode opens what such a link names.
func (s *Server) openCode(_ context.Context, parts []string) (io.ReadSeekCloser, error) {
	if len(parts) != 1 {
		return nil, fs.ErrNotExist
	}
	z, err := s.artifacts.OpenZip(parts[0])
	if errors.Is(err, artifact.ErrNotFound) {
		return nil, fs.ErrNotExist
	}
	return z, err
}
