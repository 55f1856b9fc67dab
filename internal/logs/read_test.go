package logs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// filled is a store with a group of ten events, a second apart, of two
// streams in turn, in several segments.
func filled(t *testing.T) *world {
	w := newWorld(t, Options{SegmentBytes: 150})
	for i := range 10 {
		w.put("g", []string{"a/1", "b/2"}[i%2], fmt.Sprint(i))
		w.clock.Advance(time.Second)
	}
	if n := len(w.files()); n < 3 {
		t.Fatalf("%d segments, the tests want several", n)
	}
	return w
}

func TestQueries(t *testing.T) {
	start := epoch.UnixMilli()
	tests := []struct {
		name string
		q    Query
		want string
		more bool
	}{
		{"all", Query{}, "0123456789", false},
		{"back", Query{Descending: true}, "9876543210", false},
		{"limit", Query{Limit: 4}, "0123", true},
		{"exact limit", Query{Limit: 10}, "0123456789", false},
		{"limit back", Query{Limit: 4, Descending: true}, "9876", true},
		{"from", Query{Start: start + 3000}, "3456789", false},
		{"until", Query{End: start + 3000}, "012", false},
		{"between", Query{Start: start + 2500, End: start + 5000}, "34", false},
		{"between, back", Query{Start: start + 2500, End: start + 5000, Descending: true}, "43", false},
		{"never", Query{Start: start + 50_000}, "", false},
		{"stream", Query{Streams: []string{"b/2"}}, "13579", false},
		{"streams", Query{Streams: []string{"b/2", "a/1", "c"}}, "0123456789", false},
		{"no such stream", Query{Streams: []string{"a/"}}, "", false},
		{"prefix", Query{StreamPrefix: "a/"}, "02468", false},
		{"prefix, back, limit", Query{StreamPrefix: "a/", Descending: true, Limit: 2}, "86", true},
		{"prefix and time", Query{StreamPrefix: "a/", Start: start + 3000}, "468", false},
	}
	w := filled(t)
	for _, when := range []string{"written", "reopened", "read before"} {
		for _, tt := range tests {
			tt.q.Group = named("g")
			p := w.read(tt.q)
			if got := strings.Join(texts(p), ""); got != tt.want || p.More != tt.more {
				t.Errorf("%s, %s: got %q, more %v; want %q, %v", when, tt.name, got, p.More, tt.want, tt.more)
			}
		}
		if when == "written" {
			w.reopen()
		}
	}
}

// TestPages: pages of every size, in both directions, give everything once, and
// the way back gives it again.
func TestPages(t *testing.T) {
	w := filled(t)
	for limit := 1; limit <= 11; limit++ {
		for _, prefix := range []string{"", "b/"} {
			var got, back string
			q := Query{Group: named("g"), StreamPrefix: prefix, Limit: limit}
			p := w.read(q)
			for ; len(p.Events) > 0; p = w.read(q) {
				got += strings.Join(texts(p), "")
				q.Token = p.Forward
			}
			if p.Forward != q.Token {
				t.Errorf("limit %d: the token changes at the end", limit)
			}
			q.Descending = true
			for p = w.read(q); len(p.Events) > 0; p = w.read(q) {
				back = strings.Join(reversed(texts(p)), "") + back
				q.Token = p.Backward
			}
			if p.Backward != q.Token {
				t.Errorf("limit %d: the token changes at the beginning", limit)
			}
			want := map[string]string{"": "0123456789", "b/": "13579"}[prefix]
			if got != want || back != want {
				t.Errorf("limit %d, prefix %q: on %q, back %q", limit, prefix, got, back)
			}
		}
	}
}

func reversed(s []string) []string { slices.Reverse(s); return s }

// TestTail: the newest page tells where to go on without a gap or a repeat.
func TestTail(t *testing.T) {
	w := filled(t)
	p := w.read(Query{Group: named("g"), Descending: true, Limit: 3})
	w.put("g", "a/1", "new")
	if got := texts(w.read(Query{Group: named("g"), Token: p.Forward})); !cmp.Equal(got, []string{"new"}) {
		t.Errorf("after the tail comes %q", got)
	}
	// The page before begins where an event says it is.
	if got := texts(w.read(Query{Group: named("g"), Token: p.Events[2].Token, Limit: 2})); !cmp.Equal(got, []string{"7", "8"}) {
		t.Errorf("from an event on: %q", got)
	}
	if got := texts(w.read(Query{Group: named("g"), Token: p.Backward, Descending: true, Limit: 2})); !cmp.Equal(got, []string{"6", "5"}) {
		t.Errorf("back from the tail: %q", got)
	}
}

