package native

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/relay"
)

// TestHints: who is told that there is no isolation is told what to do.
func TestHints(t *testing.T) {
	const (
		apparmor = "kernel/apparmor_restrict_unprivileged_userns"
		debian   = "kernel/unprivileged_userns_clone"
		most     = "user/max_user_namespaces"
	)
	denied := fmt.Errorf("spawn: %w", &stepError{Step: "make mounts private", Errno: syscall.EPERM})
	for _, tt := range []struct {
		name     string
		err      error
		rootless bool
		settings map[string]string
		says     string // empty: no hint
	}{
		{"Ubuntu", denied, true, map[string]string{apparmor: "1", debian: "1"}, "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"},
		{"AppArmor allows", denied, true, map[string]string{apparmor: "0", debian: "0"}, "sysctl -w kernel.unprivileged_userns_clone=1"},
		{"switched off", os.NewSyscallError("clone", syscall.ENOSPC), true, map[string]string{most: "0"}, "sysctl -w user.max_user_namespaces"},
		{"container, ordinary user", denied, true, nil, "as in a container"},
		{"container, root", denied, false, map[string]string{apparmor: "1"}, "CAP_SYS_ADMIN"},
		{"old kernel", syscall.ENOSYS, false, nil, "Linux 5.12"},
		{"other architecture", sandbox.ErrUnsupported, true, nil, "amd64 or arm64"},
		{"something else", errors.New("disk full"), true, map[string]string{apparmor: "1"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := hint(tt.err, tt.rootless, func(name string) string { return tt.settings[name] })
			if (got == "") != (tt.says == "") || !strings.Contains(got, tt.says) {
				t.Errorf("%q does not say %q", got, tt.says)
			}
		})
	}
}

// TestMissingLimits: why a limit is missing, and what would change that.
func TestMissingLimits(t *testing.T) {
	for _, tt := range []struct {
		name    string
		groups  groups
		refused error
		says    []string
		not     string
	}{
		{"version 1", groups{old: true}, os.ErrPermission, []string{"Memory is not limited", "CPU is not limited", "version 1", "run lamb as root"}, "Delegate"},
		{"version 2", groups{}, os.ErrPermission, []string{"Delegate=yes"}, "version 1,"},
		{"not divided", groups{v2: "x", freezes: true}, fmt.Errorf("memory: %w", unix.EBUSY), []string{"has processes in it"}, "signals"},
		{"container", groups{}, &os.PathError{Op: "mkdir", Path: "x", Err: unix.EROFS}, []string{"mounted read-only", "stopped by signals"}, ""},
		{"partly", groups{controllers: map[string]bool{"memory": true}, freezes: true}, nil, []string{"CPU is not limited"}, "Memory is"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.groups.explain(tt.refused)
			got := strings.Join(tt.groups.missing, "\n")
			for _, want := range tt.says {
				if !strings.Contains(got, want) {
					t.Errorf("%q does not say %q", got, want)
				}
			}
			if tt.not != "" && strings.Contains(got, tt.not) {
				t.Errorf("%q says %q", got, tt.not)
			}
		})
	}
}

// TestMissingNetworkAndTmp: the same of what else may be missing.
func TestMissingNetworkAndTmp(t *testing.T) {
	p := &Provider{net: NetworkNone}
	for _, tt := range []struct {
		name string
		err  error
		says string
	}{
		{"module", fmt.Errorf("set up: %w: %w", relay.ErrNoTPROXY, unix.ENOENT), "modprobe nft_tproxy"},
		{"container", &Unavailable{Step: "open a socket", Hint: "not this", Err: unix.EPERM}, "CAP_NET_RAW"},
	} {
		p.noNetwork = tt.err
		if got := strings.Join(p.network(), "\n"); !strings.Contains(got, tt.says) || strings.Contains(got, "not this") {
			t.Errorf("%s: %q does not say %q", tt.name, got, tt.says)
		}
	}
	for _, tt := range []struct {
		rootless bool
		err      error
		says     string
	}{
		{true, nil, "only root"},
		{false, errNoMkfs, "Install e2fsprogs"},
		{false, &os.PathError{Op: "open", Path: "/dev/loop-control", Err: unix.ENOENT}, "/dev/loop-control"},
		{false, &stepError{Step: stepDisk, Errno: unix.EPERM}, stepDisk},
	} {
		p.rootless, p.noDisks = tt.rootless, tt.err
		if got := p.explainDisks(); !strings.Contains(got, tt.says) {
			t.Errorf("%v: %q does not say %q", tt.err, got, tt.says)
		}
	}
}
