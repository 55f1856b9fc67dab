package cli

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lambhq/lamb/internal/pack"
	"github.com/lambhq/lamb/internal/project"
)

func TestSyntaxCheck(t *testing.T) {
	for _, tt := range []struct {
		language            project.Language
		program, extension  string
		good, bad, vendored string
		says                string
	}{
		{project.Python, "python3", ".py", "def handler(e, c): return 1\n", "def handler(:\n", "print 'old'\n", "SyntaxError"},
		{project.Node, "node", ".mjs", "export const handler = async () => 1;\n", "export const handler = (;\n", "nonsense here\n", "SyntaxError"},
	} {
		t.Run(string(tt.language), func(t *testing.T) {
			interpreter, err := exec.LookPath(tt.program)
			if err != nil {
				t.Skip(err)
			}
			dir := t.TempDir()
			p := &project.Project{Language: tt.language, Handler: "app.handler"}
			s := &syntaxCheck{interpreter: func(context.Context, string) (string, error) { return interpreter, nil }}
			check := func(app, lib string) error {
				t.Helper()
				var files []pack.File
				for name, text := range map[string]string{"app": app, "lib/x": lib} {
					name += tt.extension
					at := filepath.Join(dir, filepath.FromSlash(name))
					if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(text), 0o644)); err != nil {
						t.Fatal(err)
					}
					files = append(files, pack.File{Name: name, Path: at})
				}
				return s.run(t.Context(), p, files)
			}
			if err := check(tt.good, tt.vendored); err != nil {
				t.Errorf("what came with a package is read: %v", err)
			}
			for what, sources := range map[string][2]string{"the handler": {tt.bad, tt.vendored}, "what was edited": {tt.good, tt.bad}} {
				build := (*project.BuildError)(nil)
				if err := check(sources[0], sources[1]); !errors.As(err, &build) || !strings.Contains(build.Output, tt.says) {
					t.Errorf("%s is wrong, and the check says %v", what, err)
				}
			}
			if err := check(tt.good, tt.good); err != nil {
				t.Errorf("all is well again, and the check says %v", err)
			}
			s.interpreter = func(context.Context, string) (string, error) { return "", errors.New("there is none") }
			if err := check(tt.bad, tt.good); err != nil {
				t.Errorf("without an interpreter: %v", err)
			}
		})
	}
}
