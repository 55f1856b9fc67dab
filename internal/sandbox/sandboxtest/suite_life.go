//go:build unix

package sandboxtest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/sandbox"
)

func (s *suite) twoProcesses(t *testing.T) {
	k := newKit(t, s.newProvider(t), "a", nil)
	var one, two output
	first := k.start(&one, "hold:one", "say:ready", "wait")
	second := k.start(&two, "hold:two", "say:ready", "wait")
	one.stdout.awaitLine(t, "ready", 1)
	two.stdout.awaitLine(t, "ready", 1)
	k.mustBeHeld("one", "two")
	if err := first.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	k.wait(first)
	k.mustBeHeld("two")
	k.kill()
	k.wait(second)
	k.mustBeFree("one", "two")
}

func (s *suite) restartOfOne(t *testing.T) {
	k := newKit(t, s.newProvider(t), "a", nil)
	var out output
	k.start(&out, "hold:one", "say:ready", "wait")
	out.stdout.awaitLine(t, "ready", 1)
	for range 3 {
		if got := k.run("say:again"); len(got) != 1 || got[0] != "again" {
			t.Errorf("output %q", got)
		}
	}
	k.mustBeHeld("one")
}

func (s *suite) killKeepsSandbox(t *testing.T) {
	k := newKit(t, s.newProvider(t), "a", nil)
	address := k.Address()
	file := k.Paths().Tmp + "/kept"
	for range 3 {
		var out output
		proc := k.start(&out, "write:"+file+"=value", "hold:one", "say:ready", "wait")
		out.stdout.awaitLine(t, "ready", 1)
		k.kill()
		// Gone when Kill returns, and known to be before long.
		k.mustBeFree("one")
		if exit := k.wait(proc); exit.Signal != syscall.SIGKILL || exit.Code != -1 {
			t.Errorf("exit %+v", exit)
		}
		if got := k.run("read:" + file); len(got) != 1 || got[0] != "value" {
			t.Errorf("/tmp after Kill: %q", got)
		}
		heard := k.accept()
		k.run("dial:"+k.Address(), "tell:hello", "hear:hello")
		if got := <-heard; got != "hello\n" {
			t.Errorf("the listener heard %q", got)
		}
		if k.Address() != address {
			t.Errorf("address changed from %s to %s", address, k.Address())
		}
	}
	k.kill() // of an empty sandbox
}

func (s *suite) exits(t *testing.T) {
	k := newKit(t, s.newProvider(t), "a", nil)
	sh := func(script string) sandbox.Process {
		return sandbox.Process{Path: "/bin/sh", Args: []string{"-c", script}}
	}
	for _, test := range []struct {
		name    string
		process sandbox.Process
		want    sandbox.Exit
		text    string
	}{
		{"0", k.program(nil, "exit:0"), sandbox.Exit{}, ""},
		{"7", k.program(nil, "exit:7"), sandbox.Exit{Code: 7}, "exit status 7"},
		{"255", k.program(nil, "exit:255"), sandbox.Exit{Code: 255}, "exit status 255"},
		{"SIGTERM", k.program(nil, "raise:15"), sandbox.Exit{Code: -1, Signal: syscall.SIGTERM}, "signal: terminated"},
		{"own SIGKILL", k.program(nil, "raise:9"), sandbox.Exit{Code: -1, Signal: syscall.SIGKILL}, "signal: killed"},
		{"SIGSEGV", sh("kill -SEGV $$"), sandbox.Exit{Code: -1, Signal: syscall.SIGSEGV}, "signal: segmentation fault"},
		{"SIGPIPE", sh("kill -PIPE $$"), sandbox.Exit{Code: -1, Signal: syscall.SIGPIPE}, "signal: broken pipe"},
		{"SIGHUP", sh("kill -HUP $$"), sandbox.Exit{Code: -1, Signal: syscall.SIGHUP}, "signal: hangup"},
		{"128+9 is a code", sh("exit 137"), sandbox.Exit{Code: 137}, "exit status 137"},
	} {
		t.Run(test.name, func(t *testing.T) {
			proc, err := k.Start(k.ctx, test.process)
			if err != nil {
				t.Fatal(err)
			}
			if got := k.wait(proc); got != test.want || got.String() != test.text {
				t.Errorf("exit %+v (%s), want %+v (%s)", got, got, test.want, test.text)
			}
		})
	}
}

func (s *suite) signals(t *testing.T) {
	k := newKit(t, s.newProvider(t), "a", nil)
	var out output
	proc := k.start(&out, "spawn:hold:one|say:ready|wait", "hold:two", "say:ready", "wait")
	out.stdout.awaitLine(t, "ready", 2)
	k.mustBeHeld("one", "two")
	if err := proc.Signal(0); err == nil {
		t.Error("signal 0 was sent")
	}
	if err := proc.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if exit := k.wait(proc); exit.Signal != syscall.SIGTERM {
		t.Errorf("exit %+v", exit)
	}
	// The group had it, not the program alone.
	awaitFree(t, k.task, "one")
	if err := proc.Signal(syscall.SIGKILL); err != nil {
		t.Errorf("signal to an ended program: %v", err)
	}
}

