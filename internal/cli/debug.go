package cli

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"

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
func debugVariables(p *project.Project, env map[string]string, index int) (map[string]string, string, error) {
	env = maps.Clone(env)
	if env == nil {
		env = make(map[string]string)
	}
	switch p.Language {
	case project.Go, project.Custom:
		return env, "debug: dlv attach --waitfor bootstrap   (then call the function)", nil
	case project.Node:
		port := nodePort + index
		env["NODE_OPTIONS"] = fmt.Sprintf("--inspect=127.0.0.1:%d %s", port, env["NODE_OPTIONS"])
		return env, fmt.Sprintf("debug: node inspect 127.0.0.1:%d, or chrome://inspect   (after the first call)", port), nil
	case project.Python:
		port := pythonPort + index
		wrapper, err := debugpyWrapper(port)
		if err != nil {
			return nil, "", err
		}
		env["AWS_LAMBDA_EXEC_WRAPPER"] = wrapper
		return env, fmt.Sprintf("debug: attach debugpy to 127.0.0.1:%d   (after the first call; pip install debugpy)", port), nil
	}
	return env, "", nil
}

// debugpyWrapper is a script that starts Python with debugpy listening, or as
// it is where there is none.
func debugpyWrapper(port int) (string, error) {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("lamb-debugpy-%d", os.Getuid()))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	script := filepath.Join(dir, fmt.Sprintf("%d.sh", port))
	text := fmt.Sprintf(`#!/bin/sh
python=$1
shift
if "$python" -c 'import debugpy' 2>/dev/null; then
  exec "$python" -m debugpy --listen 127.0.0.1:%d "$@"
fi
echo "debugpy is not installed for $python: pip install debugpy" >&2
exec "$python" "$@"
`, port)
	return script, os.WriteFile(script, []byte(text), 0o755)
}
