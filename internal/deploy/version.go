package deploy

import (
	"context"
	"encoding/json"
	"reflect"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/awsclient"
)

// lookUpAlias finds where the alias leads, and whether that is what $LATEST is.
func (p *Plan) lookUpAlias(ctx context.Context, c *awsclient.Client, latest *api.FunctionConfiguration) error {
	name := *p.req.Function.FunctionName
	is, err := c.GetAlias(ctx, name, p.req.Alias)
	if awsclient.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	p.AliasVersion = api.Value(is.FunctionVersion)
	if is.RoutingConfig != nil {
		return nil
	}
	version, err := c.GetFunctionConfiguration(ctx, name, p.AliasVersion)
	if err != nil {
		return err
	}
	p.published, err = sameFunction(latest, version)
	return err
}

// sameFunction reports whether two versions differ in nothing but what makes
// them versions.
func sameFunction(a, b *api.FunctionConfiguration) (bool, error) {
	var both [2]map[string]any
	for i, f := range []*api.FunctionConfiguration{a, b} {
		text, err := json.Marshal(f)
		if err != nil {
			return false, err
		}
		if err := json.Unmarshal(text, &both[i]); err != nil {
			return false, err
		}
		for _, own := range []string{"FunctionArn", "Version", "LastModified", "RevisionId", "MasterArn", "State", "StateReason",
			"StateReasonCode", "LastUpdateStatus", "LastUpdateStatusReason", "LastUpdateStatusReasonCode"} {
			delete(both[i], own)
		}
	}
	return reflect.DeepEqual(both[0], both[1]), nil
}

// publish makes the version and moves the alias.
func (p *Plan) publish(ctx context.Context, c *awsclient.Client, rec *Record, say func(string)) error {
	if !p.Publishes() {
		if rec.Alias = p.req.Alias; rec.Alias != "" {
			rec.Version = p.AliasVersion
		}
		return nil
	}
	say("publishing a version")
	v, err := c.PublishVersion(ctx, &api.PublishVersionRequest{FunctionName: &rec.Function, CodeSha256: &p.digest})
	if err != nil {
		return err
	}
	rec.Version = api.Value(v.Version)
	if err := wait(ctx, c, rec.Function, rec.Version); err != nil {
		return err
	}
	if p.req.Alias == "" {
		return nil
	}
	rec.Alias = p.req.Alias
	return pointAlias(ctx, c, rec, say)
}

func pointAlias(ctx context.Context, c *awsclient.Client, rec *Record, say func(string)) error {
	is, err := c.GetAlias(ctx, rec.Function, rec.Alias)
	switch {
	case awsclient.IsNotFound(err):
		say("making the alias " + rec.Alias)
		return c.CreateAlias(ctx, &api.CreateAliasRequest{FunctionName: &rec.Function, Name: &rec.Alias, FunctionVersion: &rec.Version})
	case err != nil:
		return err
	case api.Value(is.FunctionVersion) == rec.Version && is.RoutingConfig == nil:
		return nil
	}
	say("moving the alias " + rec.Alias + " to version " + rec.Version)
	return c.UpdateAlias(ctx, &api.UpdateAliasRequest{
		FunctionName: &rec.Function, Name: &rec.Alias, FunctionVersion: &rec.Version,
		RoutingConfig: &api.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{}},
	})
}
