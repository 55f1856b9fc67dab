package artifact_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/lambhq/lamb/internal/artifact"
)

func method(m uint16) func(*zip.FileHeader) { return func(h *zip.FileHeader) { h.Method = m } }

// unix sets the raw mode bits that archive/zip would not write.
func unix(mode uint32) func(*zip.FileHeader) {
	return func(h *zip.FileHeader) { h.CreatorVersion = 3 << 8; h.ExternalAttrs = mode << 16 }
}

// edit changes every directory header of an archive, which begins "PK\1\2".
func edit(content []byte, change func(header []byte)) []byte {
	content = bytes.Clone(content)
	for i := 0; ; {
		at := bytes.Index(content[i:], []byte("PK\x01\x02"))
		if at < 0 {
			return content
		}
		change(content[i+at:])
		i += at + 4
	}
}

// end returns the end record of an archive without a comment.
func end(content []byte) []byte { return content[len(content)-22:] }

// overlapping makes an archive whose two entries have the same bytes.
func overlapping(t *testing.T) []byte {
	content := zipOf(t, file("a", "same"), file("b", "same"))
	n := 0
	return edit(content, func(h []byte) {
		if n++; n == 2 {
			binary.LittleEndian.PutUint32(h[42:], 0) // offset of the local header
		}
	})
}

// manyRecords makes an archive of n entries that all name the same bytes, as
// small as it can be.
func manyRecords(t *testing.T, n int) []byte {
	one := zipOf(t, entry{name: "a", mode: 0o644, change: method(zip.Store)})
	at := bytes.Index(one, []byte("PK\x01\x02"))
	header := one[at : len(one)-22]
	content := append(bytes.Clone(one[:at]), bytes.Repeat(header, n)...)
	tail := bytes.Clone(end(one))
	binary.LittleEndian.PutUint16(tail[8:], uint16(n))
	binary.LittleEndian.PutUint16(tail[10:], uint16(n))
	binary.LittleEndian.PutUint32(tail[12:], uint32(n*len(header)))
	return append(content, tail...)
}

