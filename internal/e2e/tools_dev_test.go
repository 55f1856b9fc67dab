package e2e

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestDev edits functions under lamb dev as editors do: in place, aside and
// renamed over, moved away and written anew, with the folder gone for a moment.
func TestDev(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(folder(t), "dev-fn")
	source := func(says string) string {
		return "#!/bin/sh\napi=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation\nwhile :; do\n" +
			"id=$(curl -s -D - -o /dev/null $api/next | tr -d '\\r' | sed -n 's/^[Ll]ambda-[Rr]untime-[Aa]ws-[Rr]equest-[Ii]d: //p')\n" +
			"echo \"" + says + " is logged\"\ncurl -s -o /dev/null --data-binary '\"" + says + "\"' $api/$id/response\ndone\n"
	}
	need(t, "curl")
	file := filepath.Join(dir, "bootstrap")
	write := func(name, says string) error { return os.WriteFile(name, []byte(source(says)), 0o755) }
	if err := errors.Join(os.Mkdir(dir, 0o755), write(file, "first"), os.WriteFile(filepath.Join(dir, "lamb.toml"), []byte("timeout = 20\n"), 0o644), here.give(dir), here.give(file)); err != nil {
		t.Fatal(err)
	}
	d := startDev(t, dir)
	const served = "dev-fn serves ("
	serves := func(says string, edit func() error) {
		t.Helper()
		step := strings.Count(d.stderr.String(), served)
		if says == "first" {
			step = 0 // it may be served already
		}
		if err := edit(); err != nil {
			t.Fatal(err)
		}
		// Where the machine is away in the middle of an edit, it is two.
		for p, deadline := "", time.Now().Add(patience); p != `"`+says+`"`; {
			step++
			if time.Now().After(deadline) {
				t.Fatalf("after the edit %q the function says %s", says, p)
			}
			d.stderr.lines(t, served, step)
			p = string(d.invoke(t, "dev-fn", `{}`).Payload)
		}
	}
	serves("first", func() error { return nil })
	// Everybody may call the URL that it shows.
	if url := strings.TrimSpace(d.stderr.lines(t, ".lambda-url.", 1)); strings.Contains(url, " ") {
		t.Errorf("the line of the URL is %q", url)
	} else if got := d.ask(t, "GET", url, ""); got.StatusCode != 200 || got.text != "first" {
		t.Errorf("GET %s: %d %s", url, got.StatusCode, got.text)
	}
	serves("in place", func() error { return write(file, "in place") })
	serves("renamed over", func() error {
		return errors.Join(write(file+".tmp", "renamed over"), os.Rename(file+".tmp", file))
	})
	serves("moved away", func() error {
		return errors.Join(os.Rename(file, file+"~"), write(file, "moved away"), os.Remove(file+"~"))
	})
	serves("folder replaced", func() error {
		return errors.Join(os.Rename(dir, dir+".old"), os.Mkdir(dir, 0o755), write(file, "folder replaced"), os.RemoveAll(dir+".old"))
	})
	// What cannot be built does not serve, and what served before goes on.
	toml := filepath.Join(dir, "lamb.toml")
	if err := os.WriteFile(toml, []byte("timeout = soon\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	d.stderr.lines(t, "dev-fn goes on with the code before: lamb.toml, line 1", 1)
	if p := string(d.invoke(t, "dev-fn", `{}`).Payload); p != `"folder replaced"` {
		t.Errorf("after a broken edit the function says %s", p)
	}
	serves("folder replaced", func() error { return os.WriteFile(toml, []byte("timeout = 21\n"), 0o644) })

	d.terminate(t)
	if code := d.exitCode(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, d.stderr)
	}
	if out := d.stdout.String(); !strings.Contains(out, "dev-fn first is logged\n") || strings.Contains(out, "\x1b") {
		t.Errorf("the functions' log is not there, or has colours:\n%s", out)
	}
}

// startDev runs lamb dev.
func startDev(t *testing.T, paths ...string) *lamb {
	t.Helper()
	args := append([]string{"dev", "--listen", "127.0.0.1:0"}, paths...)
	cmd := here.command(context.Background(), folder(t), lambCommand.build(t), args...)
	for k, v := range goVariables(t) {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	l, err := startCommand(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.mustDie(t) })
	line := l.stderr.lines(t, "lamb serves at ", 1)
	_, rest, _ := strings.Cut(line, "lamb serves at ")
	l.URL, _, _ = strings.Cut(rest, " ")
	return l
}

// lines waits until a text stands in n whole lines, and returns the last one.
func (o *output) lines(t testing.TB, text string, n int) string {
	t.Helper()
	stop := make(chan struct{})
	timer := time.AfterFunc(patience, func() { close(stop) })
	defer timer.Stop()
	for {
		o.mu.Lock()
		all, done, changed := o.buf.String(), o.done, o.changed
		o.mu.Unlock()
		seen := 0
		for line := range strings.Lines(all) {
			if strings.HasSuffix(line, "\n") && strings.Contains(line, text) {
				if seen++; seen == n {
					return line
				}
			}
		}
		if done {
			t.Fatalf("it ended without saying %q %d times:\n%s", text, n, all)
		}
		select {
		case <-changed:
		case <-stop:
			t.Fatalf("it does not say %q %d times:\n%s", text, n, all)
		}
	}
}

// holds waits until a text stands anywhere.
func (o *output) holds(t testing.TB, text string) {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		o.mu.Lock()
		all, done, changed := o.buf.String(), o.done, o.changed
		o.mu.Unlock()
		if strings.Contains(all, text) {
			return
		}
		if done {
			t.Fatalf("it ended without saying %q:\n%s", text, all)
		}
		select {
		case <-changed:
		case <-timer.C:
			t.Fatalf("it does not say %q:\n%s", text, all)
		}
	}
}
