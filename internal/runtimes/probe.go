package runtimes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// maxProbeOutput bounds what a candidate may print about itself.
const maxProbeOutput = 16 << 10

// interpreter is what a candidate has told about itself.
type interpreter struct {
	version version
	prefix  string // host folder that holds the whole installation
	rel     string // the real interpreter below prefix
	venv    string // prefix of the virtual environment that was asked, or empty
}

// probeKey names a file's content without reading it.
type probeKey struct {
	path     string
	size     int64
	modified time.Time
}

// probe asks a candidate what it is. Answers of real interpreters are
// remembered; those of wrappers change with settings elsewhere.
func (r *Resolver) probe(ctx context.Context, lang *language, path string) (*interpreter, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	key := probeKey{path, info.Size(), info.ModTime()}
	r.mu.Lock()
	known := r.probes[key]
	r.mu.Unlock()
	if known != nil {
		return known, nil
	}
	out, err := r.ask(ctx, path, lang.question)
	if err != nil {
		return nil, err
	}
	found, err := parseAnswer(out)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if !isShim(lang, path) {
		r.mu.Lock()
		r.probes[key] = found
		r.mu.Unlock()
	}
	return found, nil
}

// ask runs an interpreter with arguments and returns what it printed.
func (r *Resolver) ask(ctx context.Context, path string, args []string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, r.opts.ProbeTimeout)
	defer cancel()
	var out, errs capped
	cmd := exec.CommandContext(ctx, path, args...)
	// Version managers look for settings in the working folder and above.
	cmd.Dir = "/"
	cmd.Env = probeEnv(os.Environ())
	cmd.Stdout, cmd.Stderr = &out, &errs
	// A wrapper's child may outlive it and hold the pipes.
	cmd.WaitDelay = time.Second
	// A program that has ended well and left a child behind has answered.
	if err := cmd.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%s did not answer: %w", path, ctx.Err())
		}
		line, _, _ := strings.Cut(strings.TrimSpace(errs.String()), "\n")
		if line != "" {
			return nil, fmt.Errorf("%s: %w: %s", path, err, line)
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return out.Bytes(), nil
}

// probeEnv drops what would make an interpreter run other code than its own.
func probeEnv(env []string) []string {
	var kept []string
	for _, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, "PYTHON") || name == "NODE_OPTIONS" || name == "NODE_PATH" || name == "VIRTUAL_ENV" {
			continue
		}
		kept = append(kept, kv)
	}
	return kept
}

var errNoAnswer = errors.New("it does not answer like an interpreter")

// parseAnswer reads the five lines of language.question: a mark, version,
// executable, prefix and virtual environment's prefix.
func parseAnswer(out []byte) (*interpreter, error) {
	lines := strings.Split(string(out), "\n")
	for len(lines) > 0 && strings.TrimSpace(lines[0]) != "lamb" {
		lines = lines[1:] // wrappers may greet
	}
	if len(lines) < 5 {
		return nil, errNoAnswer
	}
	v, ok := parseVersion(lines[1])
	if !ok || !filepath.IsAbs(lines[2]) {
		return nil, errNoAnswer
	}
	real, err := filepath.EvalSymlinks(lines[2])
	if err != nil {
		return nil, fmt.Errorf("its executable: %w", err)
	}
	found := &interpreter{version: v}
	if lines[4] != lines[3] {
		found.venv = lines[4]
	}
	// <prefix>/bin/<interpreter> is what every installation looks like that can
	// be found by its own interpreter in another place.
	found.prefix = filepath.Dir(filepath.Dir(real))
	if prefix, err := filepath.EvalSymlinks(lines[3]); err == nil && lines[3] != "" {
		if rel, err := filepath.Rel(prefix, real); err == nil && filepath.IsLocal(rel) {
			found.prefix = prefix
		}
	}
	found.rel, err = filepath.Rel(found.prefix, real)
	if err != nil {
		return nil, fmt.Errorf("its prefix: %w", err)
	}
	return found, nil
}

// capped keeps the first maxProbeOutput bytes and drops the rest.
type capped struct{ bytes.Buffer }

func (c *capped) Write(p []byte) (int, error) {
	if room := maxProbeOutput - c.Len(); room > 0 {
		c.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
