//go:build unix

package sandboxtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/sandbox"
)

// patience bounds every wait: long, because the machine may be busy.
const patience = 30 * time.Second

// kit is one sandbox of a test with what is around it.
type kit struct {
	t    *testing.T
	ctx  context.Context
	task string // the task folder on the host
	spec sandbox.Spec
	sandbox.Sandbox
}

// locks are the files that programs can hold.
var locks = [...]string{"one", "two", "three", "four"}

// newTask makes a task folder with the program in it.
func newTask(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// A hard link where possible: the binary is large.
	program := filepath.Join(dir, "program")
	if err := os.Link(self, program); err != nil {
		copyProgram(t, self, program)
	}
	for _, name := range append(locks[:], "data.txt") {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("task "+name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func copyProgram(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil {
		t.Fatal(err)
	}
}

// newKit makes a sandbox whose folders are filled; change may be nil.
func newKit(t *testing.T, p sandbox.Provider, id string, change func(*sandbox.Spec)) *kit {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	t.Cleanup(cancel)
	k := &kit{t: t, ctx: ctx, task: newTask(t)}
	k.spec = sandbox.Spec{ID: id, Task: k.task}
	if change != nil {
		change(&k.spec)
	}
	sb, err := p.Create(ctx, k.spec)
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	k.Sandbox = sb
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return k
}

// program is the program with actions, inside the kit's sandbox.
func (k *kit) program(out *output, actions ...string) sandbox.Process {
	p := sandbox.Process{
		Path: k.Paths().Task + "/program",
		Args: append([]string{programArg}, actions...),
		Env:  []string{"PATH=/usr/local/bin:/usr/bin:/bin"},
	}
	if out != nil {
		p.Stdout, p.Stderr = &out.stdout, &out.stderr
	}
	return p
}

// start starts the program.
func (k *kit) start(out *output, actions ...string) sandbox.Proc {
	k.t.Helper()
	proc, err := k.Start(k.ctx, k.program(out, actions...))
	if err != nil {
		k.t.Fatalf("start %v: %v", actions, err)
	}
	return proc
}

// run starts the program, waits for its end and returns its output's lines.
func (k *kit) run(actions ...string) []string {
	k.t.Helper()
	out := &output{}
	proc := k.start(out, actions...)
	if exit := k.wait(proc); exit != (sandbox.Exit{}) {
		k.Flush()
		k.t.Fatalf("%v: %s; stderr: %s", actions, exit, out.stderr.String())
	}
	k.Flush()
	return out.stdout.lines()
}

// wait waits for a program's end.
func (k *kit) wait(proc sandbox.Proc) sandbox.Exit {
	k.t.Helper()
	select {
	case <-proc.Done():
	case <-time.After(patience):
		k.t.Fatal("the program did not end")
	}
	return proc.Exit()
}

func (k *kit) kill() {
	k.t.Helper()
	if err := k.Kill(k.ctx); err != nil {
		k.t.Fatalf("kill: %v", err)
	}
}

// held tells whether a process holds the lock of this name.
func (k *kit) held(name string) bool {
	k.t.Helper()
	return held(k.t, k.task, name)
}

func held(t *testing.T, task, name string) bool {
	t.Helper()
	f, err := os.Open(filepath.Join(task, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err != nil && !errors.Is(err, syscall.EWOULDBLOCK) {
		t.Fatalf("flock: %v", err)
	}
	return err != nil
}

// awaitFree waits until no process holds the lock of this name.
func awaitFree(t *testing.T, task, name string) {
	t.Helper()
	f, err := os.Open(filepath.Join(task, name))
	if err != nil {
		t.Fatal(err)
	}
	free := make(chan error, 1)
	go func() {
		defer f.Close()
		free <- syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
	}()
	select {
	case err := <-free:
		if err != nil {
			t.Fatalf("flock: %v", err)
		}
	case <-time.After(patience):
		t.Fatalf("the process that holds %q is still alive", name)
	}
}

// mustBeHeld and mustBeFree check locks by name.
func (k *kit) mustBeHeld(names ...string) {
	k.t.Helper()
	for _, name := range names {
		if !k.held(name) {
			k.t.Errorf("the process that holds %q is gone", name)
		}
	}
}

func (k *kit) mustBeFree(names ...string) {
	k.t.Helper()
	for _, name := range names {
		if k.held(name) {
			k.t.Errorf("the process that holds %q is alive", name)
		}
	}
}

// output collects what a program writes.
type output struct{ stdout, stderr text }

// text is a writer that can be waited on.
type text struct {
	mu      sync.Mutex // guards what follows
	content bytes.Buffer
	changed chan struct{} // closed and dropped by the next Write
}

func (w *text) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.changed != nil {
		close(w.changed)
		w.changed = nil
	}
	return w.content.Write(p)
}

func (w *text) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.content.String()
}

// take returns what is there and forgets it.
func (w *text) take() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.content.String()
	w.content.Reset()
	return s
}

func (w *text) Len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.content.Len()
}

// lines are the whole lines so far.
func (w *text) lines() []string {
	s := w.String()
	end := strings.LastIndexByte(s, '\n')
	if end < 0 {
		return nil
	}
	return strings.Split(s[:end], "\n")
}

// await waits until ok says so.
func (w *text) await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	timeout := time.After(patience)
	for {
		w.mu.Lock()
		if w.changed == nil {
			w.changed = make(chan struct{})
		}
		changed := w.changed
		w.mu.Unlock()
		if ok() {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("no %s within %s; got %q", what, patience, w.String())
		}
	}
}

// awaitLine waits for a line, and count of them.
func (w *text) awaitLine(t *testing.T, line string, count int) {
	t.Helper()
	w.await(t, fmt.Sprintf("%d lines %q", count, line), func() bool {
		n := 0
		for _, l := range w.lines() {
			if l == line {
				n++
			}
		}
		return n >= count
	})
}

// equalSorted compares without regard to order.
func equalSorted(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}
