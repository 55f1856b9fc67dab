package execenv

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/clock/clocktest"
	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/poison"
	"github.com/lambhq/lamb/internal/sandbox"
)

// What a runtime of the stress test does with an event; the event says it.
const (
	doAnswer      = "answer"
	doTwice       = "twice"      // two responses, the second with other bytes
	doError       = "error"      // posts an error
	doTruncate    = "truncate"   // a response that is cut
	doExit        = "exit"       // ends without an answer
	doAnswerExit  = "answerexit" // answers, then ends without asking for more
	doIdleExit    = "idleexit"   // answers, asks for more, and ends
	doHang        = "hang"       // runs into the timeout
	doHangAnswer  = "hanganswer" // answers and does not ask for more: the timeout
	doExitNoInit  = "exitnoinit" // ends; the next life fails in its init
	doExitHangs   = "exithangs"  // ends; the next life hangs in its init
	doLate        = "late"       // hangs; the next life answers for it
	stressEnvs    = 4
	stressEach    = 500
	stressSeconds = 3
)

var stressKinds = []string{
	doAnswer, doAnswer, doAnswer, doAnswer, doTwice, doError, doTruncate, doExit, doAnswerExit,
	doIdleExit, doHang, doHangAnswer, doExitNoInit, doExitHangs, doLate,
}

// stressEnv is one environment under stress with its clock and its driver's
// knowledge of what the runtime is about to do.
type stressEnv struct {
	*harness
	clock *clocktest.Fake
	// hangs has a token when the runtime hangs and the time may go on.
	hangs    chan struct{}
	nextLife atomic.Pointer[string] // doExitNoInit, doExitHangs or the late id
	killed   chan struct{}          // has a token for every reset
}

// run is the runtime's program.
func (s *stressEnv) run(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
	plan := ""
	if p := s.nextLife.Swap(nil); p != nil {
		plan = *p
	}
	switch {
	case plan == doExitNoInit:
		return sandbox.Exit{Code: 3}
	case plan == doExitHangs:
		s.hang(ctx)
		return sandbox.Exit{}
	case plan != "": // the id of the life before
		if a := rt.respond(plan, `"late"`); a.status != 400 && ctx.Err() == nil {
			s.t.Errorf("a response for the old life's %s got %d %s", plan, a.status, a.body)
		}
	}
	for {
		id, event, ok := rt.next()
		if !ok {
			return sandbox.Exit{}
		}
		if exit, over := s.handle(ctx, rt, id, event); over {
			return exit
		}
	}
}

func (s *stressEnv) hang(ctx context.Context) {
	s.hangs <- struct{}{}
	<-ctx.Done()
}

func (s *stressEnv) plan(what string) { s.nextLife.Store(&what) }

// handle does what the event says; over means that the program ends.
func (s *stressEnv) handle(ctx context.Context, rt *fakeRuntime, id, event string) (_ sandbox.Exit, over bool) {
	do, _, _ := strings.Cut(strings.TrimPrefix(event, `{"do":"`), `"`)
	switch do {
	case doTwice:
		rt.respond(id, event)
		if a := rt.respond(id, `"second"`); a.status != 403 && ctx.Err() == nil {
			s.t.Errorf("a second response got %d", a.status)
		}
	case doError:
		rt.fail(id, event, "Lambda-Runtime-Function-Error-Type", "Function.Stress")
	case doTruncate:
		c := rt.dial()
		fmt.Fprintf(c, "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", id, len(event)+1, event)
		_ = c.(interface{ CloseWrite() error }).CloseWrite()
		_, _ = io.Copy(io.Discard, c) // until the answer is there
		c.Close()
	case doExit:
		return sandbox.Exit{Code: 1}, true
	case doExitNoInit, doExitHangs:
		s.plan(do)
		return sandbox.Exit{Code: 1}, true
	case doAnswerExit:
		rt.respond(id, event)
		return sandbox.Exit{Code: 1}, true
	case doIdleExit:
		rt.respond(id, event)
		c := rt.dial()
		defer c.Close()
		_, _ = io.WriteString(c, rawNext)
		return sandbox.Exit{Code: 1}, true
	case doLate:
		s.plan(id)
		s.hang(ctx)
	case doHang:
		s.hang(ctx)
	case doHangAnswer:
		rt.respond(id, event)
		s.hang(ctx)
	default:
		rt.respond(id, event)
	}
	return sandbox.Exit{}, ctx.Err() != nil
}

