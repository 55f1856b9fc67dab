package live_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/live"
)

// box is a sandbox whose close does what the test wants.
type box struct {
	life  *live.Life
	close func() error
}

func (b *box) Close() error { return b.life.End(b.close) }

func newBox(id string) *box {
	return &box{live.NewLife(id), func() error { return nil }}
}

// TestEndEndsOperations: an operation under way is ended, one that waits is
// refused, and the end itself comes after both.
func TestEndEndsOperations(t *testing.T) {
	l := live.NewLife("a")
	running, order := make(chan struct{}), make(chan string, 3)
	failed := make(chan error, 2)
	go func() {
		failed <- l.Exclusively(context.Background(), "freeze", func(ctx context.Context) error {
			close(running)
			<-ctx.Done()
			order <- "operation"
			return ctx.Err()
		})
	}()
	<-running
	go func() {
		failed <- l.Exclusively(context.Background(), "thaw", func(context.Context) error { return errors.New("ran") })
	}()
	broken := errors.New("broken")
	err := l.End(func() error { order <- "end"; return broken })
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "close sandbox a: ") {
		t.Errorf("%v", err)
	}
	if again := l.End(func() error { t.Error("ended twice"); return nil }); again != err {
		t.Errorf("%v", again)
	}
	if first, second := <-order, <-order; first != "operation" || second != "end" {
		t.Errorf("%s before %s", first, second)
	}
	for range 2 {
		if err := <-failed; !errors.Is(err, sandbox.ErrClosed) {
			t.Errorf("%v", err)
		}
	}
}

// TestWaitEndsWithContext: who waits for another operation may give up.
func TestWaitEndsWithContext(t *testing.T) {
	l := live.NewLife("a")
	_, release, err := l.Acquire(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := l.Acquire(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	release()
	if _, release, err = l.Acquire(context.Background()); err != nil {
		t.Fatal(err)
	}
	release()
}

func TestSet(t *testing.T) {
	var s live.Set[*box]
	tidy := func(err error) { t.Error(err) }
	a, b := newBox("a"), newBox("b")
	for _, x := range []*box{a, b} {
		if err := s.Open(x.life, x, func() error { return nil }, tidy); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Open(live.NewLife("a"), newBox("a"), func() error { t.Error("opened"); return nil }, tidy); err == nil {
		t.Error("two have one name")
	}
	// One that cannot be opened is closed, and its own error is told.
	broken, dirty := errors.New("broken"), errors.New("dirty")
	c := newBox("c")
	c.close = func() error { s.Forget("c"); return dirty }
	var heard error
	if err := s.Open(c.life, c, func() error { return broken }, func(err error) { heard = err }); !errors.Is(err, broken) || !errors.Is(heard, dirty) {
		t.Errorf("%v, %v", err, heard)
	}
	if n := len(s.All()); n != 2 {
		t.Errorf("%d are open", n)
	}
	b.close = func() error { s.Forget("b"); return broken }
	if err := s.Close(); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	for _, x := range []*box{a, b} {
		if x.life.Ended().Err() == nil {
			t.Error("one is not closed")
		}
	}
	if err := s.Open(live.NewLife("d"), newBox("d"), func() error { return nil }, tidy); !errors.Is(err, sandbox.ErrClosed) {
		t.Errorf("%v", err)
	}
}

// TestBeside: it waits for no operation and ends with its context and with the
// life.
func TestBeside(t *testing.T) {
	l := live.NewLife("a")
	_, release, err := l.Acquire(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	refused := errors.New("refused")
	if err := l.Beside(context.Background(), "dial", func(context.Context) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("beside an operation: %v", err)
	}
	release()

	ended, cancel := context.WithCancel(context.Background())
	cancel()
	never := func(context.Context) error { t.Error("it runs"); return nil }
	if err := l.Beside(ended, "dial", never); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
	running, done := make(chan struct{}), make(chan error)
	go func() {
		done <- l.Beside(context.Background(), "dial", func(ctx context.Context) error {
			close(running)
			<-ctx.Done()
			return ctx.Err()
		})
	}()
	<-running
	if err := l.End(func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, sandbox.ErrClosed) {
		t.Errorf("during the end: %v", err)
	}
	if err := l.Beside(context.Background(), "dial", never); !errors.Is(err, sandbox.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}
