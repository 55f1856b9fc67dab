package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestConform checks a runtime that ends at once, which breaks every rule.
func TestConform(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bootstrap")
	if err := os.WriteFile(bad, []byte("#!/bin/sh\necho no >&2\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	status := Main([]string{"conform", "runtime", "--only", "init/asks-for-an-event", "-v", bad}, &stdout, &stderr)
	for _, want := range []string{"broken   init/asks-for-an-event\n", "https://docs.aws.amazon.com/", "Runtime exited with error: exit status 3", "           no\n"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("no %q in\n%s", want, stdout.String())
		}
	}
	if status != 1 || stderr.Len() > 0 {
		t.Errorf("status %d, stderr %q", status, stderr.String())
	}

	stdout.Reset()
	status = Main([]string{"conform", "extension", "--only", "register/first", "--output", "json", bad}, &stdout, &stderr)
	var results []struct{ Name, Result string }
	if err := json.Unmarshal(stdout.Bytes(), &results); err != nil || status != 1 || len(results) != 1 || results[0].Result != "broken" {
		t.Errorf("status %d, %v, %s", status, err, stdout.String())
	}

	if status := Main([]string{"conform", "runtime", "--only", "nothing", bad}, &stdout, &stderr); status != 2 {
		t.Errorf("status %d for an unknown rule", status)
	}
	if status := Main([]string{"conform", "runtime", "./nowhere"}, &stdout, &stderr); status != 2 {
		t.Errorf("status %d for no program", status)
	}
}