// TestTokensStay: a token is good after more was written, after a restart, and
// after its segment was deleted.
func TestTokensStay(t *testing.T) {
	w := filled(t)
	first := w.read(Query{Group: named("g"), Limit: 2})
	q := Query{Group: named("g"), Token: first.Forward}
	w.put("g", "a/1", "new")
	w.reopen()
	if got := strings.Join(texts(w.read(q)), ""); got != "23456789new" {
		t.Errorf("after a restart: %q", got)
	}
	w.clock.Advance(DefaultMaxAge - time.Second)
	w.put("g", "a/1", "last")
	w.clock.Advance(DefaultMaxAge/2 + time.Minute) // all but the last is too old
	w.flush()
	if got := texts(w.read(q)); !cmp.Equal(got, []string{"last"}) {
		t.Errorf("after its segment was deleted: %q", got)
	}
	q.Descending = true
	if p := w.read(q); len(p.Events) != 0 || p.Backward != q.Token {
		t.Errorf("back from what was deleted: %+v", p)
	}
}

func TestBadTokens(t *testing.T) {
	w := filled(t)
	w.put("h", "s", "other")
	good := w.read(Query{Group: named("g"), Limit: 2}).Forward
	foreign := w.read(Query{Group: named("h"), Limit: 1}).Forward
	parts := strings.Split(good, ".")
	for _, token := range []string{"x", "....", foreign, "2" + good[1:], good + ".", parts[0] + "." + parts[1] + ".-1.0", parts[0] + "." + parts[1] + ".zz.0"} {
		if _, err := w.Read(context.Background(), Query{Group: named("g"), Token: token}); !errors.Is(err, ErrToken) {
			t.Errorf("token %q: %v", token, err)
		}
	}
	if _, err := w.Read(context.Background(), Query{Group: named("g"), Limit: -1}); err == nil {
		t.Error("a negative limit is no error")
	}
	// One in the middle of a record begins at the next.
	parts[3] = "1"
	for _, offset := range []string{"0", "1", "a0", "ffffffff"} {
		parts[3] = offset
		for _, e := range w.read(Query{Group: named("g"), Token: strings.Join(parts, ".")}).Events {
			if len(e.Message) != 1 || e.Stream != "a/1" && e.Stream != "b/2" {
				t.Errorf("offset %s gives %+v", offset, e)
			}
		}
	}
}

// TestPageBytes: a page holds a megabyte, and at least one event.
func TestPageBytes(t *testing.T) {
	w := newWorld(t, Options{})
	big := strings.Repeat("x", MaxMessage-eventOverhead)
	w.put("g", "s", big, big, big, big, big)
	if p := w.read(Query{Group: named("g")}); len(p.Events) != 4 || !p.More {
		t.Errorf("%d events, more %v", len(p.Events), p.More)
	}
}

// TestFollow gets what comes, over segments and restarts of waiting, and ends
// with the store.
func TestFollow(t *testing.T) {
	w := filled(t)
	at := w.read(Query{Group: named("g"), Descending: true, Limit: 3}).Backward
	events := make(chan string)
	ended := make(chan error, 1)
	go func() {
		for e, err := range w.Follow(context.Background(), Query{Group: named("g"), Token: at, StreamPrefix: "b/"}) {
			if err != nil {
				ended <- err
				return
			}
			events <- e.Message
		}
	}()
	var got []string
	for range 2 {
		got = append(got, <-events)
	}
	for i := range 20 {
		w.put("g", "a/1", "hidden")
		w.put("other", "b/2", "hidden")
		w.put("g", "b/2", fmt.Sprint("new", i))
		got = append(got, <-events)
	}
	st, err := w.Stream(named("g"), "b/2")
	if err != nil {
		t.Fatal(err)
	}
	st.Append(w.clock.Now(), []byte("last"))
	closed := make(chan struct{})
	go func() { w.Close(); close(closed) }()
	got = append(got, <-events)
	if err := <-ended; !errors.Is(err, ErrClosed) {
		t.Errorf("ended with %v", err)
	}
	<-closed
	want := []string{"7", "9"}
	for i := range 20 {
		want = append(want, fmt.Sprint("new", i))
	}
	if diff := cmp.Diff(append(want, "last"), got); diff != "" {
		t.Errorf("followed (-want +got):\n%s", diff)
	}
}

// TestFollowFromNow sees a group come into being, and ends with its context or
// when the caller has enough.
func TestFollowFromNow(t *testing.T) {
	w := newWorld(t, Options{})
	w.put("old", "s", "before")
	for _, group := range []string{"old", "new"} {
		w.put("other", "s", "x") // nobody waits now
		ctx, cancel := context.WithCancel(context.Background())
		first, ended := make(chan string), make(chan error, 1)
		go func() {
			for e, err := range w.Follow(ctx, Query{Group: named(group)}) {
				if err != nil {
					ended <- err
					return
				}
				first <- e.Message
			}
		}()
		for w.followers() == 0 {
			w.put("other", "s", "x") // until it waits
		}
		w.put(group, "s", "after")
		if got := <-first; got != "after" {
			t.Errorf("group %s begins with %q", group, got)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	}
	for _, err := range w.Follow(context.Background(), Query{Group: named("old"), Token: w.read(Query{Group: named("old"), Limit: 1}).Backward}) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	for _, err := range w.Follow(context.Background(), Query{Group: named("old"), Token: "bad"}) {
		if !errors.Is(err, ErrToken) {
			t.Errorf("a bad token: %v", err)
		}
	}
}

// followers is whether somebody waits for lines.
func (w *world) followers() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.changed == nil {
		return 0
	}
	return 1
}
