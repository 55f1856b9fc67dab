package project

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lambhq/lamb/internal/pattern"
)

// Bootstrap is the name of the program that provided runtimes start.
const Bootstrap = "bootstrap"

// The runtimes of projects that name none. They are fixed, not this machine's:
// the same project must be the same function wherever it is deployed from.
const (
	defaultProvided = "provided.al2023"
	defaultPython   = "python3.13"
	defaultNode     = "nodejs22.x"
)

// detect finds the language, runtime and handler.
func (p *Project) detect() error {
	if p.File != "" {
		return p.detectFile()
	}
	names, err := filesIn(p.Dir)
	if err != nil {
		return err
	}
	has := func(suffix string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(n, suffix) })
	}
	wants := func(family string) bool {
		return p.Settings.Runtime == "" || strings.HasPrefix(p.Settings.Runtime, family)
	}
	switch {
	case wants("provided") && has(".go") && isProgram(p.Dir, names):
		p.Language, p.Runtime, p.Handler = Go, defaultProvided, Bootstrap
	case wants("provided") && slices.Contains(names, Bootstrap):
		p.Language, p.Runtime, p.Handler = Custom, defaultProvided, Bootstrap
	case wants("nodejs") && (slices.Contains(names, "package.json") || nodeEntry(names) != ""):
		return p.detectNode(names)
	case wants("python") && has(".py"):
		return p.detectPython(names)
	default:
		return p.unknown(names)
	}
	return nil
}

func (p *Project) unknown(names []string) error {
	if slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(n, ".go") }) {
		return fmt.Errorf("%s: %w: its Go files are no package main", p.Dir, ErrUnknown)
	}
	if r := p.Settings.Runtime; r != "" {
		return fmt.Errorf("%s: %w: %s has runtime = %q, and lamb builds functions of provided.*, python* and nodejs* from the files of their language", p.Dir, ErrUnknown, SettingsFile, r)
	}
	return fmt.Errorf("%s: %w: expected Go files of a package main, a bootstrap, a package.json or index.js, or Python files", p.Dir, ErrUnknown)
}

// filesIn are the names of the regular files in a folder, sorted.
func filesIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if info, err := os.Stat(filepath.Join(dir, e.Name())); err == nil && info.Mode().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

var packageMain = pattern.Lazy(`(?m)^package main\b`)

// isProgram reports whether Go files are of a package main.
func isProgram(dir string, names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		if !strings.HasSuffix(n, ".go") || strings.HasSuffix(n, "_test.go") {
			return false
		}
		b, err := os.ReadFile(filepath.Join(dir, n))
		return err == nil && packageMain().Match(b)
	})
}

// nodeEntries are where Node looks for a folder's module, in our order.
var nodeEntries = []string{"index.mjs", "index.js", "index.cjs", "handler.mjs", "handler.js", "app.mjs", "app.js"}

func nodeEntry(names []string) string {
	for _, n := range nodeEntries {
		if slices.Contains(names, n) {
			return n
		}
	}
	return ""
}

func (p *Project) detectNode(names []string) error {
	p.Language, p.Runtime = Node, defaultNode
	entry := nodeEntry(names)
	if b, err := os.ReadFile(filepath.Join(p.Dir, "package.json")); err == nil {
		var pkg struct{ Main string }
		if err := json.Unmarshal(b, &pkg); err != nil {
			return fmt.Errorf("package.json: %w", err)
		}
		if pkg.Main != "" {
			entry = filepath.ToSlash(filepath.Clean(pkg.Main))
		}
	}
	if entry == "" && p.Settings.Handler == "" {
		return fmt.Errorf(`%s: %w: give "main" in package.json, an index.js, or "handler" in %s`, p.Dir, ErrUnknown, SettingsFile)
	}
	p.Handler = strings.TrimSuffix(entry, filepath.Ext(entry)) + ".handler"
	return nil
}

// pythonFiles are where a handler usually is.
var pythonFiles = []string{"lambda_function.py", "app.py", "main.py", "handler.py", "function.py", "index.py"}

var pythonHandler = pattern.Lazy(`(?m)^(?:async[ \t]+)?(?:def[ \t]+(lambda_handler|handler)[ \t]*\(|(lambda_handler|handler)[ \t]*=)`)

func (p *Project) detectPython(names []string) error {
	p.Language, p.Runtime = Python, defaultPython
	if p.Settings.Handler != "" {
		return nil
	}
	var candidates []string
	for _, n := range append(slices.Clone(pythonFiles), names...) {
		if strings.HasSuffix(n, ".py") && slices.Contains(names, n) && !slices.Contains(candidates, n) {
			candidates = append(candidates, n)
		}
	}
	for _, n := range candidates {
		if name, err := pythonHandlerIn(filepath.Join(p.Dir, n)); err != nil || name != "" {
			p.Handler = strings.TrimSuffix(n, ".py") + "." + name
			return err
		}
	}
	return fmt.Errorf(`%s: %w: no Python file defines handler or lambda_handler; name it by "handler" in %s`, p.Dir, ErrUnknown, SettingsFile)
}

func pythonHandlerIn(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if m := pythonHandler().FindSubmatch(b); m != nil {
		return string(m[1]) + string(m[2]), nil
	}
	return "", nil
}

// detectFile is detect for a project that is one file.
func (p *Project) detectFile() error {
	base := filepath.Base(p.File)
	stem := strings.TrimSuffix(base, filepath.Ext(base))
	switch filepath.Ext(base) {
	case ".go":
		p.Language, p.Runtime, p.Handler = Go, defaultProvided, Bootstrap
	case ".py":
		name, err := pythonHandlerIn(p.File)
		if err != nil {
			return err
		}
		p.Language, p.Runtime, p.Handler = Python, defaultPython, stem+"."+first(name, "handler")
	case ".js", ".mjs", ".cjs":
		p.Language, p.Runtime, p.Handler = Node, defaultNode, stem+".handler"
	case ".zip":
		return p.detectZip()
	default:
		if !executable(p.File) {
			return fmt.Errorf("%s: %w: it is neither a source file, nor a zip, nor executable", p.File, ErrUnknown)
		}
		p.Language, p.Runtime, p.Handler = Custom, defaultProvided, Bootstrap
	}
	return nil
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&0o111 != 0
}

// detectZip looks at the names in a deployment package.
func (p *Project) detectZip() error {
	z, err := zip.OpenReader(p.File)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // who unpacks it refuses those
		return fmt.Errorf("%s: %w", p.File, err)
	}
	defer z.Close()
	var names []string
	for _, f := range z.File {
		if !strings.Contains(f.Name, "/") {
			names = append(names, f.Name)
		}
	}
	p.Language = Zipped
	switch entry := nodeEntry(names); {
	case slices.Contains(names, Bootstrap):
		p.Runtime, p.Handler = defaultProvided, Bootstrap
		return nil
	case entry != "":
		p.Runtime, p.Handler = defaultNode, strings.TrimSuffix(entry, filepath.Ext(entry))+".handler"
		return nil
	}
	for _, n := range pythonFiles {
		b, err := fs.ReadFile(z, n)
		if err != nil {
			continue
		}
		if m := pythonHandler().FindSubmatch(b); m != nil {
			p.Runtime, p.Handler = defaultPython, strings.TrimSuffix(n, ".py")+"."+string(bytes.Join(m[1:], nil))
			return nil
		}
	}
	if p.Settings.Runtime != "" && p.Settings.Handler != "" {
		return nil
	}
	return fmt.Errorf("%s: %w: the package has no bootstrap, index.js or lambda_function.py", p.File, ErrUnknown)
}
