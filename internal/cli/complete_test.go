package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestCompletion(t *testing.T) {
	for _, tt := range []struct {
		args string
		want []string
	}{
		{"new x --lang", []string{"go", "python", "node", "bash"}},
		{"deploy . --arch", []string{"x86_64", "arm64"}},
		{"package . --arch", []string{"x86_64", "arm64"}},
		{"deploy . --target", []string{"lamb", "aws"}},
		{"run . --sandbox", []string{"auto", "native", "process"}},
		{"dev . --network", []string{"private", "none", "host"}},
		{"serve --log-level", []string{"debug", "info", "warn", "error"}},
		{"serve --function-access", []string{"invoke", "full", "none"}},
		{"doctor --network", []string{"private", "none", "host"}},
		{"status --output", []string{"table", "json"}},
		{"conform runtime --output", []string{"table", "json"}},
	} {
		var stdout, stderr bytes.Buffer
		Main(append(append([]string{"__complete"}, strings.Fields(tt.args)...), ""), &stdout, &stderr)
		want := strings.Join(tt.want, "\n") + "\n:4\n" // and no files
		if got := stdout.String(); got != want {
			t.Errorf("lamb %s is completed by %q, want %q", tt.args, got, want)
		}
	}
}

func TestSince(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"90s": "2026-01-31T11:58:30Z", "1h": "2026-01-31T11:00:00Z", "2d": "2026-01-29T12:00:00Z", "1w": "2026-01-24T12:00:00Z",
		"2026-01-01T00:00:00Z": "2026-01-01T00:00:00Z", "": "", "5": "", "d": "", "-1h": "", "-2d": "", "99999999999d": "", "soon": "",
	} {
		var s since
		err := s.Set(text)
		if want == "" {
			if err == nil {
				t.Errorf("%q is taken for %v", text, s.from(now))
			}
			continue
		}
		if got := s.from(now).UTC().Format(time.RFC3339); err != nil || got != want {
			t.Errorf("%q is %s, %v; want %s", text, got, err, want)
		}
	}
}
