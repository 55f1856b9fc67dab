package control

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"go.uber.org/goleak"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/artifact"
	"github.com/lambhq/lamb/internal/clock/clocktest"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	account = "123456789012"
	region  = "us-east-1"
	role    = "arn:aws:iam::123456789012:role/lambda-role"
	arnBase = "arn:aws:lambda:us-east-1:123456789012:function:"
)

var startTime = time.Date(2026, 11, 22, 10, 0, 0, 123_000_000, time.UTC)

// A bench is a Control on real stores behind a real HTTP server with the
// generated API layer, and clients for it.
type bench struct {
	t         *testing.T
	ctl       *Control
	db        *store.DB
	artifacts *artifact.Store
	clock     *clocktest.Fake
	server    *httptest.Server
	gate      *gate
	dir       string
}

type benchOption func(*Config)

// newBench makes a bench whose activations pass at once, unless its gate is shut.
func newBench(t *testing.T, opts ...benchOption) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir(), clock: clocktest.New(startTime), gate: newGate()}
	b.open(opts...)
	router := api.NewRouter(api.RouterConfig{SpoolDir: b.dir})
	b.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { b.serve(router, w, r) }))
	t.Cleanup(func() {
		b.server.CloseClientConnections()
		b.server.Close()
		b.server.Client().CloseIdleConnections()
		b.close()
	})
	return b
}

func (b *bench) open(opts ...benchOption) {
	b.t.Helper()
	var err error
	b.db, err = store.Open(b.t.Context(), store.Options{Path: b.dir + "/lamb.db"})
	if err != nil {
		b.t.Fatal(err)
	}
	b.artifacts, err = artifact.Open(artifact.Options{Dir: b.codeDir(), CacheDir: cacheDir(b.t)})
	if err != nil {
		b.t.Fatal(err)
	}
	cfg := Config{
		Store:     b.db,
		Artifacts: b.artifacts,
		Clock:     b.clock,
		Log:       slog.New(slog.DiscardHandler),
		CodeLocation: func(_ context.Context, sha256 string) (string, error) {
			return "https://code.example/" + sha256, nil
		},
		FunctionURL: func(u *function.URL) string { return "https://" + u.ID + ".example/" },
		Activate:    b.gate.pass,
	}
	for _, opt := range opts {
		opt(&cfg)
	}
	b.ctl = New(cfg)
	b.ctl.Start()
}

func (b *bench) close() {
	b.ctl.Close()
	if err := errors.Join(b.artifacts.Close(), b.db.Close()); err != nil {
		b.t.Error(err)
	}
}

// codeDir is the folder of the zips; it outlives a restart.
func (b *bench) codeDir() string {
	b.t.Helper()
	dir := filepath.Join(b.dir, "code")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.t.Fatal(err)
	}
	return dir
}

// cacheDir is an empty folder for trees, whose folders are read-only.
func cacheDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "control-trees-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				err = os.Chmod(path, 0o700)
			}
			return err
		})
		if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// serve is the part of the gateway that these tests need.
func (b *bench) serve(router *api.Router, w http.ResponseWriter, r *http.Request) {
	const id = "11111111-2222-4333-8444-555555555555"
	if err := b.answer(router, w, r); err != nil {
		api.WriteError(w, id, err)
	}
}

func (b *bench) answer(router *api.Router, w http.ResponseWriter, r *http.Request) error {
	op, params, err := router.Lookup(r.Method, r.URL.EscapedPath(), r.URL.RawQuery)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	in, err := op.Decode(r, params, api.BytesBody(body))
	if err != nil {
		return err
	}
	if c, ok := in.(io.Closer); ok {
		defer func() { _ = c.Close() }() // a temporary file
	}
	ctx := api.WithCaller(r.Context(), api.Caller{Partition: "aws", Account: account, Region: credentialRegion(r)})
	return op.Serve(ctx, b.ctl, in, w)
}

// credentialRegion reads Credential=<key>/<date>/<region>/lambda/aws4_request.
func credentialRegion(r *http.Request) string {
	if f := strings.Split(r.Header.Get("Authorization"), "/"); len(f) > 3 {
		return f[2]
	}
	return region
}

// client is an SDK client, for the test's region unless another is given.
func (b *bench) client(regions ...string) *lambda.Client {
	r := region
	if len(regions) > 0 {
		r = regions[0]
	}
	return lambda.New(lambda.Options{
		Region:       r,
		BaseEndpoint: aws.String(b.server.URL),
		HTTPClient:   b.server.Client(),
		Retryer:      aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}, nil
		}),
	})
}

// caller is the context of a direct call of an operation.
func (b *bench) caller() context.Context {
	return api.WithCaller(b.t.Context(), api.Caller{Partition: "aws", Account: account, Region: region})
}

