package native

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAssemble(t *testing.T) {
	s := &script{base: 0x1000, failTo: address(0x42)}
	text := s.text("ab")
	list := s.words(text, 7)
	later := &op{name: "later", nr: 3, args: [6]any{list}}
	later.next = later
	first := s.call("first", 1, text, -1, later)
	first.store = list + 8
	s.jump(later)
	s.place(later)
	got, err := s.assemble()
	if err != nil {
		t.Fatal(err)
	}
	const data = 0x1000 + 3*opSize
	none := ^uint64(0)
	want := []uint64{
		1, data, none, 0x1000 + 2*opSize, 0, 0, 0, data + 16, 0, 0, 0x42, 0x1000 + opSize,
		none, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x1000 + 2*opSize,
		3, data + 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x1000 + 2*opSize,
		uint64('a') | uint64('b')<<8, data, 7,
	}
	var words []uint64
	for ; len(got) >= 8; got = got[8:] {
		words = append(words, binary.LittleEndian.Uint64(got))
	}
	if diff := cmp.Diff(want, words); diff != "" {
		t.Error(diff)
	}
	for pc, want := range map[uint64]string{0x1000: "first", 0x1000 + 2*opSize: "later", 0x10: "the operation at 0x10"} {
		if got := s.opAt(pc); got != want {
			t.Errorf("operation at %#x: %q", pc, got)
		}
	}
}

func TestAssembleErrors(t *testing.T) {
	for name, write := range map[string]func(*script){
		"NUL":      func(s *script) { s.text("a\x00b"); s.jump(address(0)) },
		"no end":   func(s *script) { s.try("x", 1) },
		"nowhere":  func(s *script) { s.jump(&op{}) },
		"twice":    func(s *script) { s.place(s.jump(address(0))) },
		"type":     func(s *script) { s.jump("text") },
		"too long": func(s *script) { repeat(maxOps+1, func() { s.jump(address(0)) }) },
	} {
		s := &script{base: 0x1000}
		write(s)
		if b, err := s.assemble(); err == nil {
			t.Errorf("%s: %d bytes", name, len(b))
		}
	}
}

func repeat(n int, f func()) {
	for range n {
		f()
	}
}

const mountinfo = `24 1 254:0 / / rw - ext4 /dev/vda rw
30 29 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid - cgroup cgroup rw,cpu,cpuacct
31 29 0:28 /box /sys/fs/cgroup/memory rw shared:3 - cgroup cgroup rw,memory
32 29 0:29 /other /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
33 29 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
`

func TestParseGroups(t *testing.T) {
	own := "4:memory:/box/inner\n3:pids:/box\n2:cpu,cpuacct:/\n1:name=systemd:/x\n0::/user.slice/a\nnonsense\n"
	got := parseGroups([]byte(mountinfo), []byte(own))
	want := []hierarchy{
		{1, []string{"memory"}, "/sys/fs/cgroup/memory/inner"},
		{1, []string{"cpu", "cpuacct"}, "/sys/fs/cgroup/cpu,cpuacct"},
		{2, nil, "/sys/fs/cgroup/unified/user.slice/a"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(hierarchy{})); diff != "" {
		t.Error(diff)
	}
}

func TestCode(t *testing.T) {
	b, err := code()
	if err != nil || len(b) < 50 || len(b) > 300 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

func TestMountsFrom(t *testing.T) {
	stores := []string{"/data/code", "/usr"}
	got, ok := mountsFrom(stores, []bind{{"/data/code/ab", "var/task"}, {"/usr", "var/lang"}})
	want := []bind{{"/.s/a/ab", "/var/task"}, {"/.s/b", "/var/lang"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(bind{})); diff != "" || !ok {
		t.Error(diff, ok)
	}
	for _, outside := range []string{"/data", "/data/codes", "/data/code/../x", "/"} {
		if got, ok := mountsFrom(stores, []bind{{outside, "opt"}}); ok {
			t.Errorf("%s: %v", outside, got)
		}
	}
}

func TestUnavailableSaysWhatToDo(t *testing.T) {
	if got := (&Unavailable{Step: "mount: operation not permitted", Hint: "Do this"}).Error(); !strings.HasSuffix(got, "mount: operation not permitted. Do this") {
		t.Error(got)
	}
}
