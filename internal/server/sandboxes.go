package server

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/native"
	"github.com/lambhq/lamb/internal/sandbox/process"
)

// Sandbox names a way to run functions.
type Sandbox string

// The sandboxes.
const (
	// SandboxAuto takes process: native has no way out to the network yet, so
	// nobody gets it without asking.
	SandboxAuto Sandbox = "auto"
	// SandboxNative isolates functions with Linux's namespaces.
	SandboxNative Sandbox = "native"
	// SandboxProcess isolates nothing, and works everywhere.
	SandboxProcess Sandbox = "process"
)

// ParseSandbox reads a sandbox's name.
func ParseSandbox(s string) (Sandbox, error) {
	switch k := Sandbox(s); k {
	case SandboxAuto, SandboxNative, SandboxProcess:
		return k, nil
	}
	return "", fmt.Errorf("sandbox %q: use auto, native or process", s)
}

// readyShells is how many native sandboxes are prepared ahead.
const readyShells = 8

// OpenSandboxes opens the provider of a kind of sandboxes, which keeps them in
// workDir. stores are the folders where code lies; sandboxes that are prepared
// ahead serve functions from there. The caller closes it.
func OpenSandboxes(kind Sandbox, workDir string, stores []string, log *slog.Logger) (sandbox.Provider, error) {
	if kind != SandboxNative {
		return process.New(process.Config{WorkDir: workDir, Logger: log})
	}
	p, err := native.New(native.Config{WorkDir: filepath.Join(workDir, "native"), Ready: readyShells, Stores: stores, Logger: log})
	var missing *native.Unavailable
	if errors.As(err, &missing) {
		return nil, missing // in words for the operator
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// interpreterStores are the folders below which interpreters usually are, as
// far as they exist here.
func interpreterStores() []string {
	stores := []string{"/usr"}
	if home, err := os.UserHomeDir(); err == nil {
		for _, dir := range []string{".pyenv/versions", ".asdf/installs", ".nvm/versions", ".local/share/mise/installs", ".local/share/uv/python", ".local/share/fnm"} {
			stores = append(stores, filepath.Join(home, dir))
		}
	}
	return slices.DeleteFunc(stores, func(dir string) bool {
		info, err := os.Stat(dir)
		return err != nil || !info.IsDir()
	})
}
