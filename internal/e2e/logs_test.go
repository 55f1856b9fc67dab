package e2e

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/logs"
)

// kept are the log events of a group in a lamb's folder; the lamb has ended.
func kept(t *testing.T, folder, group string) []logs.Event {
	t.Helper()
	s, err := logs.Open(logs.Options{Dir: filepath.Join(folder, "logs")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	page, err := s.Read(t.Context(), logs.Query{Group: logs.Group{
		Partition: "aws", Account: "000000000000", Region: "us-east-1", Name: group,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return page.Events
}

// TestLogsAreKept: by group and stream, what the console shows, without what
// the level leaves out, and with no secret in them but what functions print.
func TestLogsAreKept(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	l := startLamb(t, "--data-dir", dir, "--log-level", "debug")
	const hidden, event, printed = "the-value-that-nobody-prints", "the-event-that-nobody-prints", "the-value-that-is-printed"
	quiet := l.goFn(t, "logs-quiet", "env", func(f *fn) { f.env = map[string]string{"CANARY": hidden} })
	var env map[string]string
	if err := json.Unmarshal(l.invoke(t, quiet, `"`+event+`"`).Payload, &env); err != nil {
		t.Fatal(err)
	}
	group := "../../shared/#group"
	loud := l.goFn(t, "logs-loud", "print", func(f *fn) {
		f.env = map[string]string{"CANARY": hidden}
		f.logging = &types.LoggingConfig{LogFormat: types.LogFormatJson, LogGroup: &group, ApplicationLogLevel: types.ApplicationLogLevelWarn}
	})
	const at = `,"timestamp":"2026-11-22T10:00:00Z"}`
	lines := []string{`{"level":"INFO"` + at, `{"level":"ERROR"` + at, printed, `{"level":"INFO"}`, `{"level":"debug"` + at}
	payload, err := json.Marshal(lines)
	if err != nil {
		t.Fatal(err)
	}
	l.invoke(t, loud, string(payload))
	l.terminate(t)
	if code := l.exitCode(t); code != 0 {
		t.Fatalf("exit code %d\n%s", code, l.stderr)
	}

	if env["AWS_LAMBDA_LOG_GROUP_NAME"] != "/aws/lambda/"+quiet {
		t.Errorf("the function believes its group to be %q", env["AWS_LAMBDA_LOG_GROUP_NAME"])
	}
	var beginnings []string
	for _, e := range kept(t, dir, "/aws/lambda/"+quiet) {
		beginnings = append(beginnings, strings.Fields(e.Message)[0])
		if e.Stream != env["AWS_LAMBDA_LOG_STREAM_NAME"] {
			t.Errorf("%q is in stream %q, the function's is %q", e.Message, e.Stream, env["AWS_LAMBDA_LOG_STREAM_NAME"])
		}
		if !strings.Contains(l.stdout.String(), "["+quiet+"] "+e.Message) {
			t.Errorf("the console does not have %q", e.Message)
		}
	}
	if diff := cmp.Diff([]string{"INIT_START", "START", "END", "REPORT"}, beginnings); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	var own []string
	for _, e := range kept(t, dir, group) {
		text := strings.TrimSuffix(e.Message, "\n")
		for _, line := range lines {
			if text == line {
				own = append(own, text)
			}
		}
	}
	if diff := cmp.Diff(lines[1:4], own); diff != "" {
		t.Errorf("the function's own lines (-want +got):\n%s", diff)
	}
	if strings.Contains(l.stdout.String(), lines[0]) || !strings.Contains(l.stdout.String(), lines[1]) {
		t.Errorf("the console does not follow the level:\n%s", l.stdout)
	}

	segments := read(t, filepath.Join(dir, "logs"))
	if !strings.Contains(segments, printed) {
		t.Error("what the function printed is not in the segments: the search is blind")
	}
	for what, secret := range map[string]string{ // the answer has them too
		"a variable": hidden, "an event": event, "the caller's key": "the-caller's-secret-key", "lamb's own variable": ofLamb,
		"the access key": env["AWS_ACCESS_KEY_ID"], "the secret key": env["AWS_SECRET_ACCESS_KEY"], "the session token": env["AWS_SESSION_TOKEN"],
	} {
		for where, text := range map[string]string{"the segments": segments, "standard output": l.stdout.String(), "standard error": l.stderr.String()} {
			if secret == "" || strings.Contains(text, secret) {
				t.Errorf("%s (%q) is in %s", what, secret, where)
			}
		}
	}
}

// TestNoLogsAreKept: retention 0 leaves nothing on the disk.
func TestNoLogsAreKept(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	l := startLamb(t, "--data-dir", dir, "--log-retention", "0")
	name := l.goFn(t, "logs-none", "print")
	l.invoke(t, name, `["said"]`)
	l.terminate(t)
	if code := l.exitCode(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, l.stderr)
	}
	if !strings.Contains(l.stdout.String(), "said") {
		t.Error("the console has nothing")
	}
	if _, err := os.Stat(filepath.Join(dir, "logs")); err == nil {
		t.Error("there is a folder for logs")
	}
}

// read is the content of all files in a folder.
func read(t *testing.T, folder string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
