package launcher

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/runtimes"
	"github.com/lambhq/lamb/internal/sandbox"
)

// writeELF makes the header of a 64-bit executable for a machine.
func writeELF(t *testing.T, path string, machine elf.Machine) {
	t.Helper()
	h := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT), Ehsize: 64}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := binary.Write(f, binary.LittleEndian, h); err != nil {
		t.Fatal(err)
	}
}

func TestForeignBinary(t *testing.T) {
	dir := t.TempDir()
	arm := filepath.Join(dir, "arm")
	writeELF(t, arm, elf.EM_AARCH64)
	script := filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ path, goos, goarch, want string }{
		{arm, "linux", "amd64", "the bootstrap is built for arm64 and this host is x86_64: build it for x86_64"},
		{arm, "linux", "arm64", ""},
		{arm, "darwin", "arm64", "the bootstrap is a Linux binary and this host runs darwin"},
		{script, "darwin", "arm64", ""},
	}
	for _, tt := range tests {
		if got := foreignBinary(tt.path, tt.goos, tt.goarch); got != tt.want && (tt.want == "" || !strings.HasPrefix(got, tt.want)) {
			t.Errorf("foreignBinary(%s, %s/%s) = %q, want %q", filepath.Base(tt.path), tt.goos, tt.goarch, got, tt.want)
		}
	}
}

func TestCommand(t *testing.T) {
	paths := sandbox.Paths{Task: "/s/task", Opt: "/s/opt", Runtime: "/s/runtime", Lang: "/s/lang"}
	py := &runtimes.Runtime{Interpreter: "bin/python3.12", Program: "bootstrap.py"}
	p := command(py, function.Config{}, paths, t.TempDir(), "")
	if p.Failure != nil || p.Path != "/s/lang/bin/python3.12" || len(p.Args) != 1 || p.Args[0] != "/s/runtime/bootstrap.py" {
		t.Errorf("python: %+v", p)
	}
	wrapped := function.Config{Environment: map[string]string{"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap.sh"}}
	p = command(py, wrapped, paths, t.TempDir(), "")
	if p.Failure != nil || p.Path != "/s/task/wrap.sh" || strings.Join(p.Args, " ") != "/s/lang/bin/python3.12 /s/runtime/bootstrap.py" {
		t.Errorf("wrapped: %+v", p)
	}
	if f := command(&runtimes.Runtime{}, function.Config{}, paths, t.TempDir(), "").Failure; f == nil || f.Type != "Runtime.InvalidEntrypoint" {
		t.Errorf("without a bootstrap: %+v", f)
	}
}

func TestBootstrap(t *testing.T) {
	paths := sandbox.Paths{Task: "/s/task", Opt: "/s/opt"}
	folder := func(files ...string) string {
		dir := t.TempDir()
		for _, name := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	with, without := folder("bootstrap"), folder()
	asFolder := folder()
	if err := os.Mkdir(filepath.Join(asFolder, "bootstrap"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, task, opt, want string }{
		{"in the code", with, without, "/s/task/bootstrap"},
		{"in both", with, with, "/s/task/bootstrap"},
		{"in a layer", without, with, "/s/opt/bootstrap"},
		{"in a layer, a folder in the code", asFolder, with, "/s/opt/bootstrap"},
		{"nowhere", without, without, ""},
		{"nowhere, no layers", without, "", ""},
	} {
		p := command(&runtimes.Runtime{}, function.Config{}, paths, tt.task, tt.opt)
		if p.Path != tt.want || (p.Failure == nil) != (tt.want != "") {
			t.Errorf("%s: %q, %+v; want %q", tt.name, p.Path, p.Failure, tt.want)
		}
	}
	for path, want := range map[string]string{"/opt/wrap": "/opt/wrap", "/var/task/wrap": "/s/task/wrap", "/bin/sh": "/bin/sh"} {
		if got := inside(path, sandbox.Paths{Task: "/s/task"}); got != want {
			t.Errorf("inside(%s) without layers = %q, want %q", path, got, want)
		}
	}
}

func TestStreamName(t *testing.T) {
	v := &function.Version{Key: function.Key{Name: "f"}, Version: function.Latest}
	at := time.Date(2026, 11, 2, 3, 0, 0, 0, time.UTC)
	for group, form := range map[string]string{
		"/aws/lambda/f": `^2026/11/02/\[\$LATEST\][0-9a-f]{32}$`,
		"/shared":       `^2026/11/02/f\[\$LATEST\][0-9a-f]{32}$`,
	} {
		got := streamName(at, v, function.Config{Logging: function.Logging{Group: group}})
		if !regexp.MustCompile(form).MatchString(got) {
			t.Errorf("group %s: %q", group, got)
		}
	}
}
