package main

import (
	"compress/flate"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// timed is how long a command takes, in milliseconds.
func timed(cmd *exec.Cmd) ([]float64, error) {
	began := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return []float64{millis(time.Since(began))}, nil
}

// versionStart is what every command of lamb takes before it does anything.
func (b *bench) versionStart(ctx context.Context) (contest, error) {
	floor, err := buildProgram(ctx, b.scratch, "bench/startfloor", released)
	if err != nil {
		return contest{}, err
	}
	return contest{
		floor: func(ctx context.Context) ([]float64, error) { return timed(exec.CommandContext(ctx, floor)) },
		lamb: func(ctx context.Context) ([]float64, error) {
			return timed(exec.CommandContext(ctx, b.binary, "--version"))
		},
		rows:  []row{{what: "lamb --version", floor: "net/http + SQLite, empty", unit: "ms", target: target{kind: ratioMax, limit: 1.3}}},
		pairs: b.sizes.pairs,
	}, nil
}

// runOnce is lamb run of a program that is built already, next to the program.
func (b *bench) runOnce(ctx context.Context) (contest, error) {
	program, err := buildProgram(ctx, b.scratch, "bench/goecho", released)
	if err != nil {
		return contest{}, err
	}
	floor, err := b.plain(command{path: program, dir: b.scratch}, 1)
	if err != nil {
		return contest{}, err
	}
	return contest{
		floor: floor,
		lamb: func(ctx context.Context) ([]float64, error) {
			return timed(exec.CommandContext(ctx, b.binary, "run", program, "--quiet", "--sandbox", b.o.sandbox, "--event", `{"a":1}`))
		},
		rows:  []row{{what: "lamb run, aws-lambda-go", floor: "plain exec", unit: "ms", target: target{kind: extraMax, limit: 60}}},
		pairs: b.sizes.pairs,
	}, nil
}

// packaging is lamb package of a folder, next to the compressor alone.
func (b *bench) packaging(context.Context) (contest, error) {
	dir := b.path("packaged")
	mb := b.sizes.packed
	content, err := writeTexts(dir, mb)
	if err != nil {
		return contest{}, err
	}
	rate := func(took time.Duration) []float64 { return []float64{float64(mb) / took.Seconds()} }
	return contest{
		floor: func(context.Context) ([]float64, error) {
			w, err := flate.NewWriter(io.Discard, flate.DefaultCompression)
			if err != nil {
				return nil, err
			}
			began := time.Now()
			if _, err := io.WriteString(w, content); err != nil {
				return nil, err
			}
			err = w.Close()
			return rate(time.Since(began)), err
		},
		lamb: func(ctx context.Context) ([]float64, error) {
			began := time.Now()
			cmd := exec.CommandContext(ctx, b.binary, "package", dir, "--out", b.path("packaged.zip"))
			if out, err := cmd.CombinedOutput(); err != nil {
				return nil, fmt.Errorf("%w\n%s", err, out)
			}
			return rate(time.Since(began)), nil
		},
		rows: []row{{what: fmt.Sprintf("lamb package, %d MB", mb), floor: "compress/flate", unit: "MB/s", target: target{kind: ratioMin, limit: 0.8}}},
		most: 3,
	}, nil
}

// writeTexts makes a function with files of words, of 1 MB each, and returns
// what is in them.
func writeTexts(dir string, mb int) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "app.py"), []byte("def handler(event, context):\n    return 1\n"), 0o644); err != nil {
		return "", err
	}
	random := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("function version alias invocation environment sandbox runtime extension layer event stream lamb")
	var all strings.Builder
	for n := range mb {
		var one strings.Builder
		for one.Len() < 1<<20 {
			fmt.Fprintf(&one, "%s %x ", words[random.IntN(len(words))], random.IntN(1<<16))
		}
		text := one.String()[:1<<20]
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("text%02d.txt", n)), []byte(text), 0o644); err != nil {
			return "", err
		}
		all.WriteString(text)
	}
	return all.String(), nil
}