func TestHostileArchivesAreRefused(t *testing.T) {
	plain := zipOf(t, file("app.py", "print(1)\n"), file("d/b", "content"))
	deep := strings.Repeat("d/", 200) + "f"
	cases := []struct {
		name    string
		content []byte
		want    string // in the error
	}{
		{"empty", nil, "not a zip"},
		{"not a zip", []byte("#!/bin/sh\n"), "not a zip"},
		{"cut short", plain[:len(plain)-30], "cut short"},
		{"cut inside the end", plain[:len(plain)-1], "cut short"},
		{"front missing", plain[10:], "directory is not where"},
		{"something put before", append([]byte("junk"), plain...), "directory is not where"},
		{"directory damaged", edit(plain, func(h []byte) { h[0] = 'X' }), "directory is broken"},
		{"local header damaged", append([]byte("XX"), plain[2:]...), "not a valid zip"},

		{"absolute", zipOf(t, file("/etc/passwd", "x")), "absolute"},
		{"parent", zipOf(t, file("../x", "x")), ".."},
		{"parent inside", zipOf(t, file("a/../../x", "x")), ".."},
		{"parent that stays inside", zipOf(t, file("a/../x", "x")), ".."},
		{"parent as a folder", zipOf(t, entry{name: "../", mode: fs.ModeDir | 0o755}), ".."},
		{"backslash", zipOf(t, file(`..\x`, "x")), "backslash"},
		{"backslash inside", zipOf(t, file(`a\b`, "x")), "backslash"},
		{"NUL", zipOf(t, file("a\x00b", "x")), "NUL"},
		{"no name", zipOf(t, file("", "x")), "no name"},
		{"only dots", zipOf(t, file("./.", "x")), "names no file"},
		{"long component", zipOf(t, file(strings.Repeat("a", 256), "x")), "longer than 255"},
		{"long path", zipOf(t, file(strings.Repeat("a/", 2000)+"b", "x")), "longer than 3072"},
		{"deep", zipOf(t, file(deep, "x")), "128 folders deep"},

		{"link out", zipOf(t, link("l", "../etc")), "leaves the tree"},
		{"link out from a folder", zipOf(t, link("a/l", "../../etc")), "leaves the tree"},
		{"absolute link", zipOf(t, link("l", "/etc/passwd")), "the target"},
		{"empty link", zipOf(t, link("l", "")), "the target"},
		{"link with a backslash", zipOf(t, link("l", `a\..\..`)), "the target"},
		{"link with a NUL", zipOf(t, link("l", "a\x00")), "the target"},
		{"long link", zipOf(t, link("l", strings.Repeat("a", 1025))), "longer than 1024"},
		{"link out through a link", zipOf(t, link("s", "."), link("l", "s/s/../../x")), "leaves the tree"},
		{"link out through a later link", zipOf(t, link("l", "d/up/.."), link("d/up", "..")), "leaves the tree"},
		{"link out through what is missing", zipOf(t, link("l", "gone/../../x")), "leaves the tree"},
		{"link to itself", zipOf(t, link("l", "l")), "too many links"},
		{"links in a circle", zipOf(t, link("a", "b/x"), link("b", "a/x")), "too many links"},
		{"links that multiply", zipOf(t, manyLinks()...), "too many links"},
		{"file below a link", zipOf(t, link("l", "d"), file("d/x", ""), file("l/x", "x")), "below something"},
		{"file in the place of a link", zipOf(t, link("l", "d"), file("l", "x")), "twice"},
		{"link in the place of a file", zipOf(t, file("l", "x"), link("l", "d")), "twice"},
		{"link twice", zipOf(t, link("l", "a"), link("l", "b")), "twice"},
		{"link in the place of a folder", zipOf(t, file("l/x", "x"), link("l", "/etc")), "the target"},
		{"link in the place of a folder, inside", zipOf(t, file("l/x", "x"), link("l", "d")), "twice"},
		{"file in the place of a folder", zipOf(t, file("l/x", "x"), file("l", "x")), "twice"},
		{"folder in the place of a file", zipOf(t, file("l", "x"), entry{name: "l/", mode: fs.ModeDir | 0o755}), "twice"},
		{"file below a file", zipOf(t, file("l", "x"), file("l/x", "x")), "below something"},

		{"block device", zipOf(t, entry{name: "d", mode: fs.ModeDevice | 0o644}), "neither"},
		{"character device", zipOf(t, entry{name: "d", mode: fs.ModeDevice | fs.ModeCharDevice | 0o644}), "neither"},
		{"pipe", zipOf(t, entry{name: "d", mode: fs.ModeNamedPipe | 0o644}), "neither"},
		{"socket", zipOf(t, entry{name: "d", mode: fs.ModeSocket | 0o644}), "neither"},
		{"setuid", zipOf(t, entry{name: "d", mode: fs.ModeSetuid | 0o755}), "setuid"},
		{"setgid", zipOf(t, entry{name: "d", change: unix(0o102755)}), "setuid"},
		{"folder with content", zipOf(t, entry{name: "d", content: "x", change: unix(0o040755)}), "has content"},

		{"encrypted", edit(plain, func(h []byte) { h[8] |= 1 }), "encrypted"},
		{"unknown method", edit(plain, func(h []byte) { h[10] = 12 }), "method 12"},
		{"wrong checksum", edit(plain, func(h []byte) { h[16] ^= 1 }), "checksum"},
		{"size too small", edit(plain, func(h []byte) { h[24]-- }), "not a valid zip"},
		{"size too large", edit(plain, func(h []byte) { h[24]++ }), "unexpected EOF"},
		{"size a lie", edit(plain, func(h []byte) { binary.LittleEndian.PutUint32(h[24:], 1<<31) }), "unexpected EOF"},
		{"compressed size a lie", edit(plain, func(h []byte) { binary.LittleEndian.PutUint32(h[20:], 1<<31) }), "overlap"},
		{"garbage deflated", edit(zipOf(t, entry{name: "a", mode: 0o644, content: "\xff\xff\xff\xff", change: method(zip.Store)}), func(h []byte) { h[10] = 8 }), "flate"},
		{"files overlap", overlapping(t), "overlap"},
		{"count a lie", edit(manyRecords(t, 65536+2), func([]byte) {}), "not as long"},
		{"many entries", manyRecords(t, 1000), "more than 999"},
		{"many folders implied", zipOf(t, manyFolders(20, 50)...), "more than 999"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir, cache := t.TempDir(), t.TempDir()
			s := open(t, func(o *artifact.Options) {
				o.Dir, o.CacheDir = dir, cache
				o.Limits.Entries = 999
				if c.name == "count a lie" {
					o.Limits.Entries = 0
				}
			})
			p, err := s.Add(t.Context(), bytes.NewReader(c.content), int64(len(c.content)))
			if !errors.Is(err, artifact.ErrBadZip) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Add = %v, %v; want ErrBadZip with %q", p, err, c.want)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
				t.Errorf("the folder has %v, %v; want nothing", left, err)
			}
		})
	}
}