// want says what the answer to an event may be.
func want(do, id, event string, o Outcome) error {
	failure := func(errType string) error {
		if o.ErrorType != errType || !strings.Contains(string(o.Payload), id) || o.FunctionError != Unhandled {
			return fmt.Errorf("got %s %.200q, want %s of this invocation", o.ErrorType, o.Payload, errType)
		}
		return nil
	}
	switch do {
	case doTruncate:
		return failure("Runtime.TruncatedResponse")
	case doExit, doExitNoInit, doExitHangs:
		return failure("Runtime.ExitError")
	case doHang, doLate:
		return failure("Sandbox.Timedout")
	case doError:
		return failure("Function.Stress")
	}
	if string(o.Payload) != event || o.FunctionError != "" {
		return fmt.Errorf("got %s %.200q, want its own event", o.ErrorType, o.Payload)
	}
	return nil
}

// TestStress runs many invocations in several environments whose runtimes do
// whatever they can: every invocation is answered, once, with what is its own,
// is reported once, and gives its environment back once. Response buffers are
// shared and poisoned, and so is each event's once it was retired.
func TestStress(t *testing.T) {
	var wg sync.WaitGroup
	for n := range stressEnvs {
		s := &stressEnv{clock: clocktest.New(start), hangs: make(chan struct{}, 1), killed: make(chan struct{}, stressEach)}
		s.harness = newHarness(t, s.clock, s.run)
		s.exitGrace = 0 // nobody turns the clock for it
		s.sandbox.onKill = func() error { s.killed <- struct{}{}; return nil }
		wg.Go(func() { s.drive(rand.New(rand.NewPCG(uint64(n), 7)), fmt.Sprintf("env%d", n)) })
	}
	wg.Wait()
}

func (s *stressEnv) drive(random *rand.Rand, name string) {
	s.init()
	var buf []byte
	ids := make([]string, 0, stressEach)
	before := "" // what the runtime did last
	for i := range stressEach {
		do := stressKinds[random.IntN(len(stressKinds))]
		id := fmt.Sprintf("%s-%03d", name, i)
		ids = append(ids, id)
		pad := random.IntN(500)
		if i%20 == 0 {
			pad *= 100 // more than one buffer and one write
		}
		event := fmt.Sprintf(`{"do":%q,"id":%q,"pad":%q}`, do, id, strings.Repeat(string(rune('a'+i%26)), pad))
		buf = append(buf[:0], event...)
		inv := NewInvocation(envapi.Event{RequestID: id, InvokedARN: "arn:f", Body: buf}, nil)
		inv.WantLog = i%2 == 0
		expected := s.expect(before, do)
		invoked := make(chan error, 1)
		go func() { invoked <- s.Environment.Invoke(inv) }()
		if expected == doHang || expected == doLate || expected == doHangAnswer {
			<-s.hangs
			s.clock.Advance(stressSeconds * time.Second)
		}
		if err := <-invoked; err != nil {
			s.t.Errorf("%s %s after %q: Invoke: %v", id, do, before, err)
			return
		}
		<-inv.Answered()
		inv.Retire()
		o := inv.Outcome()
		if err := want(expected, id, event, o); err != nil {
			s.t.Errorf("%s %s after %q: %v", id, do, before, err)
		}
		o.Release()
		poison.Fill(buf)
		<-inv.Finished()
		<-s.released
		if expected == doIdleExit {
			<-s.killed // or the next event might be given to the one that ends
		}
		for len(s.killed) > 0 {
			<-s.killed
		}
		if expected == do {
			before = do
		} else {
			before = doExit // the event never reached a runtime
		}
	}
	s.checkLog(ids)
}

// expect is what an event comes to, given what the runtime did before.
func (s *stressEnv) expect(before, do string) string {
	switch before {
	case doExitNoInit:
		return doExit
	case doExitHangs:
		return doHang
	}
	return do
}

func (s *stressEnv) checkLog(ids []string) {
	log := s.logs.String()
	for _, id := range ids {
		for _, line := range []string{"START RequestId: " + id + " ", "END RequestId: " + id + "\n", "REPORT RequestId: " + id + "\t"} {
			if n := strings.Count(log, line); n != 1 {
				s.t.Errorf("%q is in the log %d times", line, n)
			}
		}
	}
	select {
	case <-s.released:
		s.t.Error("the environment was released more often than it was used")
	default:
	}
}
