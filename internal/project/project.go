package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/pattern"
)

// The architectures of functions, as the API names them.
const (
	X86 = "x86_64"
	ARM = "arm64"
)

// Language is what a project is written in.
type Language string

// The languages that projects are known in.
const (
	Go     Language = "go"
	Python Language = "python"
	Node   Language = "node"
	// Custom is a bootstrap that is there already: a script or a binary.
	Custom Language = "custom"
	// Zipped is a finished deployment package.
	Zipped Language = "zip"
)

// Project is the source of one function.
type Project struct {
	// Dir is its folder, absolute. File is the program or package where Open was given one
	// instead of a folder; absolute.
	Dir, File string
	Language  Language
	// Name, Runtime, Handler and Architecture are the settings', or else what
	// was found.
	Name, Runtime, Handler, Architecture string
	Settings                             Settings
}

// ErrUnknown: nothing that lamb can run was found.
var ErrUnknown = errors.New("there is no function here that lamb knows")

// Open looks at a folder, at one source file, at a program that is built
// already, or at a deployment package.
func Open(path string) (*Project, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s does not exist", path)
	}
	if err != nil {
		return nil, err
	}
	p := &Project{Dir: path}
	if !info.IsDir() {
		p.Dir, p.File = filepath.Dir(path), path
	}
	if p.Settings, err = ReadSettings(p.Dir); err != nil {
		return nil, err
	}
	if err := p.detect(); err != nil {
		return nil, err
	}
	s := p.Settings
	p.Name = first(s.Name, nameOf(path, p.File != ""))
	p.Runtime, p.Handler = first(s.Runtime, p.Runtime), first(s.Handler, p.Handler)
	p.Architecture = first(s.Architecture, hostArchitecture())
	if _, known := function.LookupRuntime(p.Runtime); !known {
		return nil, fmt.Errorf("runtime %q is none of Lambda's", p.Runtime)
	}
	return p, nil
}

func first(given ...string) string {
	for _, s := range given {
		if s != "" {
			return s
		}
	}
	return ""
}

// hostArchitecture is this machine's, so that what is built runs here.
func hostArchitecture() string {
	if runtime.GOARCH == "arm64" {
		return ARM
	}
	return X86
}

var notInNames = pattern.Lazy(`[^A-Za-z0-9_-]+`)

// nameOf makes a function's name of a path.
func nameOf(path string, file bool) string {
	base := filepath.Base(path)
	if file {
		if base == Bootstrap {
			base = filepath.Base(filepath.Dir(path))
		}
		base = strings.TrimSuffix(base, filepath.Ext(base))
	}
	name := strings.Trim(notInNames().ReplaceAllString(base, "-"), "-")
	if name == "" {
		return "function"
	}
	return name[:min(len(name), 64)]
}
