package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lambhq/lamb/internal/sandbox"
)

// freezes is how often is frozen and thawed in a measurement.
const freezes = 50

// freeze is stopping and continuing a sandbox with the raw worker, next to what
// the kernel needs for the raw worker by itself.
func (b *bench) freeze(ctx context.Context) (contest, error) {
	if b.o.sandbox == "process" {
		return contest{}, fmt.Errorf("the process sandbox stops programs by signals: %w", errMissing)
	}
	floor, err := b.bareFreeze()
	if err != nil {
		return contest{}, err
	}
	box, err := b.frozenBox(ctx)
	if err != nil {
		return contest{}, err
	}
	return contest{
		floor: turns(floor), lamb: turns(func(on bool) error {
			if on {
				return box.Freeze(ctx)
			}
			return box.Thaw(ctx)
		}),
		rows: []row{
			{what: "freeze a sandbox", floor: "the kernel's freeze", unit: "µs", target: target{kind: ratioMax, limit: 3}},
			{what: "thaw it", floor: "the kernel's thaw", unit: "µs", target: target{kind: ratioMax, limit: 3}},
		},
	}, nil
}

// turns freezes and thaws, and returns the medians.
func turns(set func(frozen bool) error) contender {
	return func(context.Context) ([]float64, error) {
		took := [2][]time.Duration{}
		for range freezes {
			for i, on := range []bool{true, false} {
				began := time.Now()
				if err := set(on); err != nil {
					return nil, err
				}
				took[i] = append(took[i], time.Since(began))
				time.Sleep(time.Millisecond) // it is not frozen in the middle of waking up
			}
		}
		for i := range took {
			slices.Sort(took[i])
		}
		return []float64{micros(took[0][freezes/2]), micros(took[1][freezes/2])}, nil
	}
}

// frozenBox is a sandbox in which the raw worker waits for its first event.
func (b *bench) frozenBox(ctx context.Context) (sandbox.Sandbox, error) {
	p, err := b.provider(0, b.scratch)
	if err != nil {
		return nil, err
	}
	b.onClose(p.Close)
	if !p.Fingerprint().Freeze {
		return nil, fmt.Errorf("freezing: %w", errMissing)
	}
	task := b.path("task-frozen")
	if err := os.Mkdir(task, 0o755); err != nil {
		return nil, err
	}
	if err := os.Link(b.worker, task+"/bootstrap"); err != nil {
		return nil, err
	}
	box, err := p.Create(ctx, sandbox.Spec{ID: "frozen", Task: task, MemoryMB: fullMB, TmpMB: tmpMB, MaxProcesses: 1024, MaxFiles: 1024})
	if err != nil {
		return nil, err
	}
	_, err = box.Start(ctx, sandbox.Process{Path: box.Paths().Task + "/bootstrap", Env: []string{"AWS_LAMBDA_RUNTIME_API=" + box.Address()}})
	if err != nil {
		return nil, err
	}
	conn, err := box.Listener().Accept()
	if err == nil {
		b.onClose(conn.Close)
	}
	return box, err
}

// bareFreeze is a raw worker, started plainly, in a control group of version 2
// that is frozen by one write.
func (b *bench) bareFreeze() (set func(frozen bool) error, err error) {
	root, err := unifiedRoot()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(root, "lamb-bench-")
	if err != nil {
		return nil, fmt.Errorf("a control group: %w (%w)", err, errMissing)
	}
	b.onClose(func() error { return os.Remove(dir) })
	l, err := listen()
	if err != nil {
		return nil, err
	}
	b.onClose(l.Close)
	cmd, err := l.start(b.rawCommand())
	if err != nil {
		return nil, err
	}
	b.onClose(func() error { return endGroup(cmd, dir) })
	conn, err := l.Accept()
	if err != nil {
		return nil, err
	}
	b.onClose(conn.Close)
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), fmt.Append(nil, cmd.Process.Pid), 0); err != nil {
		return nil, err
	}
	return func(frozen bool) error {
		value, want := "0", []byte("frozen 0")
		if frozen {
			value, want = "1", []byte("frozen 1")
		}
		if err := os.WriteFile(filepath.Join(dir, "cgroup.freeze"), []byte(value), 0); err != nil {
			return err
		}
		for range 1_000_000 {
			events, err := os.ReadFile(filepath.Join(dir, "cgroup.events"))
			if err != nil {
				return err
			}
			if bytes.Contains(events, want) {
				return nil
			}
		}
		return errors.New("the group does not freeze")
	}, nil
}

// endGroup ends the only process of a control group.
func endGroup(cmd *exec.Cmd, dir string) error {
	err := cmd.Process.Kill()
	_ = cmd.Wait() // killed
	for range 100 {
		if events, _ := os.ReadFile(filepath.Join(dir, "cgroup.events")); bytes.Contains(events, []byte("populated 0")) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return err
}

// unifiedRoot is where control groups of version 2 are mounted.
func unifiedRoot() (string, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", fmt.Errorf("%w: %w", err, errMissing)
	}
	for line := range strings.Lines(string(mounts)) {
		before, after, _ := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		if strings.HasPrefix(after, "cgroup2 ") && len(fields) > 4 {
			return fields[4], nil
		}
	}
	return "", fmt.Errorf("control groups of version 2: %w", errMissing)
}
