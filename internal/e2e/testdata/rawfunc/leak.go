package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// litter serves the leak test: it answers on one connection and does what the
// event says, also what leaves things lying about.
func litter() {
	c := dial()
	r := bufio.NewReader(c)
	for n := 0; ; n++ {
		fmt.Fprintf(c, "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: %s\r\n\r\n", api)
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			os.Exit(8)
		}
		event, err := io.ReadAll(resp.Body)
		if err != nil {
			os.Exit(8)
		}
		switch strings.Trim(string(event), `"`) {
		case "hold": // for long enough that others need environments of their own
			time.Sleep(50 * time.Millisecond)
		case "litter":
			leave(n)
		case "crash":
			leave(n)
			os.Exit(3)
		}
		id := resp.Header.Get("Lambda-Runtime-Aws-Request-Id")
		fmt.Fprintf(c, "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s", id, api, len(event), event)
		if resp, err = http.ReadResponse(r, nil); err != nil {
			os.Exit(8)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
	}
}

// leave leaves a file, a connection, and a process in a session of its own.
func leave(n int) {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(7)
		}
	}
	fail(os.WriteFile(filepath.Join(os.TempDir(), fmt.Sprint("litter-", n)), make([]byte, 4096), 0o600))
	dial()
	cmd := exec.Command("/proc/self/exe", "stay")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	fail(cmd.Start())
}
