package lambdatest

import (
	"errors"
	"os"
	"sync"
	"syscall"

	"github.com/lambhq/lamb/internal/sandbox"
)

// Attach tells which process of this machine an Attached program is, so that it
// is frozen, told SIGTERM and killed like one of Exec. That it ends by itself is
// not seen: the test waits for it. name is "bootstrap", or the extension's. A
// program that runs again after a reset is another process, and attached again.
// Attach waits until the environment starts the program.
func (e *Environment) Attach(name string, p *os.Process) {
	e.t.Helper()
	if !e.cfg.program(name).any(Program.isAttached) {
		e.t.Fatalf("lambdatest: attach: there is no Attached program %q", name)
	}
	e.waitFor("the start of "+name, func() bool {
		a := e.box.attachedProgram(name)
		return a != nil && a.attach(p)
	})
}

// attach makes the program known, unless another process is it already.
func (a *attached) attach(p *os.Process) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.process == nil {
		a.process = p
	}
	return a.process == p
}

// attached stands for a program that the test has started.
type attached struct {
	name string
	once sync.Once
	done chan struct{}
	exit sandbox.Exit

	mu      sync.Mutex
	process *os.Process // nil before Attach
}

var _ sandbox.Proc = (*attached)(nil)

func newAttached(name string) *attached { return &attached{name: name, done: make(chan struct{})} }

// Done implements sandbox.Proc.
func (a *attached) Done() <-chan struct{} { return a.done }

// Exit implements sandbox.Proc.
func (a *attached) Exit() sandbox.Exit { return a.exit }

// Signal implements sandbox.Proc. A process that is not known does not get it,
// and counts as ended; a known one has until SIGKILL.
func (a *attached) Signal(sig syscall.Signal) error {
	known, err := a.pass(sig)
	if !known || sig == syscall.SIGKILL {
		a.once.Do(func() {
			a.exit = sandbox.Exit{Code: -1, Signal: sig}
			close(a.done)
		})
	}
	return err
}

// pass sends a signal to the process, if it is known.
func (a *attached) pass(sig syscall.Signal) (known bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.process == nil {
		return false, nil
	}
	if err := a.process.Signal(sig); !errors.Is(err, os.ErrProcessDone) {
		return true, err
	}
	return true, nil
}

// attachedProgram is the running program of a name, or nil.
func (b *box) attachedProgram(name string) *attached {
	b.mu.Lock()
	defer b.mu.Unlock()
	for p := range b.running {
		if a, ok := p.(*attached); ok && a.name == name {
			return a
		}
	}
	return nil
}

// passToAttached sends a signal to what is attached.
func (b *box) passToAttached(sig syscall.Signal) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	for p := range b.running {
		if a, ok := p.(*attached); ok {
			_, err := a.pass(sig)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
