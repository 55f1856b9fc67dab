package envapi

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
)

// TestCurl is a shell runtime: form type, Expect for large bodies, headers
// scraped from a dump.
func TestCurl(t *testing.T) {
	t.Parallel()
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed")
	}
	f := newFake()
	_, addr := serve(t, Config{Handler: f})
	run := func(in []byte, args ...string) string {
		t.Helper()
		cmd := exec.Command(curl, append([]string{"-sS", "--max-time", "10", "--noproxy", "*"}, args...)...)
		cmd.Env = []string{"HOME=" + t.TempDir()}
		cmd.Stdin = bytes.NewReader(in)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("curl %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	go func() {
		_ = (<-f.waiters).Deliver(&Event{RequestID: "id-1", Body: []byte("event")})
	}()
	if out := run(nil, "-LD", "-", "http://"+addr+nextPath); !strings.Contains(out, "Lambda-Runtime-Aws-Request-Id: id-1\r\n") || !strings.HasSuffix(out, "\r\n\r\nevent") {
		t.Errorf("next: %q", out)
	}
	body := bytes.Repeat([]byte("b"), 5<<20)
	for _, args := range [][]string{
		{"--data-binary", "@-"},
		{"--data-binary", "@-", "-H", "Expect: 100-continue"},
		{"--data-binary", "@-", "-H", "Transfer-Encoding: chunked"},
		{"--data-binary", "@-", "--http1.0"},
		{"--data-binary", "@-", "--http2"},
	} {
		if args[len(args)-1] == "--http2" && !strings.Contains(run(nil, "--version"), "HTTP2") {
			continue
		}
		if out := run(body, append(args, "http://"+addr+responsePath)...); out != okBody {
			t.Errorf("%v: %q", args, out)
		}
		got := receive(t, f.posts)
		if got.body != string(body) || got.header.ContentType != "application/x-www-form-urlencoded" {
			t.Errorf("%v: %d bytes of %q, %v", args, len(got.body), got.header.ContentType, got.abort)
		}
	}
	// Refused: curl shows the answer whether it has waited for 100 or not.
	f.response = func(string, Header) (Sink, *Error) { return nil, ErrPayloadTooLarge }
	for _, expect := range []string{"Expect: 100-continue", "Expect:"} {
		if out := run(body, "--data-binary", "@-", "-H", expect, "http://"+addr+responsePath); !strings.Contains(out, "RequestEntityTooLarge") {
			t.Errorf("%s: %q", expect, out)
		}
	}
}

// TestLoad is 5 MB both ways over 8 connections of net/http's client, each
// event with its own content. The connections belong to two environments that
// share poisoned buffers: what is read must be exactly what was sent.
func TestLoad(t *testing.T) {
	t.Parallel()
	const workers, rounds, size = 4, 1, 5 << 20
	buffers := NewBuffers()
	buffers.poison = true
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: tr}
	var g errgroup.Group
	for env := range 2 {
		payload := make([]byte, size+workers*rounds)
		_, _ = rand.Read(payload)
		event := func(i int) []byte { return payload[i : i+size] }
		f := newFake()
		_, addr := serve(t, Config{Handler: f, Buffers: buffers})
		for worker := range workers {
			g.Go(func() error {
				for range rounds {
					if err := echo(client, "http://"+addr, worker%2 == 0); err != nil {
						return fmt.Errorf("environment %d: %w", env, err)
					}
				}
				return nil
			})
		}
		for i := range workers * rounds {
			g.Go(func() error {
				return (<-f.waiters).Deliver(&Event{RequestID: strconv.Itoa(i), Body: event(i)})
			})
			g.Go(func() error {
				got := <-f.posts
				i, err := strconv.Atoi(got.id)
				if err != nil || got.abort != nil || got.body != string(event(i)) {
					return fmt.Errorf("event %q of environment %d came back with %d bytes, %v", got.id, env, len(got.body), got.abort)
				}
				return nil
			})
		}
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

// echo is a function that answers an event with the event.
func echo(client *http.Client, url string, chunked bool) error {
	r, err := client.Get(url + nextPath)
	if err != nil {
		return err
	}
	event, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err != nil {
		return err
	}
	var body io.Reader = bytes.NewReader(event)
	if chunked {
		body = io.MultiReader(body) // hides the length
	}
	id := r.Header.Get("Lambda-Runtime-Aws-Request-Id")
	r, err = client.Post(url+"/2018-06-01/runtime/invocation/"+id+"/response", "application/octet-stream", body)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err != nil || r.StatusCode != 202 || string(answer) != okBody {
		return fmt.Errorf("answer %d %q: %w", r.StatusCode, answer, err)
	}
	return nil
}
