package runtimes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/clock/clocktest"
)

// fakeInterpreter installs a program at path that answers lamb's question as
// an interpreter of a version would: a link to the test program, because a
// script would count as a version manager's wrapper. Each run leaves a byte in
// path + ".runs".
func fakeInterpreter(t *testing.T, path, version string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Link(self, path); err != nil {
		copyFile(t, self, path)
	}
	answer := version
	if version != "garbage" {
		prefix := filepath.Dir(filepath.Dir(path))
		answer = strings.Join([]string{"hello from a wrapper", "lamb", version, path, prefix, prefix, ""}, "\n")
	}
	writeTree(t, "/", map[string]string{path + ".says": answer})
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	src, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(dst, src); err != nil {
		t.Fatal(err)
	}
	if err := dst.Close(); err != nil {
		t.Fatal(err)
	}
}

// playInterpreter is the other side of fakeInterpreter.
func playInterpreter(path string) bool {
	says, err := os.ReadFile(path + ".says")
	if err != nil {
		return false
	}
	os.Stdout.Write(says)
	if len(os.Args) > 2 && !strings.Contains(os.Args[len(os.Args)-1], "lamb-") && os.Args[len(os.Args)-2] != compilePython {
		f, err := os.OpenFile(path+".runs", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err == nil {
			f.WriteString(".")
			f.Close()
		}
	}
	return true
}

func runs(path string) int {
	data, _ := os.ReadFile(path + ".runs") // none yet: no runs
	return len(data)
}

// tree is a home folder and a PATH with interpreters in it.
type tree struct {
	home     string
	resolver *Resolver
	options  Options
}

// newTree installs fake interpreters, given as paths below home, with PATH
// home/bin.
func newTree(t *testing.T, interpreters map[string]string, change func(*Options)) *tree {
	t.Helper()
	home, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for path, version := range interpreters {
		fakeInterpreter(t, filepath.Join(home, path), version)
	}
	opts := Options{
		Path:       []string{filepath.Join(home, "bin"), filepath.Join(home, ".pyenv/shims"), filepath.Join(home, "later"), "relative", filepath.Join(home, "missing")},
		Dir:        filepath.Join(home, "data"),
		Home:       home,
		Getenv:     func(string) string { return "" },
		SystemDirs: []string{filepath.Join(home, "usr/bin")},
		Log:        slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&opts)
	}
	for id, path := range opts.Interpreters {
		opts.Interpreters[id] = filepath.Join(home, path)
	}
	return &tree{home, New(opts), opts}
}

