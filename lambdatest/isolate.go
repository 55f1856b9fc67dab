package lambdatest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/native"
)

// What isolated processes have, beside Config.MemoryMB: AWS's limits and its
// default size of /tmp.
const (
	isolatedTmpMB     = 512
	isolatedProcesses = 1024
	isolatedFiles     = 1024
)

// CanIsolate tells why Config.Isolate cannot be had on this machine: it is no
// Linux, say, or its user may not limit memory. It is nil where it can. A test
// that needs isolation skips for that reason.
func CanIsolate() error {
	p, err := openIsolation(false)
	if err != nil {
		return err
	}
	return p.Close()
}

// openIsolation opens a provider of sandboxes that limit memory. The programs'
// network is this machine's: the test's own servers and programs are there.
// single says that the provider is for one sandbox, and need not be tried.
func openIsolation(single bool) (sandbox.Provider, error) {
	p, err := native.New(native.Config{Network: native.NetworkHost, Single: single})
	if missing, ok := errors.AsType[*native.Unavailable](err); ok {
		return nil, fmt.Errorf("no isolation on this machine: %w", missing)
	}
	if err != nil {
		return nil, err
	}
	if fp := p.Fingerprint(); !fp.Memory {
		return nil, errors.Join(errors.New(whyNoLimit(fp.Missing)), p.Close())
	}
	return p, nil
}

// whyNoLimit is what is said of memory among all that is missing.
func whyNoLimit(missing []string) string {
	const subject = "Memory is not limited"
	for _, text := range missing {
		if strings.HasPrefix(text, subject) {
			return text
		}
	}
	return subject + " on this machine."
}

// isolate makes the sandbox for the processes of an environment, whose programs
// are copied to opt as they are started.
func (b *box) isolate(spec sandbox.Spec) (err error) {
	if b.opt, err = os.MkdirTemp("", "lambdatest-opt-"); err != nil {
		return err
	}
	if err := errors.Join(os.Chmod(b.opt, 0o755), os.Mkdir(filepath.Join(b.opt, "extensions"), 0o755)); err != nil {
		return err
	}
	spec.Opt, spec.MemoryMB, spec.TmpMB = b.opt, b.cfg.MemoryMB, isolatedTmpMB
	spec.MaxProcesses, spec.MaxFiles = isolatedProcesses, isolatedFiles
	if b.provider, err = openIsolation(true); err != nil {
		return err
	}
	b.processes, err = b.provider.Create(context.Background(), spec)
	return err
}

// shown are the folders of this machine that isolated processes see under the
// same names.
var shown = []string{"/usr/", "/bin/", "/sbin/", "/lib/", "/lib64/", "/nix/store/"}

// programFolders are where isolated processes find programs by their names.
var programFolders = []string{"/usr/local/bin", "/usr/bin", "/bin"}

// inside is the path of a program as isolated processes see it. What they would
// not see is copied to where a layer would have it: name is the path below /opt.
func (b *box) inside(program, name string) (string, error) {
	if !strings.ContainsRune(program, filepath.Separator) {
		for _, dir := range programFolders {
			if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
				return path, nil
			}
		}
	}
	path, err := lookPath(program)
	if err != nil {
		return "", err
	}
	for _, dir := range shown {
		if strings.HasPrefix(path, dir) {
			return path, nil
		}
	}
	paths := b.processes.Paths()
	if rel, err := filepath.Rel(b.cfg.Code, path); err == nil && filepath.IsLocal(rel) {
		return filepath.Join(paths.Task, rel), nil
	}
	if b.copied[name] != path {
		if err := copyProgram(path, filepath.Join(b.opt, name)); err != nil {
			return "", err
		}
		b.copied[name] = path
	}
	return filepath.Join(paths.Opt, name), nil
}

// copyProgram makes to a copy of the program, even if the one there runs.
func copyProgram(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.CreateTemp(filepath.Dir(to), ".copy-")
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	err = errors.Join(err, out.Chmod(0o755), out.Close())
	if err == nil {
		err = os.Rename(out.Name(), to)
	}
	if err != nil {
		return errors.Join(err, os.Remove(out.Name()))
	}
	return nil
}
