package main

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// function is an example that can be created: CreateFunction's parameters, the
// code as a zip, and an event to call it with.
type function struct {
	name         string
	runtime      types.Runtime
	architecture types.Architecture
	handler      string
	source       string // the file to edit, for a function that needs no building
	code         []byte
	event        []byte
}

// example is one of the folders beside this one.
type example struct {
	name string
	// pack fills in runtime, handler, source and code. A missingError means
	// that this machine lacks what the function would run on.
	pack func(ctx context.Context, folder string, f *function) error
}

// examples are the functions of the show, in its order.
var examples = []example{
	{"hello-go", packGo},
	{"hello-python", packPython},
	{"hello-node", packNode},
}

// missingError names a program without which a function cannot run here.
type missingError struct{ program string }

func (e missingError) Error() string {
	return fmt.Sprintf("%s is not on PATH; install it to see this one", e.program)
}

// load reads an example from its folder and packs it.
func (e example) load(ctx context.Context, folder string) (*function, error) {
	event, err := os.ReadFile(filepath.Join(folder, "event.json"))
	if err != nil {
		return nil, err
	}
	f := &function{name: e.name, event: bytes.TrimSpace(event), architecture: architecture()}
	if err := e.pack(ctx, folder, f); err != nil {
		return nil, err
	}
	return f, nil
}

// architecture is this machine's, in Lambda's words.
func architecture() types.Architecture {
	if runtime.GOARCH == "arm64" {
		return types.ArchitectureArm64
	}
	return types.ArchitectureX8664
}

// packGo compiles a Go function. On Linux the zip is what one would upload to
// AWS: a static binary named bootstrap. Elsewhere it is built for the system it
// will run on, since lamb's process sandbox runs programs of the host.
func packGo(ctx context.Context, folder string, f *function) error {
	out, err := os.MkdirTemp("", "firstlight-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(out)
	bootstrap := filepath.Join(out, "bootstrap")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-tags", "lambda.norpc", "-o", bootstrap, ".")
	build.Dir = folder
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build in %s: %w\n%s", folder, err, output)
	}
	f.runtime, f.handler = types.RuntimeProvidedal2023, "bootstrap"
	f.code, err = zipFile(bootstrap, 0o755)
	return err
}

// What Lambda lets people create at present, by the version that the
// interpreter says it is. For another version the first is taken: lamb then
// runs the function on the nearest interpreter that it finds, and logs that.
var (
	pythonRuntimes = []types.Runtime{
		types.RuntimePython312, types.RuntimePython39, types.RuntimePython310,
		types.RuntimePython311, types.RuntimePython313, types.RuntimePython314,
	}
	nodeRuntimes = []types.Runtime{types.RuntimeNodejs22x, types.RuntimeNodejs20x, types.RuntimeNodejs24x}
)

// packPython packs a Python function for the version of Python that is here.
func packPython(ctx context.Context, folder string, f *function) error {
	version, err := versionOf(ctx, "python3", regexp.MustCompile(`^Python (3\.\d+)`))
	if err != nil {
		return err
	}
	f.runtime = oneOf(pythonRuntimes, "python"+version)
	f.handler, f.source = "lambda_function.lambda_handler", filepath.Join(folder, "lambda_function.py")
	f.code, err = zipFile(f.source, 0o644)
	return err
}

// packNode packs a Node function for the version of Node that is here.
func packNode(ctx context.Context, folder string, f *function) error {
	version, err := versionOf(ctx, "node", regexp.MustCompile(`^v(\d+)\.`))
	if err != nil {
		return err
	}
	f.runtime = oneOf(nodeRuntimes, "nodejs"+version+".x")
	f.handler, f.source = "index.handler", filepath.Join(folder, "index.mjs")
	f.code, err = zipFile(f.source, 0o644)
	return err
}

// versionOf asks an interpreter for its version; it is empty when the answer
// cannot be read.
func versionOf(ctx context.Context, program string, version *regexp.Regexp) (string, error) {
	output, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return "", missingError{program}
	}
	if match := version.FindSubmatch(output); match != nil {
		return string(match[1]), nil
	}
	return "", nil
}

// oneOf is the runtime with that identifier, or else the first.
func oneOf(runtimes []types.Runtime, id string) types.Runtime {
	if i := slices.Index(runtimes, types.Runtime(id)); i >= 0 {
		return runtimes[i]
	}
	return runtimes[0]
}

// zipFile makes a zip with one file in it.
func zipFile(path string, mode fs.FileMode) ([]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	header := &zip.FileHeader{Name: filepath.Base(path), Method: zip.Deflate}
	header.SetMode(mode) // Lambda unpacks with the modes in the zip
	entry, err := w.CreateHeader(header)
	if err != nil {
		return nil, err
	}
	if _, err := entry.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return archive.Bytes(), nil
}
