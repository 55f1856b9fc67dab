package runtimes

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// unknown is the series of a candidate whose name does not tell it.
const unknown = -1

// candidate is a file that may be an interpreter; nobody has run it yet.
type candidate struct {
	path   string
	series int     // by its name or its folder's, or unknown
	guess  version // as far as the folder's name tells it
	shim   bool    // a version manager's wrapper
}

// candidates lists what may be an interpreter, best first: PATH (a version
// manager's interpreters stand where its wrappers do), version managers, the
// platform's folders; the wrappers themselves last, because their version
// depends on settings elsewhere and the managers' folders hold the same ones.
func (r *Resolver) candidates(lang *language) []candidate {
	var found []candidate
	seen := map[string]bool{}
	add := func(c candidate) {
		if !seen[c.path] && isExecutable(c.path) && !opensDialog(c.path) {
			seen[c.path] = true
			c.shim = isShim(lang, c.path)
			found = append(found, c)
		}
	}
	addManaged := func() {
		for _, c := range r.managed(lang) {
			add(c)
		}
	}
	for _, dir := range r.opts.Path {
		if filepath.Base(dir) == "shims" {
			// Here the shell would run a manager's interpreter, with the
			// packages that its user has installed (boto3, say).
			addManaged()
		}
		for _, c := range inBin(lang, dir) {
			add(c)
		}
	}
	addManaged()
	for _, dir := range r.opts.SystemDirs {
		for _, c := range inBin(lang, dir) {
			add(c)
		}
	}
	sort.SliceStable(found, func(i, j int) bool { return !found[i].shim && found[j].shim })
	return found
}

// managed lists the interpreters in version managers' own folders, newest first.
func (r *Resolver) managed(lang *language) []candidate {
	var managed []candidate
	for _, pattern := range lang.managers(r.opts.Home, r.opts.Getenv) {
		paths, _ := filepath.Glob(pattern) // the patterns are ours and well-formed
		for _, p := range paths {
			managed = append(managed, managedCandidate(lang, p))
		}
	}
	sort.SliceStable(managed, func(i, j int) bool { return managed[j].guess.less(managed[i].guess) })
	return managed
}

// inBin finds interpreters by name in one folder; names with a version first.
func inBin(lang *language, dir string) []candidate {
	if !filepath.IsAbs(dir) {
		return nil // a relative PATH entry would depend on lamb's working folder
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil // PATH often names folders that do not exist
	}
	var found []candidate
	for _, e := range entries {
		m := lang.fileNames().FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		c := candidate{path: filepath.Join(dir, e.Name()), series: unknown}
		if m[1] != "" {
			c.series, _ = strconv.Atoi(m[1]) // three digits at most
		}
		found = append(found, c)
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return len(b.path) - len(a.path) })
	return found
}

// managedCandidate reads the version out of a path such as
// .../versions/3.12.1/bin/python3.
func managedCandidate(lang *language, path string) candidate {
	c := candidate{path: path, series: unknown}
	for dir := filepath.Dir(filepath.Dir(path)); dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		name := filepath.Base(dir)
		if v, ok := parseVersion(name); ok {
			c.guess, c.series = v, lang.series(v)
			return c
		}
		// fnm has one more folder, "installation", below the version's.
		if name != "installation" {
			return c
		}
	}
	return c
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

// opensDialog: without Apple's developer tools this program asks the person at
// the screen to install them. Where they are installed, Python is in their
// folder (see systemDirs).
func opensDialog(path string) bool {
	return runtime.GOOS == "darwin" && path == "/usr/bin/python3"
}

// isShim tells version managers' wrappers: they are scripts, are in a folder
// of shims, or are links to the manager's own program.
func isShim(lang *language, path string) bool {
	if filepath.Base(filepath.Dir(path)) == "shims" {
		return true
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return true
	}
	if filepath.Base(filepath.Dir(real)) == "shims" || !strings.HasPrefix(filepath.Base(real), lang.binary) {
		return true
	}
	f, err := os.Open(real)
	if err != nil {
		return true
	}
	defer f.Close()
	start := make([]byte, 2)
	_, err = io.ReadFull(f, start)
	return err != nil || bytes.Equal(start, []byte("#!"))
}

func pythonManagers(home string, getenv func(string) string) []string {
	data := dataHome(home, getenv)
	roots := []string{
		filepath.Join(or(getenv("PYENV_ROOT"), home, ".pyenv"), "versions/*"),
		filepath.Join(or(getenv("ASDF_DATA_DIR"), home, ".asdf"), "installs/python/*"),
		filepath.Join(or(getenv("MISE_DATA_DIR"), data, "mise"), "installs/python/*"),
		filepath.Join(or(getenv("UV_PYTHON_INSTALL_DIR"), data, "uv/python"), "cpython-*"),
	}
	if runtime.GOOS == "darwin" {
		roots = append(roots, "/opt/homebrew/opt/python@*", "/usr/local/opt/python@*",
			"/Library/Frameworks/Python.framework/Versions/3.*")
	}
	patterns := absolute(roots, "bin/python3")
	if runtime.GOOS == "darwin" { // Homebrew's versioned formulae have only versioned names
		patterns = append(patterns, "/opt/homebrew/opt/python@*/bin/python3.*[0-9]")
	}
	return patterns
}

func nodeManagers(home string, getenv func(string) string) []string {
	data := dataHome(home, getenv)
	roots := []string{
		filepath.Join(or(getenv("NVM_DIR"), home, ".nvm"), "versions/node/*"),
		filepath.Join(or(getenv("FNM_DIR"), data, "fnm"), "node-versions/*/installation"),
		filepath.Join(home, ".fnm/node-versions/*/installation"),
		filepath.Join(or(getenv("ASDF_DATA_DIR"), home, ".asdf"), "installs/nodejs/*"),
		filepath.Join(or(getenv("MISE_DATA_DIR"), data, "mise"), "installs/node/*"),
		filepath.Join(or(getenv("VOLTA_HOME"), home, ".volta"), "tools/image/node/*"),
		filepath.Join(or(getenv("NODENV_ROOT"), home, ".nodenv"), "versions/*"),
		filepath.Join(or(getenv("N_PREFIX"), "/usr/local", ""), "n/versions/node/*"),
	}
	if runtime.GOOS == "darwin" {
		roots = append(roots, "/opt/homebrew/opt/node@*", "/usr/local/opt/node@*")
	}
	return absolute(roots, "bin/node")
}

func dataHome(home string, getenv func(string) string) string {
	return or(getenv("XDG_DATA_HOME"), home, ".local/share")
}

// or is a configured folder, or the default one below base.
func or(configured, base, name string) string {
	if configured != "" {
		return configured
	}
	return filepath.Join(base, name)
}

// absolute appends bin to each root and drops relative ones, which an unknown
// home folder leaves.
func absolute(roots []string, bin string) []string {
	var patterns []string
	for _, root := range roots {
		if filepath.IsAbs(root) {
			patterns = append(patterns, filepath.Join(root, bin))
		}
	}
	return patterns
}

func systemDirs() []string {
	dirs := []string{"/usr/local/bin", "/usr/bin", "/bin"}
	if runtime.GOOS == "darwin" {
		return append([]string{"/opt/homebrew/bin", "/Library/Developer/CommandLineTools/usr/bin"}, dirs...)
	}
	return append(dirs, "/home/linuxbrew/.linuxbrew/bin", "/snap/bin")
}
