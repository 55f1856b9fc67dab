package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/catalog"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

func keyOf(name string) function.Key {
	return function.Key{Partition: "aws", Account: "000000000000", Region: "us-east-1", Name: name}
}

func latest(name string) function.Ref {
	return function.Ref{Key: keyOf(name), Qualifier: function.Latest}
}

func version(name, number, revision string) *function.Version {
	return &function.Version{Key: keyOf(name), Version: number, RevisionID: revision, LastModified: time.UnixMilli(1).UTC()}
}

func openStore(t testing.TB) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "state.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func load(t testing.TB, db *store.DB) *catalog.Catalog {
	t.Helper()
	c, err := catalog.Load(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func update(t testing.TB, db *store.DB, fn func(tx *store.Tx) error) {
	t.Helper()
	if err := db.Update(t.Context(), fn); err != nil {
		t.Error(err)
	}
}

// revision returns what Lookup shows, "" for nothing.
func revision(c *catalog.Catalog, name, number string) string {
	v, ok := c.Lookup(keyOf(name), number)
	if !ok {
		return ""
	}
	return v.RevisionID
}

func TestFollowsTheStore(t *testing.T) {
	db := openStore(t)
	update(t, db, func(tx *store.Tx) error { return tx.Insert(version("old", function.Latest, "r1")) })
	c := load(t, db)
	if got := revision(c, "old", function.Latest); got != "r1" {
		t.Errorf("after Load: revision %q, want r1", got)
	}
	steps := []struct {
		name string
		do   func(tx *store.Tx) error
		want map[string]string // version to revision, of function f
	}{
		{"insert", func(tx *store.Tx) error { return tx.Insert(version("f", function.Latest, "r1")) }, map[string]string{"$LATEST": "r1"}},
		{"publish", func(tx *store.Tx) error { return tx.Insert(version("f", "1", "p1")) }, map[string]string{"$LATEST": "r1", "1": "p1"}},
		{"replace", func(tx *store.Tx) error { return tx.Replace(version("f", function.Latest, "r2"), "r1") }, map[string]string{"$LATEST": "r2", "1": "p1"}},
		{"delete a version", func(tx *store.Tx) error { return tx.DeleteVersion(keyOf("f"), "1") }, map[string]string{"$LATEST": "r2"}},
		{"delete all", func(tx *store.Tx) error { return tx.DeleteFunction(keyOf("f")) }, map[string]string{}},
	}
	for _, s := range steps {
		update(t, db, s.do)
		got := map[string]string{}
		for _, number := range []string{function.Latest, "1"} {
			if r := revision(c, "f", number); r != "" {
				got[number] = r
			}
		}
		if diff := cmp.Diff(s.want, got); diff != "" {
			t.Errorf("after %s (-want +got):\n%s", s.name, diff)
		}
		if want := len(s.want) + 1; c.Len() != want {
			t.Errorf("after %s: Len = %d, want %d", s.name, c.Len(), want)
		}
	}
	if _, ok := c.Lookup(function.Key{Partition: "aws", Account: "000000000000", Region: "eu-west-1", Name: "old"}, function.Latest); ok {
		t.Error("found in another region")
	}
}

func TestOnChange(t *testing.T) {
	db := openStore(t)
	c := load(t, db)
	var got []string
	stop := c.OnChange(func(change store.Change[function.Version]) {
		// What is told can be looked up.
		state := "gone"
		if change.New != nil {
			state = change.New.RevisionID
		}
		if now := revision(c, change.Ref.Key.Name, change.Ref.Qualifier); now != state && (now != "" || state != "gone") {
			t.Errorf("told %s of %s, Lookup shows %q", state, change.Ref.Qualifier, now)
		}
		got = append(got, change.Ref.Qualifier+" "+state)
	})
	update(t, db, func(tx *store.Tx) error { return tx.Insert(version("f", function.Latest, "r1")) })
	update(t, db, func(tx *store.Tx) error { return tx.Insert(version("f", "1", "p1")) })
	update(t, db, func(tx *store.Tx) error { return tx.DeleteFunction(keyOf("f")) })
	stop()
	update(t, db, func(tx *store.Tx) error { return tx.Insert(version("f", function.Latest, "r9")) })
	if diff := cmp.Diff([]string{"$LATEST r1", "1 p1", "$LATEST gone", "1 gone"}, got); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestCloseEndsTheFeed(t *testing.T) {
	db := openStore(t)
	c := load(t, db)
	c.Close()
	update(t, db, func(tx *store.Tx) error { return tx.Insert(version("f", function.Latest, "r1")) })
	if got := revision(c, "f", function.Latest); got != "" {
		t.Errorf("a closed catalog shows revision %q", got)
	}
}

// lateSource is a store in which everything has changed by the time that the
// rows read are handed over.
type lateSource struct {
	rows    []*function.Version
	changes store.Changes
	tell    func(store.Changes)
}

func (s *lateSource) Subscribe(fn func(store.Changes)) (stop func()) {
	s.tell = fn
	return func() { s.tell = nil }
}

func (s *lateSource) Each(_ context.Context, fn func(*function.Version) error) error {
	s.tell(s.changes)
	for _, v := range s.rows {
		if err := fn(v); err != nil {
			return err
		}
	}
	return nil
}

func (*lateSource) EachAlias(context.Context, func(*function.Alias) error) error   { return nil }
func (*lateSource) EachPolicy(context.Context, func(*function.Policy) error) error { return nil }
func (*lateSource) EachURL(context.Context, func(*function.URL) error) error       { return nil }

func TestRowsReadLateDoNotUndoChanges(t *testing.T) {
	changed := func(name string, now *function.Version) store.Change[function.Version] {
		return store.Change[function.Version]{Ref: latest(name), New: now}
	}
	s := &lateSource{
		rows: []*function.Version{version("same", function.Latest, "r1"), version("changed", function.Latest, "r1"), version("deleted", function.Latest, "r1")},
		changes: store.Changes{Versions: []store.Change[function.Version]{
			changed("changed", version("changed", function.Latest, "r2")),
			changed("deleted", nil),
			changed("made", version("made", function.Latest, "r2")),
		}},
	}
	c, err := catalog.Load(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, name := range []string{"same", "changed", "deleted", "made"} {
		got[name] = revision(c, name, function.Latest)
	}
	want := map[string]string{"same": "r1", "changed": "r2", "deleted": "", "made": "r2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after Load (-want +got):\n%s", diff)
	}
}

func TestLoadThatFailsEndsTheFeed(t *testing.T) {
	boom := errors.New("boom")
	s := &failingSource{err: boom}
	if _, err := catalog.Load(t.Context(), s); !errors.Is(err, boom) {
		t.Errorf("Load = %v, want the store's error", err)
	}
	if s.tell != nil {
		t.Error("the feed goes on")
	}
}

type failingSource struct {
	lateSource
	err error
}

func (s *failingSource) Each(context.Context, func(*function.Version) error) error { return s.err }

// TestNoUpdateIsLostWhileLoading loads catalogs while functions are made,
// changed and deleted; at the end each must be as the store is.
func TestNoUpdateIsLostWhileLoading(t *testing.T) {
	const functions, rounds, loads = 20, 15, 25
	db := openStore(t)
	for i := range functions {
		update(t, db, func(tx *store.Tx) error { return tx.Insert(version(fmt.Sprint("f", i), function.Latest, "0")) })
	}
	var writers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			for round := range rounds {
				for i := w; i < functions; i += 2 {
					name, now, next := fmt.Sprint("f", i), strconv.Itoa(round), strconv.Itoa(round+1)
					update(t, db, func(tx *store.Tx) error {
						if round%3 == 2 { // deleted and made again in one transaction
							if err := tx.DeleteFunction(keyOf(name)); err != nil {
								return err
							}
							return tx.Insert(version(name, function.Latest, next))
						}
						return tx.Replace(version(name, function.Latest, next), now)
					})
					if round == rounds-1 && i%4 == 0 {
						update(t, db, func(tx *store.Tx) error { return tx.DeleteFunction(keyOf(name)) })
					}
				}
			}
		})
	}
	var catalogs []*catalog.Catalog
	for range loads {
		catalogs = append(catalogs, load(t, db))
	}
	writers.Wait()
	want := map[string]string{}
	for i := range functions {
		name := fmt.Sprint("f", i)
		want[name] = strconv.Itoa(rounds)
		if i%4 == 0 {
			want[name] = ""
		}
	}
	for n, c := range catalogs {
		got := map[string]string{}
		for name := range want {
			got[name] = revision(c, name, function.Latest)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("catalog %d of %d differs from the store (-store +catalog):\n%s", n, loads, diff)
		}
	}
}

