package project

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/lambhq/lamb/internal/pack"
)

// BuildOptions say how a project becomes files.
type BuildOptions struct {
	// Scratch is a folder for what is built; the caller removes it when the
	// files are not needed any more. Required for Go.
	Scratch string
	// Local builds for this machine's system instead of for Linux: for a
	// sandbox that runs programs as they are.
	Local bool
	// Debug keeps symbols and leaves out optimisations, for a debugger.
	Debug bool
}

// BuildError is a build that failed by the source's fault.
type BuildError struct {
	Output string // what the compiler said
}

func (e *BuildError) Error() string { return "the build failed:\n" + strings.TrimRight(e.Output, "\n") }

// Files are the files of the deployment package, built where they have to be.
// For a project that is a zip already there are none: see Zip.
func (p *Project) Files(ctx context.Context, o BuildOptions) ([]pack.File, error) {
	var (
		files []pack.File
		err   error
	)
	switch {
	case p.Language == Zipped:
		return nil, fmt.Errorf("%s is a package already", p.File)
	case p.Language == Go:
		files, err = p.buildGo(ctx, o)
	case p.Language == Custom && p.File != "":
		files, err = fileAs(p.File, Bootstrap)
	case p.File != "":
		files, err = fileAs(p.File, filepath.Base(p.File))
	default:
		files, err = p.folder()
	}
	if err != nil {
		return nil, err
	}
	included, err := p.included()
	if err != nil {
		return nil, err
	}
	return pack.Merge(files, included), nil
}

// folder is what a project in an interpreted language packs: itself.
func (p *Project) folder() ([]pack.File, error) {
	ignore, err := pack.ReadIgnore(p.Dir)
	if err != nil {
		return nil, err
	}
	files, err := pack.Folder(p.Dir, ignore)
	if err != nil {
		return nil, err
	}
	for i := range files {
		// A checkout may have lost the bit, and without it nothing starts.
		if p.Language == Custom && files[i].Name == Bootstrap {
			files[i].Executable = true
		}
	}
	return files, nil
}

func fileAs(path, name string) ([]pack.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	executable := info.Mode()&0o111 != 0 || name == Bootstrap
	return []pack.File{{Name: name, Path: path, Size: info.Size(), Executable: executable}}, nil
}

// included are the files that the settings name.
func (p *Project) included() ([]pack.File, error) {
	var all []pack.File
	for _, name := range p.Settings.Include {
		rel := filepath.Clean(filepath.FromSlash(name))
		if !filepath.IsLocal(rel) {
			return nil, fmt.Errorf("%s: include %q is not in the project's folder", SettingsFile, name)
		}
		files, err := Included(filepath.Join(p.Dir, rel), filepath.ToSlash(rel))
		if err != nil {
			return nil, err
		}
		all = append(all, files...)
	}
	return all, nil
}

// Included are a file, or the files below a folder, under a name in the
// package; "." puts a folder's files at its root.
func Included(path, name string) ([]pack.File, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("include: %s does not exist", path)
	}
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return fileAs(path, name)
	}
	ignore, err := pack.ReadIgnore(path)
	if err != nil {
		return nil, err
	}
	files, err := pack.Folder(path, ignore)
	for i := range files {
		if name != "." {
			files[i].Name = name + "/" + files[i].Name
		}
	}
	return files, err
}

// buildGo compiles the program to the one file that Lambda starts.
func (p *Project) buildGo(ctx context.Context, o BuildOptions) ([]pack.File, error) {
	if _, err := exec.LookPath("go"); err != nil {
		return nil, errors.New("go is not on PATH: install Go (https://go.dev/dl), or give a program that is built already")
	}
	out := filepath.Join(o.Scratch, Bootstrap)
	// lambda.norpc leaves out of aws-lambda-go what only the retired go1.x
	// runtime needs; without VCS stamps the same source gives the same bytes
	// before and after a commit.
	args := []string{"build", "-buildvcs=false", "-tags", "lambda.norpc", "-o", out}
	if o.Debug {
		args = append(args, "-gcflags=all=-N -l")
	} else {
		args = append(args, "-ldflags=-s -w")
	}
	if !o.Debug || !o.Local { // a debugger on this machine finds the source by its paths
		args = append(args, "-trimpath")
	}
	target := "."
	if p.File != "" {
		target = p.File
	}
	cmd := exec.CommandContext(ctx, "go", append(args, target)...)
	cmd.Dir = p.Dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+goArch(p.Architecture), "GOOS="+goOS(o.Local), "GOFLAGS="+goFlags(os.Getenv("GOFLAGS")))
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && ctx.Err() == nil {
			return nil, &BuildError{Output: said.String()}
		}
		return nil, errors.Join(ctx.Err(), err)
	}
	return fileAs(out, Bootstrap)
}

// goFlags leaves modes out of GOFLAGS that would build something else.
func goFlags(given string) string {
	var kept []string
	for f := range strings.FieldsSeq(given) {
		if !strings.HasPrefix(f, "-race") && !strings.HasPrefix(f, "-buildmode") {
			kept = append(kept, f)
		}
	}
	return strings.Join(kept, " ")
}

func goArch(architecture string) string {
	if architecture == ARM {
		return "arm64"
	}
	return "amd64"
}

func goOS(local bool) string {
	if local {
		return runtime.GOOS
	}
	return "linux"
}
