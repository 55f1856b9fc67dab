package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// buildLamb builds the lamb of this checkout.
func buildLamb(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "lamb")
	// The flags of `make build`: what it has compiled is not compiled again.
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "github.com/lambhq/lamb/cmd/lamb")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build lamb: %v\n%s", err, out)
	}
	return program
}

// expected are the functions that can be shown here, by the program needed.
func expected() (here, missing []string) {
	for name, program := range map[string]string{"hello-go": "go", "hello-python": "python3", "hello-node": "node"} {
		if exec.Command(program, "--version").Run() == nil || program == "go" {
			here = append(here, name)
		} else {
			missing = append(missing, name)
		}
	}
	return here, missing
}

// TestLamb runs the show on the lamb of this checkout.
func TestLamb(t *testing.T) {
	lamb := buildLamb(t)
	t.Run("exit", func(t *testing.T) { testShow(t, lamb) })
	t.Run("stay up", func(t *testing.T) { testStaysUp(t, lamb) })
}

// testShow looks at what the whole show prints.
func testShow(t *testing.T, lamb string) {
	o := testOptions(lamb)
	o.exit = true
	var stdout, stderr bytes.Buffer
	if err := run(t.Context(), o, &stdout, &stderr); err != nil {
		t.Fatalf("run: %v\n%s%s", err, &stdout, &stderr)
	}
	text := stdout.String()
	here, missing := expected()
	for _, name := range here {
		language := map[string]string{"hello-go": "Go", "hello-python": "Python", "hello-node": "Node"}[name]
		for _, want := range []string{
			`(?m)^  result   \{.*"message": ?"Hello, ` + language + `!".*"function": ?"` + name + `"`,
			`greeting ` + language + ` from process \d+`,
			// One line of the table, every column with a figure.
			`(?m)^ *` + name + `  +\S+(  +\d+\.\d\d ms){5}  +\d+ MB`,
		} {
			if !regexp.MustCompile(want).MatchString(text) {
				t.Errorf("the show lacks %s", want)
			}
		}
	}
	for _, name := range missing {
		if !strings.Contains(text, name+"\n  left out") {
			t.Errorf("the show does not say that %s is left out", name)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// testStaysUp runs the show without -exit: lamb answers until the signal.
func testStaysUp(t *testing.T, lamb string) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	output := newWatcher(`Ctrl-C stops lamb`)
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, testOptions(lamb), output, io.Discard) }()
	select {
	case <-output.seen:
	case err := <-ended:
		t.Fatalf("run ended by itself: %v\n%s", err, output)
	}

	url := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(output.String())
	if !(&server{url: url}).healthy(ctx) {
		t.Errorf("no health from %s after the show", url)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("run after the signal: %v", err)
	}
	if (&server{url: url}).healthy(t.Context()) {
		t.Errorf("%s still answers after the end", url)
	}
}

// watcher is an output that tells when a text has appeared in it.
type watcher struct {
	want *regexp.Regexp
	seen chan struct{} // closed when want has been written

	mu   sync.Mutex
	text bytes.Buffer
	once sync.Once
}

func newWatcher(want string) *watcher {
	return &watcher{want: regexp.MustCompile(want), seen: make(chan struct{})}
}

func (w *watcher) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	if w.want.Match(w.text.Bytes()) {
		w.once.Do(func() { close(w.seen) })
	}
	return len(p), nil
}

func (w *watcher) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}
