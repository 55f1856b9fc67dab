package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// profileFile is the name of a profile in the result's folder.
const profileFile = "profile.txt"

// profileSeconds is how long is looked at lamb.
const profileSeconds = "5"

// profile says where lamb's CPU time goes while it answers warm invocations:
// once by function, and once with what each calls. It needs perf, which sees
// the kernel's part too, and a lamb with symbols.
func (b *bench) profile(ctx context.Context, folder string) error {
	perf, err := exec.LookPath("perf")
	if err != nil {
		return fmt.Errorf("a profile needs perf (linux-perf): %w", err)
	}
	if err := os.Mkdir(b.path("profiled"), 0o755); err != nil {
		return err
	}
	binary, err := buildProgram(ctx, b.path("profiled"), "cmd/lamb", "")
	if err != nil {
		return err
	}
	b.binary = binary // of what is started from now on
	if b.lamb, err = b.start(ctx, readyShells); err != nil {
		return err
	}
	if err := b.rawFunction(ctx, b.lamb, "raw", fullMB); err != nil {
		return err
	}
	warm, err := b.invoked(ctx, "raw", b.sizes.warm)
	if err != nil {
		return err
	}
	data := b.path("perf.data")
	record := exec.CommandContext(ctx, perf, "record", "-q", "-F", "1999", "-g", "-o", data, "-p", strconv.Itoa(b.lamb.cmd.Process.Pid), "--", "sleep", profileSeconds)
	if err := record.Start(); err != nil {
		return err
	}
	recorded := make(chan error, 1)
	go func() { recorded <- record.Wait() }()
	for {
		select {
		case err := <-recorded:
			if err != nil {
				return fmt.Errorf("perf record: %w", err)
			}
			return report(ctx, perf, data, filepath.Join(folder, profileFile))
		default:
		}
		if _, err := warm(ctx); err != nil {
			return errors.Join(err, <-recorded)
		}
	}
}

// report makes text of what perf has recorded.
func report(ctx context.Context, perf, data, path string) error {
	var all []byte
	for _, how := range []string{"--no-children", "--children"} {
		out, err := exec.CommandContext(ctx, perf, "report", "-i", data, "--stdio", "-g", "none", "--percent-limit", "0.5", how).Output()
		if err != nil {
			return fmt.Errorf("perf report: %w", err)
		}
		all = append(all, out...)
	}
	return os.WriteFile(path, all, 0o644)
}
