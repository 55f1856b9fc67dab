package control

import (
	"context"
	"errors"
	"fmt"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// ListFunctionUrlConfigs lists the URLs of a function and of its aliases.
func (c *Control) ListFunctionUrlConfigs(
	ctx context.Context, in *api.ListFunctionUrlConfigsRequest,
) (*api.ListFunctionUrlConfigsResponse, error) {
	ref, err := parseUnpublished(ctx, api.Value(in.FunctionName))
	if err != nil {
		return nil, err
	}
	p, err := newPage(in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	if _, err := c.store.Get(ctx, ref.Key, function.Latest); errors.Is(err, store.ErrNotFound) {
		return nil, noFunctionForURL()
	} else if err != nil {
		return nil, fmt.Errorf("read %s: %w", ref.Key.ARN(), err)
	}
	list, err := c.store.ListURLs(ctx, ref.Key, afterURL(p.after), p.size+1)
	if err != nil {
		return nil, fmt.Errorf("list the URLs of %s: %w", ref.Key.ARN(), err)
	}
	out := &api.ListFunctionUrlConfigsResponse{FunctionUrlConfigs: []api.FunctionUrlConfig{}}
	list, out.NextMarker = cut(p, list, atURL)
	for _, u := range list {
		out.FunctionUrlConfigs = append(out.FunctionUrlConfigs, *c.showURL(u))
	}
	return out, nil
}

// atURL is the position just after a URL: no position has an empty name, so the
// function's own URL goes by $LATEST.
func atURL(u *function.URL) store.Cursor {
	if u.Qualifier == "" {
		return atName(function.Latest)
	}
	return atName(u.Qualifier)
}

// afterURL is the qualifier that atURL has turned into a position; nil for the
// beginning.
func afterURL(c store.Cursor) *string {
	switch {
	case c.IsZero():
		return nil
	case c.Name == function.Latest:
		return new("")
	}
	return &c.Name
}
