package control

import (
	"context"
	"errors"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// CreateFunctionUrlConfig gives a function or an alias a URL.
func (c *Control) CreateFunctionUrlConfig(
	ctx context.Context, in *api.CreateFunctionUrlConfigRequest,
) (*api.CreateFunctionUrlConfigResponse, error) {
	ref, err := parseURLRef(ctx, api.Value(in.FunctionName), in.Qualifier)
	if err != nil {
		return nil, err
	}
	now := c.now()
	u := &function.URL{
		Key: ref.Key, Qualifier: ref.Qualifier, ID: function.NewURLID(),
		AuthType: api.Value(in.AuthType), InvokeMode: api.InvokeModeBuffered,
		Created: now, LastModified: now,
	}
	set(&u.InvokeMode, in.InvokeMode)
	if u.CORS, err = newCORS(in.Cors); err != nil {
		return nil, err
	}
	err = c.store.Update(ctx, func(tx *store.Tx) error {
		if err := checkURLOwner(tx, ref); err != nil {
			return err
		}
		return tx.InsertURL(u)
	})
	if errors.Is(err, store.ErrExists) {
		return nil, resourceConflict("Failed to create function url config for [functionArn = " + ref.ARN() +
			"]. Error message:  FunctionUrlConfig exists for this Lambda function")
	}
	if err != nil {
		return nil, storeError(ref.Key, err)
	}
	shown := c.showURL(u)
	return &api.CreateFunctionUrlConfigResponse{
		FunctionUrl:  shown.FunctionUrl,
		FunctionArn:  shown.FunctionArn,
		AuthType:     shown.AuthType,
		Cors:         shown.Cors,
		CreationTime: shown.CreationTime,
		InvokeMode:   in.InvokeMode, // as recorded: only if it was given
	}, nil
}
