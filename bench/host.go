package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"time"
)

// startUp is what an operator waits for.
func (b *bench) startUp(context.Context) (contest, error) {
	return contest{
		floor: func(ctx context.Context) ([]float64, error) {
			began := time.Now()
			err := exec.CommandContext(ctx, b.binary, "--version").Run()
			return []float64{millis(time.Since(began))}, err
		},
		lamb: func(ctx context.Context) ([]float64, error) {
			l, err := b.launch(ctx, readyShells)
			if err != nil {
				return nil, err
			}
			return []float64{millis(l.started)}, l.Close()
		},
		rows: []row{{what: "start-up to listening", floor: "lamb --version", unit: "ms", target: target{kind: figureMax, limit: 60}}},
	}, nil
}

// idleMemory is what lamb takes before it has done anything.
func (b *bench) idleMemory(context.Context) (contest, error) {
	return contest{
		lamb: func(ctx context.Context) ([]float64, error) {
			l, err := b.launch(ctx, 0)
			if err != nil {
				return nil, err
			}
			time.Sleep(settle)
			mb, err := residentMB(l.cmd.Process.Pid)
			return []float64{mb}, errors.Join(err, l.Close())
		},
		rows: []row{{what: "resident memory, idle, no shells", unit: "MB", target: target{kind: figureMax, limit: 30}}},
	}, nil
}

// shellMemory is what a prepared sandbox takes: its processes, what this
// process, as lamb, keeps for it, and what the kernel's memory grows by.
func (b *bench) shellMemory(context.Context) (contest, error) {
	if b.o.sandbox == "process" {
		return contest{}, fmt.Errorf("the process sandbox prepares nothing: %w", errMissing)
	}
	n := b.sizes.shells
	return contest{
		lamb: func(ctx context.Context) ([]float64, error) {
			// The kernel takes its time to free what the last round used.
			time.Sleep(20 * settle)
			before, err := measureMemory(nil)
			if err != nil {
				return nil, err
			}
			p, err := b.provider(n)
			if err != nil {
				return nil, err
			}
			err = awaitReady(ctx, p, n)
			after, memoryErr := measureMemory(before.processes)
			if err := errors.Join(err, memoryErr, p.Close()); err != nil {
				return nil, err
			}
			// Others on the machine may give more memory back than this took.
			return []float64{max(0.001, float64(after.kb-before.kb)/1024/float64(n))}, nil
		},
		rows: []row{{what: "memory of a parked shell", unit: "MB", target: target{kind: figureMax, limit: 0.5}}},
	}, nil
}

// memory is what the kernel, this process and its descendants use.
type memory struct {
	kb        int64
	processes map[int]bool // the descendants, counted or not
}

// measureMemory leaves descendants out that are known: other processes of this
// run, whose memory changes for reasons of their own.
func measureMemory(known map[int]bool) (memory, error) {
	m := memory{processes: map[int]bool{}}
	self := os.Getpid()
	for _, pid := range descendants(self) {
		m.processes[pid] = true
	}
	counted := []int{self}
	for pid := range m.processes {
		if known != nil && !known[pid] {
			counted = append(counted, pid)
		}
	}
	var errs []error
	for _, pid := range counted {
		kb, err := fieldKB(fmt.Sprintf("/proc/%d/status", pid), "RssAnon")
		m.kb += kb
		if pid == self { // others may be ending
			errs = append(errs, err)
		}
	}
	for _, name := range []string{"Shmem", "Slab", "KernelStack", "PageTables", "Percpu"} {
		kb, err := fieldKB("/proc/meminfo", name)
		m.kb += kb
		errs = append(errs, err)
	}
	return m, errors.Join(errs...)
}

// durable is a change that is acknowledged when it is on the disk.
func (b *bench) durable(ctx context.Context) (contest, error) {
	if err := b.rawFunction(ctx, b.lamb, "durable", smallMB); err != nil {
		return contest{}, err
	}
	middle := func(once func(context.Context) (time.Duration, error)) contender {
		return func(ctx context.Context) ([]float64, error) {
			took := make([]time.Duration, b.sizes.pairs)
			for i := range took {
				var err error
				if took[i], err = once(ctx); err != nil {
					return nil, err
				}
			}
			slices.Sort(took)
			return []float64{millis(took[len(took)/2])}, nil
		}
	}
	return contest{
		floor: middle(b.writeAndSync),
		lamb: middle(func(ctx context.Context) (time.Duration, error) {
			b.generation++
			began := time.Now()
			err := b.lamb.update(ctx, "durable", b.generation)
			took := time.Since(began)
			return took, errors.Join(err, b.lamb.awaitFunction(ctx, "durable"))
		}),
		rows: []row{{what: "UpdateFunctionConfiguration, acknowledged", floor: "write + sync 1 KB", unit: "ms"}},
	}, nil
}

// writeAndSync is what the disk needs at least.
func (b *bench) writeAndSync(context.Context) (time.Duration, error) {
	content := make([]byte, 1024)
	began := time.Now()
	f, err := os.CreateTemp(b.scratch, "sync-")
	if err != nil {
		return 0, err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	took := time.Since(began)
	return took, errors.Join(err, os.Remove(f.Name()))
}
