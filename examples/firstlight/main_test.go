package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain lets this test program stand in for a lamb that dies at once.
func TestMain(m *testing.M) {
	if os.Getenv("FIRSTLIGHT_TEST_DIE") == "1" {
		fmt.Fprintln(os.Stderr, "the store is on fire")
		os.Exit(3)
	}
	os.Exit(m.Run())
}

// testOptions are for a run from this folder, on any port.
func testOptions(lamb string) options {
	return options{lamb: lamb, examples: "..", listen: "127.0.0.1:13001"}
}

// TestLambDies shows lamb's last words and its exit code.
func TestLambDies(t *testing.T) {
	t.Setenv("FIRSTLIGHT_TEST_DIE", "1")
	err := run(t.Context(), testOptions(os.Args[0]), io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "the store is on fire") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("run = %v, want lamb's last words and its exit code", err)
	}
}

// TestNoLamb is what a newcomer sees who has not built lamb.
func TestNoLamb(t *testing.T) {
	err := run(t.Context(), testOptions(filepath.Join(t.TempDir(), "lamb")), io.Discard, io.Discard)
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("run without a lamb = %v, want %v", err, os.ErrNotExist)
	}
}

// TestCommandLine gives the exit codes of start.
func TestCommandLine(t *testing.T) {
	for _, c := range []struct {
		args []string
		want int
	}{
		{[]string{"-help"}, 0},
		{[]string{"-no-such-flag"}, 2},
		{[]string{"-listen", "nonsense"}, 1},
	} {
		if got := start(c.args, io.Discard, io.Discard); got != c.want {
			t.Errorf("start(%q) = %d, want %d", c.args, got, c.want)
		}
	}
}

// TestFreeAddress takes the next port when one is taken.
func TestFreeAddress(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	taken := listener.Addr().String()
	got, err := freeAddress(taken)
	if err != nil {
		t.Fatal(err)
	}
	if got == taken {
		t.Errorf("freeAddress(%s) gave the address that is taken", taken)
	}
	free, err := net.Listen("tcp", got)
	if err != nil {
		t.Fatalf("the address that freeAddress gave: %v", err)
	}
	free.Close()
	if _, err := freeAddress("127.0.0.1"); err == nil {
		t.Error("freeAddress took an address without a port")
	}
}

// TestMissing is an interpreter that is not there, or a shim with nothing
// behind it.
func TestMissing(t *testing.T) {
	empty := t.TempDir()
	t.Setenv("PATH", empty)
	for _, e := range examples[1:] {
		_, err := e.load(t.Context(), filepath.Join("..", e.name))
		if want := (missingError{}); !errors.As(err, &want) {
			t.Errorf("%s without an interpreter: %v, want a missingError", e.name, err)
		}
	}
	shim := filepath.Join(empty, "python3")
	if err := os.WriteFile(shim, []byte("#!/bin/sh\nexit 127\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := examples[1].load(t.Context(), filepath.Join("..", "hello-python"))
	if want := (missingError{}); !errors.As(err, &want) {
		t.Errorf("with a shim that runs nothing: %v, want a missingError", err)
	}
}

// TestRuntime maps what interpreters say of themselves to Lambda's names.
func TestRuntime(t *testing.T) {
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	for _, c := range []struct {
		program, says, example, want string
	}{
		{"python3", "Python 3.11.2", "hello-python", "python3.11"},
		{"python3", "Python 3.13.0rc1", "hello-python", "python3.13"},
		{"python3", "Python 3.99.0", "hello-python", "python3.12"},
		{"python3", "MicroPython", "hello-python", "python3.12"},
		{"node", "v20.20.2", "hello-node", "nodejs20.x"},
		{"node", "v18.20.4", "hello-node", "nodejs22.x"}, // Debian 12's; Lambda takes it no more
	} {
		if err := os.WriteFile(filepath.Join(bin, c.program), []byte("#!/bin/sh\necho "+c.says+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, e := range examples {
			if e.name != c.example {
				continue
			}
			f, err := e.load(t.Context(), filepath.Join("..", e.name))
			if err != nil {
				t.Errorf("%s: %v", c.says, err)
			} else if string(f.runtime) != c.want {
				t.Errorf("%s: runtime %s, want %s", c.says, f.runtime, c.want)
			}
		}
	}
}

// TestParseReport reads a REPORT line as AWS writes it.
func TestParseReport(t *testing.T) {
	log := "START RequestId: 1 Version: $LATEST\nREPORTS nothing: 1\nEND RequestId: 1\n" +
		"REPORT RequestId: 1\tDuration: 1.25 ms\tBilled Duration: 2 ms\tMemory Size: 256 MB\tMax Memory Used: 20 MB\tInit Duration: 30.50 ms\t"
	got := parseReport(log)
	for field, want := range map[string]string{
		"Duration": "1.25 ms", "Init Duration": "30.50 ms", "Max Memory Used": "20 MB", "REPORTS nothing": "",
	} {
		if got[field] != want {
			t.Errorf("field %q = %q, want %q", field, got[field], want)
		}
	}
}

// TestTail keeps the end and then passes on.
func TestTail(t *testing.T) {
	var log tail
	fmt.Fprintln(&log, strings.Repeat("a", 2*tailSize))
	fmt.Fprintln(&log, "the end")
	if got := log.last(); len(got) > tailSize || !strings.HasSuffix(got, "a\nthe end") {
		t.Errorf("tail has %d bytes, ending in %q", len(got), got[max(0, len(got)-10):])
	}
	var after bytes.Buffer
	log.follow(&after)
	fmt.Fprint(&log, "more")
	if after.String() != "more" {
		t.Errorf("follower got %q, want %q", after.String(), "more")
	}
}
