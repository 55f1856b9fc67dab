package function

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRuns(t *testing.T) {
	kept := Kept{Tags: map[string]string{"a": "b"}, SourceDescription: "d"}
	v := &Version{Code: Code{SHA256: "new"}, Config: Config{Handler: "new", Kept: kept}}
	want := Content{Code: Code{SHA256: "new"}, Config: Config{Handler: "new"}}
	if diff := cmp.Diff(want, v.Runs()); diff != "" {
		t.Errorf("without an update in flight (-want +got):\n%s", diff)
	}

	v.Config.Kept.Serving = &Content{Code: Code{SHA256: "old"}, Config: Config{Handler: "old"}}
	want = Content{Code: Code{SHA256: "old"}, Config: Config{Handler: "old"}}
	if diff := cmp.Diff(want, v.Runs()); diff != "" {
		t.Errorf("during an update (-want +got):\n%s", diff)
	}
}

// Records are kept as JSON: what is absent must stay apart from what is empty.
func TestConfigAsJSON(t *testing.T) {
	for _, want := range []Config{
		{},
		{Environment: map[string]string{}, VPC: &VPC{SubnetIDs: []string{}}},
		{
			Environment: map[string]string{"A": ""},
			Kept: Kept{
				Serving: &Content{Code: Code{SHA256: "x"}, Config: Config{Environment: map[string]string{}}},
				Tags:    map[string]string{"k": "v"}, SourceDescription: "d",
			},
		},
	} {
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Config
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}
