package artifact_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lambhq/lamb/internal/artifact"
	"github.com/lambhq/lamb/internal/vfs"
)

// entry is a file to zip. mode is the Unix mode with its type.
type entry struct {
	name    string
	mode    fs.FileMode
	content string
	change  func(h *zip.FileHeader)
}

// zipOf makes an archive as a Unix program does, deflated.
func zipOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		h.SetMode(e.mode)
		if e.change != nil {
			e.change(h)
		}
		out, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(out, e.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func file(name, content string) entry { return entry{name: name, mode: 0o644, content: content} }

func link(name, target string) entry {
	return entry{name: name, mode: fs.ModeSymlink | 0o777, content: target}
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// open opens a code store in folders of its own; change may be nil.
func open(t testing.TB, change func(*artifact.Options)) *artifact.Store {
	t.Helper()
	opts := artifact.Options{Dir: t.TempDir(), CacheDir: t.TempDir()}
	if change != nil {
		change(&opts)
	}
	s, err := artifact.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		// Trees are read-only, which t.TempDir cannot remove when the test
		// does not run as root.
		if err := vfs.RemoveTree(opts.CacheDir); err != nil {
			t.Error(err)
		}
	})
	return s
}

func add(t testing.TB, s *artifact.Store, content []byte) *artifact.Pinned {
	t.Helper()
	p, err := s.Add(t.Context(), bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// references is what records would say to Collect.
func references(digests ...string) func(context.Context) (map[string]bool, error) {
	return func(context.Context) (map[string]bool, error) {
		refs := make(map[string]bool)
		for _, d := range digests {
			refs[d] = true
		}
		return refs, nil
	}
}

// gate is a place where a file system stops.
type gate struct {
	opening chan struct{} // is sent to when an Open has begun
	goOn    chan struct{} // closed to let every Open go on
}

// slowFS stops at its gate, if it has one, when a file is opened.
type slowFS struct {
	vfs.FS
	gate atomic.Pointer[gate]
}

func (s *slowFS) Open(name string) (vfs.File, error) {
	if g := s.gate.Load(); g != nil {
		g.opening <- struct{}{}
		<-g.goOn
	}
	return s.FS.Open(name)
}

func sortedJoin(words []string) string {
	return strings.Join(slices.Sorted(slices.Values(words)), " ")
}
