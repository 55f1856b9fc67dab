//go:build unix

package sandboxtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/lambhq/lamb/internal/sandbox"
)

// extraFiles: a program has the open files that it was given, in their order,
// and no others; the caller keeps its own.
func (s *suite) extraFiles(t *testing.T) {
	k := newKit(t, s.newProvider(t), "a", nil)
	files := make([]*os.File, sandbox.MaxExtraFiles+1)
	var want []string
	for i := range files {
		f, err := os.Create(filepath.Join(t.TempDir(), "extra"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		st := info.Sys().(*syscall.Stat_t)
		files[i] = f
		want = append(want, fmt.Sprint(3+i, uint64(st.Dev), st.Ino, syscall.S_IFREG))
	}
	for _, n := range []int{1, sandbox.MaxExtraFiles} {
		// Where others are kept too, those for log events and for lamb's own ends.
		for _, logs := range []int{0, 62} {
			var out output
			p := k.program(&out, fmt.Sprintf("log:%d=last", 2+n), "descriptors")
			p.ExtraFiles, p.LogDescriptor = files[:n], logs
			proc, err := k.Start(k.ctx, p)
			if err != nil {
				t.Fatal(err)
			}
			if exit := k.wait(proc); exit != (sandbox.Exit{}) {
				t.Fatalf("exit %s: %s", exit, out.stderr.String())
			}
			k.Flush()
			var got []string
			for _, line := range out.stdout.lines() {
				if fd, _, _ := strings.Cut(line, " "); len(fd) > 1 || fd > "2" {
					got = append(got, line)
				}
			}
			if len(got) < n || !slices.Equal(got[:n], want[:n]) {
				t.Errorf("descriptors %q, want first %q", got, want[:n])
			}
		}
	}
	for i, f := range files {
		var wrote [16]byte
		n, _ := f.ReadAt(wrote[:], 0) // io.EOF
		wantText := ""
		if i == 0 || i == sandbox.MaxExtraFiles-1 {
			wantText = "last\nlast\n"
		}
		if got := string(wrote[:n]); got != wantText {
			t.Errorf("file %d has %q, want %q", i, got, wantText)
		}
	}
	for name, given := range map[string]sandbox.Process{
		"too many": {ExtraFiles: files},
		"nil":      {ExtraFiles: []*os.File{nil}},
		"taken":    {ExtraFiles: files[:1], LogDescriptor: 3},
	} {
		p := k.program(nil, "exit:0")
		p.ExtraFiles, p.LogDescriptor = given.ExtraFiles, given.LogDescriptor
		if _, err := k.Start(k.ctx, p); err == nil {
			t.Errorf("%s: started", name)
		}
	}
}

// mounts: further folders, read-only unless they are to be writable.
func (s *suite) mounts(t *testing.T) {
	p := s.newProvider(t)
	fixed, open := t.TempDir(), t.TempDir()
	for _, dir := range []string{fixed, open} {
		if err := os.WriteFile(filepath.Join(dir, "data.txt"), []byte(filepath.Base(dir)), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o777); err != nil { // functions are other users
			t.Fatal(err)
		}
	}
	mounts := []sandbox.Mount{{From: fixed, To: "/mnt/fixed"}, {From: open, To: "/mnt/open-1.a_b", Writable: true}}
	if !p.Fingerprint().Mounts {
		_, err := p.Create(t.Context(), sandbox.Spec{ID: "a", Task: newTask(t), Mounts: mounts})
		if !errors.Is(err, sandbox.ErrUnsupported) {
			t.Errorf("mounts: %v", err)
		}
		return
	}
	k := newKit(t, p, "a", func(spec *sandbox.Spec) { spec.Mounts = mounts })
	got := k.run("list:/mnt", "read:/mnt/fixed/data.txt", "read:/mnt/open-1.a_b/data.txt", "write:/mnt/open-1.a_b/new=by the function", "write:"+k.Paths().Tmp+"/x=y")
	if want := []string{"fixed", "open-1.a_b", filepath.Base(fixed), filepath.Base(open)}; !slices.Equal(got, want) {
		t.Errorf("inside: %q, want %q", got, want)
	}
	if b, err := os.ReadFile(filepath.Join(open, "new")); string(b) != "by the function" {
		t.Errorf("on the host: %q, %v", b, err)
	}
	for _, path := range []string{"/mnt/fixed/new", "/mnt/fixed/data.txt", "/mnt/new"} {
		var out output
		if exit := k.wait(k.start(&out, "write:"+path+"=x")); exit == (sandbox.Exit{}) {
			t.Errorf("%s can be written", path)
		}
	}
	other := newKit(t, p, "b", nil)
	if got := other.run("list:/mnt"); len(got) != 0 {
		t.Errorf("a sandbox without mounts has %q", got)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(open, "new")); err != nil {
		t.Errorf("closing the sandbox removed what it had mounted: %v", err)
	}
}
