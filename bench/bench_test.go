package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/sandbox/process"
)

// TestMain lets this program be a floor, as the command is.
func TestMain(m *testing.M) {
	process.MaybeSupervise()
	if floorCommand(os.Args) {
		os.Exit(runFloor(os.Args[2:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// TestQuick runs every contest once, so that the measure cannot rot. It looks
// at no times.
func TestQuick(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go to build lamb with")
	}
	for _, c := range []struct{ name, sandbox, only string }{
		{"what works here", "auto", ""},
		{"without isolation", "process", "^warm$"},
	} {
		t.Run(c.name, func(t *testing.T) { testQuick(t, c.sandbox, c.only) })
	}
}

func testQuick(t *testing.T, sandbox, only string) {
	dir := t.TempDir()
	document := filepath.Join(dir, documentFile)
	if err := os.WriteFile(document, []byte("before\n"+beginMarker+"\nstale text\n"+endMarker+"\nafter\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	o := options{sandbox: sandbox, only: only, rounds: 1, quick: true, out: dir}
	var stdout, stderr bytes.Buffer
	if err := run(t.Context(), o, &stdout, &stderr); err != nil {
		t.Fatalf("run: %v\n%s", err, &stderr)
	}
	text, err := os.ReadFile(filepath.Join(dir, resultFile))
	if err != nil {
		t.Fatal(err)
	}
	var result Result
	if err := json.Unmarshal(text, &result); err != nil {
		t.Fatal(err)
	}
	if len(result.Rows) == 0 || !result.Quick || result.Machine.CPUs == 0 {
		t.Errorf("the result lacks something: %s", text)
	}
	written, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range result.Rows {
		if l.Lamb.Median < 0 || l.Lamb.Count == 0 || l.Unit == "" || l.Where == "" || (l.Target != "") != (l.Met != nil) {
			t.Errorf("line %+v lacks something", l)
		}
		if l.Floor != nil && (l.Floor.Median <= 0 || l.FloorWhat == "" || l.Ratio <= 0) {
			t.Errorf("line %+v lacks something of its floor", l)
		}
		for where, text := range map[string]string{"table": stdout.String(), "document": string(written)} {
			if !strings.Contains(text, l.What) {
				t.Errorf("the %s lacks the row %q", where, l.What)
			}
		}
	}
	if s := string(written); !strings.HasPrefix(s, "before\n") || !strings.HasSuffix(s, "\nafter\n") || strings.Contains(s, "stale text") {
		t.Errorf("the document is now:\n%s", s)
	}
	if t.Failed() {
		t.Logf("%s\n%s", &stdout, &stderr)
	}
}

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   Spread
	}{
		{[]float64{5}, Spread{5, 5, 5, 1}},
		{[]float64{3, 1, 2}, Spread{2, 1, 3, 3}},
		{[]float64{8, 7, 6, 5, 4, 3, 2, 1}, Spread{5, 3, 7, 8}},
		{[]float64{123456.7}, Spread{123500, 123500, 123500, 1}},
		{[]float64{0}, Spread{0, 0, 0, 1}},
	} {
		if diff := cmp.Diff(c.want, spread(c.values)); diff != "" {
			t.Errorf("spread(%v): -want +got\n%s", c.values, diff)
		}
	}
}

func TestTargets(t *testing.T) {
	for _, c := range []struct {
		target      target
		floor, lamb float64
		met         bool
		words       string
	}{
		{target{}, 1, 9, true, ""},
		{target{kind: ratioMax, limit: 0.9}, 100, 90, true, "≤ 0.9 × floor"},
		{target{kind: ratioMax, limit: 0.9}, 100, 91, false, "≤ 0.9 × floor"},
		{target{kind: ratioMax, limit: 1.5, extra: 100}, 200, 400, true, "≤ 1.5 × floor + 100 ms"},
		{target{kind: ratioMax, limit: 1.5, extra: 100}, 200, 401, false, "≤ 1.5 × floor + 100 ms"},
		{target{kind: ratioMin, limit: 0.7}, 100, 70, true, "≥ 0.7 × floor"},
		{target{kind: ratioMin, limit: 0.7}, 100, 69, false, "≥ 0.7 × floor"},
		{target{kind: extraMax, limit: 0.5}, 2, 2.5, true, "≤ floor + 0.5 ms"},
		{target{kind: extraMax, limit: 0.5}, 2, 2.6, false, "≤ floor + 0.5 ms"},
		{target{kind: figureMax, limit: 60}, 1000, 60, true, "≤ 60 ms"},
		{target{kind: figureMax, limit: 60}, 1000, 61, false, "≤ 60 ms"},
	} {
		if got := c.target.met(c.floor, c.lamb); got != c.met {
			t.Errorf("%+v on %v and %v: met %v", c.target, c.floor, c.lamb, got)
		}
		if got := c.target.describe("ms"); got != c.words {
			t.Errorf("%+v reads %q, want %q", c.target, got, c.words)
		}
	}
}
