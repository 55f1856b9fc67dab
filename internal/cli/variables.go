package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/lambhq/lamb/internal/project"
)

// readVariables are the function's variables: those of lamb.toml, then those of
// a file (.env in the project's folder if none is named), then those that were
// given one by one; later ones win. Nil when nobody gave any.
func readVariables(p *project.Project, file string, given []string) (map[string]string, error) {
	vars := maps.Clone(p.Settings.Environment)
	set := func(more map[string]string) {
		if len(more) > 0 && vars == nil {
			vars = make(map[string]string)
		}
		maps.Copy(vars, more)
	}
	path := file
	if path == "" {
		path = filepath.Join(p.Dir, ".env")
	}
	text, err := os.ReadFile(path)
	switch {
	case err == nil:
		more, err := parseVariables(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		set(more)
	case file != "" || !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	for _, kv := range given {
		k, v, ok := strings.Cut(kv, "=")
		if !ok || k == "" {
			return nil, usageError{fmt.Errorf("--env %q: use NAME=VALUE", kv)}
		}
		set(map[string]string{k: v})
	}
	return vars, nil
}

// parseVariables reads the lines of an .env file: NAME=VALUE, comments, an
// optional export in front, and quotes around a value. Between double quotes
// \n, \" and \\ are characters.
func parseVariables(text string) (map[string]string, error) {
	vars := make(map[string]string)
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimPrefix(strings.TrimSpace(line), "export ")
		if line == "" || line[0] == '#' {
			continue
		}
		k, v, ok := strings.Cut(line, "=")
		k = strings.TrimSpace(k)
		if !ok || k == "" {
			return nil, fmt.Errorf("line %d: expected NAME=VALUE", n)
		}
		v, err := unquote(strings.TrimSpace(v))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		vars[k] = v
	}
	return vars, nil
}

var escapes = strings.NewReplacer(`\n`, "\n", `\"`, `"`, `\\`, `\`)

func unquote(v string) (string, error) {
	if v == "" || v[0] != '"' && v[0] != '\'' {
		if i := strings.Index(v, " #"); i >= 0 {
			v = strings.TrimSpace(v[:i])
		}
		return v, nil
	}
	if len(v) < 2 || v[len(v)-1] != v[0] {
		return "", errors.New("the quote does not end")
	}
	inner := v[1 : len(v)-1]
	if v[0] == '"' {
		inner = escapes.Replace(inner)
	}
	return inner, nil
}
