package launcher

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/auth"
	"github.com/lambhq/lamb/internal/envapi"
	"github.com/lambhq/lamb/internal/execenv"
	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/runtimes"
	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/native"
	"github.com/lambhq/lamb/internal/sandbox/process"
	"github.com/lambhq/lamb/lambda"
)

// TestMain lets the tests' binary be a function.
func TestMain(m *testing.M) {
	process.MaybeSupervise()
	switch os.Getenv("_HANDLER") {
	case "kind":
		lambda.Start(func() (string, error) { return os.Getenv("AWS_LAMBDA_INITIALIZATION_TYPE"), nil })
	case "hang":
		<-time.After(time.Hour)
	}
	os.Exit(m.Run())
}

// selfCode is the tests' binary as the code of all versions.
type selfCode struct{ dir string }

func (c selfCode) Folders(context.Context, function.Content) (task, opt string, release func(), err error) {
	return c.dir, "", func() {}, nil
}

func newSelfCode(t *testing.T) selfCode {
	t.Helper()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bootstrap"), program, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return selfCode{dir}
}

// providers are the sandboxes that work here.
func providers(t *testing.T) map[string]sandbox.Provider {
	t.Helper()
	all := map[string]sandbox.Provider{}
	add := func(name string, p sandbox.Provider, err error) {
		if err != nil {
			t.Logf("without the %s sandbox: %v", name, err)
			return
		}
		all[name] = p
		t.Cleanup(func() {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	plain, err := process.New(process.Config{WorkDir: t.TempDir()})
	add("process", plain, err)
	isolated, err := native.New(native.Config{WorkDir: t.TempDir()})
	add("native", isolated, err)
	return all
}

// logLines are the platform's lines of one environment.
type logLines struct {
	mu    sync.Mutex
	lines []string
}

func (l *logLines) Line(_ time.Time, line []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(line))
}

// events are the platform's events with what they say of the initialization.
func (l *logLines) events(t *testing.T) []string {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for _, line := range l.lines {
		var e struct {
			Type   string
			Record struct{ InitializationType, Phase, Status string }
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		r := e.Record
		all = append(all, strings.Join(strings.Fields(strings.TrimPrefix(e.Type, "platform.")+" "+r.InitializationType+" "+r.Phase+" "+r.Status), " "))
	}
	return all
}

func testVersion(handler string) *function.Version {
	return &function.Version{
		Key:     function.Key{Partition: "aws", Account: "000000000000", Region: "us-east-1", Name: "f"},
		Version: "1", State: function.StateActive,
		Config: function.Config{
			Runtime: "provided.al2023", Handler: handler, TimeoutSecs: 30, MemoryMB: 256, TmpMB: 512,
			Logging: function.Logging{Format: "JSON", SystemLevel: "DEBUG", Group: "/aws/lambda/f"},
		},
	}
}

// TestInitializations: whatever an environment is made for, the function and
// the events are told the same, and the init is reported when AWS does.
func TestInitializations(t *testing.T) {
	code := newSelfCode(t)
	for name, provider := range providers(t) {
		for _, tt := range []struct {
			kind execenv.Initialization
			told string
			// reported says that the init is reported when it ends, not with the
			// first invocation.
			reported bool
		}{
			{execenv.OnDemand, "on-demand", true},
			{execenv.Provisioned, "provisioned-concurrency", false},
			{execenv.PreWarmed, "provisioned-concurrency", false},
		} {
			t.Run(name+"/"+tt.told, func(t *testing.T) {
				logs := &logLines{}
				l := New(Config{
					Code: code, Sandboxes: provider, Keyring: &auth.Keyring{}, Access: auth.AccessNone,
					Runtimes: runtimes.New(runtimes.Options{Dir: t.TempDir()}),
					Logs:     func(*function.Version, string) execenv.Logs { return logs },
				})
				v := testVersion("kind")
				e := &environment{}
				if err := l.launch(t.Context(), v, tt.kind, e, func() {}); err != nil {
					t.Fatal(err)
				}
				defer e.Close()
				if r, err := e.Init(); err != nil || r.Err != nil {
					t.Fatal(r.Err, err)
				}
				early := []string{"initStart T init", "initRuntimeDone T init success"}
				report, begin := "initReport T init success", "start"
				late := []string{report, begin}
				if tt.reported {
					early, late = append(early, report), []string{begin}
				}
				same := func(when string, want []string) {
					t.Helper()
					for i := range want {
						want[i] = strings.ReplaceAll(want[i], " T ", " "+tt.told+" ")
					}
					if diff := cmp.Diff(want, logs.events(t)); diff != "" {
						t.Errorf("%s (-want +got):\n%s", when, diff)
					}
				}
				same("after the init", append([]string(nil), early...))

				for _, id := range []string{"first", "second"} {
					r, err := e.Reserve(id, 0)
					if err != nil {
						t.Fatal(err)
					}
					inv := execenv.NewInvocation(envapi.Event{RequestID: id, InvokedARN: v.Key.ARN(), Body: []byte("{}")}, nil)
					inv.Terms = &execenv.Terms{Reservation: &r}
					if err := e.Invoke(inv); err != nil {
						t.Fatal(err)
					}
					<-inv.Finished()
					if o := inv.Outcome(); string(o.Payload) != `"`+tt.told+`"` {
						t.Errorf("%s: the function has %s", id, o.Payload)
					}
					if id == "first" {
						if _, err := e.Reset(execenv.ResetRequest{}); err != nil {
							t.Fatal(err)
						}
					}
				}
				want := append(append([]string(nil), early...), late...)
				want = append(want, "runtimeDone success", "report success", "start",
					"initStart T invoke", "initRuntimeDone T invoke success", "initReport T invoke success",
					"runtimeDone success", "report success")
				// The log has one initStart for each environment.
				want = append(want[:len(want)-5], want[len(want)-4:]...)
				same("after two invocations", want)
				if _, err := e.Shutdown(time.Time{}); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestInitLimit: the configured limit is the environments'.
func TestInitLimit(t *testing.T) {
	provider, err := process.New(process.Config{WorkDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer provider.Close()
	l := New(Config{
		Code: newSelfCode(t), Sandboxes: provider, Keyring: &auth.Keyring{}, Access: auth.AccessNone,
		Runtimes:  runtimes.New(runtimes.Options{Dir: t.TempDir()}),
		InitLimit: 50 * time.Millisecond,
		Logs:      func(*function.Version, string) execenv.Logs { return &logLines{} },
	})
	e, err := l.Launch(t.Context(), testVersion("hang"), func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if r, err := e.Init(); err != nil || !errors.Is(r.Err, execenv.ErrTimedOut) || r.Duration >= execenv.DefaultInitLimit {
		t.Errorf("init: %+v, %v", r, err)
	}
}
