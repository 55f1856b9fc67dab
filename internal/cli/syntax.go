package cli

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/lambhq/lamb/internal/pack"
	"github.com/lambhq/lamb/internal/project"
)

// syntaxCheck is the build of functions in Python and Node: whether their
// interpreter can read what was edited. The rest of a package, such as what was
// installed into it, is none of its business.
type syntaxCheck struct {
	// interpreter is the path of a runtime's.
	interpreter func(ctx context.Context, runtime string) (string, error)
	good        map[string]stamp // files that need no look, by path
}

// stamp changes when a file does.
type stamp struct {
	at   time.Time
	size int64
}

// mostEdited bounds how many files are taken for edited by hand.
const mostEdited = 50

// run returns a *project.BuildError for files that cannot be read.
func (s *syntaxCheck) run(ctx context.Context, p *project.Project, files []pack.File) error {
	extensions := map[project.Language][]string{project.Python: {".py"}, project.Node: {".mjs", ".js", ".cjs"}}[p.Language]
	stamps := make(map[string]stamp)
	var handler, edited []string
	for _, f := range files {
		if f.Path == "" || !slices.Contains(extensions, path.Ext(f.Name)) {
			continue
		}
		info, err := os.Stat(f.Path)
		if err != nil {
			return err
		}
		now := stamp{info.ModTime(), info.Size()}
		stamps[f.Path] = now
		switch {
		case isHandler(p, f.Name):
			handler = append(handler, f.Path)
		case s.good != nil && s.good[f.Path] != now:
			edited = append(edited, f.Path)
		}
	}
	if len(edited) > mostEdited {
		edited = nil
	}
	sources := append(handler, edited...)
	if len(sources) > 0 {
		interpreter, err := s.interpreter(ctx, p.Runtime)
		if err != nil {
			return nil // who calls the function is told, with what to install
		}
		if err := readSources(ctx, p.Language, interpreter, sources); err != nil {
			return err
		}
	}
	s.good = stamps
	return nil
}

// isHandler reports whether a file has the function's handler.
func isHandler(p *project.Project, name string) bool {
	i := strings.LastIndexByte(p.Handler, '.')
	if i < 0 {
		return false
	}
	module := p.Handler[:i]
	if p.Language == project.Python {
		module = strings.ReplaceAll(module, ".", "/")
	}
	return strings.TrimSuffix(name, path.Ext(name)) == module
}

// pythonReads has Python read files without running them.
const pythonReads = `import sys, traceback
for name in sys.argv[1:]:
    try:
        with open(name, "rb") as f:
            compile(f.read(), name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as e:
        sys.exit("".join(traceback.format_exception_only(type(e), e)))
`

func readSources(ctx context.Context, language project.Language, interpreter string, sources []string) error {
	runs := [][]string{append([]string{"-I", "-S", "-c", pythonReads}, sources...)}
	if language == project.Node {
		runs = nil
		for _, name := range sources { // it takes one at a time
			runs = append(runs, []string{"--check", name})
		}
	}
	for _, args := range runs {
		out, err := exec.CommandContext(ctx, interpreter, args...).CombinedOutput()
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && ctx.Err() == nil {
			return &project.BuildError{Output: string(out)}
		}
		if err != nil {
			return errors.Join(ctx.Err(), err)
		}
	}
	return nil
}
