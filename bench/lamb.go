package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// released are the linker's flags of make build.
const released = "-s -w"

// buildProgram builds a program of this module into dir.
func buildProgram(ctx context.Context, dir, pkg, ldflags string) (string, error) {
	path := filepath.Join(dir, filepath.Base(pkg))
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", ldflags, "-o", path, "github.com/lambhq/lamb/"+pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return path, nil
}

// lamb is a running lamb serve on an empty store. It writes functions' logs
// into a file, as an operator's would go somewhere.
type lamb struct {
	cmd     *exec.Cmd
	address string
	where   string        // its sandbox, cgroup and network
	shells  int           // sandboxes that it prepares ahead
	started time.Duration // from exec to the line that says that it serves
	log     *os.File
	said    *tail
	reading sync.WaitGroup // of stderr
	http    *http.Client   // for management
}

var (
	servesAt  = regexp.MustCompile(`serves the Lambda API at http://(\S+)`)
	inSandbox = regexp.MustCompile(`^  sandbox +(\w+);`)
	hasLimits = regexp.MustCompile(`^  limits +memory (enforced|not enforced),.*network: (\w+)`)
	lastLine  = "  try "
)

// startLamb starts the binary and waits until it serves.
func startLamb(ctx context.Context, binary, scratch string, flags ...string) (*lamb, error) {
	log, err := os.CreateTemp(scratch, "functions-*.log")
	if err != nil {
		return nil, err
	}
	l := &lamb{log: log, said: &tail{}, http: newManager()}
	l.cmd = exec.CommandContext(ctx, binary, slices.Concat([]string{"serve", "--ephemeral", "--listen", "127.0.0.1:0"}, flags)...)
	l.cmd.Env = withoutLambs(os.Environ())
	l.cmd.Cancel = func() error { return l.cmd.Process.Signal(syscall.SIGTERM) }
	l.cmd.Stdout = log
	stderr, err := l.cmd.StderrPipe()
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	began := time.Now()
	if err := l.cmd.Start(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	lines := bufio.NewReader(stderr)
	limits := ""
	for {
		line, err := lines.ReadString('\n')
		l.said.add(line)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("lamb does not start: %s", l.said), l.cmd.Wait(), log.Close())
		}
		if m := servesAt.FindStringSubmatch(line); m != nil {
			l.started, l.address = time.Since(began), m[1]
		}
		if m := inSandbox.FindStringSubmatch(line); m != nil {
			l.where = m[1]
		}
		if m := hasLimits.FindStringSubmatch(line); m != nil {
			limits = cgroup(m[1] == "enforced") + ", " + m[2] + " network"
		}
		if strings.HasPrefix(line, lastLine) {
			break
		}
	}
	l.where += ", " + limits
	l.reading.Go(func() {
		for {
			line, err := lines.ReadString('\n')
			l.said.add(line)
			if err != nil {
				return
			}
		}
	})
	return l, nil
}

// newManager is a client for a lamb's management.
func newManager() *http.Client {
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
}

// withoutLambs leaves out of variables what is set for other lambs: it must not
// change those of the benchmark.
func withoutLambs(env []string) []string {
	return slices.DeleteFunc(env, func(kv string) bool { return strings.HasPrefix(kv, "LAMB_") })
}

// cgroup names the hierarchy that limits memory here.
func cgroup(enforced bool) string {
	if !enforced {
		return "no cgroup"
	}
	controllers, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers")
	if err == nil && slices.Contains(strings.Fields(string(controllers)), "memory") {
		return "cgroup v2"
	}
	return "cgroup v1"
}

// Close ends lamb as an operator would, and reports what it complained about.
func (l *lamb) Close() error {
	l.http.CloseIdleConnections()
	if err := l.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	l.reading.Wait() // before Wait, which closes the pipe
	err := l.cmd.Wait()
	if err != nil {
		err = fmt.Errorf("lamb: %w: %s", err, l.said)
	}
	return errors.Join(err, l.log.Close())
}

// metric reads one of lamb's metrics that has no labels.
func (l *lamb) metric(ctx context.Context, name string) (float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+l.address+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	resp, err := l.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		if value, ok := bytes.CutPrefix(line, []byte(name+" ")); ok {
			var v float64
			_, err := fmt.Sscan(string(value), &v)
			return v, err
		}
	}
	return 0, fmt.Errorf("lamb has no metric %s", name)
}

// tail keeps the end of what a program says.
type tail struct {
	mu   sync.Mutex
	text string
}

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.text += line; len(t.text) > 8<<10 {
		t.text = t.text[len(t.text)-4<<10:]
	}
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text
}
