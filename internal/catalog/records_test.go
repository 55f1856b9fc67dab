package catalog_test

import (
	"errors"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/catalog"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

// TestAliasesPoliciesAndURLs: what was there at Load and what came later.
func TestAliasesPoliciesAndURLs(t *testing.T) {
	db := openStore(t)
	key := keyOf("f")
	ref := func(qualifier string) function.Ref { return function.Ref{Key: key, Qualifier: qualifier} }
	alias := &function.Alias{
		Key: key, Name: "live", RevisionID: "a", Version: "1", Other: function.WeightedVersion{Version: "2", Weight: 0.25},
	}
	url := &function.URL{Key: key, Qualifier: "live", ID: "id1", AuthType: "NONE", Created: time.UnixMilli(1), LastModified: time.UnixMilli(1)}
	update(t, db, func(tx *store.Tx) error {
		return errors.Join(tx.Insert(version("f", function.Latest, "r")), tx.Insert(version("f", "1", "r1")), tx.Insert(version("f", "2", "r2")),
			tx.InsertAlias(alias), tx.InsertPolicy(&function.Policy{Key: key, Qualifier: "live", RevisionID: "p"}), tx.InsertURL(url))
	})
	c := load(t, db)
	for random, want := range map[float64]string{0: "2", 0.2499: "2", 0.25: "1", 0.9999: "1"} {
		if v, ok := c.LookupAlias(key, "live", random); !ok || v.Version != want {
			t.Errorf("alias at %v: %v, want version %s", random, v, want)
		}
	}
	if p, ok := c.Policy(ref("live")); !ok || p.RevisionID != "p" {
		t.Errorf("policy %v", p)
	}
	if u, ok := c.URL("id1"); !ok || u.Qualifier != "live" {
		t.Errorf("URL by id: %v", u)
	}
	if u, ok := c.URLOf(ref("live")); !ok || u.ID != "id1" {
		t.Errorf("URL of the alias: %v", u)
	}

	changed := *url
	changed.AuthType = "AWS_IAM"
	update(t, db, func(tx *store.Tx) error {
		return errors.Join(tx.ReplaceAlias(&function.Alias{Key: key, Name: "live", RevisionID: "b", Version: function.Latest}), tx.ReplaceURL(&changed))
	})
	if v, ok := c.LookupAlias(key, "live", 0); !ok || v.Version != function.Latest {
		t.Errorf("changed alias: %v", v)
	}
	if u, ok := c.URL("id1"); !ok || u.AuthType != "AWS_IAM" {
		t.Errorf("changed URL: %v", u)
	}
	update(t, db, func(tx *store.Tx) error { return tx.DeleteFunction(key) })
	checkGone(t, c, key)
}

func checkGone(t *testing.T, c *catalog.Catalog, key function.Key) {
	t.Helper()
	live := function.Ref{Key: key, Qualifier: "live"}
	if _, ok := c.LookupAlias(key, "live", 0); ok {
		t.Error("a deleted alias is found")
	}
	if _, ok := c.Policy(live); ok {
		t.Error("a deleted policy is found")
	}
	if _, ok := c.URL("id1"); ok {
		t.Error("a deleted URL is found by its id")
	}
	if _, ok := c.URLOf(live); ok {
		t.Error("a deleted URL is found by its alias")
	}
}

func TestLookupAliasDoesNotAllocate(t *testing.T) {
	db := openStore(t)
	c := load(t, db)
	key := keyOf("f")
	update(t, db, func(tx *store.Tx) error {
		return errors.Join(tx.Insert(version("f", function.Latest, "r")),
			tx.InsertAlias(&function.Alias{Key: key, Name: "live", RevisionID: "a", Version: function.Latest}))
	})
	allocs := testing.AllocsPerRun(100, func() {
		if _, ok := c.LookupAlias(key, "live", 0.5); !ok {
			t.Error("not found")
		}
	})
	if allocs != 0 {
		t.Errorf("LookupAlias allocates %v times", allocs)
	}
}
