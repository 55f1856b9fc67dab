package runtimes

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// share gives a command a descriptor for logs that is its standard output, as
// a sandbox does; copied waits until all of it is in stdout.
func share(t *testing.T, cmd *exec.Cmd, stdout *bytes.Buffer) (copied func()) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.ExtraFiles = w, []*os.File{w}
	cmd.Env = append(cmd.Env, "_LAMBDA_TELEMETRY_LOG_FD=3")
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(stdout, r)
	}()
	return func() {
		w.Close()
		<-done
		r.Close()
	}
}

// events takes frames and lines apart; a frame is shown as its flags and its
// message.
func events(t *testing.T, out string) string {
	t.Helper()
	var b strings.Builder
	for out != "" {
		if !strings.HasPrefix(out, "\xa5\x5a\x00") {
			end := strings.IndexByte(out, '\n') + 1
			if frame := strings.Index(out, "\xa5\x5a\x00"); frame >= 0 && (frame < end || end == 0) {
				end = frame // within a line
			}
			fmt.Fprintf(&b, "%s|", out[:end])
			out = out[end:]
			continue
		}
		if len(out) < 16 {
			t.Fatalf("a cut frame: %q", out)
		}
		n := int(binary.BigEndian.Uint32([]byte(out[4:])))
		at := time.UnixMicro(int64(binary.BigEndian.Uint64([]byte(out[8:]))))
		if age := time.Since(at); age < 0 || age > runLimit {
			t.Errorf("the frame is %v old", age)
		}
		fmt.Fprintf(&b, "%#02x %s|", out[3], out[16:16+n])
		out = out[16+n:]
	}
	return stamps.ReplaceAllString(b.String(), "<ts>")
}

// TestFrames: where there is a descriptor for them, log events are frames, in
// one order with what is printed, and the function does not see it.
func TestFrames(t *testing.T) {
	for name, tt := range map[string]struct {
		runtime, file, code string
		env                 []string
		want                string
	}{
		"python": {"python3.12", "x.py", `
import logging, os, subprocess, sys
def handler(event, context):
    print("1", os.environ.get("_LAMBDA_TELEMETRY_LOG_FD"))
    logging.error("2\nlines")
    sys.stdout.write("no newline")
    logging.warning("3")
    print("", flush=True)
    subprocess.run([sys.executable, "-c", "import os; os.fstat(3)"], stderr=subprocess.DEVNULL, close_fds=False, check=False)
    raise ValueError("4\r5")
`, nil, "1 None\n|0x17 [ERROR]\t<ts>\tid-1\t2\nlines|no newline|0x13 [WARNING]\t<ts>\tid-1\t3|\n|0x17 [ERROR] ValueError: 4\r5\nTraceback (most recent call last):\n\u00a0\u00a0File \"/var/task/x.py\", line 10, in handler\n\u00a0\u00a0\u00a0\u00a0raise ValueError(\"4\\r5\")|"},
		"python JSON": {"python3.12", "x.py", `
import logging
def handler(event, context):
    logging.critical("a")
`, []string{"AWS_LAMBDA_LOG_FORMAT=JSON"}, `0x1a {"timestamp": "<ts>", "level": "CRITICAL", "message": "a", "logger": "root", "requestId": "id-1"}|`},
		"nodejs": {"nodejs20.x", "x.js", `
exports.handler = async () => {
  process.stdout.write("1 " + process.env._LAMBDA_TELEMETRY_LOG_FD + "\n");
  console.log("2\nlines");
  console.error("3");
  console.debug("4");
};`, nil, "1 undefined\n|0x0f <ts>\tid-1\tINFO\t2\nlines|0x17 <ts>\tid-1\tERROR\t3|0x0b <ts>\tid-1\tDEBUG\t4|"},
		"nodejs JSON": {"nodejs20.x", "x.js", `exports.handler = async () => { console.warn("a\nb"); };`,
			[]string{"AWS_LAMBDA_LOG_FORMAT=JSON"}, `0x12 {"timestamp":"<ts>","level":"WARN","requestId":"id-1","message":"a\nb"}|`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rt, err := host(t).Resolve(t.Context(), tt.runtime)
			if err != nil {
				t.Skip(err)
			}
			res := program{
				files: map[string]string{tt.file: tt.code}, handler: "x.handler", env: tt.env,
				events: []event{{body: "{}"}}, logs: true,
			}.run(t, rt)
			if got := strings.ReplaceAll(events(t, res.written), res.task, "/var/task"); got != tt.want {
				t.Errorf("got\n%q, want\n%q; stderr %s", got, tt.want, res.stderr)
			}
		})
	}
}
