package scaffold

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestNew: every starting point passes its own test as it is.
func TestNew(t *testing.T) {
	for _, language := range Languages() {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			words := strings.Fields(TestCommand(language))
			if _, err := exec.LookPath(words[0]); err != nil {
				t.Skipf("no %s here", words[0])
			}
			dir := filepath.Join(t.TempDir(), "my-function")
			if err := New(dir, language); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), words[0], words[1:]...)
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			if err := New(dir, language); err == nil || !strings.Contains(err.Error(), "there already") {
				t.Errorf("a second time: %v", err)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	dir := t.TempDir()
	for name, language := range map[string]string{"ok": "cobol", "a b": "go", strings.Repeat("x", 65): "go"} {
		if err := New(filepath.Join(dir, name), language); err == nil {
			t.Errorf("%q in %s was made", name, language)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