func TestLookupsRunWhileTheStoreChanges(t *testing.T) {
	db := openStore(t)
	c := load(t, db)
	update(t, db, func(tx *store.Tx) error { return tx.Insert(version("f", function.Latest, "0")) })
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			last := 0
			for {
				select {
				case <-done:
					return
				default:
				}
				n, err := strconv.Atoi(revision(c, "f", function.Latest))
				if err != nil || n < last {
					t.Errorf("revision %d after %d (%v): lookups must not go back", n, last, err)
					return
				}
				last = n
			}
		})
	}
	for i := range 50 {
		update(t, db, func(tx *store.Tx) error {
			return tx.Replace(version("f", function.Latest, strconv.Itoa(i+1)), strconv.Itoa(i))
		})
		// The one who changed it sees it at once.
		if got := revision(c, "f", function.Latest); got != strconv.Itoa(i+1) {
			t.Fatalf("after the update to %d: %s", i+1, got)
		}
	}
	close(done)
	readers.Wait()
}

func TestLookupDoesNotAllocate(t *testing.T) {
	db := openStore(t)
	c := load(t, db)
	update(t, db, func(tx *store.Tx) error { return tx.Insert(version("f", function.Latest, "0")) })
	key := keyOf("f")
	allocs := testing.AllocsPerRun(100, func() {
		if _, ok := c.Lookup(key, function.Latest); !ok {
			t.Error("not found")
		}
	})
	if allocs != 0 {
		t.Errorf("Lookup allocates %v times", allocs)
	}
}

func BenchmarkLookup(b *testing.B) {
	db := openStore(b)
	c := load(b, db)
	update(b, db, func(tx *store.Tx) error {
		for i := range 1000 {
			if err := tx.Insert(version(fmt.Sprint("f", i), function.Latest, "0")); err != nil {
				return err
			}
		}
		return nil
	})
	key := keyOf("f500")
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, ok := c.Lookup(key, function.Latest); !ok {
				b.Error("not found")
			}
		}
	})
}
