package artifact

import (
	"archive/zip"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// What inspect refuses, besides archives that are broken or over the limits:
//
//   - names that are absolute, have a "..", a backslash or a NUL, or are
//     longer than a Linux file system takes;
//   - links whose target is absolute or leaves the tree, other links on the
//     way included; chains of more than 40 links; anything below a link; a second entry
//     with a link's name. Links that stay inside are kept.
//   - devices, pipes, sockets; files with a setuid or setgid bit. On folders
//     these two are dropped, as the sticky bit is everywhere: shared folders
//     have them, and they mean nothing in a tree that nobody can write;
//   - a file where a folder is, and the other way round. The same file twice
//     is accepted, and the last one counts, as with unzip;
//   - entries whose bytes overlap, encryption, methods other than store and
//     deflate.
const (
	maxComponent = 255  // bytes of a name between slashes
	maxPath      = 3072 // bytes of a whole name: Linux's 4096 less room for the tree's own path
	maxTarget    = 1024 // bytes of a link's target
	maxFollow    = 40   // links followed on one way, as Linux does

	flagEncrypted = 1<<0 | 1<<6 | 1<<13
)

// archive is a zip whose names, types and links are known to be safe. Its
// files' contents have not been looked at: see check.
type archive struct {
	limits Limits
	files  []*zip.File // entries with content, links and shadowed files included
	root   *node
	nodes  int
}

// node is a file, link or folder of the tree to unpack.
type node struct {
	file     *zip.File        // nil for a folder
	link     bool             // a link to target
	target   string           // as in the archive
	children map[string]*node // not nil for a folder
}

func (n *node) isDir() bool { return n.children != nil }

func newDir() *node { return &node{children: make(map[string]*node)} }

// inspect reads the names of the zip in the first size bytes of r, and refuses
// it if any is not acceptable. The error wraps ErrBadZip.
func inspect(r io.ReaderAt, size int64, limits Limits) (*archive, error) {
	if err := checkDirectory(r, size, limits.Entries); err != nil {
		return nil, err
	}
	zr, err := zip.NewReader(r, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // insert checks the names
		return nil, zipError("", err)
	}
	a := &archive{limits: limits, root: newDir()}
	for _, f := range zr.File {
		if err := a.insert(f); err != nil {
			return nil, err
		}
	}
	if err := checkOverlap(zr.File); err != nil {
		return nil, err
	}
	if err := a.checkLinks(a.root, nil); err != nil {
		return nil, err
	}
	return a, nil
}

// insert puts an entry in its place in the tree.
func (a *archive) insert(f *zip.File) error {
	parts, err := splitName(f.Name, a.limits.Depth)
	if err != nil {
		return err
	}
	n, err := newNode(f)
	if err != nil {
		return err
	}
	if !n.isDir() {
		a.files = append(a.files, f)
	}
	if len(parts) == 0 { // "./" is the root itself
		if !n.isDir() {
			return badZip("%.300q names no file", f.Name)
		}
		return nil
	}
	dir := a.root
	for _, part := range parts[:len(parts)-1] {
		next := dir.children[part]
		if next == nil {
			next = newDir()
			if err := a.add(dir, part, next); err != nil {
				return err
			}
		}
		if !next.isDir() {
			return badZip("%.300q is below something that is not a folder", f.Name)
		}
		dir = next
	}
	last := parts[len(parts)-1]
	old := dir.children[last]
	switch {
	case old == nil:
		return a.add(dir, last, n)
	case old.link || n.link || old.isDir() != n.isDir():
		return badZip("%.300q is there twice, as different things", f.Name)
	case !n.isDir():
		dir.children[last] = n
	}
	return nil
}

func (a *archive) add(dir *node, name string, n *node) error {
	if a.nodes++; a.nodes > a.limits.Entries {
		return badZip("it has more than %d files and folders", a.limits.Entries)
	}
	dir.children[name] = n
	return nil
}

// splitName returns the components of a name that stays in its tree.
func splitName(name string, maxDepth int) ([]string, error) {
	switch {
	case name == "":
		return nil, badZip("a file has no name")
	case len(name) > maxPath:
		return nil, badZip("the name %.100q... is longer than %d bytes", name, maxPath)
	case name[0] == '/':
		return nil, badZip("%.300q is an absolute path", name)
	case strings.ContainsAny(name, "\\\x00"):
		return nil, badZip("%.300q has a backslash or a NUL in its name", name)
	}
	var parts []string
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == "" || part == ".": // "a//b", "./a", "a/"
			continue
		case part == "..":
			return nil, badZip("%.300q has a .. in its path", name)
		case len(part) > maxComponent:
			return nil, badZip("the name %.100q... is longer than %d bytes", part, maxComponent)
		}
		parts = append(parts, part)
	}
	if len(parts) > maxDepth {
		return nil, badZip("%.300q is more than %d folders deep", name, maxDepth)
	}
	return parts, nil
}