// manyLinks makes links of which each goes twice through the one before: to
// follow the last takes 2^30 steps unless they are counted.
func manyLinks() []entry {
	entries := []entry{link("l0", ".")}
	for i := 1; i <= 30; i++ {
		entries = append(entries, link(fmt.Sprint("l", i), fmt.Sprintf("l%d/l%d", i-1, i-1)))
	}
	return entries
}

// manyFolders makes few entries that imply many folders.
func manyFolders(entries, depth int) []entry {
	var all []entry
	for i := range entries {
		all = append(all, file(strings.Repeat(fmt.Sprintf("d%d/", i), depth)+"f", ""))
	}
	return all
}

// TestBombIsStoppedByWhatItUnpacksTo: the headers say little, the data is much.
func TestBombIsStoppedByWhatItUnpacksTo(t *testing.T) {
	content := zipOf(t, file("a", strings.Repeat("\x00", 1<<20)))
	honest := open(t, func(o *artifact.Options) { o.Limits.Unzipped = 1 << 19 })
	if _, err := honest.Add(t.Context(), bytes.NewReader(content), int64(len(content))); !errors.Is(err, artifact.ErrUnzippedTooLarge) {
		t.Errorf("Add of a bomb = %v, want ErrUnzippedTooLarge", err)
	}
	liar := edit(content, func(h []byte) { binary.LittleEndian.PutUint32(h[24:], 10) })
	if _, err := honest.Add(t.Context(), bytes.NewReader(liar), int64(len(liar))); !errors.Is(err, artifact.ErrBadZip) {
		t.Errorf("Add of a bomb that lies about its size = %v, want ErrBadZip", err)
	}
}

func TestUnusualArchivesAreAccepted(t *testing.T) {
	plain := zipOf(t, file("a", "content"))
	comment := bytes.Clone(plain)
	binary.LittleEndian.PutUint16(end(comment)[20:], 5)
	comment = append(comment, "hello"...)
	cases := map[string][]byte{
		"no entries":                       zipOf(t),
		"a comment":                        comment,
		"a comment with a signature":       commented(t, "PK\x05\x06"),
		"something after the end":          append(bytes.Clone(plain), '\n'),
		"stored":                           zipOf(t, entry{name: "a", mode: 0o644, content: "x", change: method(zip.Store)}),
		"names that begin with ./":         zipOf(t, entry{name: "./", mode: fs.ModeDir | 0o755}, file("./a", "x"), file("./d//b", "y")),
		"the same file twice":              zipOf(t, file("a", "first"), file("a", "second")),
		"a folder after what is in it":     zipOf(t, file("d/a", ""), entry{name: "d/", mode: fs.ModeDir | 0o755}),
		"links that stay":                  zipOf(t, link("d/l", "../x"), link("l", "d/l"), link("gone", "nowhere"), file("x", ""), link("self", ".")),
		"a shared folder's bits":           zipOf(t, entry{name: "d/", change: unix(0o043777)}, entry{name: "f", change: unix(0o101644)}),
		"the 64-bit end, as some write it": zip64(t, false),
		"the 64-bit end, in full":          zip64(t, true),
		"a name that is not UTF-8":         zipOf(t, file("\x80\x81", "x")),
		"dots in a name":                   zipOf(t, file("..a/b..", "x"), file("...", "x")),
	}
	for name, content := range cases {
		t.Run(name, func(t *testing.T) {
			s := open(t, nil)
			p := add(t, s, content)
			defer p.Release()
			tree, err := s.Tree(t.Context(), p.SHA256)
			if err != nil {
				t.Fatal(err)
			}
			tree.Release()
		})
	}
}

