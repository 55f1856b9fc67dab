package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
)

// ownedWorker owns a function and changes what belongs to it, one operation
// after the other.
type ownedWorker struct {
	name   string
	random *rand.Rand
	// known is what was acknowledged: aliases, statements, URLs and tags by
	// their sort and name, each with a text that says what it is.
	known map[string]string
	// cut is what is also possible: an operation was not answered.
	cut map[string]string
}

// TestOwnedRecordsSurviveCrashes kills lamb while aliases, permissions, URLs
// and tags are made and removed. What was acknowledged is there afterwards.
func TestOwnedRecordsSurviveCrashes(t *testing.T) {
	t.Parallel()
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	data := folder(t)
	workers := make([]*ownedWorker, 4)
	l := startLamb(t, "--data-dir", data)
	for i := range workers {
		workers[i] = &ownedWorker{name: fmt.Sprintf("owner-%d", i), random: rand.New(rand.NewPCG(20261130, uint64(i))), known: map[string]string{}}
		l.create(t, fn{name: workers[i].name, code: shell(t, "x"), handler: "h"})
		if _, err := l.client().PublishVersion(t.Context(), &lambda.PublishVersionInput{FunctionName: &workers[i].name}); err != nil {
			t.Fatal(err)
		}
	}
	for round := range rounds {
		var (
			acknowledged atomic.Int64
			enough       = make(chan struct{})
			all          sync.WaitGroup
		)
		for _, w := range workers {
			all.Go(func() {
				for w.work(t, l) {
					if acknowledged.Add(1) == int64(30+10*round) {
						close(enough)
					}
				}
			})
		}
		select {
		case <-enough:
		case <-time.After(patience):
			t.Errorf("only %d operations in %s", acknowledged.Load(), patience)
		}
		l.kill()
		all.Wait()
		l = startLamb(t, "--data-dir", data)
		for _, w := range workers {
			w.check(t, l)
		}
		if t.Failed() {
			t.Fatalf("after %d rounds", round+1)
		}
	}
}

// work does one operation. It is false when lamb did not answer.
func (w *ownedWorker) work(t *testing.T, l *lamb) bool {
	ctx, c := context.WithoutCancel(t.Context()), l.client()
	next := maps.Clone(w.known)
	alias, mark := fmt.Sprint("a", w.random.IntN(3)), fmt.Sprint(w.random.IntN(1000))
	arn := "arn:aws:lambda:us-east-1:000000000000:function:" + w.name
	do := w.operation(ctx, c, alias, mark, arn, next)
	err := do()
	var refused smithy.APIError
	if errors.As(err, &refused) {
		t.Errorf("%s: %v", w.name, err)
		return false
	}
	if err != nil {
		w.cut = next
		return false
	}
	w.known = next
	return true
}

