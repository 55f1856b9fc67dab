package logs

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/vfs"
)

// TestGroupBytes: a group keeps its newest lines, within its share.
func TestGroupBytes(t *testing.T) {
	w := newWorld(t, Options{MaxBytes: 256 << 10, SegmentBytes: 8 << 10})
	w.put("quiet", "s", "still here")
	for i := range 40 {
		w.put("loud", "s", lines(fmt.Sprint(i), 100)...)
		w.clock.Advance(time.Second)
		w.check()
		if got := w.Stats().Bytes; got > 64<<10+block {
			t.Fatalf("%d bytes, the group has 64 KiB", got)
		}
	}
	got := w.messages("loud")
	if len(got) < 300 || !strings.HasPrefix(got[len(got)-1], "39 99 ") {
		t.Errorf("%d lines, ends with %q", len(got), got[len(got)-1])
	}
	if got := w.messages("quiet"); !cmp.Equal(got, []string{"still here"}) {
		t.Errorf("the other group has %q", got)
	}
}

// TestAllBytes: over the whole bound the oldest go, whosesoever they are.
func TestAllBytes(t *testing.T) {
	w := newWorld(t, Options{MaxBytes: 64 << 10, SegmentBytes: 4 << 10})
	for i := range 100 {
		w.put(fmt.Sprint("group", i), "s", lines("x", 10)...)
		w.clock.Advance(time.Second)
		w.check()
		if got := w.Stats().Bytes; got > 64<<10 {
			t.Fatalf("%d bytes after group %d", got, i)
		}
	}
	for i := range 100 {
		if got, want := len(w.messages(fmt.Sprint("group", i))) > 0, i > 85; got != want && (i < 84 || i > 88) {
			t.Errorf("group %d has lines: %v", i, got)
		}
	}
}

// TestDeletedStartsAreNotReused: a token of what was deleted must not lead into
// what was written after it, in the same millisecond.
func TestDeletedStartsAreNotReused(t *testing.T) {
	w := newWorld(t, Options{MaxBytes: 64 << 10, SegmentBytes: 4 << 10})
	w.put("g", "s", "deleted")
	token := w.read(Query{Group: named("g")}).Forward
	for i := 0; len(w.messages("g")) > 0; i++ {
		w.put(fmt.Sprint("group", i), "s", "x")
	}
	w.put("g", "s", "new")
	if got := texts(w.read(Query{Group: named("g"), Token: token})); !cmp.Equal(got, []string{"new"}) {
		t.Errorf("from the token on: %q", got)
	}
}

