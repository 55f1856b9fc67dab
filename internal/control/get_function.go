package control

import (
	"context"
	"errors"
	"fmt"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// GetFunction shows a version, where its code can be downloaded, and the
// function's tags.
func (c *Control) GetFunction(ctx context.Context, in *api.GetFunctionRequest) (*api.GetFunctionResponse, error) {
	ref, err := parseRef(ctx, api.Value(in.FunctionName), in.Qualifier)
	if err != nil {
		return nil, err
	}
	v, err := c.find(ctx, ref)
	if err != nil {
		return nil, err
	}
	tags, err := c.tags(ctx, v)
	if err != nil {
		return nil, err
	}
	location, err := c.codeLocation(ctx, v.Code.SHA256)
	if err != nil {
		return nil, fmt.Errorf("make a link to the code of %s: %w", ref.ARN(), err)
	}
	return &api.GetFunctionResponse{
		Configuration: configuration(v, ref.Qualifier),
		Code: &api.FunctionCodeLocation{
			RepositoryType:  new("S3"),
			Location:        new(location),
			SourceKMSKeyArn: optional(v.Config.SourceKMSKeyARN),
		},
		Tags: tags,
	}, nil
}

// tags are those of v's function, which are kept with $LATEST; nil for none.
func (c *Control) tags(ctx context.Context, v *function.Version) (map[string]string, error) {
	if v.Version != function.Latest {
		latest, err := c.store.Get(ctx, v.Key, function.Latest)
		if errors.Is(err, store.ErrNotFound) {
			return nil, functionNotFound(v.Key.QualifiedARN(v.Version)) // deleted since v was read
		}
		if err != nil {
			return nil, fmt.Errorf("read the tags of %s: %w", v.Key.ARN(), err)
		}
		v = latest
	}
	if len(v.Config.Kept.Tags) == 0 {
		return nil, nil
	}
	return v.Config.Kept.Tags, nil
}
