package execenv

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/clock"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/sandbox"
)

// script is a runtime: it talks to the Runtime API until ctx ends, and its
// return value is how the process exited.
type script func(ctx context.Context, rt *fakeRuntime) sandbox.Exit

// fakeSandbox runs scripts in goroutines instead of programs in processes.
type fakeSandbox struct {
	t        testing.TB
	listener net.Listener
	lives    []script // one per start of the runtime; the last is used again
	// extensions are what runs under /opt/extensions, by name.
	extensions map[string]script

	// Set before the environment is used; nil does nothing.
	onStart func(n int) error // before the n-th start, from 1; an error fails it
	onKill  func() error      // after the processes have ended
	signals func(name string, sig syscall.Signal)

	mu      sync.Mutex
	starts  int
	last    sandbox.Process // the runtime's
	running map[*fakeProc]struct{}
	late    []func() // see writeLate
}

func newFakeSandbox(t testing.TB, lives ...script) *fakeSandbox {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return &fakeSandbox{t: t, listener: l, lives: lives, running: make(map[*fakeProc]struct{})}
}

func (s *fakeSandbox) Paths() sandbox.Paths {
	return sandbox.Paths{Task: "/var/task", Opt: "/opt", Runtime: "/var/runtime", Lang: "/var/lang", Tmp: "/tmp"}
}
func (s *fakeSandbox) Listener() net.Listener { return s.listener }
func (s *fakeSandbox) Address() string        { return s.listener.Addr().String() }
func (s *fakeSandbox) Flush() {
	s.mu.Lock()
	late := s.late
	s.late = nil
	s.mu.Unlock()
	for _, write := range late {
		write()
	}
}

// writeLate is output that stays in its pipe until somebody flushes.
func (rt *fakeRuntime) writeLate(text string) {
	s := rt.sandbox
	s.mu.Lock()
	defer s.mu.Unlock()
	s.late = append(s.late, func() { _, _ = io.WriteString(rt.out, text) })
}

func (s *fakeSandbox) Freeze(context.Context) error { return sandbox.ErrUnsupported }
func (s *fakeSandbox) Thaw(context.Context) error   { return sandbox.ErrUnsupported }
func (s *fakeSandbox) Usage() (sandbox.Usage, error) {
	return sandbox.Usage{MemoryPeakBytes: 36 << 20}, nil
}

func (s *fakeSandbox) Start(ctx context.Context, p sandbox.Process) (sandbox.Proc, error) {
	s.mu.Lock()
	run := s.extensions[filepath.Base(p.Path)]
	isRuntime := filepath.Dir(p.Path) != "/opt/extensions"
	if isRuntime {
		run = s.lives[min(s.starts, len(s.lives)-1)]
		s.starts++
		s.last = p
	}
	n := s.starts
	s.mu.Unlock()
	if run == nil {
		return nil, fmt.Errorf("%w: %w (no permission)", sandbox.ErrNotExecutable, syscall.EACCES)
	}
	if isRuntime && s.onStart != nil {
		if err := s.onStart(n); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	procCtx, cancel := context.WithCancel(context.Background())
	transport := &http.Transport{}
	proc := &fakeProc{name: filepath.Base(p.Path), cancel: cancel, done: make(chan struct{}), signals: s.signals}
	s.running[proc] = struct{}{}
	rt := &fakeRuntime{t: s.t, base: "http://" + s.Address() + "/2018-06-01/runtime/", client: &http.Client{Transport: transport}, ctx: procCtx, out: p.Stdout, env: p.Env, proc: proc, sandbox: s}
	go func() {
		exit := run(procCtx, rt)
		transport.CloseIdleConnections()
		if procCtx.Err() != nil {
			exit = sandbox.Exit{Code: -1, Signal: syscall.SIGKILL}
		}
		proc.exit = exit
		close(proc.done)
	}()
	return proc, nil
}

func (s *fakeSandbox) Kill(context.Context) error {
	s.endAll()
	if s.onKill != nil {
		return s.onKill()
	}
	return nil
}

func (s *fakeSandbox) endAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range s.running {
		p.cancel()
		<-p.done
		delete(s.running, p)
	}
}

func (s *fakeSandbox) Close() error {
	s.endAll()
	return s.listener.Close()
}

func (s *fakeSandbox) started() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.starts
}

// alive is the number of programs that run.
func (s *fakeSandbox) alive() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for p := range s.running {
		select {
		case <-p.done:
		default:
			n++
		}
	}
	return n
}

type fakeProc struct {
	name   string
	cancel context.CancelFunc
	done   chan struct{}
	exit   sandbox.Exit
	// signals takes a note of each signal, if somebody wants them.
	signals func(name string, sig syscall.Signal)
	caught  atomic.Pointer[chan struct{}] // by the program's handler of SIGTERM
}

func (p *fakeProc) Done() <-chan struct{} { return p.done }
func (p *fakeProc) Exit() sandbox.Exit    { return p.exit }

func (p *fakeProc) Signal(sig syscall.Signal) error {
	if p.signals != nil {
		p.signals(p.name, sig)
	}
	if caught := p.caught.Load(); caught != nil && sig == syscall.SIGTERM {
		close(*caught)
		return nil
	}
	p.cancel()
	return nil
}

