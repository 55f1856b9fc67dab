package invoke

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/execenv"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/pool"
	"github.com/lambhq/lamb/internal/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// goroutineBox is a sandbox whose program is a goroutine that answers every
// event with itself.
type goroutineBox struct {
	world    *world
	listener net.Listener
	killed   chan struct{} // has a token for every Kill

	mu   sync.Mutex
	conn net.Conn // of the program that runs
	proc *goroutineProc
}

type goroutineProc struct{ done chan struct{} }

func (p *goroutineProc) Done() <-chan struct{}        { return p.done }
func (p *goroutineProc) Exit() sandbox.Exit           { return sandbox.Exit{Code: 1} }
func (p *goroutineProc) Signal(syscall.Signal) error  { return nil }
func (b *goroutineBox) Paths() sandbox.Paths          { return sandbox.Paths{} }
func (b *goroutineBox) Listener() net.Listener        { return b.listener }
func (b *goroutineBox) Address() string               { return b.listener.Addr().String() }
func (b *goroutineBox) Flush()                        {}
func (b *goroutineBox) Freeze(context.Context) error  { return sandbox.ErrUnsupported }
func (b *goroutineBox) Thaw(context.Context) error    { return sandbox.ErrUnsupported }
func (b *goroutineBox) Usage() (sandbox.Usage, error) { return sandbox.Usage{}, nil }
func (b *goroutineBox) Close() error                  { b.end(); return b.listener.Close() }

func (b *goroutineBox) Kill(context.Context) error {
	b.end()
	b.killed <- struct{}{}
	return nil
}

func (b *goroutineBox) Start(context.Context, sandbox.Process) (sandbox.Proc, error) {
	if b.world.lost(b) {
		return nil, sandbox.ErrClosed
	}
	c, err := net.Dial("tcp", b.Address())
	if err != nil {
		return nil, err
	}
	p := &goroutineProc{done: make(chan struct{})}
	b.mu.Lock()
	b.conn, b.proc = c, p
	b.mu.Unlock()
	go func() {
		defer close(p.done)
		echo(c)
	}()
	return p, nil
}

// end ends the program.
func (b *goroutineBox) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.proc != nil {
		b.conn.Close()
		<-b.proc.done
	}
}

// echo is a runtime with as little to do as possible.
func echo(c net.Conn) {
	const post, headers = "POST /2018-06-01/runtime/invocation/", "/response HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
	next := []byte("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: localhost\r\n\r\n")
	r := bufio.NewReader(c)
	var out, body, id []byte
	for {
		_, err := c.Write(next)
		if err == nil {
			id, body, err = readAnswer(r, id[:0], body[:0])
		}
		if err == nil {
			out = append(append(append(out[:0], post...), id...), headers...)
			out = append(fmt.Append(out, len(body)), "\r\n\r\n"...)
			_, err = c.Write(append(out, body...))
		}
		if err == nil {
			_, body, err = readAnswer(r, nil, body[:0])
		}
		if err != nil {
			return
		}
	}
}

// readAnswer reads an answer of the Runtime API and appends its request id
// and its body.
func readAnswer(r *bufio.Reader, id, body []byte) (_, _ []byte, err error) {
	length := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return nil, nil, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if v, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
			for _, d := range v {
				length = length*10 + int(d-'0')
			}
		}
		if v, found := bytes.CutPrefix(line, []byte("Lambda-Runtime-Aws-Request-Id: ")); found {
			id = append(id, v...)
		}
	}
	if cap(body) < length {
		body = make([]byte, length)
	}
	body = body[:length]
	_, err = io.ReadFull(r, body)
	return id, body, err
}

// world is a Service with a pool of real environments in goroutine sandboxes.
type world struct {
	*Service
	tb      testing.TB
	version *function.Version
	pool    *pool.Pool

	mu    sync.Mutex
	boxes []*goroutineBox
	gone  map[*goroutineBox]bool
	// goneNow makes every sandbox one that cannot start anything.
	goneNow atomic.Bool
}

