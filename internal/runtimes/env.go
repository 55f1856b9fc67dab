package runtimes

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lambhq/lamb/internal/sandbox"
)

// maxNpmrc bounds what is read of a user's npm settings.
const maxNpmrc = 64 << 10

// Env returns the language's default variables, "K=V", for a sandbox that
// shows its folders at p; a function's own variables of the same names win.
// TZ and the AWS_* and LAMBDA_* variables are the caller's.
func (rt *Runtime) Env(p sandbox.Paths) []string {
	env := []string{
		"LANG=en_US.UTF-8",
		"PATH=" + join(under(p.Lang, "bin"), "/usr/local/bin", "/usr/bin/", "/bin", under(p.Opt, "bin")),
		"LD_LIBRARY_PATH=" + rt.libraryPath(p),
	}
	switch rt.Family {
	case python.family:
		env = append(env, rt.pythonEnv(p)...)
	case nodejs.family:
		env = append(env, "NODE_PATH="+rt.nodePath(p))
	}
	return env
}

// libraryPath is AWS's where the sandbox looks like AWS's. On the host's own
// file system the function's folders are enough: naming the host's library
// folders could only change what its programs load.
func (rt *Runtime) libraryPath(p sandbox.Paths) string {
	own := []string{p.Runtime, under(p.Runtime, "lib"), p.Task, under(p.Task, "lib"), under(p.Opt, "lib")}
	if p.Task != "/var/task" || (rt.Lang != "" && p.Lang != "/var/lang") {
		return join(own[2:]...)
	}
	if rt.Lang == "" { // provided.*
		return join(append([]string{"/lib64", "/usr/lib64"}, own...)...)
	}
	return join(append([]string{"/var/lang/lib", "/lib64", "/usr/lib64"}, own...)...)
}

func (rt *Runtime) pythonEnv(p sandbox.Paths) []string {
	env := []string{"PYTHONPATH=" + p.Runtime}
	if rt.series >= 12 {
		env = append(env, "LC_CTYPE=C.UTF-8")
	}
	// The runtime program takes these two out of the environment again.
	if p.Opt != "" && p.Opt != "/opt" {
		env = append(env, "LAMB_OPT_DIR="+p.Opt)
	}
	if len(rt.sdkPaths) > 0 {
		env = append(env, "LAMB_SDK_PATH="+join(rt.sdkPaths...))
	}
	return env
}

func (rt *Runtime) nodePath(p sandbox.Paths) string {
	dirs := []string{under(p.Opt, fmt.Sprintf("nodejs/node%d/node_modules", rt.series))}
	if rt.actual != rt.series {
		dirs = append(dirs, under(p.Opt, fmt.Sprintf("nodejs/node%d/node_modules", rt.actual)))
	}
	dirs = append(dirs, under(p.Opt, "nodejs/node_modules"), under(p.Runtime, "node_modules"), p.Runtime, p.Task)
	for _, dir := range rt.sdkPaths {
		// What belongs to the interpreter's installation is where that is.
		if rel, err := filepath.Rel(rt.Lang, dir); err == nil && filepath.IsLocal(rel) && p.Lang != "" {
			dir = filepath.Join(p.Lang, rel)
		}
		dirs = append(dirs, dir)
	}
	return join(dirs...)
}

// sdkPaths are the host folders where functions find SDKs that they do not
// bring: --sdk-dir, else what was installed with the host's own tools.
func (r *Resolver) sdkPaths(lang *language, found *interpreter) []string {
	var dirs []string
	if lang == python {
		if r.opts.SDKDir != "" {
			dirs = append(dirs, filepath.Join(r.opts.SDKDir, "python"))
		}
		if found.venv != "" { // the base interpreter does not look there
			dirs = append(dirs, filepath.Join(found.venv, "lib", fmt.Sprintf("python%d.%d", found.version.major, found.version.minor), "site-packages"))
		}
		return existing(dirs)
	}
	if r.opts.SDKDir != "" {
		return existing([]string{filepath.Join(r.opts.SDKDir, "nodejs", "node_modules")})
	}
	// npm root -g, without the half second that npm takes.
	for _, prefix := range []string{r.opts.Getenv("NPM_CONFIG_PREFIX"), r.npmrcPrefix(), found.prefix, "/usr/local"} {
		if prefix != "" {
			dirs = append(dirs, filepath.Join(prefix, "lib", "node_modules"))
		}
	}
	return existing(dirs)
}

// npmrcPrefix is the prefix that the user's .npmrc sets, or empty.
func (r *Resolver) npmrcPrefix() string {
	if r.opts.Home == "" {
		return ""
	}
	f, err := os.Open(filepath.Join(r.opts.Home, ".npmrc"))
	if err != nil {
		return "" // most users have none
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, maxNpmrc))
	for lines.Scan() {
		key, value, ok := strings.Cut(lines.Text(), "=")
		if !ok || strings.TrimSpace(key) != "prefix" {
			continue
		}
		value = strings.Trim(strings.TrimSpace(value), `"'`)
		for _, home := range []string{"~/", "${HOME}/", "$HOME/"} {
			if rest, ok := strings.CutPrefix(value, home); ok {
				value = filepath.Join(r.opts.Home, rest)
			}
		}
		if filepath.IsAbs(value) {
			return value
		}
	}
	return ""
}

// existing keeps the folders that are there, each once.
func existing(dirs []string) []string {
	var kept []string
	for _, dir := range dirs {
		abs, err := filepath.Abs(dir)
		if err != nil || slices.Contains(kept, abs) {
			continue
		}
		if info, err := os.Stat(abs); err == nil && info.IsDir() {
			kept = append(kept, abs)
		}
	}
	return kept
}

// under is a path below a folder, or empty where there is no such folder.
func under(dir, name string) string {
	if dir == "" {
		return ""
	}
	return dir + "/" + name
}

// join makes a search path of the parts that are not empty: an empty part
// would mean the working folder.
func join(parts ...string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(parts), func(s string) bool { return s == "" }), ":")
}
