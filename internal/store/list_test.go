package store_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// filled has functions a, b and c; b has versions 1, 2 and 10. Another region
// has one, too.
func filled(t *testing.T) *store.DB {
	db := open(t, "")
	other := version("elsewhere", function.Latest, "r")
	other.Key.Region = "eu-west-1"
	insert(t, db,
		version("c", function.Latest, "r"), version("b", function.Latest, "r"), version("a", function.Latest, "r"),
		version("b", "10", "r"), version("b", "2", "r"), version("b", "1", "r"), version("c", "1", "r"), other)
	return db
}

func TestLists(t *testing.T) {
	db, ctx := filled(t), t.Context()
	cases := []struct {
		name string
		list func(after store.Cursor, limit int) ([]*function.Version, error)
		want string
	}{
		{"functions", func(after store.Cursor, limit int) ([]*function.Version, error) {
			return db.ListFunctions(ctx, scope, after.Name, limit)
		}, "a:$LATEST b:$LATEST c:$LATEST"},
		{"all versions", func(after store.Cursor, limit int) ([]*function.Version, error) {
			return db.ListAllVersions(ctx, scope, after, limit)
		}, "a:$LATEST b:$LATEST b:1 b:2 b:10 c:$LATEST c:1"},
		{"versions of b", func(after store.Cursor, limit int) ([]*function.Version, error) {
			return db.ListVersions(ctx, keyOf("b"), after, limit)
		}, "b:$LATEST b:1 b:2 b:10"},
		{"versions of none", func(after store.Cursor, limit int) ([]*function.Version, error) {
			return db.ListVersions(ctx, keyOf("none"), after, limit)
		}, ""},
	}
	for _, c := range cases {
		for limit := 1; limit < 9; limit++ {
			t.Run(fmt.Sprint(c.name, " by ", limit), func(t *testing.T) {
				var all []*function.Version
				var after store.Cursor
				for {
					page, err := c.list(after, limit)
					if err != nil {
						t.Fatal(err)
					}
					if len(page) > limit {
						t.Fatalf("a page of %d, limit %d", len(page), limit)
					}
					all = append(all, page...)
					if len(page) < limit {
						break
					}
					// As a client sends it back.
					if after, err = store.ParseCursor(store.CursorAt(page[len(page)-1]).String()); err != nil {
						t.Fatal(err)
					}
				}
				if got := names(all); got != c.want {
					t.Errorf("listed %q, want %q", got, c.want)
				}
			})
		}
	}
}

func TestListsGoOnAfterWhatIsGone(t *testing.T) {
	db := filled(t)
	after := store.Cursor{Name: "b", Version: "2"}
	update(t, db, func(tx *store.Tx) error { return tx.DeleteVersion(keyOf("b"), "2") })
	if got, err := db.ListAllVersions(t.Context(), scope, after, 2); err != nil || names(got) != "b:10 c:$LATEST" {
		t.Errorf("after a deleted version: %s, %v", names(got), err)
	}
	update(t, db, func(tx *store.Tx) error { return tx.DeleteFunction(keyOf("b")) })
	if got, err := db.ListAllVersions(t.Context(), scope, after, 2); err != nil || names(got) != "c:$LATEST c:1" {
		t.Errorf("after a deleted function: %s, %v", names(got), err)
	}
}

func TestListRefusesABadCursor(t *testing.T) {
	db := filled(t)
	bad := store.Cursor{Name: "b", Version: "live"}
	_, err1 := db.ListAllVersions(t.Context(), scope, bad, 1)
	_, err2 := db.ListVersions(t.Context(), keyOf("b"), bad, 1)
	for _, err := range []error{err1, err2} {
		if !errors.Is(err, store.ErrCursor) {
			t.Errorf("error = %v, want ErrCursor", err)
		}
	}
}

func TestEachSeesAllScopes(t *testing.T) {
	db, seen := filled(t), map[string]int{}
	if err := db.Each(t.Context(), func(v *function.Version) error { seen[v.Key.Region]++; return nil }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"us-east-1": 7, "eu-west-1": 1}, seen); diff != "" {
		t.Errorf("versions by region (-want +got):\n%s", diff)
	}
	boom := errors.New("boom")
	if err := db.Each(t.Context(), func(*function.Version) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("Each = %v, want the error of its function", err)
	}
}

func TestUsageCountsEveryVersion(t *testing.T) {
	db := filled(t)
	if u, err := db.Usage(t.Context(), scope); err != nil || u != (store.Usage{Functions: 3, CodeBytes: 700}) {
		t.Errorf("Usage = %+v, %v; want 3 functions and 7 times 100 bytes", u, err)
	}
	if u, err := db.Usage(t.Context(), function.Scope{}); err != nil || u != (store.Usage{}) {
		t.Errorf("Usage of an empty scope = %+v, %v", u, err)
	}
}

