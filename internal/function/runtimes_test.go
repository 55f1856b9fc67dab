package function

import (
	"regexp"
	"testing"
)

func TestRuntimes(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range runtimes {
		if seen[r.ID] {
			t.Errorf("%s is listed twice", r.ID)
		}
		seen[r.ID] = true
		if r.Family == "" || r.Version == "" {
			t.Errorf("%s lacks family or version", r.ID)
		}
		if got, ok := LookupRuntime(r.ID); !ok || got != r {
			t.Errorf("LookupRuntime(%q) = %+v, %v", r.ID, got, ok)
		}
	}
	for _, id := range LayerRuntimes()[len(runtimes):] {
		if seen[id] {
			t.Errorf("%s is a runtime of layers twice", id)
		}
		seen[id] = true
	}
	for _, r := range Runtimes() {
		if r.Support == Retired {
			t.Errorf("%s is retired and must not be offered", r.ID)
		}
	}
	for id, want := range map[string]Support{
		"nodejs26.x": Preview, "python3.15": Preview, "python3.13": Supported, "nodejs20.x": Deprecated,
		"provided.al2": Deprecated, "nodejs18.x": Retired, "python3.8": Retired, "go1.x": Retired, "provided": Retired,
	} {
		if r, ok := LookupRuntime(id); !ok || r.Support != want {
			t.Errorf("%s: %+v, %v, want support %d", id, r, ok, want)
		}
	}
	for _, id := range []string{"", "Python3.12", "nodejs99.x", "dotnet9"} {
		if r, ok := LookupRuntime(id); ok {
			t.Errorf("LookupRuntime(%q) = %+v", id, r)
		}
	}
}

func TestRuntimeVersionARN(t *testing.T) {
	a := RuntimeVersionARN("aws-cn", "cn-north-1", "python3.12")
	if !regexp.MustCompile(`^arn:aws-cn:lambda:cn-north-1::runtime:[0-9a-f]{64}$`).MatchString(a) {
		t.Errorf("ARN %q", a)
	}
	if a != RuntimeVersionARN("aws-cn", "cn-north-1", "python3.12") {
		t.Error("the same runtime must keep its ARN")
	}
	if a == RuntimeVersionARN("aws-cn", "cn-north-1", "python3.13") {
		t.Error("another runtime must have another ARN")
	}
}

func TestNewRevisionID(t *testing.T) {
	pattern := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]bool{}
	for range 1000 {
		id := NewRevisionID()
		if !pattern.MatchString(id) || seen[id] {
			t.Fatalf("revision id %q", id)
		}
		seen[id] = true
	}
}
