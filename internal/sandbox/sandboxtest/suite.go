//go:build unix

package sandboxtest

import (
	"errors"
	"testing"

	"github.com/lambhq/lamb/internal/sandbox"
)

// Options say what an implementation cannot do that its fingerprint does not
// tell. The zero value expects everything.
type Options struct {
	// Groups says that only process groups are ended: a process that leaves
	// its group escapes, and nothing ends processes when lamb is killed
	// (macOS).
	Groups bool
}

// suite is what the tests share.
type suite struct {
	newProvider func(testing.TB) sandbox.Provider
	opts        Options
}

// Run checks an implementation. newProvider makes a fresh provider and closes
// it when the test ends. The package's TestMain is Main.
func Run(t *testing.T, newProvider func(testing.TB) sandbox.Provider, opts Options) {
	s := &suite{newProvider: newProvider, opts: opts}
	if isOwner() {
		s.own(t)
		return
	}
	for _, test := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"Specs", s.specs},
		{"TwoProcesses", s.twoProcesses},
		{"RestartOfOne", s.restartOfOne},
		{"KillKeepsSandbox", s.killKeepsSandbox},
		{"Exits", s.exits},
		{"Signals", s.signals},
		{"StartErrors", s.startErrors},
		{"OrphansDie", s.orphansDie},
		{"RunawayDies", s.runawayDies},
		{"OneSandboxOnly", s.oneSandboxOnly},
		{"Flood", s.flood},
		{"BlockedWriter", s.blockedWriter},
		{"FailingWriter", s.failingWriter},
		{"OneWriterForBoth", s.oneWriter},
		{"LogDescriptor", s.logDescriptor},
		{"OutputAfterExit", s.outputAfterExit},
		{"OutputBeforeKill", s.outputBeforeKill},
		{"FlushBarrier", s.flushBarrier},
		{"Environment", s.environment},
		{"WorkingFolder", s.workingFolder},
		{"Stdin", s.stdin},
		{"Descriptors", s.descriptors},
		{"ExtraFiles", s.extraFiles},
		{"Mounts", s.mounts},
		{"Paths", s.paths},
		{"MaxFiles", s.maxFiles},
		{"Isolation", s.isolation},
		{"Listener", s.listener},
		{"Dial", s.dial},
		{"DialErrors", s.dialErrors},
		{"DialFrozen", s.dialFrozen},
		{"Freeze", s.freeze},
		{"Usage", s.usage},
		{"Closed", s.closed},
		{"Leaks", s.leaks},
		{"Concurrency", s.concurrency},
		{"ProviderClose", s.providerClose},
		{"OwnerKilled", s.ownerKilled},
	} {
		t.Run(test.name, test.run)
	}
}

// needsTree skips a test that an implementation with process groups fails.
func (s *suite) needsTree(t *testing.T) {
	t.Helper()
	if s.opts.Groups {
		t.Skip("this implementation ends process groups only")
	}
}

func (s *suite) specs(t *testing.T) {
	p := s.newProvider(t)
	if p.Fingerprint().Name == "" {
		t.Error("the fingerprint has no name")
	}
	k := newKit(t, p, "a-1", nil)
	task := k.task
	for name, spec := range map[string]sandbox.Spec{
		"no id":           {Task: task},
		"id with path":    {ID: "../x", Task: task},
		"id with dot":     {ID: ".", Task: task},
		"capital id":      {ID: "A", Task: task},
		"id taken":        {ID: "a-1", Task: task},
		"no task":         {ID: "b"},
		"missing task":    {ID: "b", Task: task + "/missing"},
		"task is a file":  {ID: "b", Task: task + "/data.txt"},
		"missing opt":     {ID: "b", Task: task, Opt: task + "/missing"},
		"negative limit":  {ID: "b", Task: task, MaxFiles: -1},
		"mount of a file": {ID: "b", Task: task, Mounts: []sandbox.Mount{{From: task + "/data.txt", To: "/mnt/a"}}},
		"mount elsewhere": {ID: "b", Task: task, Mounts: []sandbox.Mount{{From: task, To: "/etc"}}},
		"mount above":     {ID: "b", Task: task, Mounts: []sandbox.Mount{{From: task, To: "/mnt/.."}}},
		"mount taken":     {ID: "b", Task: task, Mounts: []sandbox.Mount{{From: task, To: "/mnt/a"}, {From: task, To: "/mnt/a"}}},
	} {
		if sb, err := p.Create(k.ctx, spec); err == nil {
			t.Errorf("%s: created", name)
			sb.Close()
		}
	}
	// None of the failures keeps a name or harms the one that exists.
	newKit(t, p, "b", nil)
	k.run("say:still here")
}

func (s *suite) closed(t *testing.T) {
	p := s.newProvider(t)
	k := newKit(t, p, "a", nil)
	proc := k.start(nil, "wait")
	for range 2 {
		if err := k.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if exit := k.wait(proc); exit.Code != -1 {
		t.Errorf("closing ended the program with %+v", exit)
	}
	if err := proc.Signal(15); err != nil {
		t.Errorf("signal to an ended program: %v", err)
	}
	k.Flush()
	_, startErr := k.Start(k.ctx, k.program(nil, "exit:0"))
	_, usageErr := k.Usage()
	for what, err := range map[string]error{
		"start": startErr, "usage": usageErr,
		"kill": k.Kill(k.ctx), "freeze": k.Freeze(k.ctx), "thaw": k.Thaw(k.ctx),
	} {
		if !errors.Is(err, sandbox.ErrClosed) {
			t.Errorf("%s in a closed sandbox: %v", what, err)
		}
	}
	if _, err := k.Listener().Accept(); err == nil {
		t.Error("the listener of a closed sandbox accepts")
	}
	// Its name can be used again.
	newKit(t, p, "a", nil)

	if err := p.Close(); err != nil {
		t.Errorf("close the provider: %v", err)
	}
	if _, err := p.Create(k.ctx, k.spec); !errors.Is(err, sandbox.ErrClosed) {
		t.Errorf("create with a closed provider: %v", err)
	}
}