// operation chooses one that must succeed, and notes in next what it leaves.
func (w *ownedWorker) operation(ctx context.Context, c *lambda.Client, alias, mark, arn string, next map[string]string) func() error {
	aliasKey, sidKey, urlKey, tagKey := "alias "+alias, "statement "+alias, "url", "tag "+alias
	_, hasAlias := next[aliasKey]
	_, hasStatement := next[sidKey]
	_, hasURL := next[urlKey]
	_, hasTag := next[tagKey]
	switch kind := w.random.IntN(4); {
	case kind == 0 && !hasAlias:
		next[aliasKey] = mark
		return func() error {
			_, err := c.CreateAlias(ctx, &lambda.CreateAliasInput{FunctionName: &w.name, Name: &alias, FunctionVersion: aws.String("1"), Description: &mark})
			return err
		}
	case kind == 0 && w.random.IntN(2) == 0:
		next[aliasKey] = mark
		return func() error {
			_, err := c.UpdateAlias(ctx, &lambda.UpdateAliasInput{FunctionName: &w.name, Name: &alias, Description: &mark})
			return err
		}
	case kind == 0:
		delete(next, aliasKey)
		return func() error {
			_, err := c.DeleteAlias(ctx, &lambda.DeleteAliasInput{FunctionName: &w.name, Name: &alias})
			return err
		}
	case kind == 1 && !hasStatement:
		next[sidKey] = mark
		return func() error {
			_, err := c.AddPermission(ctx, &lambda.AddPermissionInput{
				FunctionName: &w.name, StatementId: &alias, Action: aws.String("lambda:InvokeFunction"),
				Principal: aws.String("s3.amazonaws.com"), SourceArn: aws.String("arn:aws:s3:::" + mark),
			})
			return err
		}
	case kind == 1:
		delete(next, sidKey)
		return func() error {
			_, err := c.RemovePermission(ctx, &lambda.RemovePermissionInput{FunctionName: &w.name, StatementId: &alias})
			return err
		}
	case kind == 2 && !hasURL:
		next[urlKey] = mark
		return func() error {
			_, err := c.CreateFunctionUrlConfig(ctx, &lambda.CreateFunctionUrlConfigInput{
				FunctionName: &w.name, AuthType: types.FunctionUrlAuthTypeNone, Cors: &types.Cors{AllowHeaders: []string{mark}},
			})
			return err
		}
	case kind == 2:
		delete(next, urlKey)
		return func() error {
			_, err := c.DeleteFunctionUrlConfig(ctx, &lambda.DeleteFunctionUrlConfigInput{FunctionName: &w.name})
			return err
		}
	case !hasTag || w.random.IntN(2) == 0:
		next[tagKey] = mark
		return func() error {
			_, err := c.TagResource(ctx, &lambda.TagResourceInput{Resource: &arn, Tags: map[string]string{alias: mark}})
			return err
		}
	default:
		delete(next, tagKey)
		return func() error {
			_, err := c.UntagResource(ctx, &lambda.UntagResourceInput{Resource: &arn, TagKeys: []string{alias}})
			return err
		}
	}
}

// check compares what a restarted lamb has with what was acknowledged, and
// goes on with what it has.
func (w *ownedWorker) check(t *testing.T, l *lamb) {
	t.Helper()
	has := w.read(t, l)
	if !maps.Equal(has, w.known) && (w.cut == nil || !maps.Equal(has, w.cut)) {
		t.Errorf("%s has\n %v\nacknowledged was\n %v\nand cut off\n %v", w.name, has, w.known, w.cut)
	}
	w.known, w.cut = has, nil
}

func (w *ownedWorker) read(t *testing.T, l *lamb) map[string]string {
	t.Helper()
	c, has := l.client(), map[string]string{}
	aliases, err := c.ListAliases(t.Context(), &lambda.ListAliasesInput{FunctionName: &w.name})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range aliases.Aliases {
		has["alias "+*a.Name] = *a.Description
	}
	var missing *types.ResourceNotFoundException
	policy, err := c.GetPolicy(t.Context(), &lambda.GetPolicyInput{FunctionName: &w.name})
	if err == nil {
		for part := range strings.SplitSeq(*policy.Policy, `{"Sid":"`) {
			if sid, rest, ok := strings.Cut(part, `"`); ok && len(sid) == 2 {
				_, rest, _ = strings.Cut(rest, "arn:aws:s3:::")
				has["statement "+sid], _, _ = strings.Cut(rest, `"`)
			}
		}
	} else if !errors.As(err, &missing) {
		t.Fatal(err)
	}
	url, err := c.GetFunctionUrlConfig(t.Context(), &lambda.GetFunctionUrlConfigInput{FunctionName: &w.name})
	if err == nil {
		has["url"] = slices.Concat(url.Cors.AllowHeaders, []string{"none"})[0]
	} else if !errors.As(err, &missing) {
		t.Fatal(err)
	}
	f, err := c.GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: &w.name})
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range f.Tags {
		has["tag "+k] = v
	}
	return has
}