// fakeRuntime is a client of the Runtime API.
type fakeRuntime struct {
	t      testing.TB
	base   string
	client *http.Client
	ctx    context.Context
	out    io.Writer
	env    []string
	proc   *fakeProc

	sandbox *fakeSandbox
}

// catchTerm installs a handler for SIGTERM, which otherwise ends the program:
// the channel is closed when the signal comes.
func (rt *fakeRuntime) catchTerm() <-chan struct{} {
	caught := make(chan struct{})
	rt.proc.caught.Store(&caught)
	return caught
}

// answer is a response of the API.
type answer struct {
	status int
	body   string
	header http.Header
}

func (rt *fakeRuntime) do(method, path, body string, header ...string) answer {
	req, err := http.NewRequestWithContext(rt.ctx, method, rt.base+path, strings.NewReader(body))
	if err != nil {
		rt.t.Error(err)
		return answer{}
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := rt.client.Do(req)
	if err != nil {
		return answer{}
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, string(b), resp.Header}
}

// next asks for an event; ok is false when the runtime is being ended.
func (rt *fakeRuntime) next() (id, event string, ok bool) {
	a := rt.do(http.MethodGet, "invocation/next", "")
	return a.header.Get("Lambda-Runtime-Aws-Request-Id"), a.body, a.status == http.StatusOK
}

// dial opens a connection for requests that an HTTP client does not make.
func (rt *fakeRuntime) dial() net.Conn {
	c, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(rt.base, "http://"), "/2018-06-01/runtime/"))
	if err != nil {
		rt.t.Error(err)
		c, _ = net.Pipe() // fails its users, too
	}
	return c
}

const rawNext = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: localhost\r\n\r\n"

func (rt *fakeRuntime) respond(id, body string, header ...string) answer {
	return rt.do(http.MethodPost, "invocation/"+id+"/response", body, header...)
}

func (rt *fakeRuntime) fail(id, body string, header ...string) answer {
	return rt.do(http.MethodPost, "invocation/"+id+"/error", body, header...)
}

func (rt *fakeRuntime) initError(body string, header ...string) answer {
	return rt.do(http.MethodPost, "init/error", body, header...)
}

// serve answers events with f until the runtime is ended.
func serve(f func(rt *fakeRuntime, id, event string)) script {
	return func(ctx context.Context, rt *fakeRuntime) sandbox.Exit {
		for {
			id, event, ok := rt.next()
			if !ok {
				return sandbox.Exit{}
			}
			f(rt, id, event)
		}
	}
}

// echo answers with the event.
var echo = serve(func(rt *fakeRuntime, id, event string) { rt.respond(id, event) })

// exits ends at once.
func exits(code int) script {
	return func(context.Context, *fakeRuntime) sandbox.Exit { return sandbox.Exit{Code: code} }
}

// hangs never asks for an event.
func hangs(ctx context.Context, _ *fakeRuntime) sandbox.Exit {
	<-ctx.Done()
	return sandbox.Exit{}
}

// logLines collects an environment's log.
type logLines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logLines) Line(_ time.Time, line []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Write(line)
}

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// harness is an environment on a fake sandbox.
type harness struct {
	*Environment
	t        testing.TB
	sandbox  *fakeSandbox
	logs     *logLines
	released chan struct{}
}

func newHarness(t *testing.T, c clock.Clock, lives ...script) *harness {
	t.Helper()
	return harnessOf(t, c, newFakeSandbox(t, lives...))
}

func harnessOf(t *testing.T, c clock.Clock, box *fakeSandbox, extensions ...string) *harness {
	t.Helper()
	h := &harness{t: t, sandbox: box, logs: &logLines{}, released: make(chan struct{}, 100)}
	h.Environment = New(Config{
		Extensions: extensions,
		ID:         "env-1", Sandbox: h.sandbox, Logs: h.logs, Clock: c,
		Bootstrap: Bootstrap{Path: "/var/task/bootstrap"},
		Released:  func(*Environment) { h.released <- struct{}{} },
		Version: &function.Version{
			Key:     function.Key{Partition: "aws", Account: "000000000000", Region: "us-east-1", Name: "f"},
			Version: function.Latest,
			Config:  function.Config{Runtime: "provided.al2023", TimeoutSecs: 3, MemoryMB: 128},
		},
	})
	t.Cleanup(func() {
		if err := h.Environment.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return h
}

// init runs the init phase and fails the test if it could not.
func (h *harness) init() *harness {
	h.t.Helper()
	if _, err := h.Environment.Init(); err != nil {
		h.t.Fatalf("Init: %v", err)
	}
	return h
}

// initDone is closed when the init of the runtime's present life has ended.
func (h *harness) initDone() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.life.done
}

// invoke runs one invocation to its end and returns it.
func (h *harness) invoke(id, event string) *Invocation {
	h.t.Helper()
	inv := h.begin(id, event)
	<-inv.Answered()
	<-inv.Finished()
	<-h.released
	return inv
}

func (h *harness) begin(id, event string) *Invocation {
	h.t.Helper()
	inv := NewInvocation(testEvent(id, event), nil)
	inv.WantLog = true
	if err := h.Environment.Invoke(inv); err != nil {
		h.t.Fatalf("Invoke: %v", err)
	}
	return inv
}
