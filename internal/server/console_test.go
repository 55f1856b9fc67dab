package server

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/function"
)

func TestConsole(t *testing.T) {
	var out bytes.Buffer
	c := newConsole(&out)
	latest := &function.Version{Key: function.Key{Name: "f"}, Version: function.Latest}
	published := &function.Version{Key: function.Key{Name: "f"}, Version: "3"}
	for _, line := range []string{
		"plain\n",
		"dos\r\n",
		"an event\nof two lines\n",
		"forged\r[bank] REPORT\n",
		"\x1b[31mred\x07\u009b\n",
		"grüße\ttab\n",
	} {
		c.logs(latest, "").Line(time.Time{}, []byte(line))
	}
	c.logs(published, "").Line(time.Time{}, []byte("x\n"))
	c.close()
	want := strings.Join([]string{
		"[f] plain", "[f] dos", "[f] an event", "[f] of two lines", "[f] forged\ufffd[bank] REPORT",
		"[f] \ufffd[31mred\ufffd\ufffd", "[f] grüße\ttab", "[f:3] x", "",
	}, "\n")
	if out.String() != want {
		t.Errorf("got\n%q\nwant\n%q", out.String(), want)
	}
}

// blocked is a terminal that takes nothing until it is let go.
type blocked struct {
	entered, release chan struct{}
	bytes.Buffer
}

func (b *blocked) Write(p []byte) (int, error) {
	select {
	case b.entered <- struct{}{}:
		<-b.release
	default:
	}
	return b.Buffer.Write(p)
}

// TestSlowConsole: lines that do not fit are dropped and counted, and a
// function never waits.
func TestSlowConsole(t *testing.T) {
	out := &blocked{entered: make(chan struct{}), release: make(chan struct{})}
	c := newConsole(out)
	logs := c.logs(&function.Version{Key: function.Key{Name: "f"}, Version: function.Latest}, "")
	logs.Line(time.Time{}, []byte("first\n"))
	<-out.entered
	line := append(bytes.Repeat([]byte("x"), maxConsole/4), '\n')
	for range 5 {
		logs.Line(time.Time{}, line)
	}
	close(out.release)
	logs.Line(time.Time{}, []byte("last\n"))
	c.close()
	if got := out.String(); strings.Count(got, "x\n") != 3 || !strings.Contains(got, "lamb: 2 log lines were dropped") {
		t.Errorf("%d long lines, ends %q", strings.Count(got, "x\n"), got[max(0, len(got)-100):])
	}
}

// TestConsoleCloseIsBounded: a terminal that takes nothing (Ctrl-S, a pager)
// does not keep lamb from ending.
func TestConsoleCloseIsBounded(t *testing.T) {
	out := &blocked{entered: make(chan struct{}), release: make(chan struct{})}
	c := newConsole(out)
	c.closeWait = time.Millisecond
	c.logs(&function.Version{Key: function.Key{Name: "f"}, Version: function.Latest}, "").Line(time.Time{}, []byte("x\n"))
	<-out.entered
	if err := c.close(); err == nil {
		t.Error("close says nothing of lines that could not be written")
	}
	close(out.release)
	<-c.done
}
