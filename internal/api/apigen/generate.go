package main

import (
	"bytes"
	"embed"
	"fmt"
	"go/format"
	"strings"
	"text/template"
)

//go:embed templates/*.tmpl
var templates embed.FS

// Generate renders every template to a file: templates/types.tmpl becomes
// types_gen.go, and
// templates/errors_test.tmpl becomes errors_gen_test.go. The contents are formatted.
func Generate(m *Model) (map[string][]byte, error) {
	v, err := newView(m)
	if err != nil {
		return nil, err
	}
	t, err := template.New("").Funcs(template.FuncMap{
		"quote": func(s string) string { return fmt.Sprintf("%q", s) },
		"join":  strings.Join,
	}).ParseFS(templates, "templates/*.tmpl")
	if err != nil {
		return nil, err
	}
	files := make(map[string][]byte)
	for _, part := range t.Templates() {
		name, ok := strings.CutSuffix(part.Name(), ".tmpl")
		if !ok {
			continue // a {{define}} inside a file
		}
		var b bytes.Buffer
		if err := part.Execute(&b, v); err != nil {
			return nil, err
		}
		src, err := format.Source(b.Bytes())
		if err != nil {
			return nil, fmt.Errorf("%s gives broken Go: %w\n%s", part.Name(), err, b.Bytes())
		}
		file := name + "_gen.go"
		if base, ok := strings.CutSuffix(name, "_test"); ok {
			file = base + "_gen_test.go"
		}
		files[file] = src
	}
	return files, nil
}
