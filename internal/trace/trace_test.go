package trace

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/clock/clocktest"
)

const (
	root    = "1-5f84c7a2-aaaaaaaaaaaaaaaaaaaaaaaa"
	parent  = "bbbbbbbbbbbbbbbb"
	lineage = "1:01bc76f7:0"
)

func TestParse(t *testing.T) {
	tests := []struct {
		in, out string // no out: refused
		want    Header
	}{
		{"Root=" + root, "Root=" + root, Header{Root: root}},
		{"Root=" + root + ";Parent=" + parent + ";Sampled=1;Lineage=" + lineage, "same",
			Header{Root: root, Parent: parent, Sampling: Sampled, Lineage: lineage}},
		{"Sampled=0; Parent=" + parent + " ;Root=" + root, "Root=" + root + ";Parent=" + parent + ";Sampled=0",
			Header{Root: root, Parent: parent, Sampling: NotSampled}},
		{"root=" + root + ";sampled=1;lineage=25:3", "Root=" + root + ";Sampled=1;Lineage=25:3",
			Header{Root: root, Sampling: Sampled, Lineage: "25:3"}},
		{"Self=1-67891234-12456789abcdef012345678;Root=" + root + ";CalledFrom=app;;flag", "Root=" + root + ";Self=1-67891234-12456789abcdef012345678;CalledFrom=app;flag",
			Header{Root: root, Other: "Self=1-67891234-12456789abcdef012345678;CalledFrom=app;flag"}},
		{"Root=" + root + ";Sampled=?", "Root=" + root, Header{Root: root}},
		{"Root=" + root + ";Parent=short;Sampled=yes", "Root=" + root, Header{Root: root}},
		{"Root=" + root + ";Parent=" + parent + ";Parent=cccccccccccccccc;Sampled=1;Sampled=0;Lineage=1:a:0;Lineage=1:b:0",
			"Root=" + root + ";Parent=" + parent + ";Sampled=1;Lineage=1:a:0",
			Header{Root: root, Parent: parent, Sampling: Sampled, Lineage: "1:a:0"}},
		{"Root=1-5F84C7A2-AAAAAAAAAAAAAAAAAAAAAAAA", "same", Header{Root: "1-5F84C7A2-AAAAAAAAAAAAAAAAAAAAAAAA"}},
		{"Root=" + root + ";K=" + strings.Repeat("v", maxHeader-len("Root=;K=")-len(root)), "same",
			Header{Root: root, Other: "K=" + strings.Repeat("v", maxHeader-len("Root=;K=")-len(root))}},
		{in: ""},
		{in: "x"},
		{in: "Root="},
		{in: "Root=1-5f84c7a2-aaaaaaaaaaaaaaaaaaaaaaa"},
		{in: "Root=2" + root[1:]},
		{in: "Root=" + strings.ReplaceAll(root, "-", "_")},
		{in: "Root=" + root[:len(root)-1] + "g"},
		{in: "Root=" + root[:len(root)-1] + "\x10"}, // would be a digit with one bit more
		{in: "Root=" + root + ";K=" + strings.Repeat("v", maxHeader)},
		{in: "Root=" + root + "\r\nLambda-Runtime-Deadline-Ms: 1"},
		{in: "Root=" + root + ";K=\u00e9"},
		{in: "Parent=" + parent + ";Sampled=1"},
	}
	for _, tt := range tests {
		got, ok := Parse(tt.in)
		if ok != (tt.out != "") {
			t.Errorf("Parse(%.80q) = %v", tt.in, ok)
			continue
		}
		if !ok {
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("Parse(%.80q) (-want +got):\n%s", tt.in, diff)
		}
		want := tt.out
		if want == "same" {
			want = tt.in
		}
		if s := got.String(); s != want {
			t.Errorf("Parse(%.80q) is written as\n%.200s, want\n%.200s", tt.in, s, want)
		}
	}
}

// FuzzParse: what is passed on is one line of X-Ray's form, and reads as what
// was read.
func FuzzParse(f *testing.F) {
	f.Add("Root=" + root + ";Parent=" + parent + ";Sampled=1;Lineage=" + lineage)
	f.Add("Self=a;Root=" + root + "; =;;Sampled=?")
	f.Add("root=" + root + ";ROOT=x;Sampled=0 ;Sampled")
	form := regexp.MustCompile(`^Root=1-[0-9a-fA-F]{8}-[0-9a-fA-F]{24}(;Parent=[0-9a-fA-F]{16})?(;Sampled=[01])?(;[ -~]*)?$`)
	f.Fuzz(func(t *testing.T, s string) {
		h, ok := Parse(s)
		if !ok {
			return
		}
		out := h.String()
		if !form.MatchString(out) || len(out) > len(s)+len("Root=") {
			t.Fatalf("%q is passed on as %q", s, out)
		}
		again, ok := Parse(out)
		if !ok || again != h {
			t.Fatalf("%q reads as %+v, and what is written of it as %+v", s, h, again)
		}
	})
}