func TestResolveChoosesInterpreter(t *testing.T) {
	for _, c := range []struct {
		name       string
		have       map[string]string
		configured map[string]string
		shim       string // a wrapper at .pyenv/shims/<shim> that runs this interpreter
		ask        string
		want       string // path below home
		version    string
		warning    bool
		errText    string
	}{
		{name: "versioned name on PATH", ask: "python3.12", want: "bin/python3.12", version: "3.12.4",
			have: map[string]string{"bin/python3.12": "3.12.4", "bin/python3": "3.13.0", "bin/python3-config": "3.12.0"}},
		{name: "plain name on PATH", ask: "python3.13", want: "bin/python3", version: "3.13.0",
			have: map[string]string{"bin/python3.12": "3.12.4", "bin/python3": "3.13.0"}},
		{name: "name that lies", ask: "python3.12", want: "usr/bin/python3", version: "3.12.9",
			have: map[string]string{"bin/python3.12": "3.11.4", "usr/bin/python3": "3.12.9"}},
		{name: "newest patch of pyenv", ask: "python3.12", want: ".pyenv/versions/3.12.11/bin/python3", version: "3.12.11",
			have: map[string]string{".pyenv/versions/3.12.9/bin/python3": "3.12.9", ".pyenv/versions/3.12.11/bin/python3": "3.12.11", ".pyenv/versions/3.9.1/bin/python3": "3.9.1"}},
		{name: "uv, asdf and mise", ask: "python3.11", want: ".local/share/uv/python/cpython-3.11.9-linux-x86_64-gnu/bin/python3", version: "3.11.9",
			have: map[string]string{".local/share/uv/python/cpython-3.11.9-linux-x86_64-gnu/bin/python3": "3.11.9", ".asdf/installs/python/3.11.2/bin/python3": "3.11.2", ".local/share/mise/installs/python/3.11.3/bin/python3": "3.11.3"}},
		{name: "wrapper leads to the real one", ask: "python3.10", want: "opt/py/bin/python3", version: "3.10.2", shim: "opt/py/bin/python3",
			have: map[string]string{"opt/py/bin/python3": "3.10.2"}},
		{name: "real one before its wrapper", ask: "python3.10", want: "usr/bin/python3.10", version: "3.10.1", shim: "opt/py/bin/python3",
			have: map[string]string{"opt/py/bin/python3": "3.10.2", "usr/bin/python3.10": "3.10.1"}},
		{name: "managers stand where their wrappers do", ask: "python3.11", want: ".pyenv/versions/3.11.7/bin/python3", version: "3.11.7",
			have: map[string]string{"later/python3.11": "3.11.2", ".pyenv/versions/3.11.7/bin/python3": "3.11.7", "bin/python3.12": "3.12.4"}},
		{name: "before the wrappers", ask: "python3.11", want: "bin/python3.11", version: "3.11.2",
			have: map[string]string{"bin/python3.11": "3.11.2", ".pyenv/versions/3.11.7/bin/python3": "3.11.7"}},
		{name: "next newer", ask: "python3.11", want: "bin/python3.12", version: "3.12.4", warning: true,
			have: map[string]string{"bin/python3.10": "3.10.1", "bin/python3.12": "3.12.4", "bin/python3.13": "3.13.0"}},
		{name: "newest older", ask: "python3.13", want: "bin/python3.10", version: "3.10.1", warning: true,
			have: map[string]string{"bin/python3.9": "3.9.1", "bin/python3.10": "3.10.1"}},
		{name: "nearest that works", ask: "python3.11", want: "bin/python3.13", version: "3.13.0", warning: true,
			have: map[string]string{"bin/python3.12": "garbage", "bin/python3.13": "3.13.0", "bin/python": "2.7.18"}},
		{name: "too old for the program", ask: "python3.12", have: map[string]string{"bin/python3": "3.7.1", "bin/python": "2.7.18"},
			errText: "no Python interpreter on this host: install Python 3.12 (for example with `pyenv install 3.12`) to run python3.12 functions"},
		{name: "none", ask: "nodejs22.x", errText: "no Node.js interpreter on this host: install Node.js 22 (for example with `nvm install 22`) to run nodejs22.x functions"},
		{name: "nvm and fnm", ask: "nodejs20.x", want: ".local/share/fnm/node-versions/v20.18.0/installation/bin/node", version: "20.18.0",
			have: map[string]string{".nvm/versions/node/v20.9.1/bin/node": "20.9.1", ".local/share/fnm/node-versions/v20.18.0/installation/bin/node": "20.18.0", "bin/node": "22.1.0"}},
		{name: "Node.js next newer", ask: "nodejs20.x", want: "bin/node", version: "22.1.0", warning: true,
			have: map[string]string{".nvm/versions/node/v18.9.1/bin/node": "18.9.1", "bin/node": "22.1.0"}},
		{name: "configured by identifier", ask: "python3.12", configured: map[string]string{"python3.12": "special/bin/python3", "python": "bin/python3.12"}, want: "special/bin/python3", version: "3.12.1",
			have: map[string]string{"bin/python3.12": "3.12.4", "special/bin/python3": "3.12.1"}},
		{name: "configured by family", ask: "python3.12", configured: map[string]string{"python": "special/bin/python3"}, want: "special/bin/python3", version: "3.9.1", warning: true,
			have: map[string]string{"bin/python3.12": "3.12.4", "special/bin/python3": "3.9.1"}},
		{name: "configured and missing", ask: "python3.12", configured: map[string]string{"python3.12": "gone"}, have: map[string]string{"bin/python3.12": "3.12.4"},
			errText: "the interpreter configured for python3.12, {home}/gone, cannot be used: stat {home}/gone: no such file or directory"},
		{name: "configured and unfit", ask: "python3.12", configured: map[string]string{"python": "bin/python2"}, have: map[string]string{"bin/python2": "2.7.18"},
			errText: "the interpreter configured for python, {home}/bin/python2, cannot be used: it is version 2.7.18"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := newTree(t, c.have, func(o *Options) { o.Interpreters = c.configured })
			if c.shim != "" {
				writeTree(t, tr.home, map[string]string{".pyenv/shims/python3": "#!/bin/sh\nexec " + tr.home + "/" + c.shim + " \"$@\"\n"})
			}
			rt, err := tr.resolver.Resolve(t.Context(), c.ask)
			if c.errText != "" {
				var e *Error
				if !errors.As(err, &e) || !errors.Is(err, ErrNotInstalled) || e.Error() != strings.ReplaceAll(c.errText, "{home}", tr.home) {
					t.Fatalf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := filepath.Join(rt.Lang, rt.Interpreter); got != filepath.Join(tr.home, c.want) || rt.Version != c.version {
				t.Errorf("%s of version %s, want %s of %s", got, rt.Version, c.want, c.version)
			}
			warning := ""
			switch {
			case c.warning && c.configured != nil:
				warning = tr.home + "/" + c.want + " is configured for python: " + c.ask + " functions run on Python " + c.version
			case c.warning && rt.Family == "nodejs":
				warning = "no Node.js 20 on this host: nodejs20.x functions run on Node.js " + c.version
			case c.warning:
				warning = "no Python " + strings.TrimPrefix(c.ask, "python") + " on this host: " + c.ask + " functions run on Python " + c.version
			}
			if rt.Exact == c.warning || rt.Warning != warning {
				t.Errorf("exact %v, warning %q, want %q", rt.Exact, rt.Warning, warning)
			}
			if info, err := os.Stat(filepath.Join(rt.Dir, rt.Program)); err != nil || info.Mode().Perm() != 0o444 {
				t.Errorf("program: %v %v", info, err)
			}
		})
	}
}

func TestResolveIdentifiers(t *testing.T) {
	r := newTree(t, nil, nil).resolver
	for id, want := range map[string]string{
		"provided": "", "provided.al2": "", "provided.al2023": "",
		"java21":     "lamb does not bring a Java runtime (java21); use provided.al2023 with a bootstrap program in the function's code",
		"dotnet8":    "lamb does not bring a .NET runtime (dotnet8); use provided.al2023 with a bootstrap program in the function's code",
		"ruby3.3":    "lamb does not bring a Ruby runtime (ruby3.3); use provided.al2023 with a bootstrap program in the function's code",
		"go1.x":      "lamb does not bring a go1.x runtime (go1.x); use provided.al2023 with a bootstrap program in the function's code",
		"python2.7":  "lamb does not bring a Python 2 runtime (python2.7); use provided.al2023 with a bootstrap program in the function's code",
		"nodejs4.3":  "lamb does not bring such an old Node.js runtime (nodejs4.3); use provided.al2023 with a bootstrap program in the function's code",
		"cobol\n1.x": `lamb does not know the runtime "cobol\n1.x"; use provided.al2023 with a bootstrap program in the function's code`,
		"":           `lamb does not know the runtime ""; use provided.al2023 with a bootstrap program in the function's code`,
	} {
		rt, err := r.Resolve(t.Context(), id)
		if want == "" {
			if err != nil || rt.Family != "provided" || rt.Lang+rt.Interpreter+rt.Dir+rt.Program != "" || !rt.Exact {
				t.Errorf("%s: %+v, %v", id, rt, err)
			}
		} else if !errors.Is(err, ErrNotSupported) || err.Error() != want {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func TestResolveRemembers(t *testing.T) {
	now := clocktest.New(time.Unix(1e9, 0))
	tr := newTree(t, nil, func(o *Options) { o.Clock = now })
	ask := func() (*Runtime, error) { return tr.resolver.Resolve(t.Context(), "python3.12") }
	if _, err := ask(); !errors.Is(err, ErrNotInstalled) {
		t.Fatal(err)
	}
	path := filepath.Join(tr.home, "bin/python3.12")
	fakeInterpreter(t, path, "3.12.1")
	if _, err := ask(); !errors.Is(err, ErrNotInstalled) {
		t.Fatal("a failure was forgotten at once:", err)
	}
	now.Advance(DefaultRetry)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, err := ask(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := runs(path); n != 1 {
		t.Errorf("the interpreter was asked %d times", n)
	}
	// Another interpreter takes its place.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	fakeInterpreter(t, filepath.Join(tr.home, "usr/bin/python3"), "3.13.1")
	if rt, err := ask(); err != nil || rt.Version != "3.13.1" || rt.Exact {
		t.Errorf("%+v, %v", rt, err)
	}
	// And the right version is installed.
	fakeInterpreter(t, filepath.Join(tr.home, ".pyenv/versions/3.12.2/bin/python3"), "3.12.2")
	if rt, err := ask(); err != nil || rt.Exact {
		t.Errorf("searched again at once: %+v, %v", rt, err)
	}
	now.Advance(DefaultInexact)
	if rt, err := ask(); err != nil || rt.Version != "3.12.2" {
		t.Errorf("%+v, %v", rt, err)
	}
}

func TestResolveGivesUp(t *testing.T) {
	// The wrapper waits for something that never comes, and so does its child.
	tr := newTree(t, nil, func(o *Options) { o.ProbeTimeout = 50 * time.Millisecond })
	writeTree(t, tr.home, map[string]string{".pyenv/shims/python3": "#!/bin/sh\nsleep 30 &\nsleep 30\n"})
	if _, err := tr.resolver.Resolve(t.Context(), "python3.12"); !errors.Is(err, ErrNotInstalled) {
		t.Error(err)
	}
	// A caller who gave up is not a finding about the host.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tr.resolver.Resolve(ctx, "python3.11"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	fakeInterpreter(t, filepath.Join(tr.home, "bin/python3.11"), "3.11.1")
	tr.resolver.opts.ProbeTimeout = runLimit
	if _, err := tr.resolver.Resolve(t.Context(), "python3.11"); err != nil {
		t.Error(err)
	}
}

func TestUnpackReplacesDamage(t *testing.T) {
	tr := newTree(t, map[string]string{"bin/node": "20.1.0"}, nil)
	rt, err := tr.resolver.Resolve(t.Context(), "nodejs20.x")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(rt.Dir, rt.Program)
	want, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(program); err != nil {
		t.Fatal(err)
	}
	writeTree(t, "/", map[string]string{program: "cut"})
	again, err := New(tr.options).Resolve(t.Context(), "nodejs20.x")
	if err != nil || again.Dir != rt.Dir {
		t.Fatalf("%+v, %v", again, err)
	}
	if got, err := os.ReadFile(program); err != nil || string(got) != string(want) {
		t.Errorf("%q, %v", got, err)
	}
	left, err := filepath.Glob(filepath.Join(tr.options.Dir, ".new-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// The bytecode that is unpacked with the program is what the interpreter uses.
func TestPythonProgramIsCompiled(t *testing.T) {
	t.Parallel()
	rt := newestPython(t)
	compiled, err := filepath.Glob(filepath.Join(rt.Dir, "_lamb/__pycache__", fmt.Sprintf("*.cpython-3%d.pyc", rt.actual)))
	if err != nil || len(compiled) != 10 {
		t.Errorf("%v, %v", compiled, err)
	}
}
