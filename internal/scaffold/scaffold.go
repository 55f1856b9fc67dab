// Package scaffold writes the starting point of a function: a folder that is
// run, tested and deployed without an edit.
package scaffold

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed files
var files embed.FS

// Languages are those that New knows.
func Languages() []string { return []string{"go", "python", "node", "bash"} }

// settings are the lines of lamb.toml that depend on the language.
var settings = map[string]string{
	"go":     "runtime = \"provided.al2023\"\n",
	"python": "runtime = \"python3.13\"\nhandler = \"app.handler\"\n",
	"node":   "runtime = \"nodejs22.x\"\nhandler = \"index.handler\"\n",
	"bash":   "runtime = \"provided.al2023\"\n",
}

// ignored is what a language's package does without.
var ignored = map[string]string{
	"go": "", "python": "test_*.py\nevent.json\n", "node": "*.test.mjs\nevent.json\n", "bash": "test.sh\nevent.json\n",
}

// How the starting point's own test is run.
var tests = map[string]string{
	"go": "go test", "python": "python3 -m unittest", "node": "node --test", "bash": "bash test.sh",
}

// TestCommand is how the test of a language's starting point is run in its
// folder.
func TestCommand(language string) string { return tests[language] }

// isName reports whether a function can be called that.
func isName(s string) bool {
	return len(s) >= 1 && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	})
}

// New makes the folder dir, whose last element is the function's name. It fails
// when something is there already, and leaves nothing half done.
func New(dir, language string) (err error) {
	name := filepath.Base(dir)
	switch {
	case !slices.Contains(Languages(), language):
		return fmt.Errorf("language %q: use one of %s", language, strings.Join(Languages(), ", "))
	case !isName(name):
		return fmt.Errorf("%q is no function's name: use up to 64 letters, digits, - and _", name)
	}
	if err := os.Mkdir(dir, 0o755); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already", dir)
	} else if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	root := path.Join("files", language)
	err = fs.WalkDir(files, root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return put(dir, strings.TrimPrefix(p, root+"/"), p, name)
	})
	if err != nil {
		return err
	}
	if err := put(dir, "event.json", "files/event.json", name); err != nil {
		return err
	}
	if text := ignored[language]; text != "" {
		if err := os.WriteFile(filepath.Join(dir, ".lambignore"), []byte(text), 0o644); err != nil {
			return err
		}
	}
	text := "# What lamb run, package and deploy need to know; see lamb deploy --help.\n" +
		"name = \"" + name + "\"\n" + settings[language] + "memory = 128\ntimeout = 3\n"
	return os.WriteFile(filepath.Join(dir, "lamb.toml"), []byte(text), 0o644)
}

// put writes one file. What Go would take for its own is stored with .txt.
func put(dir, to, from, name string) error {
	b, err := files.ReadFile(from)
	if err != nil {
		return err
	}
	text := strings.ReplaceAll(string(b), "{{name}}", name)
	mode := fs.FileMode(0o644)
	if strings.HasPrefix(text, "#!") {
		mode = 0o755
	}
	return os.WriteFile(filepath.Join(dir, strings.TrimSuffix(to, ".txt")), []byte(text), mode)
}