func (s *suite) startErrors(t *testing.T) {
	k := newKit(t, s.newProvider(t), "a", nil)
	foreign := bytes.Repeat([]byte{0}, 64)
	copy(foreign, "\x7fELF\x02\x01\x01")
	binary.LittleEndian.PutUint16(foreign[16:], 2)
	binary.LittleEndian.PutUint16(foreign[18:], 22) // s390
	for name, file := range map[string]struct {
		content []byte
		mode    os.FileMode
	}{
		"not-x":     {[]byte("#!/bin/sh\n"), 0o644},
		"text":      {[]byte("echo hello\n"), 0o755},
		"empty":     {nil, 0o755},
		"foreign":   {foreign, 0o755},
		"no-interp": {[]byte("#!/nowhere/python\n"), 0o755},
	} {
		if err := os.WriteFile(filepath.Join(k.task, name), file.content, file.mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(k.task, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	task := k.Paths().Task
	for _, test := range []struct {
		path string
		want error
	}{
		{task + "/missing", sandbox.ErrNotFound},
		{task + "/data.txt/program", sandbox.ErrNotFound},
		{task + "/missing/program", sandbox.ErrNotFound},
		{task + "/not-x", sandbox.ErrNotExecutable},
		{task + "/text", sandbox.ErrNotExecutable},
		{task + "/empty", sandbox.ErrNotExecutable},
		{task + "/foreign", sandbox.ErrNotExecutable},
		{task + "/no-interp", sandbox.ErrNotExecutable},
		{task + "/folder", sandbox.ErrNotExecutable},
	} {
		_, err := k.Start(k.ctx, sandbox.Process{Path: test.path, Stdout: &text{}, Stderr: &text{}})
		if !errors.Is(err, test.want) {
			t.Errorf("start %s: %v, want %v", test.path, err, test.want)
			continue
		}
		var errno syscall.Errno
		if !errors.As(err, &errno) || !strings.Contains(err.Error(), errno.Error()) {
			t.Errorf("start %s: %v does not give the system's reason", test.path, err)
		}
	}
	for _, dir := range []string{task + "/missing", task + "/data.txt"} {
		proc, err := k.Start(k.ctx, sandbox.Process{Path: task + "/program", Dir: dir})
		if !errors.Is(err, sandbox.ErrNoFolder) || errors.Is(err, sandbox.ErrNotFound) || errors.Is(err, sandbox.ErrNotExecutable) {
			t.Errorf("start in %s: %v, %v", dir, proc, err)
		}
	}
	if _, err := k.Start(k.ctx, k.program(nil, "say:"+strings.Repeat("x", 8<<20))); err == nil {
		t.Error("8 MiB of arguments were accepted")
	}
	if _, err := k.Start(k.ctx, k.program(nil, "say:\x00")); err == nil {
		t.Error("an argument with NUL was accepted")
	}
	ended, cancel := context.WithCancel(k.ctx)
	cancel()
	if _, err := k.Start(ended, k.program(nil)); !errors.Is(err, context.Canceled) {
		t.Errorf("start with an ended context: %v", err)
	}
	k.run("say:still usable")
}

// family starts a program with a child, an orphan and a daemon; all hold
// locks.
func (k *kit) family() sandbox.Proc {
	k.t.Helper()
	var out output
	proc := k.start(&out,
		"spawn:hold:one|say:ready|wait",
		"orphan:hold:two|say:ready|wait",
		"daemon:hold:three|say:ready|wait",
		"hold:four", "say:ready", "wait")
	out.stdout.awaitLine(k.t, "ready", 4)
	k.mustBeHeld(locks[:]...)
	return proc
}

func (s *suite) orphansDie(t *testing.T) {
	s.needsTree(t)
	for name, end := range map[string]func(*kit){
		"Kill": (*kit).kill,
		"Kill after the program's end": func(k *kit) {
			k.kill()
		},
		"Close": func(k *kit) {
			if err := k.Close(); err != nil {
				k.t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKit(t, s.newProvider(t), "a", nil)
			proc := k.family()
			if strings.Contains(name, "after") {
				// The program alone: then nothing but orphans is left.
				k.start(nil, "exit:0")
				if err := proc.Signal(syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
				k.wait(proc)
				k.mustBeHeld("three")
			}
			end(k)
			k.mustBeFree(locks[:]...)
		})
	}
}

// runawayDies: processes that start their successor in a new session and end,
// so that the one that is seen is always gone already.
func (s *suite) runawayDies(t *testing.T) {
	s.needsTree(t)
	k := newKit(t, s.newProvider(t), "a", nil)
	script := "#!/bin/sh\necho hop >> \"$1\"\nif command -v setsid >/dev/null; then setsid \"$0\" \"$1\" & else \"$0\" \"$1\" & fi\n"
	if err := os.WriteFile(filepath.Join(k.task, "runaway"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	hops := k.Paths().Tmp + "/hops"
	for range 3 {
		proc, err := k.Start(k.ctx, sandbox.Process{
			Path: k.Paths().Task + "/runaway", Args: []string{hops}, Env: []string{"PATH=/usr/bin:/bin"},
		})
		if err != nil {
			t.Fatal(err)
		}
		k.wait(proc)
	}
	for range 3 { // let them hop on for a while
		k.run("read:" + hops)
	}
	k.kill()
	before := k.run("read:" + hops)
	if len(before) < 4 {
		t.Errorf("the runaways did not run: %q", before)
	}
	// Time for a hop or twenty, if one was left.
	<-time.After(100 * time.Millisecond)
	if after := k.run("read:" + hops); len(after) != len(before) {
		t.Errorf("a runaway is alive: %d hops, then %d", len(before), len(after))
	}
}

func (s *suite) oneSandboxOnly(t *testing.T) {
	s.needsTree(t)
	p := s.newProvider(t)
	a, b := newKit(t, p, "a", nil), newKit(t, p, "b", nil)
	a.family()
	b.family()
	a.kill()
	a.mustBeFree(locks[:]...)
	b.mustBeHeld(locks[:]...)
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	b.mustBeHeld(locks[:]...)
	b.kill()
	b.mustBeFree(locks[:]...)
}
