//go:build unix

package sandboxtest

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/lambhq/lamb/internal/sandbox"
)

func (s *suite) environment(t *testing.T) {
	k := newKit(t, s.newProvider(t), "a", nil)
	t.Setenv("LAMB_SECRET", "of the host")
	for _, env := range [][]string{
		{"Z=last letter first", "A=", "PATH=/bin", "UTF=ü\n=", "_=x", "AWS_LAMBDA_RUNTIME_API=" + k.Address()},
		{},
		nil,
	} {
		var out output
		p := k.program(&out, "environment")
		p.Env = env
		proc, err := k.Start(k.ctx, p)
		if err != nil {
			t.Fatal(err)
		}
		k.wait(proc)
		k.Flush()
		var want []string
		for _, kv := range env {
			want = append(want, fmt.Sprintf("%q", kv))
		}
		if got := out.stdout.lines(); !slices.Equal(got, want) {
			t.Errorf("environment\n%q\nwant\n%q", got, want)
		}
	}
}

func (s *suite) workingFolder(t *testing.T) {
	k := newKit(t, s.newProvider(t), "a", nil)
	if got := k.run("read:data.txt"); len(got) != 1 || got[0] != "task data.txt" {
		t.Errorf("the default working folder is not the task's: %q", got)
	}
	p := k.program(nil, "write:here=x")
	p.Dir = k.Paths().Tmp
	proc, err := k.Start(k.ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	k.wait(proc)
	if got := k.run("read:" + k.Paths().Tmp + "/here"); len(got) != 1 || got[0] != "x" {
		t.Errorf("Dir is not the working folder: %q", got)
	}
}

func (s *suite) stdin(t *testing.T) {
	k := newKit(t, s.newProvider(t), "a", nil)
	if got := k.run("stdin"); len(got) != 1 || got[0] != "0" {
		t.Errorf("stdin is not empty: %q", got)
	}
}

// descriptors: a program has the standard three, whatever lamb has open.
func (s *suite) descriptors(t *testing.T) {
	inherited := map[string]bool{}
	open := func(name string) {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		// Not close-on-exec, as descriptors from the shell that started lamb.
		fd, err := syscall.Open(path, syscall.O_RDONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { syscall.Close(fd) })
		var st syscall.Stat_t
		if err := syscall.Fstat(fd, &st); err != nil {
			t.Fatal(err)
		}
		inherited[fmt.Sprint(uint64(st.Dev), " ", st.Ino)] = true
	}
	open("before the provider")
	k := newKit(t, s.newProvider(t), "a", nil)
	open("after it")
	lines := k.run("descriptors")
	if len(lines) < 3 {
		t.Fatalf("descriptors %q", lines)
	}
	for _, line := range lines {
		var fd int
		var dev, ino, kind uint64
		if _, err := fmt.Sscan(line, &fd, &dev, &ino, &kind); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		switch {
		case inherited[fmt.Sprint(dev, " ", ino)]:
			t.Errorf("descriptor %d is a file of lamb's", fd)
		case fd > 2 && (kind == syscall.S_IFSOCK || kind == syscall.S_IFIFO):
			t.Errorf("descriptor %d is a socket or a pipe", fd)
		}
	}
}

func (s *suite) paths(t *testing.T) {
	p := s.newProvider(t)
	folder := func(name string) string {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "data.txt"), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	a := newKit(t, p, "a", func(spec *sandbox.Spec) {
		spec.Opt, spec.Runtime, spec.Lang = folder("opt"), folder("runtime"), folder("lang")
	})
	in := a.Paths()
	got := a.run(
		"read:"+in.Task+"/data.txt", "read:"+in.Opt+"/data.txt",
		"read:"+in.Runtime+"/data.txt", "read:"+in.Lang+"/data.txt",
		"write:"+in.Tmp+"/mine=a", "read:"+in.Tmp+"/mine")
	if want := []string{"task data.txt", "opt", "runtime", "lang", "a"}; !slices.Equal(got, want) {
		t.Errorf("read %q, want %q", got, want)
	}
	b := newKit(t, p, "b", nil)
	if got := b.run("read:" + b.Paths().Tmp + "/mine"); len(got) != 1 || !strings.HasPrefix(got[0], "error:") {
		t.Errorf("a sandbox sees another's /tmp: %q", got)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{a.spec.Task, a.spec.Opt, a.spec.Runtime, a.spec.Lang} {
		if _, err := os.Stat(filepath.Join(dir, "data.txt")); err != nil {
			t.Errorf("closing the sandbox removed what it was made of: %v", err)
		}
	}
	if _, err := os.Stat(in.Tmp); !ownRoot(in) && !os.IsNotExist(err) {
		t.Errorf("closing the sandbox left its /tmp: %v", err)
	}
}

func (s *suite) maxFiles(t *testing.T) {
	if s.opts.Groups || runtime.GOOS != "linux" {
		t.Skip("this implementation does not limit open files")
	}
	p := s.newProvider(t)
	for _, limit := range []int{20, 1000} {
		k := newKit(t, p, fmt.Sprint("files-", limit), func(spec *sandbox.Spec) { spec.MaxFiles = limit })
		// A program that takes a while to look: the limit may come just after
		// its first instruction.
		if got := k.run("run:exit:0", "limits"); len(got) != 1 || got[0] != fmt.Sprint(limit) {
			t.Errorf("limit %q, want %d", got, limit)
		}
	}
}

// isolation holds what a fingerprint promises.
// ownRoot tells whether paths are of a root that is the sandbox's own: then
// they are AWS's. On the host's network there is one without isolation.
func ownRoot(p sandbox.Paths) bool { return p.Tmp == "/tmp" }

func (s *suite) isolation(t *testing.T) {
	p := s.newProvider(t)
	k := newKit(t, p, "a", nil)
	if !p.Fingerprint().Isolation && !ownRoot(k.Paths()) {
		t.Skip("the fingerprint promises no isolation")
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("of the host"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := k.run("read:" + secret); len(got) != 1 || !strings.HasPrefix(got[0], "error:") {
		t.Errorf("a function reads a file of the host: %q", got)
	}
	var out output
	proc := k.start(&out, "write:"+k.Paths().Task+"/new=x")
	if exit := k.wait(proc); exit == (sandbox.Exit{}) {
		t.Error("a function can write to its code")
	}
}

func (s *suite) listener(t *testing.T) {
	p := s.newProvider(t)
	a, b := newKit(t, p, "a", nil), newKit(t, p, "b", nil)
	for _, k := range []*kit{a, b} {
		heard := k.accept()
		word := "from-" + k.spec.ID
		k.run("dial:"+k.Address(), "tell:"+word, "hear:"+word)
		if got := <-heard; got != word+"\n" {
			t.Errorf("heard %q", got)
		}
	}
	if p.Fingerprint().Network == "host" && a.Address() == b.Address() {
		t.Error("two sandboxes have one address")
	}
}
