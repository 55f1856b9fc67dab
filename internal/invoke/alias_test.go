package invoke

import (
	"context"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/catalog"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/pool"
	"github.com/lambhq/lamb/internal/store"
)

// whichSlots notes which version an environment was wanted for.
type whichSlots struct{ asked *string }

func (s whichSlots) Acquire(_ context.Context, v *function.Version, _ string) (*pool.Slot, error) {
	*s.asked = v.Version
	return nil, errNoSandbox
}

// TestAliases: an alias runs its version, or the other one as often as its
// weight says, and both by name and by parameter.
func TestAliases(t *testing.T) {
	key := function.Key{Partition: "aws", Account: "000000000000", Region: "us-east-1", Name: "f"}
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "state.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }() // nothing to lose
	c, err := catalog.Load(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = db.Update(t.Context(), func(tx *store.Tx) error {
		for _, version := range []string{function.Latest, "1", "2"} {
			v := &function.Version{Key: key, Version: version, RevisionID: version, State: function.StateActive}
			if err := tx.Insert(v); err != nil {
				return err
			}
		}
		return tx.InsertAlias(&function.Alias{
			Key: key, Name: "live", RevisionID: "r", Version: "1", Other: function.WeightedVersion{Version: "2", Weight: 0.25},
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	random, asked := 0.0, ""
	s := New(Config{Catalog: c, Slots: whichSlots{&asked}, Random: func() float64 { return random }})
	for _, tt := range []struct {
		name, qualifier string
		random          float64
		want            string
	}{
		{"f", "live", 0.24, "2"}, {"f", "live", 0.25, "1"}, {"f:live", "", 0.99, "1"}, {"f:live", "live", 0, "2"},
		{key.ARN() + ":live", "", 0.5, "1"}, {"f", "2", 0.5, "2"}, {"f", "", 0.1, "$LATEST"},
	} {
		random, asked = tt.random, ""
		in := &api.InvocationRequest{FunctionName: &tt.name}
		if tt.qualifier != "" {
			in.Qualifier = &tt.qualifier
		}
		if status, _, _ := post(t, s, in); status != http.StatusInternalServerError || asked != tt.want {
			t.Errorf("%s with qualifier %q at %v: status %d, version %q, want %q", tt.name, tt.qualifier, tt.random, status, asked, tt.want)
		}
	}
	name := "f:other"
	if status, _, body := post(t, s, &api.InvocationRequest{FunctionName: &name}); status != http.StatusNotFound ||
		body["Message"] != "Function not found: "+key.ARN()+":other" {
		t.Errorf("missing alias: %d %v", status, body)
	}
}