func newWorld(tb testing.TB) *world {
	w := &world{tb: tb, gone: make(map[*goroutineBox]bool), version: &function.Version{
		Key:     function.Key{Partition: "aws", Account: "000000000000", Region: "us-east-1", Name: "f"},
		Version: function.Latest, State: function.StateActive,
		Config: function.Config{Runtime: "provided.al2023", TimeoutSecs: 30, MemoryMB: 128},
	}}
	buffers := envapi.NewBuffers()
	w.pool = pool.New(pool.Config{Launch: func(_ context.Context, v *function.Version, released func()) (pool.Environment, error) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		b := &goroutineBox{world: w, listener: l, killed: make(chan struct{}, 100)}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.boxes = append(w.boxes, b)
		return execenv.New(execenv.Config{ID: fmt.Sprint(len(w.boxes)), Version: v, Sandbox: b, Buffers: buffers,
			Released: func(*execenv.Environment) { released() }}), nil
	}})
	tb.Cleanup(func() {
		if err := w.pool.Close(context.Background()); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	w.Service = New(Config{Catalog: fakeCatalog{"f:$LATEST": w.version}, Slots: w.pool})
	return w
}

func (w *world) lost(b *goroutineBox) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.goneNow.Load() || w.gone[b]
}

// lose ends all programs, and nothing starts in their sandboxes again: what
// the death of a supervisor is like. All environments must be idle; it returns
// when each has noticed.
func (w *world) lose() {
	w.mu.Lock()
	boxes := append([]*goroutineBox(nil), w.boxes...)
	for _, b := range boxes {
		w.gone[b] = true
	}
	w.mu.Unlock()
	for _, b := range boxes {
		b.end()
		<-b.killed
	}
}

func (w *world) request(id, payload string) Request {
	return Request{Ref: function.Ref{Key: w.version.Key}, RequestID: id, Payload: []byte(payload)}
}

// invoke runs one invocation and checks that it got its own payload back.
func (w *world) invoke(id string) error {
	payload := fmt.Sprintf(`{"id":%q}`, id)
	r, err := w.Invoke(context.Background(), w.version, w.request(id, payload))
	if err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	defer r.Release()
	if string(r.Payload) != payload || r.FunctionError != "" {
		return fmt.Errorf("%s: got %s (%s)", id, r.Payload, r.ErrorType)
	}
	return nil
}

// TestParallel: invocations at once get each its own answer, and environments
// are reused.
func TestParallel(t *testing.T) {
	w := newWorld(t)
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for i := range 100 {
				if err := w.invoke(fmt.Sprintf("%d-%d", n, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if s := w.pool.Stats(); s.Started > 100 {
		t.Errorf("%d environments were started for 8 clients", s.Started)
	}
}

// TestLostSandboxes: the sandboxes of many idle environments are gone at once.
// No invocation fails for it.
func TestLostSandboxes(t *testing.T) {
	w := newWorld(t)
	// As many environments as there are slots at once.
	slots := make([]*pool.Slot, 2*maxAttempts)
	for i := range slots {
		var err error
		if slots[i], err = w.pool.Acquire(context.Background(), w.version, ""); err != nil {
			t.Fatal(err)
		}
	}
	for i, s := range slots {
		inv := execenv.NewInvocation(envapi.Event{RequestID: fmt.Sprint(i), Body: []byte("1")}, nil)
		if err := s.Invoke(inv); err != nil {
			t.Fatal(err)
		}
		<-inv.Finished()
	}
	w.lose()
	if err := w.invoke("after"); err != nil {
		t.Error(err)
	}
}

// TestNothingStarts: sandboxes that start nothing are an answer, not a loop.
func TestNothingStarts(t *testing.T) {
	w := newWorld(t)
	w.goneNow.Store(true)
	err := w.invoke("id-1")
	if err == nil || api.AsError(err).ErrorCode() != "ServiceException" {
		t.Errorf("got %v", err)
	}
	if s := w.pool.Stats(); s.Started != maxAttempts {
		t.Errorf("%d environments were started, want %d", s.Started, maxAttempts)
	}
}

// BenchmarkInvoke is a warm invocation through Service, pool and environment,
// with a runtime that costs next to nothing.
func BenchmarkInvoke(b *testing.B) {
	w := newWorld(b)
	req := w.request("5f84c7a2-aaaa-bbbb-cccc-0123456789ab", `{"key":"value"}`)
	b.ReportAllocs()
	for b.Loop() {
		r, err := w.Invoke(context.Background(), w.version, req)
		if err != nil {
			b.Fatal(err)
		}
		if len(r.Payload) != len(req.Payload) {
			b.Fatalf("got %q", r.Payload)
		}
		r.Release()
	}
}
