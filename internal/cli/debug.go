package cli

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lambhq/lamb/internal/pack"
	"github.com/lambhq/lamb/internal/project"
)

// The first ports of debuggers, of which the functions of one lamb dev take
// one after the other: those that editors try by themselves.
const (
	nodePort   = 9229
	pythonPort = 5678
)

// debugVariables are a function's variables with those that make it listen for
// a debugger, and how that is attached.
func (d *devFunction) debugVariables(p *project.Project, env map[string]string) (map[string]string, string, error) {
	env = maps.Clone(env)
	if env == nil {
		env = make(map[string]string)
	}
	switch p.Language {
	case project.Go:
		return env, "debug: dlv attach --waitfor ./" + p.Name + "   (then call it)", nil
	case project.Node:
		port := nodePort + d.index
		wrapper, err := debugWrapper(d.aside, port, fromItsFolder(p)+"exec \"$@\"\n")
		if err != nil {
			return nil, "", err
		}
		env[wrapperVariable] = wrapper
		env["NODE_OPTIONS"] = fmt.Sprintf("--inspect=127.0.0.1:%d %s", port, env["NODE_OPTIONS"])
		return env, fmt.Sprintf("debug: node inspect 127.0.0.1:%d   (after the first call)", port), nil
	case project.Python:
		port := pythonPort + d.index
		wrapper, err := debugWrapper(d.aside, port, fromItsFolder(p)+withDebugpy(port))
		if err != nil {
			return nil, "", err
		}
		env[wrapperVariable] = wrapper
		return env, fmt.Sprintf("debug: debugpy at 127.0.0.1:%d   (after the first call)", port), nil
	}
	return env, "", nil
}

// underItsName gives a built function a name that a debugger can wait for:
// the bootstrap only starts the program, whose command line begins with
// "./NAME", unlike that of any other function.
func underItsName(files []pack.File, name string) []pack.File {
	files = slices.Clone(files)
	script := []byte("#!/bin/sh\ncd \"$LAMBDA_TASK_ROOT\" && exec './" + name + "'\n")
	for i := range files {
		if files[i].Name == project.Bootstrap {
			files[i].Name = name
		}
	}
	return pack.Merge(files, []pack.File{{Name: project.Bootstrap, Data: script, Size: int64(len(script)), Executable: true}})
}

// wrapperVariable names the script that starts a managed runtime's interpreter.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html
const wrapperVariable = "AWS_LAMBDA_EXEC_WRAPPER"

// debugWrapper is an executable script in a folder.
func debugWrapper(dir string, port int, text string) (string, error) {
	script := filepath.Join(dir, fmt.Sprintf("%d.sh", port))
	return script, os.WriteFile(script, []byte("#!/bin/sh\n"+text), 0o755)
}

// fromItsFolder has a function's code run from the project's folder, not from
// the copy that serves: breakpoints are set in the files that are edited.
func fromItsFolder(p *project.Project) string {
	return "export LAMBDA_TASK_ROOT='" + strings.ReplaceAll(p.Dir, "'", `'\''`) + "'\ncd \"$LAMBDA_TASK_ROOT\" || exit\n"
}

// withDebugpy starts Python with debugpy listening, or as it is where there is
// none.
func withDebugpy(port int) string {
	return fmt.Sprintf(`python=$1
shift
if "$python" -c 'import debugpy' 2>/dev/null; then
  exec "$python" -m debugpy --listen 127.0.0.1:%d "$@"
fi
echo "there is no debugpy: $("$python" -c 'import os, sys; print(os.path.realpath(sys.executable))') -m pip install debugpy" >&2
exec "$python" "$@"
`, port)
}