func newTracer(now time.Time) (*Tracer, *clocktest.Fake) {
	c := clocktest.New(now)
	tr := NewTracer(c)
	tr.chance = func() float64 { return sampleRate } // just not
	return tr, c
}

func TestNewTrace(t *testing.T) {
	tr, _ := newTracer(time.Unix(0x5f84c7a2, 0))
	form := regexp.MustCompile(`^Root=1-5f84c7a2-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0$`)
	for _, client := range []string{"", "nonsense"} {
		a, b := tr.PassThrough(client).Header, tr.PassThrough(client).Header
		if !form.MatchString(a) || a == b {
			t.Errorf("got %q and %q", a, b)
		}
	}
}

func TestPassThrough(t *testing.T) {
	tr, _ := newTracer(time.Unix(1, 0))
	full := "Root=" + root + ";Parent=" + parent + ";Sampled=1;Lineage=" + lineage
	tests := []struct{ client, want string }{
		{full, regexp.QuoteMeta(full)},
		{full + ";Self=x", regexp.QuoteMeta(full) + ";Self=x"},
		{"Root=" + root, "Root=" + root + ";Parent=[0-9a-f]{16};Sampled=0"},
		{"Root=" + root + ";Sampled=?", "Root=" + root + ";Parent=[0-9a-f]{16};Sampled=0"},
		{"Root=" + root + ";Sampled=1", "Root=" + root + ";Parent=[0-9a-f]{16};Sampled=1"},
	}
	for _, tt := range tests {
		if got := tr.PassThrough(tt.client).Header; !regexp.MustCompile("^" + tt.want + "$").MatchString(got) {
			t.Errorf("PassThrough(%q) = %q, want %s", tt.client, got, tt.want)
		}
	}
}

// TestActive: the caller's trace and decision are kept, the parent is new.
func TestActive(t *testing.T) {
	tr, _ := newTracer(time.Unix(1, 0))
	for _, sampled := range []string{"0", "1", "0"} {
		in := "Root=" + root + ";Parent=" + parent + ";Sampled=" + sampled + ";Lineage=" + lineage
		given := tr.Active(in, "f")
		got, ok := Parse(given.Header)
		want, _ := Parse(in)
		if given.Segment != got.Parent || given.Caller != parent {
			t.Errorf("%+v", given)
		}
		if !ok || got.Parent == parent || !isSegment(got.Parent) {
			t.Errorf("parent %q", got.Parent)
		}
		got.Parent = parent
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	for _, in := range []string{"", "Root=" + root, "Root=1;Parent=" + parent} { // the service's segment is above
		given := tr.Active(in, "f")
		if got, ok := Parse(given.Header); !ok || !isSegment(given.Caller) || given.Caller == parent || !isSegment(given.Segment) || got.Parent != given.Segment {
			t.Errorf("of %q: %+v", in, given)
		}
	}
}

// TestSampling: one per second and function, and a twentieth of the others.
func TestSampling(t *testing.T) {
	tr, clock := newTracer(time.Unix(1000, 0))
	sampled := func(function string) bool {
		h, ok := Parse(tr.Active("", function).Header)
		if !ok || h.Sampling == Undecided {
			t.Fatalf("%+v, %v", h, ok)
		}
		return h.Sampling == Sampled
	}
	for second := range 3 {
		for i := range 4 {
			if got := sampled("f"); got != (i == 0) {
				t.Errorf("second %d, invocation %d: sampled %v", second, i, got)
			}
		}
		clock.Advance(time.Second)
	}
	tr.chance = func() float64 { return sampleRate - 0.001 }
	sampled("f")
	if !sampled("f") {
		t.Error("chance has no effect")
	}
	tr.chance = func() float64 { return 1 }
	clock.Advance(time.Second)
	n := 0
	for i := range 10 { // two of them may share a place, not all
		if sampled(fmt.Sprint(i)) {
			n++
		}
	}
	if n < 5 {
		t.Errorf("of 10 functions only %d had their sample", n)
	}
}
