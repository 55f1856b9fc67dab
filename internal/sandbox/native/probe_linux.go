package native

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/lambhq/lamb/internal/sandbox"
)

// tryTimeout bounds the trial at start-up.
const tryTimeout = 20 * time.Second

// trialTmpMB is the size of the trial's /tmp where no size is prepared for.
const trialTmpMB = 16

// try makes a sandbox, runs a program in it and removes it: only that shows
// whether this host allows it. It gives up the limit of /tmp where that does
// not work.
func (p *Provider) try() error {
	if p.single {
		return nil
	}
	err := p.tryOnce()
	if p.disks == nil || err == nil {
		return err
	}
	disks := p.disks
	p.disks = nil
	if p.tryOnce() != nil {
		p.disks = disks // it was not that
		return err
	}
	p.noDisks = err
	if u, ok := errors.AsType[*Unavailable](err); ok {
		p.noDisks = u.Err
	}
	return disks.close()
}

func (p *Provider) tryOnce() error {
	ctx, cancel := context.WithTimeout(context.Background(), tryTimeout)
	defer cancel()
	task := filepath.Join(p.root.skeleton, "mnt")
	if len(p.pool.stores) > 0 {
		task = p.pool.stores[0] // as most sandboxes will be
	}
	b := newBox(p, sandbox.Spec{ID: "trial", Task: task, TmpMB: max(p.pool.tmpMB, trialTmpMB)})
	err := b.open()
	if err == nil {
		err = b.tryProgram(ctx)
	}
	if err == nil {
		// What it has shown, it has shown: nobody waits for its removal.
		p.trials.Go(func() {
			if err := b.Close(); err != nil {
				p.log.Warn("the sandbox of the trial was not removed whole", "error", err)
			}
		})
		return nil
	}
	err = errors.Join(err, b.Close())
	return &Unavailable{Step: err.Error(), Hint: hint(err, p.rootless, kernelSetting), Err: err}
}

// tryProgram starts a program that is not there: everything up to its
// execution happens all the same.
func (b *Box) tryProgram(ctx context.Context) error {
	_, err := b.Start(ctx, sandbox.Process{Path: "/tmp/missing", Dir: "/tmp"})
	if errors.Is(err, sandbox.ErrNotFound) {
		return nil
	}
	return fmt.Errorf("run a program: %w", err)
}

// kernelSetting is a file below /proc/sys; empty when it is not there.
func kernelSetting(name string) string {
	b, err := os.ReadFile("/proc/sys/" + name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// hint tells what to do about a failed trial.
func hint(err error, rootless bool, setting func(string) string) string {
	switch {
	case errors.Is(err, syscall.ENOSYS), errors.Is(err, sandbox.ErrUnsupported):
		return "It needs Linux 5.12 or newer, on amd64 or arm64"
	case !errors.Is(err, syscall.EPERM) && !errors.Is(err, syscall.EACCES) && !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EINVAL):
		return ""
	case !rootless:
		return "Lamb is root without root's privileges, as in a container: give the container CAP_SYS_ADMIN, CAP_NET_ADMIN and CAP_SETPCAP and a seccomp profile that lets it mount, or run lamb on the host"
	case setting("kernel/apparmor_restrict_unprivileged_userns") == "1":
		return "AppArmor keeps ordinary users from making user namespaces (Ubuntu 24.04 and newer): run `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`, give lamb an AppArmor profile with `userns,`, or run it as root"
	case setting("kernel/unprivileged_userns_clone") == "0":
		return "This system keeps ordinary users from making user namespaces: run `sudo sysctl -w kernel.unprivileged_userns_clone=1`, or run lamb as root"
	case setting("user/max_user_namespaces") == "0":
		return "User namespaces are switched off: run `sudo sysctl -w user.max_user_namespaces=10000`, or run lamb as root"
	}
	return "An ordinary user may not make namespaces or mounts here, as in a container whose /proc is masked: run lamb on the host, or as root"
}

// fingerprint writes down what is in force.
func (p *Provider) fingerprint() {
	g := p.groups
	p.print = sandbox.Fingerprint{
		Name: "native", Isolation: p.net != NetworkHost, Network: p.net,
		Memory: g.has("memory"), CPU: g.has("cpu"), Processes: true, Freeze: true, Mounts: true,
		Tmp: p.disks != nil, Missing: slices.Concat(p.network(), g.missing),
	}
	if p.disks == nil {
		p.print.Missing = append(p.print.Missing, p.explainDisks())
	}
	if inMemory(p.workDir) {
		p.print.Missing = append(p.print.Missing,
			"What functions write to /tmp counts as their memory, because "+p.workDir+" is in memory: choose a --data-dir on a disk.")
	}
	if p.shared != nil {
		p.print.Missing = append(p.print.Missing,
			"Another lamb on this host may use the same users as this one, because "+claimsDir+" cannot keep them apart ("+p.shared.Error()+").")
	}
	if p.rootless {
		p.print.Missing = append(p.print.Missing,
			"All functions run as the user who runs lamb, with that user's supplementary groups: isolation rests on namespaces and system call filters alone; as root, each environment has a user of its own.")
	}
}