// commented makes an archive with a comment that ends in text.
func commented(t *testing.T, text string) []byte {
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	if _, err := w.Create("a"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.SetComment(text), w.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// zip64 makes an archive with a 64-bit end record; markers says whether the
// plain one refers to it.
func zip64(t *testing.T, markers bool) []byte {
	content := zipOf(t, file("a", "content"))
	at := uint64(len(content) - 22)
	tail := bytes.Clone(end(content))
	record := binary.LittleEndian.AppendUint32(nil, 0x06064b50)
	record = binary.LittleEndian.AppendUint64(record, 44)
	record = append(record, 45, 0, 45, 0)
	record = append(record, make([]byte, 8)...)
	record = binary.LittleEndian.AppendUint64(record, 1)
	record = binary.LittleEndian.AppendUint64(record, 1)
	record = binary.LittleEndian.AppendUint64(record, uint64(binary.LittleEndian.Uint32(tail[12:])))
	record = binary.LittleEndian.AppendUint64(record, uint64(binary.LittleEndian.Uint32(tail[16:])))
	record = binary.LittleEndian.AppendUint32(record, 0x07064b50)
	record = append(record, make([]byte, 4)...)
	record = binary.LittleEndian.AppendUint64(record, at)
	record = binary.LittleEndian.AppendUint32(record, 1)
	if markers {
		for i := 8; i < 20; i++ {
			tail[i] = 0xff
		}
	}
	return append(append(content[:at], record...), tail...)
}

func TestAddIsStoppedByItsContext(t *testing.T) {
	s := open(t, nil)
	content := zipOf(t, file("a", "x"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Add(ctx, bytes.NewReader(content), int64(len(content))); !errors.Is(err, context.Canceled) {
		t.Errorf("Add with an ended context = %v", err)
	}
}

// TestSourceThatChanges: what is stored is what was checked, or nothing.
func TestSourceThatChanges(t *testing.T) {
	dir := t.TempDir()
	s := open(t, func(o *artifact.Options) { o.Dir = dir })
	one := zipOf(t, entry{name: "a", mode: 0o644, content: "one", change: method(zip.Store)})
	two := bytes.Replace(one, []byte("one"), []byte("two"), 1)
	two = edit(two, func(h []byte) { binary.LittleEndian.PutUint32(h[16:], crc32.ChecksumIEEE([]byte("two"))) })
	src := &changingReader{now: one, then: two}
	if _, err := s.Add(t.Context(), src, int64(len(one))); err == nil {
		t.Error("Add of a file that changes while it is read succeeded")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("the folder has %v, %v; want nothing", left, err)
	}
}

// changingReader gives its first content until it was read whole for the
// digest, and another afterwards.
type changingReader struct {
	now, then []byte
}

func (r *changingReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := bytes.NewReader(r.now).ReadAt(p, off)
	if off == 0 && n == len(r.now) {
		r.now = r.then
	}
	if errors.Is(err, io.EOF) {
		return n, io.EOF
	}
	return n, err
}
