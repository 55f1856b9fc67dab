package e2e

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// nodeModules is the folder with what .ci/run has installed from npm for the
// tests; a test skips without one of the packages.
func nodeModules(t testing.TB, packages ...string) string {
	t.Helper()
	dir := os.Getenv("LAMB_TEST_NODE")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Skip("no cache folder: ", err)
		}
		dir = filepath.Join(cache, "lamb-e2e", "node")
	}
	dir = filepath.Join(dir, "node_modules")
	for _, p := range packages {
		if _, err := os.Stat(filepath.Join(dir, p)); err != nil {
			t.Skipf("the npm package %s is not installed: %v", p, err)
		}
	}
	return dir
}

// TestJavaScriptSDK runs testdata/streaming.mjs, which makes its own checks.
func TestJavaScriptSDK(t *testing.T) {
	t.Parallel()
	node, modules := need(t, "node"), nodeModules(t, "@aws-sdk/client-lambda")
	l := sharedLamb.get(t)
	name := l.streamFn(t, "js-stream", "reader", func(f *fn) { f.timeout = 3 })
	dir := t.TempDir()
	script, err := os.ReadFile("testdata/streaming.mjs")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "streaming.mjs"), script, 0o600)
	}
	if err == nil {
		err = os.Symlink(modules, filepath.Join(dir, "node_modules"))
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, filepath.Join(dir, "streaming.mjs"), l.URL, name)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// withModules is a deployment package of index.mjs with all packages that are
// installed, but the SDK.
func withModules(t testing.TB, modules, index string) []byte {
	t.Helper()
	files := []file{{"index.mjs", 0o644, index}}
	err := filepath.WalkDir(modules, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(modules, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if top, _, _ := strings.Cut(rel, string(filepath.Separator)); strings.HasPrefix(top, "@") || top == ".bin" {
				return fs.SkipDir
			}
			return nil
		}
		if ext := filepath.Ext(path); ext != ".js" && ext != ".json" && ext != ".cjs" && ext != ".mjs" {
			return nil
		}
		b, err := os.ReadFile(path)
		files = append(files, file{"node_modules/" + filepath.ToSlash(rel), 0o644, string(b)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return zipOf(t, files...)
}

// TestFrameworks: applications on Hono, which streams, and on Express, which
// does not, behind URLs.
func TestFrameworks(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	needInside(t, "node")
	modules := nodeModules(t, "hono", "express", "serverless-http")
	app := func(name, index string, mode types.InvokeMode) string {
		l.create(t, fn{name: name, runtime: "nodejs20.x", handler: "index.handler", memory: 512, code: withModules(t, modules, index)})
		return l.urlOf(t, name, func(in *lambda.CreateFunctionUrlConfigInput) { in.InvokeMode = mode })
	}
	t.Run("hono", func(t *testing.T) {
		home := app("url-hono", `
import { Hono } from 'hono';
import { streamHandle } from 'hono/aws-lambda';
import { streamSSE } from 'hono/streaming';
import { setCookie } from 'hono/cookie';
const app = new Hono();
app.post('/things/:id', async (c) => { setCookie(c, 'seen', c.req.param('id')); return c.json({ q: c.req.query('q'), got: await c.req.json() }, 201); });
app.get('/events', (c) => streamSSE(c, async (s) => { for (const n of [1, 2, 3]) await s.writeSSE({ event: 'n', data: String(n) }); }));
export const handler = streamHandle(app);
`, types.InvokeModeResponseStream)
		got := l.ask(t, "POST", home+"things/a%20b?q=x%26y", `{"n":[1]}`, "Content-Type", "application/json")
		if got.StatusCode != 201 || got.text != `{"q":"x&y","got":{"n":[1]}}` || !strings.HasPrefix(got.Header.Get("Set-Cookie"), "seen=a%20b") {
			t.Errorf("%d %s %v", got.StatusCode, got.text, got.Header)
		}
		if got := l.ask(t, "GET", home+"events", ""); got.text != "event: n\ndata: 1\n\nevent: n\ndata: 2\n\nevent: n\ndata: 3\n\n" || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/event-stream") {
			t.Errorf("%d %q %v", got.StatusCode, got.text, got.Header)
		}
		if got := l.ask(t, "GET", home+"nowhere", ""); got.StatusCode != 404 {
			t.Errorf("%d %s", got.StatusCode, got.text)
		}
	})
	t.Run("express", func(t *testing.T) {
		home := app("url-express", `
import express from 'express';
import serverless from 'serverless-http';
const app = express();
app.use(express.urlencoded({ extended: false }));
app.post('/form', (req, res) => { res.cookie('a', '1').cookie('b', '2').status(202).send('hello ' + req.body.name + ' from ' + req.get('x-many')); });
app.get('/bytes', (req, res) => { res.type('application/octet-stream').send(Buffer.from([0, 255])); });
export const handler = serverless(app, { binary: ['application/octet-stream'] });
`, types.InvokeModeBuffered)
		got := l.ask(t, "POST", home+"form", "name=a+lamb", "Content-Type", "application/x-www-form-urlencoded", "X-Many", "1", "X-Many", "2")
		if got.StatusCode != 202 || got.text != "hello a lamb from 1,2" || len(got.Header["Set-Cookie"]) != 2 {
			t.Errorf("%d %s %v", got.StatusCode, got.text, got.Header)
		}
		if got := l.ask(t, "GET", home+"bytes", ""); got.text != "\x00\xff" {
			t.Errorf("%d %q %v", got.StatusCode, got.text, got.Header)
		}
	})
}
