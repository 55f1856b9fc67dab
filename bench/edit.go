package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// editDev is the time from an edit of a function that lamb dev serves to the
// first answer of the new code, next to the build of the same edit alone.
func (b *bench) editDev(ctx context.Context) (contest, error) {
	const name = "edited"
	apart := b.path("edited-apart")
	if err := os.MkdirAll(apart, 0o755); err != nil {
		return contest{}, err
	}
	served, built := b.path(name), filepath.Join(apart, name)
	for _, dir := range []string{b.scratch, apart} {
		cmd := exec.CommandContext(ctx, b.binary, "new", name, "--lang", "go")
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return contest{}, fmt.Errorf("lamb new: %w\n%s", err, out)
		}
	}
	d, err := startDev(ctx, b.binary, served, "--sandbox", b.o.sandbox)
	if err != nil {
		return contest{}, err
	}
	b.onClose(d.Close)
	// What one of them has built must not be in the cache when the other does.
	edits := 0
	edit := func(dir string) (says string, err error) {
		edits++
		says = fmt.Sprintf("hello for the %d. time, ", edits)
		return says, replaceIn(filepath.Join(dir, "main.go"), greetings, fmt.Sprintf("Greeting: %q", says))
	}
	return contest{
		floor: func(ctx context.Context) ([]float64, error) {
			if _, err := edit(built); err != nil {
				return nil, err
			}
			// As internal/project builds.
			cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc", "-ldflags=-s -w", "-o", filepath.Join(apart, "bootstrap"), ".")
			cmd.Dir, cmd.Env = built, append(os.Environ(), "CGO_ENABLED=0")
			return timed(cmd)
		},
		lamb: func(ctx context.Context) ([]float64, error) {
			began := time.Now()
			says, err := edit(served)
			if err != nil {
				return nil, err
			}
			if err := d.serves(ctx); err != nil {
				return nil, err
			}
			var answer struct{ Greeting string }
			if err := d.lamb.call(ctx, "POST", functionsPath+"/"+name+"/invocations", map[string]string{"name": "b"}, &answer); err != nil {
				return nil, err
			}
			took := millis(time.Since(began))
			if want := says + "b"; answer.Greeting != want {
				return nil, fmt.Errorf("the answer is %q, want %q", answer.Greeting, want)
			}
			return []float64{took}, nil
		},
		rows:  []row{{what: "lamb dev, edit to first answer", floor: "go build", unit: "ms", target: target{kind: ratioMax, limit: 1.5, extra: 100}}},
		pairs: b.sizes.pairs,
	}, nil
}

var greetings = regexp.MustCompile(`Greeting: ".*?"`)

// replaceIn writes a file anew with what matches replaced.
func replaceIn(path string, what *regexp.Regexp, by string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !what.Match(text) {
		return fmt.Errorf("%s has no %s", path, what)
	}
	return os.WriteFile(path, what.ReplaceAllLiteral(text, []byte(by)), 0o644)
}

// dev is a running lamb dev of one function.
type dev struct {
	cmd   *exec.Cmd
	lamb  *lamb         // how it is called
	swaps chan struct{} // one for each time it says that the function serves
	done  chan struct{} // closed when it says nothing more
	said  *tail
	read  sync.WaitGroup
}

var devServesAt = regexp.MustCompile(`lamb serves at http://(\S+)`)

// startDev starts it and waits until the function serves for the first time.
func startDev(ctx context.Context, binary, dir string, flags ...string) (*dev, error) {
	d := &dev{swaps: make(chan struct{}, 16), done: make(chan struct{}), said: &tail{}, lamb: &lamb{http: newManager()}}
	d.cmd = exec.CommandContext(ctx, binary, append([]string{"dev", dir, "--listen", "127.0.0.1:0"}, flags...)...)
	d.cmd.Env = withoutLambs(os.Environ())
	d.cmd.Cancel = func() error { return d.cmd.Process.Signal(syscall.SIGTERM) }
	stderr, err := d.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	address := make(chan string, 1)
	d.read.Go(func() {
		defer close(d.done)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			d.said.add(lines.Text() + "\n")
			if m := devServesAt.FindStringSubmatch(lines.Text()); m != nil {
				address <- m[1]
			} else if strings.Contains(lines.Text(), " serves (") {
				d.swaps <- struct{}{}
			}
		}
	})
	if err := d.serves(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	d.lamb.address = <-address
	return d, nil
}

// serves waits until it says once more that the function serves.
func (d *dev) serves(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	select {
	case <-d.swaps:
		return nil
	case <-d.done:
		return fmt.Errorf("lamb dev ended: %s", d.said)
	case <-ctx.Done():
		return fmt.Errorf("lamb dev does not serve: %w: %s", ctx.Err(), d.said)
	}
}

// Close ends it as its user would.
func (d *dev) Close() error {
	d.lamb.http.CloseIdleConnections()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	d.read.Wait()
	if err := d.cmd.Wait(); err != nil {
		return fmt.Errorf("lamb dev: %w: %s", err, d.said)
	}
	return nil
}
