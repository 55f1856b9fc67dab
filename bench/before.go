package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/lambhq/lamb/bench/load"
)

// beforeCommit is the last one without extensions and telemetry: what they
// cost functions that have none is measured against it.
const beforeCommit = "752f8cd"

// warmBefore is the warm path next to that of an earlier lamb.
func (b *bench) warmBefore(ctx context.Context) (contest, error) {
	binary, err := b.earlier(ctx)
	if err != nil {
		return contest{}, fmt.Errorf("lamb of before: %w (%w)", err, errMissing)
	}
	now := b.binary
	b.binary = binary
	before, err := b.start(ctx, readyShells)
	b.binary = now
	if err != nil {
		return contest{}, err
	}
	runs := make([]contender, 2)
	for i, l := range []*lamb{before, b.lamb} {
		if err := b.rawFunction(ctx, l, "raw-before", fullMB); err != nil {
			return contest{}, err
		}
		runs[i] = p50(latency(l.address, b.sizes.warm, func() load.Request { return l.invocation(local, "raw-before", event, event) }))
	}
	return contest{floor: runs[0], lamb: runs[1], pairs: 2 * b.sizes.pairs, rows: []row{
		{what: "warm invoke, raw worker, p50", floor: "lamb of before", unit: "µs", target: target{kind: ratioMax, limit: 1.05}},
	}}, nil
}

// earlier is the binary of before: the given one, or the given commit's.
func (b *bench) earlier(ctx context.Context) (string, error) {
	if info, err := os.Stat(b.o.before); err == nil && info.Mode().IsRegular() {
		return filepath.Abs(b.o.before)
	}
	dir := b.path("before")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	if err := checkOut(ctx, b.o.before, dir); err != nil {
		return "", err
	}
	binary := b.path("lamb-before")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", released, "-o", binary, "./cmd/lamb")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build it: %w\n%s", err, out)
	}
	return binary, nil
}

// checkOut unpacks the source files of a commit.
func checkOut(ctx context.Context, commit, dir string) error {
	cmd := exec.CommandContext(ctx, "git", "archive", "--format=tar", commit)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = unpack(out, dir)
	_, _ = io.Copy(io.Discard, out) // so that it ends
	return errors.Join(err, cmd.Wait())
}

func unpack(archive io.Reader, dir string) error {
	files := tar.NewReader(archive)
	for {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg || !filepath.IsLocal(h.Name) || strings.HasPrefix(h.Name, "docs/") {
			continue
		}
		path := filepath.Join(dir, h.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		content, err := io.ReadAll(files)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
}

// warmExtension is the warm path with an extension that wants to know of every
// invocation, next to that without.
func (b *bench) warmExtension(ctx context.Context) (contest, error) {
	zip, err := zipProgram(b.worker, "extensions/idle")
	if err != nil {
		return contest{}, err
	}
	layer, err := b.lamb.publishLayer(ctx, "idle", zip)
	if err != nil {
		return contest{}, err
	}
	runs := make([]contender, 2)
	for i, layers := range [][]string{nil, {layer}} {
		s := b.rawSpec(fmt.Sprintf("raw-extensions-%d", len(layers)), "echo", fullMB)
		s.layers = layers
		if err := b.lamb.create(ctx, s); err != nil {
			return contest{}, err
		}
		run, err := b.invoked(ctx, s.name, b.sizes.warm)
		if err != nil {
			return contest{}, err
		}
		runs[i] = p50(run)
	}
	return contest{floor: runs[0], lamb: runs[1], rows: []row{
		{what: "warm invoke, raw worker, an idle extension told of it, p50", floor: "without it", unit: "µs", target: target{kind: ratioMax, limit: 1.5}},
	}}, nil
}