// TestAge: what is too old goes without anything being written, also what an
// earlier run has left, and never early.
func TestAge(t *testing.T) {
	w := newWorld(t, Options{MaxAge: 8 * time.Hour})
	w.put("g", "s", "first")
	w.clock.Advance(2 * time.Hour) // another segment: a span is an hour
	w.put("g", "s", "second")
	w.put("other", "s", "x")
	if n := len(w.files()); n != 3 {
		t.Fatalf("%d segments", n)
	}
	w.reopen()
	for _, step := range []struct {
		after time.Duration // in all
		want  []string
	}{
		{8*time.Hour - time.Millisecond, []string{"first", "second"}},
		{9*time.Hour + 31*time.Minute, []string{"second"}},
		{10 * time.Hour, []string{"second"}},
		{11*time.Hour + 32*time.Minute, nil},
	} {
		w.clock.Advance(epoch.Add(step.after).Sub(w.clock.Now()))
		w.flush()
		if got := w.messages("g"); !cmp.Equal(got, step.want) {
			t.Errorf("after %s: %q, want %q", step.after, got, step.want)
		}
		w.check()
	}
	if n := len(w.files()); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

// TestSweepAlone: an idle store looks by its own timer.
func TestSweepAlone(t *testing.T) {
	w := newWorld(t, Options{MaxAge: 8 * time.Hour})
	w.put("g", "s", "x")
	for range 30 {
		w.clock.WaitTimers(1)
		w.clock.Advance(30 * time.Minute)
	}
	w.clock.WaitTimers(1)
	if n := len(w.files()); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

// counting counts the files that are open for writing.
type counting struct {
	vfs.FS
	open, most int
}

type counted struct {
	vfs.File
	of *counting
}

func (c *counting) Append(name string) (vfs.File, error) {
	f, err := c.FS.Append(name)
	if err != nil {
		return nil, err
	}
	c.open++
	c.most = max(c.most, c.open)
	return counted{f, c}, nil
}

func (c counted) Close() error {
	c.of.open--
	return c.File.Close()
}

// TestManyGroups: groups do not mean open files, and each keeps its lines in
// one segment however often that was closed in between.
func TestManyGroups(t *testing.T) {
	w := newWorld(t, Options{})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	files := &counting{FS: w.fs}
	w.opts.FS = files
	w.open()
	const groups = 10 * maxOpen
	for round := range 3 {
		for i := range groups {
			st, err := w.Stream(named(fmt.Sprint("g", i)), "s")
			if err != nil {
				t.Fatal(err)
			}
			st.Append(w.clock.Now(), fmt.Append(nil, round))
		}
		w.flush()
	}
	for i := range groups {
		if got := w.messages(fmt.Sprint("g", i)); !cmp.Equal(got, []string{"0", "1", "2"}) {
			t.Fatalf("group %d has %q", i, got)
		}
	}
	if n := len(w.files()); n != groups {
		t.Errorf("%d files for %d groups", n, groups)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if files.most > maxOpen || files.open != 0 {
		t.Errorf("%d files were open at once, and %d still are", files.most, files.open)
	}
	w.open()
}

// TestForeignFiles: what is not ours stays, and an empty segment goes.
func TestForeignFiles(t *testing.T) {
	dir := t.TempDir() + "/logs"
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	id := named("g").id()
	empty := fmt.Sprintf("%x-%016x.log", id, 1)
	names := []string{"README", "x-y.log", fmt.Sprintf("%x-%016x.tmp", id, 1), fmt.Sprintf("%x-%016x.log", id[1:], 1), fmt.Sprintf("%x-%s.log", id, "000000000000000g"), empty}
	for _, name := range names {
		if err := os.WriteFile(dir+"/"+name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(dir+"/"+fmt.Sprintf("%x-%016x.log", id, 2), 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := s.Stats(); got.Groups != 0 {
		t.Errorf("found %+v", got)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		if !e.IsDir() {
			left = append(left, e.Name())
		}
	}
	want := slices.Sorted(slices.Values(names[:5]))
	if diff := cmp.Diff(want, left); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// TestGroupAge: a group's lines go earlier when it has an age of its own, and
// not later than all others.
func TestGroupAge(t *testing.T) {
	w := newWorld(t, Options{MaxAge: 8 * time.Hour})
	w.SetMaxAge(named("short"), 2*time.Hour)
	w.SetMaxAge(named("long"), 100*time.Hour)
	for _, g := range []string{"short", "long", "plain"} {
		w.put(g, "s", "x")
	}
	has := func() (have string) {
		w.flush()
		for _, g := range []string{"short", "long", "plain"} {
			if len(w.messages(g)) > 0 {
				have += g + " "
			}
		}
		return have
	}
	w.clock.Advance(2 * time.Hour)
	if got := has(); got != "short long plain " {
		t.Errorf("lines went early: %s", got)
	}
	w.clock.Advance(2 * time.Hour)
	if got := has(); got != "long plain " {
		t.Errorf("after four hours: %s", got)
	}
	w.SetMaxAge(named("short"), 0)
	w.put("short", "s", "y")
	w.clock.Advance(6 * time.Hour)
	if got := has(); got != "short " {
		t.Errorf("after ten hours: %s", got)
	}
}

// TestDelete: all of a group goes, what was appended just now too, and it can
// be written again.
func TestDelete(t *testing.T) {
	w := newWorld(t, Options{SegmentBytes: 4 << 10})
	w.put("g", "s", lines("x", 100)...)
	w.put("other", "s", "stays")
	st, err := w.Stream(named("g"), "s")
	if err != nil {
		t.Fatal(err)
	}
	st.Append(w.clock.Now(), []byte("last"))
	token := w.read(Query{Group: named("g")}).Forward
	for range 2 { // a group that is not there is no error
		if err := w.Delete(t.Context(), named("g")); err != nil {
			t.Fatal(err)
		}
	}
	w.check()
	if got := w.messages("g"); len(got) > 0 {
		t.Errorf("still there: %d lines", len(got))
	}
	st.Append(w.clock.Now(), []byte("again"))
	if got := w.messages("g"); !cmp.Equal(got, []string{"again"}) {
		t.Errorf("written again: %q", got)
	}
	if got := texts(w.read(Query{Group: named("g"), Token: token})); !cmp.Equal(got, []string{"again"}) {
		t.Errorf("from a token of what was deleted on: %q", got)
	}
	if got := w.messages("other"); !cmp.Equal(got, []string{"stays"}) {
		t.Errorf("the other group has %q", got)
	}
	w.Store.Close()
	if err := w.Delete(t.Context(), named("g")); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
