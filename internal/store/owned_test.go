package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

func alias(name, version string) *function.Alias {
	return &function.Alias{Key: keyOf("f"), Name: name, RevisionID: "r-" + name, Version: version}
}

func ref(qualifier string) function.Ref { return function.Ref{Key: keyOf("f"), Qualifier: qualifier} }

func policy(qualifier string) *function.Policy {
	return &function.Policy{Key: keyOf("f"), Qualifier: qualifier, RevisionID: "p", Statements: []function.Statement{{
		SID: "s", Action: "lambda:InvokeFunction", Principal: "*", SourceARN: "arn:aws:s3:::b", SourceAccount: "111122223333",
		PrincipalOrgID: "o-a", EventSourceToken: "t", FunctionURLAuthType: "NONE", InvokedViaFunctionURL: true,
	}, {SID: "s2"}}}
}

func functionURL(qualifier, id string) *function.URL {
	at := time.Date(2026, 3, 1, 12, 0, 0, 123e6, time.UTC)
	return &function.URL{
		Key: keyOf("f"), Qualifier: qualifier, ID: id, AuthType: "NONE", InvokeMode: "BUFFERED",
		CORS: &function.CORS{
			AllowCredentials: new(false), AllowHeaders: []string{"h"}, AllowMethods: []string{"GET"},
			AllowOrigins: []string{"*"}, ExposeHeaders: []string{}, MaxAge: new(0),
		},
		Created: at, LastModified: at.Add(time.Second),
	}
}

// withVersions has a function f with $LATEST and versions 1 and 2.
func withVersions(t *testing.T, db *store.DB) {
	t.Helper()
	insert(t, db, version("f", function.Latest, "r"), version("f", "1", "r1"), version("f", "2", "r2"))
}

func TestAliases(t *testing.T) {
	eachKind(t, func(t *testing.T, db *store.DB) {
		withVersions(t, db)
		live := alias("live", "1")
		live.Description, live.Other = "d", function.WeightedVersion{Version: "2", Weight: 0.25}
		update(t, db, func(tx *store.Tx) error {
			return errors.Join(tx.InsertAlias(alias("latest", function.Latest)), tx.InsertAlias(live), tx.InsertAlias(alias("z", "2")))
		})
		got, err := db.Alias(t.Context(), keyOf("f"), "live")
		if diff := cmp.Diff(live, got); diff != "" || err != nil {
			t.Errorf("alias (-want +got):\n%s%v", diff, err)
		}
		list := func(version, after string, limit int) string {
			t.Helper()
			all, err := db.ListAliases(t.Context(), keyOf("f"), version, after, limit)
			if err != nil {
				t.Error(err)
			}
			var names []string
			for _, a := range all {
				names = append(names, a.Name)
			}
			return strings.Join(names, " ")
		}
		for _, tt := range []struct {
			version, after string
			limit          int
			want           string
		}{
			{"", "", 9, "latest live z"}, {"", "", 2, "latest live"}, {"", "latest", 9, "live z"},
			{"1", "", 9, "live"}, {"2", "", 9, "live z"}, {"2", "live", 9, "z"}, {"$LATEST", "", 9, "latest"},
			{"7", "", 9, ""}, {"x", "", 9, ""},
		} {
			if got := list(tt.version, tt.after, tt.limit); got != tt.want {
				t.Errorf("list of version %q after %q: %q, want %q", tt.version, tt.after, got, tt.want)
			}
		}
		for _, tt := range []struct {
			what string
			do   func(tx *store.Tx) error
			want error
		}{
			{"the same name", func(tx *store.Tx) error { return tx.InsertAlias(alias("live", "1")) }, store.ErrExists},
			{"a missing version", func(tx *store.Tx) error { return tx.InsertAlias(alias("a", "3")) }, store.ErrNotFound},
			{"a missing second version", func(tx *store.Tx) error {
				a := alias("live", "1")
				a.Other.Version = "3"
				return tx.ReplaceAlias(a)
			}, store.ErrNotFound},
			{"a missing alias", func(tx *store.Tx) error { return tx.ReplaceAlias(alias("a", "1")) }, store.ErrNotFound},
			{"deleting a missing alias", func(tx *store.Tx) error { return tx.DeleteAlias(keyOf("f"), "a") }, store.ErrNotFound},
		} {
			if err := db.Update(t.Context(), tt.do); !errors.Is(err, tt.want) {
				t.Errorf("%s: %v, want %v", tt.what, err, tt.want)
			}
		}
		update(t, db, func(tx *store.Tx) error { return tx.ReplaceAlias(alias("live", function.Latest)) })
		if got := list("1", "", 9); got != "" {
			t.Errorf("aliases of version 1 after the change: %q", got)
		}
	})
}

