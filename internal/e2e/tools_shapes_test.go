package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestShapes records what lamb deploy, ls and rm send, and has botocore
// check it as it would its own requests.
func TestShapes(t *testing.T) {
	t.Parallel()
	if here != (world{}) {
		t.Skip("the commands are the same in every world of functions")
	}
	python := withBoto3(t, func(python string, args ...string) *exec.Cmd { return exec.Command(python, args...) })
	l := sharedLamb.get(t)
	record := newRecorder(t, l.URL)
	function := folder(t)
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(function, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	call := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), lambCommand.build(t), append(args, "--target", record.URL)...)
		cmd.Env = append(os.Environ(), "HOME="+folder(t), "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION=us-east-1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("lamb %s: %v\n%s", args, err, out)
		}
	}
	const settings = "description = \"one\"\ntimeout = 30\ntracing = \"Active\"\nephemeral_storage = 600\n[environment]\nSTAGE = \"test\"\n[tags]\nteam = \"a\"\n"
	write("app.py", "def handler(event, context):\n    return event\n")
	write("lamb.toml", settings)
	call("deploy", function, "--alias", "live", "--allow-principal", "s3.amazonaws.com")
	write("app.py", "def handler(event, context):\n    return 1\n")
	write("lamb.toml", strings.NewReplacer("one", "two", `"a"`, `"b"`).Replace(settings))
	call("deploy", function, "--publish")
	name := filepath.Base(function)
	call("ls")
	call("rm", name)

	cmd := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "shapes.py"))
	cmd.Stdin = record.requests(t)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	seen := strings.Fields(string(out))
	for _, want := range []string{"CreateFunction", "UpdateFunctionCode", "UpdateFunctionConfiguration", "TagResource", "AddPermission", "PublishVersion", "CreateAlias", "ListFunctions", "DeleteFunction"} {
		if !slices.Contains(seen, want) {
			t.Errorf("no %s was sent: %s", want, out)
		}
	}
}

// recorder stands before a lamb and keeps what it is asked.
type recorder struct {
	*httptest.Server

	mu   sync.Mutex
	kept bytes.Buffer // a line of JSON for each request
	errs []error
}

func newRecorder(t *testing.T, target string) *recorder {
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{}
	proxy := httputil.NewSingleHostReverseProxy(to)
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.keep(req)
		proxy.ServeHTTP(w, req)
	}))
	t.Cleanup(r.Close)
	return r
}

// keep keeps a request, unless it is lamb's own business.
func (r *recorder) keep(req *http.Request) {
	if strings.HasPrefix(req.URL.Path, "/_lamb/") {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	body, err := io.ReadAll(req.Body)
	req.Body = io.NopCloser(bytes.NewReader(body))
	r.errs = append(r.errs, err, json.NewEncoder(&r.kept).Encode(map[string]string{
		"method": req.Method, "path": req.URL.RequestURI(), "body": string(body),
	}))
}

// requests are those that were kept.
func (r *recorder) requests(t *testing.T) io.Reader {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := errors.Join(r.errs...); err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(r.kept.Bytes())
}
