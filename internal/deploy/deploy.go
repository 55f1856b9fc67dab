// Package deploy makes a function at a service what its project says: it
// creates it or changes what differs, waits for each step, and does nothing
// where nothing differs. Plan asks, Apply acts.
//
//	project, zip ─▶ Plan ─▶ Changes ─▶ Apply: code ▶ configuration ▶ tags ▶ principals ▶ version ▶ alias
package deploy

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/awsclient"
	"github.com/lambhq/lamb/internal/project"
)

// Request is what to deploy.
type Request struct {
	// Function is the function as it is to be, without its code.
	Function *api.CreateFunctionRequest
	Zip      []byte
	// Principals may invoke it.
	Principals []string
	// Publish makes a version of it; Alias, which may be empty, then leads there.
	Publish bool
	Alias   string
}

// Plan is what a deployment would change.
type Plan struct {
	Create  bool
	Changes []project.Change
	// Principals are those that may not invoke it yet.
	Principals []string
	// AliasVersion is where the alias leads now; empty where there is none.
	AliasVersion string

	req       Request
	arn       string // empty before it exists
	digest    string
	published bool // the alias leads to what $LATEST is
}

// Empty reports whether nothing but a version or alias is to be made.
func (p *Plan) Empty() bool { return len(p.Changes) == 0 && len(p.Principals) == 0 }

// Publishes reports whether the service is asked for a version. It makes none
// where nothing has changed since the last one.
func (p *Plan) Publishes() bool {
	if p.req.Alias == "" {
		return p.req.Publish
	}
	return !p.published || len(p.Changes) > 0
}

// Record is what was deployed, for programs.
type Record struct {
	Function   string `json:"function"`
	ARN        string `json:"arn"`
	Target     string `json:"target"`
	Region     string `json:"region"`
	CodeSHA256 string `json:"codeSha256"`
	Version    string `json:"version"`
	Alias      string `json:"alias,omitempty"`
	// Changed are the API's names of what differed; none: it was there already.
	Changed []string `json:"changed"`
}

