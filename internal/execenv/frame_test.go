package execenv

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/clock/clocktest"
	"github.com/lambhq/lamb/internal/function"
)

// framed is a frame with this type's last byte.
func framed(flags byte, at time.Time, message string) string {
	b := append(frameMagic[:len(frameMagic):len(frameMagic)], flags)
	b = binary.BigEndian.AppendUint32(b, uint32(len(message)))
	if flags&frameTimed != 0 {
		b = binary.BigEndian.AppendUint64(b, uint64(at.UnixMicro()))
	}
	return string(b) + message
}

// datedLines notes each line with its age.
type datedLines struct {
	now   time.Time
	lines []string
}

func (d *datedLines) Line(at time.Time, line []byte) {
	d.lines = append(d.lines, fmt.Sprintf("%d %s", d.now.Sub(at).Milliseconds(), line))
}

func TestFrames(t *testing.T) {
	ago := start.Add(-5 * time.Millisecond)
	long := strings.Repeat("x", maxLine+10)
	for name, tt := range map[string]struct {
		written string
		want    []string
	}{
		"one":           {framed(0x0f, ago, "two\nlines"), []string{"5 two\nlines\n"}},
		"newline":       {framed(0x0f, ago, "line\n"), []string{"5 line\n"}},
		"json":          {framed(0x0e, ago, `{"a":1}`), []string{"5 {\"a\":1}\n"}},
		"no time":       {framed(0x01, ago, "old"), []string{"0 old\n"}},
		"in order":      {"1\n" + framed(3, ago, "2") + "3\n" + framed(3, ago, "4") + framed(3, ago, "5") + "6\n", []string{"0 1\n", "5 2\n", "0 3\n", "5 4\n", "5 5\n", "0 6\n"}},
		"within a line": {"no newline" + framed(3, ago, "frame") + "rest\n", []string{"0 no newline\n", "5 frame\n", "0 rest\n"}},
		"empty":         {framed(3, ago, "") + "a\n", []string{"0 a\n"}},
		"long":          {framed(3, ago, long), []string{"5 " + long[:maxLine] + "\n", "5 " + long[maxLine:] + "\n"}},
		"future":        {framed(3, start.Add(time.Hour), "a"), []string{"0 a\n"}},
		"past":          {framed(3, start.Add(-time.Hour), "a"), []string{"0 a\n"}},
		"too long":      {"\xa5\x5a\x00\x03\x7f\xff\xff\xff........text\nmore\n", []string{"0 \xa5\x5a\x00\x03\x7f\xff\xff\xff........text\n", "0 more\n"}},
		"no frame":      {"\xa5\x5b\n\xa5\x5a\n\xc3\xa5Z\n", []string{"0 \xa5\x5b\n", "0 \xa5\x5a\n", "0 \xc3\xa5Z\n"}},
		"carriage":      {framed(3, ago, "a\rb"), []string{"5 a\rb\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1 << 20, 7, 1} { // however the pipe cuts it
				out := &datedLines{now: start}
				book := newLogbook(&Config{Logs: out, Clock: clocktest.New(start), Version: &function.Version{}}, nil)
				stdout, _ := book.streamPair(true)
				for rest := tt.written; rest != ""; {
					n := min(size, len(rest))
					_, _ = stdout.Write([]byte(rest[:n])) // never fails
					rest = rest[n:]
				}
				if got, want := strings.Join(out.lines, "|"), strings.Join(tt.want, "|"); got != want {
					t.Errorf("in pieces of %d:\n%.300q, want\n%.300q", size, got, want)
				}
			}
		})
	}
}

// FuzzFrames: however output is cut, the same comes of it, and nothing is lost
// but heads.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("a\n"+framed(3, start, "b\nc")+"d"), 3)
	f.Add([]byte("\xa5\xa5"), 1)
	f.Add([]byte("\xa5\x5a\x00\x0a\xa5\x5a\x00\x01\x00\x00\x00\x02ab\n"), 1)
	f.Fuzz(func(t *testing.T, written []byte, size int) {
		run := func(size int) string {
			out := &logLines{}
			book := newLogbook(&Config{Logs: out, Clock: clocktest.New(start), Version: &function.Version{}}, nil)
			stdout, _ := book.streamPair(true)
			for rest := written; len(rest) > 0; {
				n := min(size, len(rest))
				_, _ = stdout.Write(rest[:n])
				rest = rest[n:]
			}
			stdout.endLine()
			return out.String()
		}
		if len(written) > maxLine/2 {
			return // long lines are cut where they happen to be
		}
		whole, pieces := run(len(written)+1), run(max(1, size%100))
		if whole != pieces {
			t.Errorf("whole %q, in pieces %q", whole, pieces)
		}
	})
}
