package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// parseLayer reads the name or ARN of a layer that a caller wants to read. It
// may be another account's.
func parseLayer(ctx context.Context, name string) (function.LayerKey, error) {
	caller := scope(ctx)
	key, ok := function.ParseLayerName(caller, name)
	if !ok {
		return key, invalidParameter(fmt.Sprintf("Value '%s' at 'layerName' is not a layer name.", name))
	}
	return key, checkReachable(caller, key)
}

// parseOwnLayer is parseLayer for what changes the layer.
func parseOwnLayer(ctx context.Context, name string) (function.LayerKey, error) {
	key, err := parseLayer(ctx, name)
	if err == nil && key.Account != scope(ctx).Account {
		return key, accessDenied()
	}
	return key, err
}

// checkReachable refuses layers of other regions, as function names do.
func checkReachable(caller function.Scope, key function.LayerKey) error {
	if key.Partition != caller.Partition || key.Region != caller.Region {
		return noSuchResource()
	}
	return nil
}

// findLayerVersion returns a layer version.
func (c *Control) findLayerVersion(ctx context.Context, key function.LayerKey, number int64) (*function.LayerVersion, error) {
	if err := checkLayerNumber(number); err != nil {
		return nil, err
	}
	v, err := c.store.LayerVersion(ctx, key, number)
	if errors.Is(err, store.ErrNotFound) {
		return nil, noSuchResource()
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key.VersionARN(number), err)
	}
	return v, nil
}

func checkLayerNumber(number int64) error {
	if number < 1 {
		return invalidParameter("Layer Version Cannot be less than 1")
	}
	return nil
}

// layerMatch is the filter of a list of layers; nil when it has none.
func layerMatch(runtime, architecture *string) (store.LayerMatch, error) {
	if runtime == nil && architecture == nil {
		return nil, nil
	}
	if ids := function.LayerRuntimes(); runtime != nil && !slices.Contains(ids, *runtime) {
		return nil, api.NewValidation("1 validation error detected: Value '%s' at 'compatibleRuntime' failed to satisfy constraint: "+
			"Member must satisfy enum value set: [%s]", *runtime, strings.Join(ids, ", "))
	}
	return func(v *function.LayerVersion) bool {
		return (runtime == nil || slices.Contains(v.Details.Runtimes, *runtime)) &&
			(architecture == nil || slices.Contains(v.Details.Architectures, *architecture))
	}, nil
}

// showLayerVersion shows a layer version whole; location is where its zip is.
func showLayerVersion(v *function.LayerVersion, location string) *api.GetLayerVersionResponse {
	item := layerItem(v)
	return &api.GetLayerVersionResponse{
		Content: &api.LayerVersionContentOutput{
			Location:   new(location),
			CodeSha256: new(codeSHA256(v.Code)),
			CodeSize:   new(v.Code.Size),
		},
		LayerArn:                new(v.Key.ARN()),
		LayerVersionArn:         item.LayerVersionArn,
		Description:             item.Description,
		CreatedDate:             item.CreatedDate,
		Version:                 item.Version,
		CompatibleRuntimes:      item.CompatibleRuntimes,
		LicenseInfo:             item.LicenseInfo,
		CompatibleArchitectures: item.CompatibleArchitectures,
	}
}

// layerItem shows a layer version as lists do: without its content.
func layerItem(v *function.LayerVersion) *api.LayerVersionsListItem {
	return &api.LayerVersionsListItem{
		LayerVersionArn:         new(v.ARN()),
		Version:                 new(v.Number),
		Description:             new(v.Details.Description),
		CreatedDate:             new(v.Created.Format(timeFormat)),
		CompatibleRuntimes:      v.Details.Runtimes,
		LicenseInfo:             optional(v.Details.LicenseInfo),
		CompatibleArchitectures: v.Details.Architectures,
	}
}
