package pack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// IgnoreFile is the file in a project's folder that says what stays out of
// its package.
const IgnoreFile = ".lambignore"

// alwaysIgnored is never part of a function: secrets, tools' own folders, and
// what the tools write. A later pattern with "!" brings it back.
const alwaysIgnored = `
.git/
.hg/
.svn/
.lamb/
/lamb.toml
/.lambignore
.env
.env.*
.DS_Store
__pycache__/
*.pyc
.venv/
.pytest_cache/
.mypy_cache/
.idea/
.vscode/
`

// Ignore says which files stay out of a package. Its patterns are those of
// .gitignore: one per line, "#" for comments, "*" and "?" within a name, "**"
// for any folders, a leading or inner slash binds a pattern to the folder of
// the file, a trailing one means folders only, and "!" brings back what an
// earlier pattern took out (but nothing below a folder that is out). The last
// pattern that matches counts. A nil Ignore takes nothing out.
type Ignore struct{ rules []ignoreRule }

type ignoreRule struct {
	parts   []string // of the pattern, "**" as itself
	folders bool     // matches folders only
	back    bool     // brings back
}

// ParseIgnore reads patterns. The error names the line that cannot be read.
func ParseIgnore(text string) (*Ignore, error) {
	g := &Ignore{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		if err := g.add(strings.TrimRight(line, " \t\r\n")); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	return g, nil
}

// ReadIgnore is what stays out of a package of the folder dir: what is never
// part of one, and what its .lambignore says.
func ReadIgnore(dir string) (*Ignore, error) {
	own, err := os.ReadFile(filepath.Join(dir, IgnoreFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	g, err := ParseIgnore(string(own))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", IgnoreFile, err)
	}
	always, err := ParseIgnore(alwaysIgnored)
	if err != nil {
		return nil, err
	}
	g.rules = append(always.rules, g.rules...)
	return g, nil
}

func (g *Ignore) add(line string) error {
	if line == "" || line[0] == '#' {
		return nil
	}
	var r ignoreRule
	if rest, ok := strings.CutPrefix(line, "!"); ok {
		r.back, line = true, rest
	}
	line = strings.TrimPrefix(line, `\`) // \# and \! are names
	if rest, ok := strings.CutSuffix(line, "/"); ok {
		r.folders, line = true, rest
	}
	anchored := strings.Contains(line, "/")
	r.parts = strings.Split(strings.TrimPrefix(line, "/"), "/")
	for _, part := range r.parts {
		if part == "" {
			return errors.New("an empty name in a pattern")
		}
		if _, err := path.Match(part, ""); err != nil {
			return fmt.Errorf("pattern %q: %w", part, err)
		}
	}
	if !anchored {
		r.parts = append([]string{"**"}, r.parts...)
	}
	g.rules = append(g.rules, r)
	return nil
}

// Matches reports whether a file or folder stays out. name is its path from the
// folder, with slashes. Whoever asks for a file has asked for its folders first.
func (g *Ignore) Matches(name string, folder bool) bool {
	if g == nil {
		return false
	}
	parts := strings.Split(name, "/")
	out := false
	for _, r := range g.rules {
		if (folder || !r.folders) && matchParts(r.parts, parts) {
			out = !r.back
		}
	}
	return out
}

// matchParts matches a pattern's parts with a path's; a trailing "**" means
// everything below, not the folder itself.
func matchParts(pattern, name []string) bool {
	for len(pattern) > 0 {
		if pattern[0] == "**" {
			if len(pattern) == 1 {
				return len(name) > 0
			}
			for i := range name {
				if matchParts(pattern[1:], name[i:]) {
					return true
				}
			}
			return false
		}
		if len(name) == 0 {
			return false
		}
		if ok, _ := path.Match(pattern[0], name[0]); !ok { // add has checked it
			return false
		}
		pattern, name = pattern[1:], name[1:]
	}
	return len(name) == 0
}