// newNode tells what an entry is.
func newNode(f *zip.File) (*node, error) {
	mode := f.Mode()
	switch {
	case mode.IsDir():
		if f.UncompressedSize64 != 0 {
			return nil, badZip("the folder %.300q has content", f.Name)
		}
		return newDir(), nil
	case f.Flags&flagEncrypted != 0:
		return nil, badZip("%.300q is encrypted", f.Name)
	case f.Method != zip.Store && f.Method != zip.Deflate:
		return nil, badZip("%.300q is compressed with method %d, which is not supported", f.Name, f.Method)
	case mode&fs.ModeSymlink != 0:
		target, err := readTarget(f)
		if err != nil {
			return nil, err
		}
		return &node{file: f, link: true, target: target}, nil
	case !mode.IsRegular():
		return nil, badZip("%.300q is neither a file, a folder nor a link", f.Name)
	case mode&(fs.ModeSetuid|fs.ModeSetgid) != 0:
		return nil, badZip("%.300q has a setuid or setgid bit", f.Name)
	}
	return &node{file: f}, nil
}

// readTarget reads the target of a link, which is the content of its entry.
func readTarget(f *zip.File) (string, error) {
	if f.UncompressedSize64 > maxTarget {
		return "", badZip("the target of the link %.300q is longer than %d bytes", f.Name, maxTarget)
	}
	r, err := f.Open()
	if err != nil {
		return "", zipError(f.Name, err)
	}
	// archive/zip gives no more than UncompressedSize64.
	raw, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		return "", zipError(f.Name, err)
	}
	target := string(raw)
	if target == "" || path.IsAbs(target) || strings.ContainsAny(target, "\\\x00") {
		return "", badZip("the link %.300q has the target %.300q", f.Name, target)
	}
	return target, nil
}

// checkOverlap refuses archives whose entries share bytes: an ordinary one
// never does, and a bomb of a few kilobytes is made that way.
func checkOverlap(files []*zip.File) error {
	type extent struct{ from, to int64 }
	extents := make([]extent, 0, len(files))
	for _, f := range files {
		from, err := f.DataOffset()
		if err != nil {
			return zipError(f.Name, err)
		}
		// An empty entry has no bytes to share.
		if size := f.CompressedSize64; size > 0 {
			if size > 1<<62 {
				return badZip("%.300q is larger than the archive", f.Name)
			}
			extents = append(extents, extent{from, from + int64(size)})
		}
	}
	slices.SortFunc(extents, func(x, y extent) int { return cmp.Compare(x.from, y.from) })
	for i := 1; i < len(extents); i++ {
		if extents[i].from < extents[i-1].to {
			return badZip("its files overlap")
		}
	}
	return nil
}

// zipError is an error of archive/zip about the named entry. What is not the
// archive's fault (the file under it cannot be read) is not ErrBadZip.
func zipError(name string, err error) error {
	var pathErr *fs.PathError
	switch {
	case errors.As(err, &pathErr):
		return fmt.Errorf("read the zip: %w", err)
	case name == "":
		return badZip("%v", err)
	}
	return badZip("%.300q: %v", name, err)
}
