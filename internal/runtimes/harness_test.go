package runtimes

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/sandbox"
)

// runLimit ends a program that hangs; it is far above what any case needs on
// a busy machine.
const runLimit = 60 * time.Second

// event is an invocation that the fake Runtime API hands out.
type event struct {
	body   string
	header map[string]string
}

// post is what a runtime program posted.
type post struct {
	path    string // below /2018-06-01/runtime/
	header  http.Header
	body    string
	trailer http.Header
}

// errorType is the type of a reported error: of an invocation's it is in the
// body alone, as AWS's clients send it, and of others in a header.
func (p post) errorType() string {
	header := p.header.Get("Lambda-Runtime-Function-Error-Type")
	if !strings.HasPrefix(p.path, "invocation/") || !strings.HasSuffix(p.path, "/error") {
		return header
	}
	var doc struct{ ErrorType string }
	if err := json.Unmarshal([]byte(p.body), &doc); err != nil {
		return err.Error()
	}
	if header != "" {
		return header + " in a header"
	}
	return doc.ErrorType
}

// api is a scripted Runtime API. Event number n, from 1, has request id "id-n".
type api struct {
	events  []event
	chunked bool
	status  func(post) int // of an answer to a post; nil: 202

	mu    sync.Mutex // guards what follows
	next  int
	posts []post
	conns map[string]bool

	idle chan struct{} // closed when next is asked for and no event is left
	once sync.Once
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, ok := strings.CutPrefix(r.URL.Path, "/2018-06-01/runtime/")
	if !ok {
		http.NotFound(w, r)
		return
	}
	a.mu.Lock()
	a.conns[r.RemoteAddr] = true
	a.mu.Unlock()
	if r.Method == http.MethodGet && path == "invocation/next" {
		a.serveNext(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p := post{path, r.Header.Clone(), string(body), r.Trailer.Clone()}
	a.mu.Lock()
	a.posts = append(a.posts, p)
	a.mu.Unlock()
	status := http.StatusAccepted
	if a.status != nil {
		status = a.status(p)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	io.WriteString(w, `{"status":"OK"}`+"\n")
}

func (a *api) serveNext(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	n := a.next
	if n < len(a.events) {
		a.next++
	}
	a.mu.Unlock()
	if n >= len(a.events) {
		a.once.Do(func() { close(a.idle) })
		<-r.Context().Done()
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Lambda-Runtime-Aws-Request-Id", fmt.Sprintf("id-%d", n+1))
	h.Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(time.Minute).UnixMilli()))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:f")
	for k, v := range a.events[n].header {
		h.Set(k, v)
	}
	if a.chunked {
		for _, b := range a.events[n].body {
			io.WriteString(w, string(b))
			w.(http.Flusher).Flush()
		}
		return
	}
	io.WriteString(w, a.events[n].body)
}

// program is one run of a runtime program.
type program struct {
	files   map[string]string // of the function
	layers  map[string]string // below opt
	handler string
	env     []string
	events  []event
	chunked bool
	status  func(post) int
	logs    bool // there is a descriptor for framed log events, which is standard output
	// before the interpreter, as an AWS_LAMBDA_EXEC_WRAPPER has it
	wrapper []string
}

// result is what came of a run: it ended by itself, or was killed when it
// asked for an event after the last one.
type result struct {
	posts          []post
	stdout, stderr string
	written        string // stdout, byte by byte
	exit           int    // -1: killed when idle
	conns          int
	task           string
}

func (p program) run(t *testing.T, rt *Runtime) result {
	t.Helper()
	task, opt := t.TempDir(), t.TempDir()
	writeTree(t, task, p.files)
	writeTree(t, opt, p.layers)
	a := &api{events: p.events, chunked: p.chunked, status: p.status, idle: make(chan struct{}), conns: map[string]bool{}}
	server := httptest.NewServer(a)
	defer server.Close()

	ctx, cancel := context.WithTimeout(t.Context(), runLimit)
	defer cancel()
	argv := append(append([]string{}, p.wrapper...), filepath.Join(rt.Lang, rt.Interpreter), filepath.Join(rt.Dir, rt.Program))
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = "/"
	cmd.Env = append(rt.Env(sandbox.Paths{Task: task, Opt: opt, Runtime: rt.Dir, Lang: rt.Lang, Tmp: "/tmp"}),
		"AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(server.URL, "http://"),
		"AWS_EXECUTION_ENV=AWS_Lambda_"+rt.ID,
		"_HANDLER="+p.handler,
		"LAMBDA_TASK_ROOT="+task,
		"LAMBDA_RUNTIME_DIR="+rt.Dir,
		"AWS_LAMBDA_FUNCTION_NAME=f",
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128",
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/f",
		"AWS_LAMBDA_LOG_STREAM_NAME=stream",
		"TZ=:UTC",
	)
	cmd.Env = append(cmd.Env, p.env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	copied := func() {}
	if p.logs {
		copied = share(t, cmd, &stdout)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { cmd.Wait(); close(exited) }()
	select {
	case <-exited:
	case <-a.idle:
		// A kill shows that nothing of the output was left in the process.
		cmd.Process.Kill()
		<-exited
	}
	copied()
	if ctx.Err() != nil {
		t.Fatalf("the program did not come to an end; stdout %q stderr %q", stdout.String(), stderr.String())
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	real, err := filepath.EvalSymlinks(task)
	if err != nil {
		t.Fatal(err)
	}
	res := result{stdout: stdout.String(), written: stdout.String(), stderr: stderr.String(), exit: cmd.ProcessState.ExitCode(), conns: len(a.conns), task: real}
	for _, got := range a.posts {
		got.body = strings.ReplaceAll(got.body, real, "/var/task")
		res.posts = append(res.posts, got)
	}
	res.stdout = stamps.ReplaceAllString(strings.ReplaceAll(res.stdout, real, "/var/task"), "<ts>")
	return res
}

var stamps = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z`)

// only returns the single post of a run.
func (r result) only(t *testing.T) post {
	t.Helper()
	if len(r.posts) != 1 {
		t.Fatalf("posts: %+v\nstdout %q\nstderr %q exit %d", r.posts, r.stdout, r.stderr, r.exit)
	}
	return r.posts[0]
}

func writeTree(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// host is a resolver over this machine's interpreters, shared by all tests.
func host(t *testing.T) *Resolver {
	t.Helper()
	return sharedHost
}

var sharedHost *Resolver

// TestMain lets the test program play an interpreter (see fakeInterpreter).
func TestMain(m *testing.M) {
	if playInterpreter(os.Args[0]) {
		return
	}
	dir, err := os.MkdirTemp("", "lamb-runtimes-*")
	if err != nil {
		panic(err)
	}
	opts := Options{Path: filepath.SplitList(os.Getenv("PATH")), Dir: dir}
	// LAMB_TEST_NODE is an interpreter of another version to test with.
	if path := os.Getenv("LAMB_TEST_NODE"); path != "" {
		opts.Interpreters = map[string]string{"nodejs": path}
	}
	sharedHost = New(opts)
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}
