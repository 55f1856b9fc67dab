package e2e

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// scratch is a folder for what all tests share: the programs they run.
var scratch string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if here, err = readWorld(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if scratch, err = os.MkdirTemp("", "lamb-e2e-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(scratch)
	// Lamb's user has to reach the programs in it.
	if err := os.Chmod(scratch, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("lamb:", here)
	code := m.Run()
	if err := sharedLamb.end(); err != nil {
		fmt.Fprintln(os.Stderr, "FAIL: the lamb that the tests share:", err)
		code = 1
	}
	return code
}

// readSources lists the folders of lamb's source, and so makes go test's cache
// know that the results here depend on them: it sees what a test opens, not
// what the go commands do that build lamb.
func readSources() error {
	for _, root := range []string{"../../cmd", "../../internal"} {
		err := filepath.WalkDir(root, func(_ string, _ fs.DirEntry, err error) error { return err })
		if err != nil {
			return err
		}
	}
	return nil
}

// program is a Go program that is built when the first test asks for it.
type program struct {
	pkg    string
	ofLamb bool // as the world wants lamb
	moved  bool // from aws-lambda-go to our package lambda, by its imports

	once sync.Once
	path string
	err  error
}

var (
	lambCommand    = program{pkg: "github.com/lambhq/lamb/cmd/lamb", ofLamb: true}
	goFunction     = program{pkg: "./testdata/gofunc"}
	rawFunction    = program{pkg: "./testdata/rawfunc"}
	ownFunction    = program{pkg: "./testdata/ownfunc"}
	moved          = program{pkg: "./testdata/gofunc", moved: true}
	streamFunction = program{pkg: "./testdata/streamfunc"}
	caller         = program{pkg: "./testdata/caller"}

	agentExtension = program{pkg: "./testdata/agent"}
	logshipper     = program{pkg: "../../examples/logshipper"}
	scripted       = program{pkg: "./testdata/scripted"}
)

// build returns the path of the built program.
func (p *program) build(t testing.TB) string {
	t.Helper()
	p.once.Do(func() {
		if p.err = readSources(); p.err != nil {
			return
		}
		p.path = filepath.Join(scratch, filepath.Base(p.pkg))
		args, cgo := []string{"build", "-trimpath", "-ldflags=-s -w", "-o", p.path}, "0"
		if p.ofLamb && here.race {
			args, cgo = append(args, "-race"), "1"
		}
		if p.moved {
			p.path += "-moved"
			args[4] = p.path
			var overlay string
			if overlay, p.err = moveImports(p.pkg); p.err != nil {
				return
			}
			args = append(args, "-overlay", overlay)
		}
		cmd := exec.Command("go", append(args, p.pkg)...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
		if out, err := cmd.CombinedOutput(); err != nil {
			p.err = fmt.Errorf("build %s: %w\n%s", p.pkg, err, out)
		}
	})
	if p.err != nil {
		t.Fatal(p.err)
	}
	return p.path
}

// zips are the deployment packages of programs, packed once.
var zips sync.Map // *program -> func() ([]byte, error)

// zip is the program as a deployment package with the one file bootstrap.
func (p *program) zip(t testing.TB) []byte {
	t.Helper()
	path := p.build(t)
	pack, _ := zips.LoadOrStore(p, sync.OnceValues(func() ([]byte, error) {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		return zipBytes(file{name: "bootstrap", mode: 0o755, body: string(b)})
	}))
	b, err := pack.(func() ([]byte, error))()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// output collects what a process writes and lets tests wait for it.
type output struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	changed chan struct{} // closed when buf has grown or the writer is done
	done    bool
}

func newOutput() *output { return &output{changed: make(chan struct{})} }

// Write implements io.Writer; it never fails.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf.Write(p)
	o.notify()
	return len(p), nil
}

// finish says that nothing more will come.
func (o *output) finish() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.done = true
	o.notify()
}

func (o *output) notify() {
	close(o.changed)
	o.changed = make(chan struct{})
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// line waits for the first whole line with the text, and returns it. It is
// empty when the writer ended without one, or stop was closed.
func (o *output) line(text string, stop <-chan struct{}) string {
	for {
		o.mu.Lock()
		all, done, changed := o.buf.String(), o.done, o.changed
		o.mu.Unlock()
		for line := range strings.Lines(all) {
			if strings.HasSuffix(line, "\n") && strings.Contains(line, text) {
				return strings.TrimSuffix(line, "\n")
			}
		}
		if done {
			return ""
		}
		select {
		case <-changed:
		case <-stop:
			return ""
		}
	}
}
