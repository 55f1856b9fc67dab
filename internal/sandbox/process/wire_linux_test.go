package process

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRequestRoundTrip(t *testing.T) {
	for _, want := range []*request{
		{op: opKill, id: 1, box: 2, argv: []string{}, env: []string{}},
		{op: opSignal, id: 1 << 60, box: markBoxes, target: 7, signal: 64, argv: []string{}, env: []string{}},
		{
			op: opStart, id: 3, box: 4, maxFiles: 1024, outputs: outputStdout | outputStderr, logs: 62,
			path: "/bin/sh", dir: "/tmp", argv: []string{"/bin/sh", "", strings.Repeat("x", 1000)}, env: []string{"A=\x00"},
		},
	} {
		b := want.append(nil)
		got, err := parseRequest(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(request{})); diff != "" {
			t.Error(diff)
		}
		for cut := range len(b) {
			if _, err := parseRequest(b[:cut]); err == nil {
				t.Errorf("%d bytes of %d were taken", cut, len(b))
			}
		}
		if _, err := parseRequest(append(b, 0)); err == nil {
			t.Error("a byte too many was taken")
		}
	}
}

func TestReportRoundTrip(t *testing.T) {
	want := report{op: opReply, id: 1 << 40, errno: 2, a: -5, b: 1 << 61}
	got, err := parseReport(want.append(nil))
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := parseReport(nil); err == nil {
		t.Error("an empty report was taken")
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add((&request{op: opStart, path: "/x", argv: []string{"a"}, env: []string{"b=c"}}).append(nil))
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRequest(b)
		if err != nil {
			return
		}
		again, err := parseRequest(r.append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, again, cmp.AllowUnexported(request{})); diff != "" {
			t.Error(diff)
		}
		if len(r.argv)+len(r.env) > len(b) {
			t.Error("more strings than bytes")
		}
	})
}

func TestParseStat(t *testing.T) {
	const tail = " S 10 11 12 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 98765 1000 200 184467 1 1"
	for _, name := range []string{"sh", "a b", ") R 1 1 1 (", "((", "x\ny", ""} {
		m, err := parseStat(9, []byte("9 ("+name+")"+tail+"\n"))
		want := member{pid: 9, parent: 10, group: 11, session: 12, threads: 3, state: 'S', born: 98765}
		if err != nil || m != want {
			t.Errorf("%q: %+v, %v", name, m, err)
		}
	}
	for _, bad := range []string{"", "9 (sh", "9 (sh)", "9 (sh) S", "9 (sh) S x 1 1", "9 (sh) S 1 1 1 0 -1"} {
		if m, err := parseStat(9, []byte(bad)); err == nil {
			t.Errorf("%q: %+v", bad, m)
		}
	}
	self, err := newProcfs().read("/proc/self/stat")
	if err != nil || !bytes.Contains(self, []byte(") ")) {
		t.Fatalf("%q, %v", self, err)
	}
}
