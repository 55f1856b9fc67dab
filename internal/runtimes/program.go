package runtimes

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

//go:embed python/*.py python/_lamb/*.py nodejs/*.cjs nodejs/*.mjs
var embedded embed.FS

// compilePython leaves bytecode beside the sources, in the folder that is its
// argument. It is valid whatever the files' times are; without it every cold
// start would compile the program anew.
const compilePython = `
import os, py_compile, sys
for root, _, files in os.walk(sys.argv[1]):
    for name in files:
        if name.endswith(".py"):
            py_compile.compile(os.path.join(root, name), doraise=True,
                               invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
`

// unpack puts a language's program into Dir, in a folder named after its
// content, and returns the folder. One that is there already is compared
// first; a damaged one is replaced.
func (r *Resolver) unpack(ctx context.Context, lang *language, found *interpreter) (string, error) {
	if r.opts.Dir == "" {
		return "", errors.New("no folder is configured")
	}
	base, err := filepath.Abs(r.opts.Dir)
	if err != nil {
		return "", err
	}
	files, sum, err := programFiles(lang)
	if err != nil {
		return "", err
	}
	name := lang.embed + "-" + sum[:16]
	if lang == python {
		name += "-" + found.version.String() // bytecode is the version's own
	}
	dir := filepath.Join(base, name)
	if intact(dir, files) {
		return dir, nil
	}
	if err := os.MkdirAll(base, 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(base, ".new-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	if err := writeFiles(tmp, files); err != nil {
		return "", err
	}
	if lang == python {
		interpreter := filepath.Join(found.prefix, found.rel)
		if _, err := r.ask(ctx, interpreter, []string{"-I", "-c", compilePython, tmp}); err != nil {
			// The program works without it, only slower.
			r.log.Debug("runtime program not compiled", "err", err)
		}
	}
	if err := settle(tmp); err != nil {
		return "", err
	}
	return dir, publish(tmp, dir, files)
}

// programFiles returns a program's files by slash path, and their digest.
func programFiles(lang *language) (map[string][]byte, string, error) {
	files := map[string][]byte{}
	sum := sha256.New()
	err := fs.WalkDir(embedded, lang.embed, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := embedded.ReadFile(p)
		if err != nil {
			return err
		}
		rel := p[len(lang.embed)+1:]
		files[rel] = data
		fmt.Fprintf(sum, "%s\x00%d\x00", rel, len(data))
		sum.Write(data)
		return nil
	})
	return files, hex.EncodeToString(sum.Sum(nil)), err
}

func intact(dir string, files map[string][]byte) bool {
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil || !bytes.Equal(got, want) {
			return false
		}
	}
	return true
}

func writeFiles(dir string, files map[string][]byte) error {
	for name, data := range files {
		if err := os.MkdirAll(filepath.Join(dir, filepath.FromSlash(path.Dir(name))), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)), data, 0o444); err != nil {
			return err
		}
	}
	return nil
}

// settle makes a tree read-only for functions and brings it to the disk.
// Folders stay writable for lamb's user, so that the data folder can be
// removed by ordinary means.
func settle(dir string) error {
	return filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o444)
		if d.IsDir() {
			mode = 0o755
		}
		if err := os.Chmod(p, mode); err != nil {
			return err
		}
		f, err := os.Open(p)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
}

// publish moves a complete tree to its name. Another lamb may have done the
// same in the meantime.
func publish(tmp, dir string, files map[string][]byte) error {
	err := os.Rename(tmp, dir)
	if err == nil || intact(dir, files) {
		return nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Rename(tmp, dir)
}
