package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lambhq/lamb/internal/gateway"
	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/native"
	"github.com/lambhq/lamb/internal/sandbox/process"
	"github.com/lambhq/lamb/internal/sandbox/relay"
)

// Sandbox names a way to run functions.
type Sandbox string

// The sandboxes.
const (
	// SandboxAuto takes native where it works, and process elsewhere.
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

// readyTmpMB is the size of /tmp of sandboxes that are prepared ahead: what
// functions have unless they ask for more.
const readyTmpMB = 512

// SandboxConfig is what a provider of sandboxes is opened with.
type SandboxConfig struct {
	Kind Sandbox
	// WorkDir is where the provider keeps sandboxes.
	WorkDir string
	// Stores are the folders where code lies; sandboxes that are prepared
	// ahead serve functions from there.
	Stores []string
	// Network is native's: "private", "none", "host", or empty for what works.
	Network string
	// Shells is how many native sandboxes are prepared ahead.
	Shells int
	// Single says that one sandbox is all that is wanted; see native.Config.
	Single bool
	// Policy is what a private network may reach, LambdaAPI its way to lamb;
	// see native.Config.
	Policy    relay.Policy
	LambdaAPI func(ctx context.Context, environment string) (net.Conn, error)
	Log       *slog.Logger
}

// OpenSandboxes opens a provider. The caller closes it. With SandboxAuto the
// fingerprint says why it is not native, if it is not.
func OpenSandboxes(cfg SandboxConfig) (sandbox.Provider, error) {
	if cfg.Kind == SandboxProcess {
		return openProcess(cfg)
	}
	p, err := openNative(cfg)
	if err == nil || cfg.Kind == SandboxNative || cfg.ownNetwork() {
		return p, err // a network was asked for that only native has
	}
	fallback, processErr := openProcess(cfg)
	if processErr != nil {
		return nil, errors.Join(err, processErr)
	}
	return lesser{fallback, err}, nil
}

// ownNetwork tells whether functions must not share the host's network.
func (cfg *SandboxConfig) ownNetwork() bool {
	return cfg.Network != "" && cfg.Network != native.NetworkHost
}

func openNative(cfg SandboxConfig) (sandbox.Provider, error) {
	p, err := native.New(native.Config{
		WorkDir: filepath.Join(cfg.WorkDir, "native"), Ready: cfg.Shells, Single: cfg.Single, TmpMB: readyTmpMB, Stores: cfg.Stores,
		Network: cfg.Network, Policy: cfg.Policy, LambdaAPI: cfg.LambdaAPI, Logger: cfg.Log,
	})
	if missing, ok := errors.AsType[*native.Unavailable](err); ok {
		return nil, missing // in words for the operator
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

func openProcess(cfg SandboxConfig) (sandbox.Provider, error) {
	if cfg.ownNetwork() {
		return nil, fmt.Errorf("network %q: only native sandboxes have a network of their own", cfg.Network)
	}
	return process.New(process.Config{WorkDir: cfg.WorkDir, Logger: cfg.Log})
}

// lesser is a provider that stands in for native.
type lesser struct {
	sandbox.Provider
	why error // native does not work
}

// Fingerprint implements sandbox.Provider.
func (l lesser) Fingerprint() sandbox.Fingerprint {
	fp := l.Provider.Fingerprint()
	fp.Missing = slices.Concat([]string{"Functions are not isolated: " + l.why.Error() + "."}, fp.Missing)
	return fp
}

// checkIsolation refuses sandboxes that isolate less than the operator wants,
// or than an address that others reach calls for, access keys or not.
func (c *Config) checkIsolation(fp sandbox.Fingerprint) error {
	switch {
	case fp.Isolation:
		return nil
	case c.RequireIsolation:
		return fmt.Errorf("--require-isolation: the %s sandbox has none. %s", fp.Name, strings.Join(fp.Missing[:min(1, len(fp.Missing))], ""))
	case gateway.ListenPolicy(c.Listen, c.Insecure, false) != nil:
		return fmt.Errorf("refusing to listen on %s with the %s sandbox on the network %q, which does not isolate: others' functions would reach this machine. "+
			"Use the native sandbox on another network (lamb doctor says what it needs), listen on 127.0.0.1, or give --insecure", c.Listen, fp.Name, fp.Network)
	}
	return nil
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

// hostPorts are the ports of this machine's loopback that functions in a
// private network reach as host.lamb.internal. By default that is all of them
// as long as only this machine reaches lamb.
func (c *Config) hostPorts() (relay.HostPorts, error) {
	ports := c.HostPorts
	if ports == "" {
		ports = "none"
		if gateway.ListenPolicy(c.Listen, false, false) == nil {
			ports = "all"
		}
	}
	return relay.ParseHostPorts(ports)
}
