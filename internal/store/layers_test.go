package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

func layerKey(name string) function.LayerKey {
	return function.LayerKey{Partition: scope.Partition, Account: scope.Account, Region: scope.Region, Name: name}
}

// publishLayer stores the next version of a layer, whose code's digest names it.
func publishLayer(t *testing.T, db *store.DB, key function.LayerKey, runtimes ...string) *function.LayerVersion {
	t.Helper()
	v := &function.LayerVersion{
		Key: key, Created: time.Date(2026, 3, 1, 12, 0, 0, 123e6, time.UTC),
		Details: function.LayerDetails{Description: "d \u2028", LicenseInfo: "MIT", Runtimes: runtimes, Architectures: []string{"arm64"}},
	}
	update(t, db, func(tx *store.Tx) (err error) {
		if v.Number, err = tx.NextLayerVersion(key); err != nil {
			return err
		}
		v.Code = function.Code{SHA256: fmt.Sprint(key.Name, "-", v.Number), Size: 1000, Unzipped: 3000}
		return tx.InsertLayerVersion(v)
	})
	return v
}

func deleteLayer(t *testing.T, db *store.DB, key function.LayerKey, number int64) {
	t.Helper()
	update(t, db, func(tx *store.Tx) error { return tx.DeleteLayerVersion(key, number) })
}

func TestLayerVersionsComeBackAsTheyWere(t *testing.T) {
	eachKind(t, func(t *testing.T, db *store.DB) {
		one := publishLayer(t, db, layerKey("l"), "python3.12")
		two := publishLayer(t, db, layerKey("l"))
		for _, want := range []*function.LayerVersion{one, two} {
			got, err := db.LayerVersion(t.Context(), want.Key, want.Number)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%v (-stored +read):\n%s", err, diff)
			}
			update(t, db, func(tx *store.Tx) error {
				got, err := tx.LayerVersion(want.Key, want.Number)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("in a transaction (-stored +read):\n%s", diff)
				}
				return err
			})
		}
		if err := db.Update(t.Context(), func(tx *store.Tx) error { return tx.InsertLayerVersion(one) }); !errors.Is(err, store.ErrExists) {
			t.Errorf("stored twice: %v", err)
		}
		deleteLayer(t, db, layerKey("l"), 2)
		for _, missing := range []struct {
			name   string
			number int64
		}{{"l", 2}, {"l", 3}, {"l", 0}, {"l", -1}, {"none", 1}} {
			if _, err := db.LayerVersion(t.Context(), layerKey(missing.name), missing.number); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%v: %v, want not found", missing, err)
			}
			err := db.Update(t.Context(), func(tx *store.Tx) error { return tx.DeleteLayerVersion(layerKey(missing.name), missing.number) })
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("delete %v: %v, want not found", missing, err)
			}
		}
	})
}

func TestLayerNumbersAreNeverUsedTwice(t *testing.T) {
	db := open(t, "")
	publishLayer(t, db, layerKey("l"))
	publishLayer(t, db, layerKey("l"))
	deleteLayer(t, db, layerKey("l"), 2)
	deleteLayer(t, db, layerKey("l"), 1)
	if v := publishLayer(t, db, layerKey("l")); v.Number != 3 {
		t.Errorf("number after all were deleted = %d, want 3", v.Number)
	}
	if v := publishLayer(t, db, layerKey("other")); v.Number != 1 {
		t.Errorf("number of another layer = %d, want 1", v.Number)
	}
}

func TestLayerLists(t *testing.T) {
	db, ctx := open(t, ""), t.Context()
	for _, l := range []string{"b:py", "a:py", "b:js", "c:js", "b:py", "b:js", "a:py"} {
		name, runtime, _ := strings.Cut(l, ":")
		publishLayer(t, db, layerKey(name), runtime)
	}
	elsewhere := layerKey("b")
	elsewhere.Region = "eu-west-1"
	publishLayer(t, db, elsewhere, "py")
	py := func(v *function.LayerVersion) bool { return v.Details.Runtimes[0] == "py" }
	for _, tt := range []struct {
		match            store.LayerMatch
		versions, layers string
	}{
		{nil, "b:4 b:3 b:2 b:1", "a:2 b:4 c:1"},
		{py, "b:3 b:1", "a:2 b:3"},
		{func(*function.LayerVersion) bool { return false }, "", ""},
	} {
		for limit := 1; limit < 6; limit++ {
			var versions, found []string
			for before, more := int64(0), true; more; {
				page, err := db.ListLayerVersions(ctx, layerKey("b"), tt.match, before, limit)
				if err != nil || len(page) > limit {
					t.Fatalf("%d versions, limit %d: %v", len(page), limit, err)
				}
				for _, v := range page {
					versions = append(versions, fmt.Sprint(v.Key.Name, ":", v.Number))
					before = v.Number
				}
				more = len(page) == limit
			}
			for after, more := "", true; more; {
				page, err := db.ListLayers(ctx, scope, tt.match, after, limit)
				if err != nil || len(page) > limit {
					t.Fatalf("%d layers, limit %d: %v", len(page), limit, err)
				}
				for _, v := range page {
					found = append(found, fmt.Sprint(v.Key.Name, ":", v.Number))
					after = v.Key.Name
				}
				more = len(page) == limit
			}
			if got := strings.Join(versions, " "); got != tt.versions {
				t.Errorf("versions by %d: %q, want %q", limit, got, tt.versions)
			}
			if got := strings.Join(found, " "); got != tt.layers {
				t.Errorf("layers by %d: %q, want %q", limit, got, tt.layers)
			}
		}
	}
}

func TestLayersCountAndAreReferenced(t *testing.T) {
	db := open(t, "")
	use := func(v *function.Version, layers ...string) *function.Version {
		v.Code.SHA256 = "code"
		for _, digest := range layers {
			v.Config.Layers = append(v.Config.Layers, function.Layer{ARN: "arn", SHA256: digest, Size: 1, Unzipped: 1})
		}
		return v
	}
	publishLayer(t, db, layerKey("kept"))
	publishLayer(t, db, layerKey("gone"))
	deleteLayer(t, db, layerKey("gone"), 1)
	updating := use(version("updating", function.Latest, "r"), "now-1", "now-2")
	before := use(version("before", function.Latest, "r"), "before").Runs()
	updating.Config.Kept.Serving = &before
	insert(t, db, use(version("f", function.Latest, "r")), use(version("f", "1", "r"), "of-version-1"), updating)
	got, err := db.CodeReferences(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{"code": true, "kept-1": true, "now-1": true, "now-2": true, "before": true, "of-version-1": true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("references (-want +got):\n%s", diff)
	}
	if u, err := db.Usage(t.Context(), scope); err != nil || u != (store.Usage{Functions: 2, CodeBytes: 3*100 + 1000}) {
		t.Errorf("Usage = %+v, %v; want 2 functions, and 3 versions of 100 bytes and a layer of 1000", u, err)
	}
}
