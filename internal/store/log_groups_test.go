package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

func TestLogGroups(t *testing.T) {
	eachKind(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		g := &store.LogGroup{
			Scope: scope, Name: "/aws/lambda/f", Created: time.UnixMilli(1760000000123).UTC(), RetentionDays: 7,
			KMSKeyID: "k", Class: "STANDARD", Tags: map[string]string{"a": "b"},
		}
		elsewhere := *g
		elsewhere.Scope = function.Scope{Partition: "aws", Account: "000000000000", Region: "eu-west-1"}
		for _, group := range []*store.LogGroup{g, &elsewhere} {
			if err := db.PutLogGroup(ctx, group); err != nil {
				t.Fatal(err)
			}
		}
		g.RetentionDays, g.Tags = 0, nil
		if err := db.PutLogGroup(ctx, g); err != nil {
			t.Fatal(err)
		}
		got, err := db.LogGroup(ctx, scope, g.Name)
		if diff := cmp.Diff(g, got); diff != "" || err != nil {
			t.Errorf("log group (-want +got):\n%s%v", diff, err)
		}
		list, err := db.ListLogGroups(ctx, scope)
		if diff := cmp.Diff([]*store.LogGroup{g}, list); diff != "" || err != nil {
			t.Errorf("log groups (-want +got):\n%s%v", diff, err)
		}
		n := 0
		if err := db.EachLogGroup(ctx, func(*store.LogGroup) error { n++; return nil }); err != nil || n != 2 {
			t.Errorf("%d log groups in all scopes, %v", n, err)
		}
		if err := db.DeleteLogGroup(ctx, scope, g.Name); err != nil {
			t.Error(err)
		}
		if err := db.DeleteLogGroup(ctx, scope, g.Name); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("deleted twice: %v", err)
		}
		if _, err := db.LogGroup(ctx, scope, g.Name); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a deleted group: %v", err)
		}
	})
}