// Digest is a package's CodeSha256.
func Digest(zip []byte) string {
	sum := sha256.Sum256(zip)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// NewPlan compares a request with what the service has.
func NewPlan(ctx context.Context, c *awsclient.Client, req Request) (*Plan, error) {
	p := &Plan{req: req, digest: Digest(req.Zip)}
	is, err := c.GetFunction(ctx, *req.Function.FunctionName, "")
	switch {
	case awsclient.IsNotFound(err):
		p.Create, is = true, &api.GetFunctionResponse{}
	case err != nil:
		return nil, err
	default:
		p.arn = api.Value(is.Configuration.FunctionArn)
	}
	if p.Changes, err = project.Changes(req.Function, p.digest, is.Configuration, is.Tags); err != nil {
		return nil, err
	}
	p.Principals = req.Principals
	if !p.Create && len(req.Principals) > 0 {
		if p.Principals, err = missingPrincipals(ctx, c, *req.Function.FunctionName, req.Principals); err != nil {
			return nil, err
		}
	}
	if !p.Create && req.Alias != "" {
		return p, p.lookUpAlias(ctx, c, is.Configuration)
	}
	return p, nil
}

// Apply carries a plan out. say is told of each step before it begins.
func (p *Plan) Apply(ctx context.Context, c *awsclient.Client, say func(string)) (*Record, error) {
	name := *p.req.Function.FunctionName
	rec := &Record{Function: name, Target: c.URL(), Region: c.Region, CodeSHA256: p.digest, Version: "$LATEST", Changed: []string{}}
	for _, ch := range p.Changes {
		rec.Changed = append(rec.Changed, ch.Member)
	}
	var err error
	if p.Create {
		say("creating " + name)
		err = p.create(ctx, c)
	} else {
		err = p.update(ctx, c, say)
	}
	if err != nil {
		return nil, err
	}
	for _, principal := range p.Principals {
		say("allowing " + principal + " to invoke it")
		if err := allow(ctx, c, name, principal); err != nil {
			return nil, err
		}
	}
	if err := p.publish(ctx, c, rec, say); err != nil {
		return nil, err
	}
	rec.ARN = p.arn
	return rec, nil
}

// roleTries is how often a function is created with a role that the service
// does not know yet: IAM tells it after some seconds.
const roleTries = 10

func (p *Plan) create(ctx context.Context, c *awsclient.Client) error {
	for n := 1; ; n++ {
		out, err := c.CreateFunction(ctx, p.req.Function, p.req.Zip)
		if err == nil {
			p.arn = api.Value(out.FunctionArn)
			return wait(ctx, c, *p.req.Function.FunctionName, "")
		}
		var e *awsclient.Error
		if n == roleTries || !errors.As(err, &e) || !strings.Contains(e.Message, "cannot be assumed by Lambda") {
			return err
		}
		if err := pause(ctx, 2*time.Second); err != nil {
			return err
		}
	}
}

func (p *Plan) update(ctx context.Context, c *awsclient.Client, say func(string)) error {
	name := p.req.Function.FunctionName
	changed := func(match func(string) bool) bool {
		return slices.ContainsFunc(p.Changes, func(ch project.Change) bool { return match(ch.Member) })
	}
	ofCode := func(m string) bool { return m == "CodeSha256" || m == "Architectures" }
	ofTags := func(m string) bool { return strings.HasPrefix(m, "Tags.") }
	if changed(ofCode) {
		say("updating the code")
		in := &api.UpdateFunctionCodeRequest{FunctionName: name, Architectures: p.req.Function.Architectures}
		if _, err := c.UpdateFunctionCode(ctx, in, p.req.Zip); err != nil {
			return err
		}
		if err := wait(ctx, c, *name, ""); err != nil {
			return err
		}
	}
	if changed(func(m string) bool { return !ofCode(m) && !ofTags(m) }) {
		say("updating the configuration")
		if _, err := c.UpdateFunctionConfiguration(ctx, project.Update(p.req.Function)); err != nil {
			return err
		}
		if err := wait(ctx, c, *name, ""); err != nil {
			return err
		}
	}
	if changed(ofTags) {
		say("setting tags")
		return c.TagResource(ctx, p.arn, p.req.Function.Tags)
	}
	return nil
}

// wait returns when a function's or version's last change is in force.
func wait(ctx context.Context, c *awsclient.Client, name, version string) error {
	every := time.Second
	if c.Lamb {
		every = 20 * time.Millisecond
	}
	for {
		f, err := c.GetFunctionConfiguration(ctx, name, version)
		if err != nil {
			return err
		}
		state, update := api.Value(f.State), api.Value(f.LastUpdateStatus)
		switch {
		case state == api.StateFailed:
			return fmt.Errorf("%s is in state Failed: %s", name, api.Value(f.StateReason))
		case update == api.LastUpdateStatusFailed:
			return fmt.Errorf("the update of %s failed: %s", name, api.Value(f.LastUpdateStatusReason))
		case state != api.StatePending && update != api.LastUpdateStatusInProgress:
			return nil
		}
		if err := pause(ctx, every); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// statementID names the statement that lets a principal invoke a function.
func statementID(principal string) string {
	sum := sha256.Sum256([]byte(principal))
	return "lamb-" + hex.EncodeToString(sum[:8])
}

// missingPrincipals are those for which a function's policy has no statement of
// ours.
func missingPrincipals(ctx context.Context, c *awsclient.Client, name string, principals []string) ([]string, error) {
	text, err := c.GetPolicy(ctx, name)
	if awsclient.IsNotFound(err) {
		return principals, nil
	}
	if err != nil {
		return nil, err
	}
	var policy struct {
		Statement []struct {
			Sid string `json:"Sid"`
		} `json:"Statement"`
	}
	if err := json.Unmarshal([]byte(text), &policy); err != nil {
		return nil, fmt.Errorf("the policy of %s: %w", name, err)
	}
	return slices.DeleteFunc(slices.Clone(principals), func(p string) bool {
		for _, s := range policy.Statement {
			if s.Sid == statementID(p) {
				return true
			}
		}
		return false
	}), nil
}

// allow lets a principal invoke a function.
func allow(ctx context.Context, c *awsclient.Client, name, principal string) error {
	id, action := statementID(principal), "lambda:InvokeFunction"
	return c.AddPermission(ctx, &api.AddPermissionRequest{FunctionName: &name, StatementId: &id, Action: &action, Principal: &principal})
}

// Allow lets principals invoke a function that may not yet, and returns them.
func Allow(ctx context.Context, c *awsclient.Client, name string, principals []string) ([]string, error) {
	if len(principals) == 0 {
		return nil, nil
	}
	missing, err := missingPrincipals(ctx, c, name, principals)
	if err != nil {
		return nil, err
	}
	for _, p := range missing {
		if err := allow(ctx, c, name, p); err != nil {
			return nil, err
		}
	}
	return missing, nil
}
