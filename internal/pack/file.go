package pack

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A File is one entry of a package: a file's content, or a link.
type File struct {
	// Name is its path in the package, with slashes and no leading one.
	Name string
	// Path is where its content is on this machine; Data is the content where
	// Path is empty.
	Path string
	Data []byte
	// Link is a symbolic link's target; it has no content then.
	Link string
	// Size is the content's, in bytes.
	Size int64
	// Executable: any of the execute bits is set.
	Executable bool
}

// Open reads a file's content; the caller closes it.
func (f *File) Open() (io.ReadCloser, error) {
	switch {
	case f.Link != "":
		return io.NopCloser(strings.NewReader(f.Link)), nil
	case f.Path == "":
		return io.NopCloser(bytes.NewReader(f.Data)), nil
	}
	return os.Open(f.Path)
}

// Folder lists the files below dir that ignore (which may be nil) leaves, in
// the order of their names. Symbolic links that stay in the folder are kept as
// links; those that lead out of it are errors, as are devices, pipes and
// sockets: a package could not hold what they stand for.
func Folder(dir string, ignore *Ignore) ([]File, error) {
	var files []File
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil || rel == "." {
			return err
		}
		name := filepath.ToSlash(rel)
		if ignore.Matches(name, d.IsDir()) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return nil
		}
		f, err := fileOf(p, name, d)
		if err == nil {
			files = append(files, f)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	Sort(files)
	return files, nil
}

func fileOf(p, name string, d fs.DirEntry) (File, error) {
	info, err := d.Info()
	if err != nil {
		return File{}, err
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(p)
		if err != nil {
			return File{}, err
		}
		if !staysInside(name, target) {
			return File{}, fmt.Errorf("%s is a link to %s, outside of the package: copy what it stands for, or ignore it in .lambignore", name, target)
		}
		return File{Name: name, Link: filepath.ToSlash(target), Size: int64(len(target))}, nil
	case !info.Mode().IsRegular():
		return File{}, fmt.Errorf("%s is neither a file nor a link: ignore it in .lambignore", name)
	}
	return File{Name: name, Path: p, Size: info.Size(), Executable: info.Mode()&0o111 != 0}, nil
}

// staysInside reports whether a link's target, seen from the link, is in the
// package.
func staysInside(name, target string) bool {
	target = filepath.ToSlash(target)
	if target == "" || path.IsAbs(target) {
		return false
	}
	at := path.Join(path.Dir(name), target)
	return at != ".." && !strings.HasPrefix(at, "../")
}

// Sort orders files as Write wants them: by name.
func Sort(files []File) {
	slices.SortFunc(files, func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
}

// Merge puts lists of files over each other: of two with the same name the
// later one counts.
func Merge(lists ...[]File) []File {
	byName := make(map[string]File)
	for _, list := range lists {
		for _, f := range list {
			byName[f.Name] = f
		}
	}
	files := make([]File, 0, len(byName))
	for _, f := range byName {
		files = append(files, f)
	}
	Sort(files)
	return files
}

// Unzipped is how much the contents of files are together, in bytes.
func Unzipped(files []File) int64 {
	var n int64
	for _, f := range files {
		n += f.Size
	}
	return n
}
