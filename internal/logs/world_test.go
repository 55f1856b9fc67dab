package logs

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/clock/clocktest"
	"github.com/lambhq/lamb/internal/vfs/vfstest"
)

// world is a store on a file system and a clock of the test's.
type world struct {
	*Store
	t     *testing.T
	fs    *vfstest.FS
	clock *clocktest.Fake
	log   *said
	opts  Options
}

// epoch is when the tests begin; nothing depends on which time it is.
var epoch = time.UnixMilli(1_800_000_000_000)

// said collects what the store tells the operator.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// newWorld opens a store; zero options are small, for tests.
func newWorld(t *testing.T, opts Options) *world {
	t.Helper()
	w := &world{t: t, fs: vfstest.New(), clock: clocktest.New(epoch), log: &said{}}
	opts.Dir, opts.FS, opts.Clock = "/logs", w.fs, w.clock
	opts.Log = slog.New(slog.NewTextHandler(w.log, nil))
	w.opts = opts
	w.open()
	t.Cleanup(func() { w.Store.Close() })
	return w
}

func (w *world) open() {
	w.t.Helper()
	s, err := Open(w.opts)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Store = s
}

// reopen is a restart of lamb.
func (w *world) reopen() {
	w.t.Helper()
	if err := w.Store.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.open()
}

func named(name string) Group {
	return Group{Partition: "aws", Account: "000000000000", Region: "us-east-1", Name: name}
}

// put appends lines now, and waits until they are written.
func (w *world) put(group, stream string, lines ...string) {
	w.t.Helper()
	st, err := w.Stream(named(group), stream)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, line := range lines {
		st.Append(w.clock.Now(), []byte(line))
	}
	w.flush()
}

func (w *world) flush() {
	w.t.Helper()
	if err := w.Flush(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) read(q Query) Page {
	w.t.Helper()
	p, err := w.Read(context.Background(), q)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// messages are all messages of a group, in order.
func (w *world) messages(group string) []string { return texts(w.read(Query{Group: named(group)})) }

func texts(p Page) []string {
	var list []string
	for _, e := range p.Events {
		list = append(list, e.Message)
	}
	return list
}

// files are the segments on the disk with their sizes.
func (w *world) files() map[string]int64 {
	w.t.Helper()
	entries, err := w.fs.ReadDir(w.opts.Dir)
	if err != nil {
		w.t.Fatal(err)
	}
	files := map[string]int64{}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			w.t.Fatal(err)
		}
		files[e.Name()] = info.Size()
	}
	return files
}

// check compares the figures with what is on the disk.
func (w *world) check() {
	w.t.Helper()
	var bytes int64
	groups := map[string]bool{}
	for name, size := range w.files() {
		bytes += (&segment{size: size}).cost()
		hash, _, _ := strings.Cut(name, "-")
		groups[hash] = true
	}
	if got := w.Stats(); got.Bytes != bytes || got.Groups != len(groups) {
		w.t.Errorf("figures say %d bytes in %d groups, the disk %d in %v", got.Bytes, got.Groups, bytes, slices.Collect(maps.Keys(groups)))
	}
}

// lines are n messages of a hundred bytes that begin with prefix.
func lines(prefix string, n int) []string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("%-99s\n", fmt.Sprintf("%s %d", prefix, i)))
	}
	return list
}
