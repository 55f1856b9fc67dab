package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/native"
	"github.com/lambhq/lamb/internal/sandbox/process"
)

// tmpMB is the size of a function's /tmp, unless it asks for more.
const tmpMB = 512

// startPooled starts the raw worker in a sandbox that was prepared ahead.
func (b *bench) startPooled(ctx context.Context) (contest, error) {
	return b.startIn(ctx, readyShells, "pooled start to first next", target{kind: extraMax, limit: 0.5})
}

// startFresh starts the raw worker in a sandbox that is made for it.
func (b *bench) startFresh(ctx context.Context) (contest, error) {
	return b.startIn(ctx, 0, "fresh start to first next", target{})
}

func (b *bench) startIn(ctx context.Context, ready int, what string, t target) (contest, error) {
	if ready > 0 && b.o.sandbox == "process" {
		return contest{}, fmt.Errorf("the process sandbox prepares nothing: %w", errMissing)
	}
	opt := b.path(fmt.Sprintf("opt-%d", ready))
	if err := os.Mkdir(opt, 0o755); err != nil {
		return contest{}, err
	}
	p, err := b.provider(ready, b.scratch)
	if err != nil {
		return contest{}, err
	}
	b.onClose(p.Close)
	task := b.path(fmt.Sprintf("task-%d", ready))
	if err := os.Mkdir(task, 0o755); err != nil {
		return contest{}, err
	}
	if err := os.Link(b.worker, task+"/bootstrap"); err != nil {
		return contest{}, err
	}
	floor, err := b.plain(b.rawCommand(), 1)
	if err != nil {
		return contest{}, err
	}
	spec := sandbox.Spec{ID: "bench", Task: task, Opt: opt, MemoryMB: fullMB, TmpMB: tmpMB, MaxProcesses: 1024, MaxFiles: 1024}
	return contest{floor: floor, lamb: startsIn(p, spec, ready), pairs: b.sizes.pairs, rows: []row{{what: what, floor: execName, unit: "ms", target: t}}}, nil
}

// provider opens sandboxes of this run's kind in this process.
func (b *bench) provider(ready int, stores ...string) (sandbox.Provider, error) {
	work, err := os.MkdirTemp(b.scratch, "sandboxes-")
	if err != nil {
		return nil, err
	}
	if b.o.sandbox == "process" {
		return process.New(process.Config{WorkDir: work})
	}
	p, err := native.New(native.Config{WorkDir: work, Ready: ready, TmpMB: tmpMB, Stores: stores, Network: b.o.network})
	if err != nil {
		return nil, err // not p, which would be no nil interface
	}
	return p, nil
}

// awaitReady waits until a provider has prepared its sandboxes.
func awaitReady(ctx context.Context, p sandbox.Provider, n int) error {
	if n == 0 {
		return nil
	}
	pool, ok := p.(interface{ Ready() int })
	if !ok {
		return fmt.Errorf("%T prepares nothing", p)
	}
	return poll(ctx, func() (bool, error) { return pool.Ready() >= n, nil })
}

// startsIn measures from the decision to start to the first line of the first
// request, in milliseconds.
func startsIn(p sandbox.Provider, spec sandbox.Spec, ready int) contender {
	return func(ctx context.Context) ([]float64, error) {
		if err := awaitReady(ctx, p, ready); err != nil {
			return nil, err
		}
		logs := &syncBuffer{}
		began := time.Now()
		sb, err := p.Create(ctx, spec)
		if err != nil {
			return nil, err
		}
		paths := sb.Paths()
		_, err = sb.Start(ctx, sandbox.Process{
			Path: paths.Task + "/bootstrap", Env: []string{"AWS_LAMBDA_RUNTIME_API=" + sb.Address()}, Stdout: logs, Stderr: logs,
		})
		if err == nil {
			err = await(sb.Listener(), 1)
		}
		took := time.Since(began)
		if closeErr := sb.Close(); err == nil {
			err = closeErr
		}
		time.Sleep(settle)
		return []float64{millis(took)}, err
	}
}

// syncBuffer takes what a program writes to both of its streams.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}
