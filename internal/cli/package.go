package cli

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lambhq/lamb/internal/artifact"
	"github.com/lambhq/lamb/internal/pack"
	"github.com/lambhq/lamb/internal/project"
)

// packageOptions are the flags of lamb package.
type packageOptions struct {
	out, arch string
	include   []string
	debug     bool
	layer     bool
	output    outputFlag
}

func newPackage(stdout, stderr io.Writer) *cobra.Command {
	var o packageOptions
	cmd := &cobra.Command{
		Use:   "package PATH",
		Short: "Make a function's deployment package",
		Long: `Build a function and zip it. The same source gives the same bytes, whoever
packs it, wherever and whenever. .lambignore says what stays out, in the words
of .gitignore; --include adds files or folders, FROM or FROM:NAME.

With --layer PATH is a folder that becomes a layer: its content is what
functions see in /opt.`,
		Args: oneArgument("a path"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.output.check(); err != nil {
				return err
			}
			p, err := packPath(cmd.Context(), args[0], o, stderr)
			if err != nil {
				return err
			}
			if o.output.json() {
				return writeJSON(stdout, p)
			}
			fmt.Fprintf(stdout, "%s  %s, %s unpacked, %s\nCodeSha256 %s\n", p.File, bytesText(p.Size), bytesText(p.Unzipped), filesText(p.Files), p.CodeSHA256)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.out, "out", "o", "", "`file` to write (default: NAME.zip in this folder)")
	f.StringVar(&o.arch, "arch", "", "`architecture` to build Go for: x86_64 or arm64 (default: lamb.toml's, else this machine's)")
	f.StringArrayVar(&o.include, "include", nil, "`FROM[:NAME]`: also pack this file or folder")
	f.BoolVar(&o.debug, "debug", false, "keep symbols for a debugger")
	f.BoolVar(&o.layer, "layer", false, "make a layer of a folder")
	choices(cmd, "arch", architectures...)
	o.output.add(cmd)
	return cmd
}

func filesText(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}

// packed is a package that has been written.
type packed struct {
	File       string `json:"file"`
	Size       int64  `json:"size"`     // bytes
	Unzipped   int64  `json:"unzipped"` // bytes
	Files      int    `json:"files"`
	CodeSHA256 string `json:"codeSha256"` // base64, as the API has it
}

func packPath(ctx context.Context, path string, o packageOptions, stderr io.Writer) (*packed, error) {
	if o.layer {
		abs, err := filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		files, err := project.Included(abs, ".")
		if err != nil {
			return nil, err
		}
		return writePackage(ctx, first(o.out, filepath.Base(abs)+".zip"), files, stderr)
	}
	p, err := openProject(path, o.arch)
	if err != nil {
		return nil, err
	}
	if p.Language == project.Zipped {
		return nil, fmt.Errorf("%s is a package already", path)
	}
	scratch, err := os.MkdirTemp("", "lamb-build-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	files, err := buildFiles(ctx, p, project.BuildOptions{Scratch: scratch, Debug: o.debug}, o.include)
	if err != nil {
		return nil, err
	}
	return writePackage(ctx, first(o.out, p.Name+".zip"), files, stderr)
}

// openProject opens a project, for an architecture if one is given.
func openProject(path, arch string) (*project.Project, error) {
	p, err := project.Open(path)
	if err != nil {
		return nil, err
	}
	switch arch {
	case "":
	case project.X86, project.ARM:
		p.Architecture = arch
	default:
		return nil, usageError{fmt.Errorf("--arch %q: use %s or %s", arch, project.X86, project.ARM)}
	}
	return p, nil
}

// buildFiles are a project's files with those of --include.
func buildFiles(ctx context.Context, p *project.Project, o project.BuildOptions, include []string) ([]pack.File, error) {
	files, err := p.Files(ctx, o)
	if err != nil {
		return nil, err
	}
	for _, one := range include {
		from, name, named := strings.Cut(one, ":")
		if !named {
			name = filepath.ToSlash(filepath.Base(filepath.Clean(from)))
		}
		if name != "." && !filepath.IsLocal(filepath.FromSlash(name)) {
			return nil, usageError{fmt.Errorf("--include %q: %q is no name in a package", one, name)}
		}
		more, err := project.Included(from, name)
		if err != nil {
			return nil, err
		}
		files = pack.Merge(files, more)
	}
	return files, nil
}

// writePackage writes a package that Lambda would take.
func writePackage(ctx context.Context, out string, files []pack.File, stderr io.Writer) (*packed, error) {
	if len(files) == 0 {
		return nil, fmt.Errorf("there is nothing to pack")
	}
	unzipped := pack.Unzipped(files)
	if unzipped > artifact.DefaultUnzipped {
		return nil, fmt.Errorf("the files are %s together, and Lambda takes %s: %s is the largest; leave files out by %s",
			bytesText(unzipped), bytesText(artifact.DefaultUnzipped), largest(files), pack.IgnoreFile)
	}
	show := newProgress(stderr, "packing", unzipped)
	size, err := pack.WriteFile(out, files, show.until(ctx))
	show.end()
	if err != nil {
		return nil, err
	}
	if err := checkZipped(out, size); err != nil {
		return nil, errors.Join(err, os.Remove(out))
	}
	digest, err := digestOf(out)
	if err != nil {
		return nil, err
	}
	return &packed{File: out, Size: size, Unzipped: unzipped, Files: len(files), CodeSHA256: digest}, nil
}

func largest(files []pack.File) string {
	var most pack.File
	for _, f := range files {
		if f.Size > most.Size {
			most = f
		}
	}
	return fmt.Sprintf("%s (%s)", most.Name, bytesText(most.Size))
}

// digestOf is a file's CodeSha256.
func digestOf(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(h.Sum(nil)), nil
}

func first(given ...string) string {
	for _, s := range given {
		if s != "" {
			return s
		}
	}
	return ""
}