// send makes a request as it is on the wire and returns status and body.
func (b *bench) send(method, path, body string) (int, string) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.server.URL+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	resp, err := b.server.Client().Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// create makes a function directly and waits until it is active.
func (b *bench) create(name string, change ...func(*api.CreateFunctionRequest)) *api.FunctionConfiguration {
	b.t.Helper()
	in := createRequest(b.t, name, change...)
	out, err := b.ctl.CreateFunction(b.caller(), in)
	if err != nil {
		b.t.Fatalf("create %s: %v", name, err)
	}
	b.settled(name)
	return out
}

// createRequest is a valid request, changed as asked.
func createRequest(t *testing.T, name string, change ...func(*api.CreateFunctionRequest)) *api.CreateFunctionRequest {
	t.Helper()
	in := &api.CreateFunctionRequest{
		FunctionName: new(name),
		Runtime:      new("python3.12"),
		Role:         new(role),
		Handler:      new("app.handler"),
		Code:         &api.FunctionCode{ZipFile: upload(t, zipOf(t, "app.py", "def handler(e, c): pass"))},
	}
	for _, c := range change {
		c(in)
	}
	return in
}

// settled waits until all versions of a function have come to an end, and
// returns $LATEST.
func (b *bench) settled(name string) *function.Version {
	b.t.Helper()
	k := key(name)
	return b.await(func() (*function.Version, bool) {
		list, err := b.db.ListVersions(b.t.Context(), k, store.Cursor{}, 1000)
		if err != nil || len(list) == 0 {
			b.t.Fatalf("versions of %s: %v, %v", name, list, err)
		}
		for _, v := range list {
			if !revisionID.MatchString(v.RevisionID) {
				b.t.Errorf("revision id %q", v.RevisionID)
			}
		}
		return list[0], !slices.ContainsFunc(list, unfinished)
	})
}

var revisionID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func unfinished(v *function.Version) bool {
	return v.State == function.StatePending || v.LastUpdate == function.UpdateInProgress
}

// await returns what look finds, as soon as it is satisfied; it looks at every
// change of the store.
func (b *bench) await(look func() (*function.Version, bool)) *function.Version {
	b.t.Helper()
	changed := make(chan struct{}, 1)
	stop := b.db.Subscribe(func(store.Changes) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	defer stop()
	for {
		if v, ok := look(); ok {
			return v
		}
		select {
		case <-changed:
		case <-time.After(10 * time.Second):
			b.t.Fatal("the records have not become what the test waits for")
		}
	}
}

func key(name string) function.Key {
	return function.Key{Partition: "aws", Account: account, Region: region, Name: name}
}

// zipOf makes an archive of pairs of names and contents.
func zipOf(t *testing.T, pairs ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		f, err := w.Create(pairs[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, pairs[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func upload(t *testing.T, content []byte) *api.Upload {
	t.Helper()
	u, err := api.NewUpload(t.TempDir(), bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = u.Close() })
	return u
}

// A gate stands in the way of activations while it is shut, and can make them
// fail.
type gate struct {
	mu      sync.Mutex
	opened  chan struct{} // closed while activations may pass
	failure error
	passed  map[string]int // by ARN
}

func newGate() *gate {
	g := &gate{opened: make(chan struct{}), passed: make(map[string]int)}
	close(g.opened)
	return g
}

func (g *gate) pass(ctx context.Context, v *function.Version) error {
	g.mu.Lock()
	opened := g.opened
	g.mu.Unlock()
	select {
	case <-opened:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.passed[v.Key.QualifiedARN(v.Version)]++
	return g.failure
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.opened = make(chan struct{})
}

// open lets activations pass, with a failure if one is given.
func (g *gate) open(failure error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failure = failure
	close(g.opened)
}

// wantError checks an operation's error: its name and its text.
func wantError(t *testing.T, err error, name, message string) {
	t.Helper()
	var known api.Error
	if !errors.As(err, &known) {
		t.Errorf("error %v, want %s: %s", err, name, message)
		return
	}
	if known.ErrorCode() != name || known.ErrorMessage() != message {
		t.Errorf("error\n  %s: %s\nwant\n  %s: %s", known.ErrorCode(), known.ErrorMessage(), name, message)
	}
}

// asJSON is v as the API prints it, with the values of the named members
// replaced by "*": those that differ from run to run.
func asJSON(t *testing.T, v any, volatile ...string) map[string]any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	for _, name := range volatile {
		if _, ok := m[name]; ok {
			m[name] = "*"
		}
	}
	return m
}

// without is a copy of m without some members.
func without(m map[string]any, names ...string) map[string]any {
	m = maps.Clone(m)
	for _, n := range names {
		delete(m, n)
	}
	return m
}

// with is a copy of m with other members.
func with(m map[string]any, changes map[string]any) map[string]any {
	m = maps.Clone(m)
	maps.Copy(m, changes)
	return m
}

// strs prints numbered names.
func strs(format string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(format, i)
	}
	return list
}
