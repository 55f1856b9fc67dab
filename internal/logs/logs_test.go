package logs

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestKeepsWhatWasWritten(t *testing.T) {
	w := newWorld(t, Options{})
	w.put("/aws/lambda/f", "2026/11/22/[$LATEST]1", "START\n", "two\nlines\n")
	w.clock.Advance(time.Second)
	w.put("/aws/lambda/f", "2026/11/22/[$LATEST]2", "\xff\x00 not text", "")
	want := []Event{
		{Stream: "2026/11/22/[$LATEST]1", Message: "START\n", Timestamp: 0, Ingestion: 0},
		{Stream: "2026/11/22/[$LATEST]1", Message: "two\nlines\n", Timestamp: 0, Ingestion: 0},
		{Stream: "2026/11/22/[$LATEST]2", Message: "\xff\x00 not text", Timestamp: 1000, Ingestion: 1000},
		{Stream: "2026/11/22/[$LATEST]2", Message: "", Timestamp: 1000, Ingestion: 1000},
	}
	for range 2 {
		got := w.read(Query{Group: named("/aws/lambda/f")}).Events
		tokens := map[string]bool{}
		for i := range got {
			tokens[got[i].Token] = true
			got[i].Token = ""
			got[i].Timestamp -= epoch.UnixMilli()
			got[i].Ingestion -= epoch.UnixMilli()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if len(tokens) != len(want) {
			t.Errorf("%d tokens for %d events", len(tokens), len(want))
		}
		w.check()
		w.reopen() // the second time from what is on the disk alone
	}
	if got := w.messages("/aws/lambda/other"); got != nil {
		t.Errorf("a group that was never written has %q", got)
	}
}

// TestBatch: lines are written when the pause is over, together.
func TestBatch(t *testing.T) {
	w := newWorld(t, Options{})
	st, err := w.Stream(named("g"), "s")
	if err != nil {
		t.Fatal(err)
	}
	changed := w.changes()
	for range 100 {
		st.Append(w.clock.Now(), []byte("x\n"))
	}
	if n := len(w.files()); n != 0 {
		t.Errorf("%d files before the pause is over", n)
	}
	w.clock.Advance(DefaultPause)
	<-changed
	writes := 0
	for _, call := range w.fs.Trace() {
		if strings.HasPrefix(call, "write ") {
			writes++
		}
	}
	if writes != 1 {
		t.Errorf("100 lines took %d writes", writes)
	}
	if n := len(w.messages("g")); n != 100 {
		t.Errorf("%d lines", n)
	}
}

// TestHostileNames: names never become paths, and what differs stays apart.
func TestHostileNames(t *testing.T) {
	w := newWorld(t, Options{})
	names := []string{"../../etc/passwd", "/", "..", "a/b", "a\x00b", strings.Repeat("x", MaxName), "A/b", "a/B"}
	for _, name := range names {
		w.put(name, "../../"+name[:1], name)
	}
	for name := range w.files() {
		if _, _, ok := parseName(name); !ok {
			t.Errorf("there is a file %q", name)
		}
	}
	w.reopen()
	for _, name := range names {
		if got := w.messages(name); len(got) != 1 || got[0] != name {
			t.Errorf("group %.20q has %.20q", name, got)
		}
	}
	for _, g := range []Group{{Name: ""}, {Name: strings.Repeat("x", MaxName+1)}, {Account: strings.Repeat("1", MaxName+1), Name: "g"}} {
		if _, err := w.Stream(g, "s"); !errors.Is(err, ErrName) {
			t.Errorf("stream in %.20v: %v", g, err)
		}
		if _, err := w.Read(context.Background(), Query{Group: g}); !errors.Is(err, ErrName) {
			t.Errorf("read of %.20v: %v", g, err)
		}
	}
	for _, stream := range []string{"", strings.Repeat("x", MaxName+1)} {
		if _, err := w.Stream(named("g"), stream); !errors.Is(err, ErrName) {
			t.Errorf("stream %.20q: %v", stream, err)
		}
	}
	one, other := named("g"), named("g")
	other.Account = "111111111111"
	if one.id() == other.id() {
		t.Error("two accounts share a group")
	}
}

func TestLongMessage(t *testing.T) {
	w := newWorld(t, Options{})
	w.put("g", strings.Repeat("s", MaxName), strings.Repeat("x", MaxMessage+1))
	if got := w.messages("g"); len(got) != 1 || len(got[0]) != MaxMessage {
		t.Errorf("%d messages, %d bytes", len(got), len(got[0]))
	}
}

// TestOverflow: while the owner does nothing, lines are dropped at the bound,
// counted and told; Append returns all the same.
func TestOverflow(t *testing.T) {
	for name, line := range map[string][]byte{"bytes": make([]byte, MaxMessage), "lines": nil} {
		t.Run(name, func(t *testing.T) {
			s := &Store{wake: make(chan struct{}, 1)} // with no owner
			if err := s.opts.setDefaults(); err != nil {
				t.Fatal(err)
			}
			s.batch.store = s
			st, err := s.Stream(named("g"), "s")
			if err != nil {
				t.Fatal(err)
			}
			room := maxBatchLines
			if len(line) > 0 {
				room = maxBatchBytes / len(line)
			}
			for range room + 7 {
				st.Append(epoch, line)
			}
			if got := s.dropped.Load(); got != 7 {
				t.Errorf("%d dropped, want 7", got)
			}
			select {
			case <-s.wake:
			default:
				t.Error("the owner was not told of a full batch")
			}
		})
	}
}

func TestGroupsAndStreams(t *testing.T) {
	w := newWorld(t, Options{})
	w.put("b", "2026/1", "12345")
	w.clock.Advance(time.Second)
	w.put("b", "2026/2", "1", "2")
	w.put("b", "2025/1", "1")
	w.put("a", "s", "1")
	for range 2 {
		groups, err := w.Groups(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		want := []GroupInfo{
			{Group: named("a"), Created: epoch.UnixMilli() + 1000, Bytes: block},
			{Group: named("b"), Created: epoch.UnixMilli(), Bytes: block},
		}
		if diff := cmp.Diff(want, groups); diff != "" {
			t.Errorf("groups (-want +got):\n%s", diff)
		}
		streams, err := w.Streams(context.Background(), named("b"), "2026/")
		if err != nil {
			t.Fatal(err)
		}
		start, later := epoch.UnixMilli(), epoch.UnixMilli()+1000
		if diff := cmp.Diff([]StreamInfo{
			{Name: "2026/1", First: start, Last: start, LastIngestion: start, Events: 1, Bytes: 5},
			{Name: "2026/2", First: later, Last: later, LastIngestion: later, Events: 2, Bytes: 2},
		}, streams); diff != "" {
			t.Errorf("streams (-want +got):\n%s", diff)
		}
		w.reopen()
	}
}

// TestClose: what was appended before is written, what comes after dropped.
func TestClose(t *testing.T) {
	w := newWorld(t, Options{})
	st, err := w.Stream(named("g"), "s")
	if err != nil {
		t.Fatal(err)
	}
	st.Append(w.clock.Now(), []byte("before"))
	if err := errors.Join(w.Close(), w.Close()); err != nil {
		t.Error(err)
	}
	st.Append(w.clock.Now(), []byte("after"))
	if err := w.Flush(context.Background()); !errors.Is(err, ErrClosed) {
		t.Errorf("flush: %v", err)
	}
	if n := w.Stats().Dropped; n != 1 {
		t.Errorf("%d dropped", n)
	}
	w.open()
	if got := w.messages("g"); !cmp.Equal(got, []string{"before"}) {
		t.Errorf("messages %q", got)
	}
}

func TestOptions(t *testing.T) {
	for _, opts := range []Options{{MaxAge: -1}, {MaxBytes: -1}, {SegmentBytes: -1}, {Pause: -1}, {SegmentBytes: maxSegmentBytes + 1}} {
		opts.Dir = t.TempDir()
		if _, err := Open(opts); err == nil {
			t.Errorf("%+v: no error", opts)
		}
	}
	if _, err := Open(Options{Dir: t.TempDir() + "/missing/logs"}); err == nil {
		t.Error("a folder without a parent: no error")
	}
}
