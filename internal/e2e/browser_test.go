package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// TestBrowser has Chromium read server-sent events from a URL of another
// origin, each before the function sends the next, and post with a header that
// needs leave.
func TestBrowser(t *testing.T) {
	t.Parallel()
	chromium := need(t, "chromium")
	needInside(t, "node")
	l := sharedLamb.get(t)
	goOn, said := make(chan struct{}, 10), make(chan string, 10)
	mux := http.NewServeMux()
	site := httptest.NewServer(mux)
	t.Cleanup(func() {
		site.CloseClientConnections()
		site.Close()
	})
	mux.HandleFunc("/ask", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-goOn:
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/say", func(_ http.ResponseWriter, r *http.Request) {
		what := r.URL.Query().Get("what")
		if strings.HasPrefix(what, "event ") {
			goOn <- struct{}{}
		}
		said <- what
	})
	l.create(t, fn{name: "browser", runtime: "nodejs20.x", handler: "index.handler", timeout: 20, code: zipOf(t, file{"index.mjs", 0o644, `
export const handler = awslambda.streamifyResponse(async (event, stream) => {
  const type = event.rawPath === '/events' ? 'text/event-stream' : 'text/plain';
  stream = awslambda.HttpResponseStream.from(stream, { statusCode: 200, headers: { 'Content-Type': type } });
  if (event.rawPath !== '/events') {
    stream.end('posted ' + event.headers['x-mine'] + ' ' + event.body);
    return;
  }
  for (const n of [1, 2, 3]) {
    await fetch(event.queryStringParameters.ask);
    stream.write('data: ' + n + '\n\n');
  }
  stream.end();
});
`})})
	home := l.urlOf(t, "browser", func(in *lambda.CreateFunctionUrlConfigInput) {
		in.InvokeMode = types.InvokeModeResponseStream
		in.Cors = &types.Cors{AllowOrigins: []string{site.URL}, AllowMethods: []string{"*"}, AllowHeaders: []string{"x-mine"}, MaxAge: aws.Int32(0)}
	})
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `<script>
let said = Promise.resolve(); // one after the other
const say = (what) => said = said.then(() => fetch('/say?what=' + encodeURIComponent(what)));
(async () => {
  const post = await fetch(%[1]q + 'post', { method: 'POST', body: 'text', headers: { 'X-Mine': 'yes' } }).then((r) => r.text(), String);
  await say(post);
  const events = new EventSource(%[1]q + 'events?ask=' + encodeURIComponent(%[2]q));
  events.onmessage = (e) => say('event ' + e.data);
  events.onerror = () => { events.close(); say('end'); };
})();
</script>`, home, l.inside(t, site.URL)+"/ask")
	})
	goOn <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--no-first-run", "--user-data-dir="+t.TempDir(), site.URL)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it ends its own processes
	cmd.WaitDelay = patience
	browser := newOutput()
	cmd.Stdout, cmd.Stderr = browser, browser
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { // before the folder of its data goes
		cancel()
		_ = cmd.Wait()
	}()
	timeout := time.After(3 * patience)
	for _, want := range []string{"posted yes text", "event 1", "event 2", "event 3", "end"} {
		select {
		case got := <-said:
			if got != want {
				t.Fatalf("the page says %q, want %q", got, want)
			}
		case <-timeout:
			t.Fatalf("the page does not say %q; Chromium says\n%s", want, tail(browser.String()))
		}
	}
}