func TestPoliciesAndURLs(t *testing.T) {
	eachKind(t, func(t *testing.T, db *store.DB) {
		if err := db.Update(t.Context(), func(tx *store.Tx) error { return tx.InsertURL(functionURL("", "a")) }); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a URL of no function: %v", err)
		}
		withVersions(t, db)
		update(t, db, func(tx *store.Tx) error {
			return errors.Join(tx.InsertAlias(alias("live", "1")), tx.InsertPolicy(policy("")), tx.InsertPolicy(policy("live")),
				tx.InsertPolicy(policy("2")), tx.InsertURL(functionURL("", "id0")), tx.InsertURL(functionURL("live", "id1")))
		})
		p, err := db.Policy(t.Context(), ref("live"))
		if diff := cmp.Diff(policy("live"), p); diff != "" || err != nil {
			t.Errorf("policy (-want +got):\n%s%v", diff, err)
		}
		u, err := db.URL(t.Context(), ref(""))
		if diff := cmp.Diff(functionURL("", "id0"), u); diff != "" || err != nil {
			t.Errorf("URL (-want +got):\n%s%v", diff, err)
		}
		changed := functionURL("live", "id1")
		changed.CORS = nil
		update(t, db, func(tx *store.Tx) error { return tx.ReplaceURL(changed) })
		all, err := db.ListURLs(t.Context(), keyOf("f"), nil, 9)
		if diff := cmp.Diff([]*function.URL{functionURL("", "id0"), changed}, all); diff != "" || err != nil {
			t.Errorf("URLs (-want +got):\n%s%v", diff, err)
		}
		if all, err = db.ListURLs(t.Context(), keyOf("f"), new(""), 9); err != nil || len(all) != 1 {
			t.Errorf("URLs after the first: %v, %v", all, err)
		}

		// An alias takes its policy along, and leaves its URL; so does a version.
		update(t, db, func(tx *store.Tx) error {
			return errors.Join(tx.DeleteAlias(keyOf("f"), "live"), tx.DeleteVersion(keyOf("f"), "2"))
		})
		for _, q := range []string{"live", "2"} {
			if _, err := db.Policy(t.Context(), ref(q)); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("policy of %s: %v", q, err)
			}
		}
		if _, err := db.URL(t.Context(), ref("live")); err != nil {
			t.Errorf("the URL went with its alias: %v", err)
		}
	})
}

// TestDeletedFunctionsLeaveNothing: a function made again has nothing of the
// earlier one, and the feed has told of every record.
func TestDeletedFunctionsLeaveNothing(t *testing.T) {
	db := open(t, "")
	withVersions(t, db)
	update(t, db, func(tx *store.Tx) error {
		return errors.Join(tx.InsertAlias(alias("live", "1")), tx.InsertPolicy(policy("")), tx.InsertURL(functionURL("live", "id1")))
	})
	var told store.Changes
	defer db.Subscribe(func(c store.Changes) { told = c })()
	update(t, db, func(tx *store.Tx) error { return tx.DeleteFunction(keyOf("f")) })
	want := store.Changes{
		Versions: []store.Change[function.Version]{{Ref: ref("$LATEST")}, {Ref: ref("1")}, {Ref: ref("2")}},
		Aliases:  []store.Change[function.Alias]{{Ref: ref("live")}},
		Policies: []store.Change[function.Policy]{{Ref: ref("")}},
		URLs:     []store.Change[function.URL]{{Ref: ref("live")}},
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	insert(t, db, version("f", function.Latest, "again"))
	_, aliasErr := db.Alias(t.Context(), keyOf("f"), "live")
	_, policyErr := db.Policy(t.Context(), ref(""))
	_, urlErr := db.URL(t.Context(), ref("live"))
	for _, err := range []error{aliasErr, policyErr, urlErr} {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("left behind: %v", err)
		}
	}
}
