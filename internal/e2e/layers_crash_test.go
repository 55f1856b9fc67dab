package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
)

// layerWorker owns one layer: it publishes and deletes versions, one after the
// other.
type layerWorker struct {
	name    string
	random  *rand.Rand
	known   map[int64]string // CodeSha256 of the versions that were acknowledged
	highest int64            // number ever acknowledged
	// cut is what the last operation, which lamb did not answer, may have
	// done: published this code, or deleted this version.
	cutCode    string
	cutVersion int64
}

// TestLayersSurviveCrashes kills lamb while layers are published and deleted.
// What was acknowledged is there afterwards, byte for byte, and no number is
// used twice.
func TestLayersSurviveCrashes(t *testing.T) {
	t.Parallel()
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	data := folder(t)
	workers := make([]*layerWorker, 4)
	for i := range workers {
		workers[i] = &layerWorker{
			name: fmt.Sprintf("crash-%d", i), random: rand.New(rand.NewPCG(20261122, uint64(i))), known: map[int64]string{},
		}
	}
	for round := range rounds {
		l := startLamb(t, "--data-dir", data)
		for _, w := range workers {
			w.check(t, l)
		}
		if t.Failed() {
			t.Fatalf("after %d rounds", round)
		}
		var (
			acknowledged atomic.Int64
			enough       = make(chan struct{})
			all          sync.WaitGroup
		)
		for _, w := range workers {
			all.Go(func() {
				for w.work(t, l, round) {
					if acknowledged.Add(1) == int64(20+10*round) {
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
	}
	l := startLamb(t, "--data-dir", data)
	for _, w := range workers {
		w.check(t, l)
	}
}

// work does one operation. It is false when lamb did not answer.
func (w *layerWorker) work(t *testing.T, l *lamb, round int) bool {
	ctx, c := context.WithoutCancel(t.Context()), l.client()
	if len(w.known) > 0 && w.random.IntN(3) == 0 {
		all := slices.Sorted(maps.Keys(w.known))
		w.cutCode, w.cutVersion = "", all[w.random.IntN(len(all))]
		if _, err := c.DeleteLayerVersion(ctx, &lambda.DeleteLayerVersionInput{LayerName: &w.name, VersionNumber: &w.cutVersion}); err != nil {
			return w.stop(t, err)
		}
		delete(w.known, w.cutVersion)
		w.cutVersion = 0
		return true
	}
	// Some archives are of this worker and round alone, some are shared.
	zip, err := zipBytes(file{"f", 0o644, fmt.Sprint(w.name, round, w.random.IntN(5))}, file{"g", 0o644, "g"})
	if w.random.IntN(2) == 0 {
		zip, err = zipBytes(file{"f", 0o644, fmt.Sprint(w.random.IntN(3))})
	}
	if err != nil {
		t.Error(err)
		return false
	}
	w.cutCode, w.cutVersion = sum(zip), 0
	out, err := c.PublishLayerVersion(ctx, &lambda.PublishLayerVersionInput{
		LayerName: &w.name, Content: &types.LayerVersionContentInput{ZipFile: zip},
	})
	if err != nil {
		return w.stop(t, err)
	}
	if out.Version <= w.highest || aws.ToString(out.Content.CodeSha256) != w.cutCode {
		t.Errorf("%s: version %d with code %s, after version %d", w.name, out.Version, *out.Content.CodeSha256, w.highest)
	}
	w.highest, w.known[out.Version] = out.Version, w.cutCode
	w.cutCode = ""
	return true
}

// stop ends the work: lamb is gone, or refuses what it must not.
func (w *layerWorker) stop(t *testing.T, err error) bool {
	var refused smithy.APIError
	if errors.As(err, &refused) {
		t.Errorf("%s: %v", w.name, err)
	}
	return false
}

// check compares what a restarted lamb has with what was acknowledged, and
// goes on with what it has.
func (w *layerWorker) check(t *testing.T, l *lamb) {
	t.Helper()
	has := map[int64]string{}
	pages := lambda.NewListLayerVersionsPaginator(l.client(), &lambda.ListLayerVersionsInput{LayerName: &w.name, MaxItems: aws.Int32(50)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range page.LayerVersions {
			out, err := l.client().GetLayerVersion(t.Context(), &lambda.GetLayerVersionInput{LayerName: &w.name, VersionNumber: &v.Version})
			if err != nil {
				t.Fatal(err)
			}
			has[v.Version] = aws.ToString(out.Content.CodeSha256)
			if got := sum(download(t, *out.Content.Location)); got != has[v.Version] {
				t.Errorf("%s:%d gives code %s, want %s", w.name, v.Version, got, has[v.Version])
			}
		}
	}
	want := maps.Clone(w.known)
	if _, there := has[w.cutVersion]; w.cutVersion != 0 && !there {
		delete(want, w.cutVersion)
	}
	if newest := w.highest + 1; w.cutCode != "" && has[newest] == w.cutCode {
		want[newest], w.highest = w.cutCode, newest
	}
	if !maps.Equal(has, want) {
		t.Errorf("%s has\n %v\nacknowledged was\n %v\nand cut off %q, %d", w.name, has, want, w.cutCode, w.cutVersion)
	}
	w.known, w.cutCode, w.cutVersion = has, "", 0
}
