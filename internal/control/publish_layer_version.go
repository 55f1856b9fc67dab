package control

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// PublishLayerVersion makes the next version of a layer, which may be new.
func (c *Control) PublishLayerVersion(
	ctx context.Context, in *api.PublishLayerVersionRequest,
) (*api.PublishLayerVersionResponse, error) {
	key, err := parseOwnLayer(ctx, api.Value(in.LayerName))
	if err != nil {
		return nil, err
	}
	details, err := newLayerDetails(in)
	if err != nil {
		return nil, err
	}
	pinned, code, err := c.addCode(ctx, &api.FunctionCode{
		ZipFile:         in.Content.ZipFile,
		S3Bucket:        in.Content.S3Bucket,
		S3Key:           in.Content.S3Key,
		S3ObjectVersion: in.Content.S3ObjectVersion,
	})
	if err != nil {
		return nil, err
	}
	defer pinned.Release()
	room, err := c.room(ctx, key.Scope())
	if err != nil {
		return nil, err
	}
	if err := room.check(code.Size); err != nil {
		return nil, err
	}
	location, err := c.codeLocation(ctx, code.SHA256)
	if err != nil {
		return nil, fmt.Errorf("make a link to the code of %s: %w", key.ARN(), err)
	}
	v := &function.LayerVersion{Key: key, Created: c.now(), Code: code, Details: details}
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		if v.Number, err = tx.NextLayerVersion(key); err != nil {
			return err
		}
		return tx.InsertLayerVersion(v)
	})
	if err != nil {
		return nil, fmt.Errorf("publish a version of %s: %w", key.ARN(), err)
	}
	out := api.PublishLayerVersionResponse(*showLayerVersion(v, location))
	return &out, nil
}

// newLayerDetails is what a request says of a version; it shares no memory
// with the request.
func newLayerDetails(in *api.PublishLayerVersionRequest) (function.LayerDetails, error) {
	if in.Content == nil {
		return function.LayerDetails{}, invalidParameter("Please provide a source for layer code.")
	}
	ids := function.LayerRuntimes()
	for _, id := range in.CompatibleRuntimes {
		if !slices.Contains(ids, id) {
			return function.LayerDetails{}, api.NewValidation("1 validation error detected: Value '[%s]' at 'compatibleRuntimes' "+
				"failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [%s], "+
				"Member must not be null]", strings.Join(in.CompatibleRuntimes, ", "), strings.Join(ids, ", "))
		}
	}
	return function.LayerDetails{
		Description:   api.Value(in.Description),
		LicenseInfo:   api.Value(in.LicenseInfo),
		Runtimes:      slices.Clone(in.CompatibleRuntimes),
		Architectures: slices.Clone(in.CompatibleArchitectures),
	}, nil
}
