package control

import (
	"context"
	"errors"
	"slices"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// urlQualifier is what AWS's validation wants of a URL's qualifier.
const urlQualifier = `((?!^\d+$)^[0-9a-zA-Z-_]+$)`

// parseURLRef reads what a URL calls: a function, or one of its aliases.
// A qualifier in the name is held to the constraint of the parameter.
func parseURLRef(ctx context.Context, name string, qualifier *string) (function.Ref, error) {
	ref, err := parseRef(ctx, name, qualifier)
	if err != nil {
		return ref, err
	}
	if ref.Qualifier != "" && !function.IsAliasName(ref.Qualifier) {
		return ref, api.NewValidation("1 validation error detected: Value '%s' at 'qualifier' failed to satisfy constraint: "+
			"Member must satisfy regular expression pattern: %s", ref.Qualifier, urlQualifier)
	}
	return ref, nil
}

// checkURLOwner makes sure that there is what a URL is to call.
func checkURLOwner(tx *store.Tx, ref function.Ref) error {
	_, err := tx.Get(ref.Key, function.Latest)
	if err == nil && ref.Qualifier != "" {
		_, err = tx.Alias(ref.Key, ref.Qualifier)
	}
	if errors.Is(err, store.ErrNotFound) {
		return noFunctionForURL()
	}
	return err
}

func noFunctionForURL() error { return resourceNotFound("Function does not exist") }

// corsMethods are those that a CORS configuration can allow.
var corsMethods = []string{"GET", "PUT", "HEAD", "POST", "PATCH", "DELETE", "*"}

// newCORS reads a CORS configuration; nil for none.
func newCORS(in *api.Cors) (*function.CORS, error) {
	if in == nil {
		return nil, nil
	}
	for _, m := range in.AllowMethods {
		if !slices.Contains(corsMethods, m) {
			return nil, invalidParameter("The method '" + m + "' is not allowed in AllowMethods: " +
				"use GET, PUT, HEAD, POST, PATCH, DELETE or *.")
		}
	}
	return &function.CORS{
		AllowCredentials: in.AllowCredentials,
		AllowHeaders:     slices.Clone(in.AllowHeaders),
		AllowMethods:     slices.Clone(in.AllowMethods),
		AllowOrigins:     slices.Clone(in.AllowOrigins),
		ExposeHeaders:    slices.Clone(in.ExposeHeaders),
		MaxAge:           in.MaxAge,
	}, nil
}

func showCORS(cors *function.CORS) *api.Cors {
	if cors == nil {
		return nil
	}
	return &api.Cors{
		AllowCredentials: cors.AllowCredentials,
		AllowHeaders:     cors.AllowHeaders,
		AllowMethods:     cors.AllowMethods,
		AllowOrigins:     cors.AllowOrigins,
		ExposeHeaders:    cors.ExposeHeaders,
		MaxAge:           cors.MaxAge,
	}
}

func (c *Control) showURL(u *function.URL) *api.FunctionUrlConfig {
	return &api.FunctionUrlConfig{
		FunctionUrl:      new(c.functionURL(u)),
		FunctionArn:      new(u.Ref().ARN()),
		CreationTime:     new(u.Created.Format(timeFormat)),
		LastModifiedTime: new(u.LastModified.Format(timeFormat)),
		Cors:             showCORS(u.CORS),
		AuthType:         new(u.AuthType),
		InvokeMode:       new(u.InvokeMode),
	}
}
