package control

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// CreateFunction makes a function, Pending until it is activated, and with
// Publish its version 1 as well.
func (c *Control) CreateFunction(ctx context.Context, in *api.CreateFunctionRequest) (*api.FunctionConfiguration, error) {
	key, err := newKey(ctx, api.Value(in.FunctionName))
	if err != nil {
		return nil, err
	}
	v, err := newFunction(key, in)
	if err != nil {
		return nil, err
	}
	// Before the archive is unpacked: an existing name is the likely mistake.
	// The transaction below decides.
	if _, err := c.store.Get(ctx, key, function.Latest); err == nil {
		return nil, alreadyExists(key)
	} else if !errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("look for %s: %w", key.ARN(), err)
	}
	pinned, code, err := c.addCode(ctx, in.Code)
	if err != nil {
		return nil, err
	}
	defer pinned.Release()
	publish := api.Value(in.Publish)
	versions := int64(1)
	if publish {
		versions++
	}
	room, err := c.room(ctx, key.Scope())
	if err != nil {
		return nil, err
	}
	if err := room.check(versions * code.Size); err != nil {
		return nil, err
	}
	v.Code = code
	v.LastModified = c.now()

	answer := v
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		if err := useLayers(tx, v, in.Layers); err != nil {
			return err
		}
		if err := tx.Insert(v); err != nil {
			return err
		}
		if !publish {
			return nil
		}
		answer, err = publishPending(tx, v)
		return err
	})
	if errors.Is(err, store.ErrExists) {
		return nil, alreadyExists(key)
	}
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", key.ARN(), err)
	}
	c.wake()
	// The ARN is unqualified even if the answer is version 1, as recorded.
	return configuration(answer, ""), nil
}

// newKey reads the name of a function to be.
func newKey(ctx context.Context, name string) (function.Key, error) {
	ref, err := parseRef(ctx, name, nil)
	if err != nil {
		return function.Key{}, err
	}
	return ref.Key, checkNewName(ref, name)
}

// checkNewName refuses what no new function can be called.
func checkNewName(ref function.Ref, given string) error {
	switch {
	case len(ref.Key.Name) > function.MaxNameLength:
		return invalidParameter(fmt.Sprintf("1 validation error detected: Value '%s' at 'functionName' "+
			"failed to satisfy constraint: Member must have length less than or equal to %d",
			ref.Key.Name, function.MaxNameLength))
	case ref.Qualifier != "" || !function.IsValidName(ref.Key.Name):
		return invalidParameter(fmt.Sprintf("A function cannot be created with the name '%s': "+
			"a new function's name has letters, digits, hyphens and underscores, and no qualifier.", given))
	}
	return nil
}

// CheckNew refuses what CreateFunction would refuse of a new function with this
// key, as far as the request alone tells: what it names may be missing, and its
// code is not looked at.
func CheckNew(key function.Key, in *api.CreateFunctionRequest) error {
	if err := checkNewName(function.Ref{Key: key}, key.Name); err != nil {
		return err
	}
	_, err := newFunction(key, in)
	return err
}

// newFunction is the record of a new function but for its code.
func newFunction(key function.Key, in *api.CreateFunctionRequest) (*function.Version, error) {
	if err := refuseUnsupportedNew(in); err != nil {
		return nil, err
	}
	cfg := defaultConfig(key.Name)
	if in.Architectures != nil {
		cfg.Architectures = slices.Clone(in.Architectures)
	}
	if in.TenancyConfig != nil {
		cfg.TenantIsolation = api.Value(in.TenancyConfig.TenantIsolationMode)
	}
	cfg, err := withSettings(cfg, key, newSettings(in))
	if err != nil {
		return nil, err
	}
	tags, err := newTags(in.Tags)
	if err != nil {
		return nil, err
	}
	cfg.Kept.Tags = tags
	cfg.SourceKMSKeyARN = api.Value(in.Code.SourceKMSKeyArn)
	return &function.Version{
		Key:         key,
		Version:     function.Latest,
		RevisionID:  function.NewRevisionID(),
		State:       function.StatePending,
		StateReason: creating,
		Config:      cfg,
	}, nil
}

// refuseUnsupportedNew refuses the members that only CreateFunction has and
// that are not supported, and what a function cannot be without.
func refuseUnsupportedNew(in *api.CreateFunctionRequest) error {
	switch {
	case api.Value(in.PackageType) == api.PackageTypeImage || in.Code != nil && in.Code.ImageUri != nil:
		return invalidParameter("Functions of package type Image are not supported by this installation.")
	case in.PublishTo != nil:
		return publishToUnsupported()
	case api.Value(in.CodeSigningConfigArn) != "":
		return codeSigningConfigNotFound(*in.CodeSigningConfigArn)
	case api.Value(in.Role) == "":
		return invalidParameter("Role is mandatory.")
	case in.Code == nil:
		return invalidParameter("Please provide a source for function code.")
	case api.Value(in.Runtime) == "" || api.Value(in.Handler) == "":
		return invalidParameter("Runtime and Handler are mandatory parameters for functions created with deployment packages.")
	}
	return nil
}

// newSettings are the members that creating and updating have in common.
func newSettings(in *api.CreateFunctionRequest) *api.UpdateFunctionConfigurationRequest {
	vpc := in.VpcConfig
	if vpc != nil && len(vpc.SubnetIds) == 0 && len(vpc.SecurityGroupIds) == 0 {
		vpc = nil // nothing to remove: a new function shows no VpcConfig then
	}
	return &api.UpdateFunctionConfigurationRequest{
		Role:                   in.Role,
		Handler:                in.Handler,
		Description:            in.Description,
		Timeout:                in.Timeout,
		MemorySize:             in.MemorySize,
		VpcConfig:              vpc,
		Environment:            in.Environment,
		Runtime:                in.Runtime,
		DeadLetterConfig:       in.DeadLetterConfig,
		KMSKeyArn:              in.KMSKeyArn,
		TracingConfig:          in.TracingConfig,
		Layers:                 in.Layers,
		FileSystemConfigs:      in.FileSystemConfigs,
		ImageConfig:            in.ImageConfig,
		EphemeralStorage:       in.EphemeralStorage,
		SnapStart:              in.SnapStart,
		LoggingConfig:          in.LoggingConfig,
		CapacityProviderConfig: in.CapacityProviderConfig,
		DurableConfig:          in.DurableConfig,
	}
}

func alreadyExists(key function.Key) error {
	return resourceConflict("Function already exist: " + key.Name)
}