func TestUnfinished(t *testing.T) {
	db := open(t, "")
	pending := version("pending", function.Latest, "r")
	pending.State, pending.LastUpdate = function.StatePending, ""
	updating := version("updating", function.Latest, "r")
	updating.Key.Region, updating.LastUpdate = "eu-west-1", function.UpdateInProgress
	failed := version("failed", function.Latest, "r")
	failed.State, failed.LastUpdate = function.StateFailed, function.UpdateFailed
	insert(t, db, pending, updating, failed, version("done", function.Latest, "r"))
	got, err := db.Unfinished(t.Context())
	if err != nil || names(got) != "updating:$LATEST pending:$LATEST" {
		t.Errorf("Unfinished = %s, %v", names(got), err)
	}
}

func TestCodeReferences(t *testing.T) {
	db := open(t, "")
	for i, digest := range []string{"aa", "bb", "aa", ""} {
		v := version(fmt.Sprint("f", i), function.Latest, "r")
		v.Code.SHA256 = digest
		insert(t, db, v)
	}
	updating := version("updating", function.Latest, "r")
	updating.Code.SHA256 = "cc"
	updating.Config.Kept.Serving = &function.Content{Code: function.Code{SHA256: "dd"}}
	insert(t, db, updating)
	updated := version("updated", function.Latest, "r1")
	updated.Config.Kept.Serving = &function.Content{Code: function.Code{SHA256: "ee"}}
	insert(t, db, updated)
	update(t, db, func(tx *store.Tx) error {
		v := version("updated", function.Latest, "r2")
		v.Code.SHA256 = "ff"
		return tx.Replace(v, "r1")
	})
	got, err := db.CodeReferences(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]bool{"aa": true, "bb": true, "cc": true, "dd": true, "ff": true}, got); diff != "" {
		t.Errorf("references (-want +got):\n%s", diff)
	}
}

func TestFeed(t *testing.T) {
	db := open(t, "")
	var got []string
	inside := 0
	stop := db.Subscribe(func(changes store.Changes) {
		var told []string
		for _, c := range changes.Versions {
			now := "deleted"
			if c.New != nil {
				now = c.New.RevisionID
			}
			told = append(told, c.Ref.Key.Name+":"+c.Ref.Qualifier+" "+now)
		}
		got = append(got, strings.Join(told, ", "))
		inside++
	})
	insert(t, db, version("f", function.Latest, "r1"), version("f", "1", "p"))
	if inside != 1 {
		t.Error("Update returned before the subscriber was told")
	}
	update(t, db, func(tx *store.Tx) error { return tx.Replace(version("f", function.Latest, "r2"), "r1") })
	if err := db.Update(t.Context(), func(*store.Tx) error { return nil }); err != nil { // nothing to tell
		t.Error(err)
	}
	update(t, db, func(tx *store.Tx) error { return tx.DeleteFunction(keyOf("f")) })
	stop()
	insert(t, db, version("g", function.Latest, "r1"))
	want := []string{"f:$LATEST r1, f:1 p", "f:$LATEST r2", "f:$LATEST deleted, f:1 deleted"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestFeedTellsWhatIsStored(t *testing.T) {
	db := open(t, "")
	var told *function.Version
	defer db.Subscribe(func(changes store.Changes) { told = changes.Versions[0].New })()
	v := fullVersion()
	v.LastModified = v.LastModified.Add(456789) // more than a record keeps
	insert(t, db, v)
	read, err := db.Get(t.Context(), v.Key, v.Version)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(read, told); diff != "" {
		t.Errorf("told differs from what is read (-read +told):\n%s", diff)
	}
}

// TestToldBeforeRead has readers that see a commit only when the subscribers
// know of it.
func TestToldBeforeRead(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "lamb.db"))
	key := keyOf("f")
	insert(t, db, version("f", function.Latest, "r0"))
	var known atomic.Value // what the subscriber knows
	known.Store("r0")
	defer db.Subscribe(func(changes store.Changes) {
		for range 10_000 { // a reader that does not wait gets ahead here
			runtime.Gosched()
		}
		known.Store(changes.Versions[0].New.RevisionID)
	})()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 30 {
			from, to := fmt.Sprintf("r%d", i), fmt.Sprintf("r%d", i+1)
			update(t, db, func(tx *store.Tx) error { return tx.Replace(version("f", function.Latest, to), from) })
		}
	}()
	for {
		v, err := db.Get(t.Context(), key, function.Latest)
		if err != nil {
			t.Fatal(err)
		}
		if read, told := revision(t, v.RevisionID), revision(t, known.Load().(string)); told < read {
			t.Fatalf("read revision %d while the subscriber knows %d", read, told)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

// revision is the number in the name of a revision.
func revision(t *testing.T, name string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimPrefix(name, "r"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func FuzzParseCursor(f *testing.F) {
	for _, c := range []store.Cursor{{}, {Name: "f", Version: "$LATEST"}, {Name: "a-b_C", Version: "17"}} {
		f.Add(c.String())
	}
	f.Add("!")
	f.Add("MC9m") // 0/f
	f.Fuzz(func(t *testing.T, text string) {
		c, err := store.ParseCursor(text)
		if err != nil {
			if !errors.Is(err, store.ErrCursor) || !c.IsZero() {
				t.Errorf("ParseCursor(%q) = %v, %v", text, c, err)
			}
			return
		}
		if again, err := store.ParseCursor(c.String()); err != nil || again != c {
			t.Errorf("%q gives %v, which gives %v, %v", text, c, again, err)
		}
	})
}
