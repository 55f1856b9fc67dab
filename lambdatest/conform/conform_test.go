package conform_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	awslambda "github.com/aws/aws-lambda-go/lambda"

	"github.com/lambhq/lamb/extension"
	"github.com/lambhq/lamb/internal/runtimes"
	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/lambda"
	"github.com/lambhq/lamb/lambdatest"
	"github.com/lambhq/lamb/lambdatest/conform"
)

// TestMain lets the tests' binary be the subjects, too.
func TestMain(m *testing.M) {
	lambdatest.Supervise()
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "lamb":
			lambda.Start(handle)
		case "aws-lambda-go":
			awslambda.Start(handle)
		case "extension":
			if err := extend(os.Getenv("SUBSCRIBE") != ""); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
	os.Exit(m.Run())
}

func handle(_ context.Context, event json.RawMessage) (any, error) {
	var asked struct{ Conform string }
	if err := json.Unmarshal(event, &asked); err != nil {
		return nil, err
	}
	switch asked.Conform {
	case "error":
		return nil, errors.New("as asked for")
	case "trace":
		return os.Getenv("_X_AMZN_TRACE_ID"), nil
	case "large":
		return strings.Repeat("x", 7_000_000), nil
	}
	return event, nil
}

func extend(subscribes bool) error {
	client := &extension.Client{Endpoint: os.Getenv("AWS_LAMBDA_RUNTIME_API")}
	if _, err := client.Register("agent", []extension.EventType{extension.Invoke, extension.Shutdown}); err != nil {
		return err
	}
	if subscribes {
		if err := subscribe(client); err != nil {
			return err
		}
	}
	for {
		ev, err := client.Next()
		if err != nil || ev.Shutdown != nil {
			return err
		}
	}
}

// subscribe takes the platform's events and drops them.
func subscribe(client *extension.Client) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { // ends with the process
		_ = http.Serve(l, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	}()
	return client.Subscribe(extension.Subscription{
		Streams: []extension.Stream{extension.Platform}, Timeout: 25 * time.Millisecond,
		Destination: extension.Destination{URI: fmt.Sprintf("http://sandbox.localdomain:%d", l.Addr().(*net.TCPAddr).Port)},
	})
}

func self(t *testing.T, role string) lambdatest.Program {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return lambdatest.Exec(path, role)
}

func TestLambda(t *testing.T) {
	t.Parallel()
	conform.Runtime(t, lambdatest.Config{Runtime: self(t, "lamb")})
}

func TestLambdaInProcess(t *testing.T) {
	t.Parallel()
	conform.Runtime(t, lambdatest.Config{Runtime: lambdatest.Handler(handle)},
		"trace/propagates") // variables belong to the whole process
}

func TestAWSLambdaGo(t *testing.T) {
	t.Parallel()
	conform.Runtime(t, lambdatest.Config{Runtime: self(t, "aws-lambda-go")},
		"response/survives-too-large") // docs/conformance.md has the reasons
}

// embedded is one of the runtime programs that lamb brings.
func embedded(t *testing.T, id string) lambdatest.Config {
	t.Helper()
	resolver := runtimes.New(runtimes.Options{Path: filepath.SplitList(os.Getenv("PATH")), Dir: t.TempDir()})
	rt, err := resolver.Resolve(t.Context(), id)
	if err != nil {
		t.Skip(err)
	}
	code, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	env := make(map[string]string)
	for _, v := range rt.Env(sandbox.Paths{Task: code, Opt: "/opt", Runtime: rt.Dir, Lang: rt.Lang, Tmp: os.TempDir()}) {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	return lambdatest.Config{
		Runtime: lambdatest.Exec(filepath.Join(rt.Lang, rt.Interpreter), filepath.Join(rt.Dir, rt.Program)),
		Managed: id, HandlerName: "app.handler", Code: code, Env: env, InitTimeout: time.Minute,
	}
}

func TestPython(t *testing.T) {
	t.Parallel()
	conform.Runtime(t, embedded(t, "python3.12"))
}

func TestNode(t *testing.T) {
	t.Parallel()
	conform.Runtime(t, embedded(t, "nodejs22.x"))
}

func TestExtension(t *testing.T) {
	t.Parallel()
	conform.Extension(t, lambdatest.Extension{Name: "agent", Program: self(t, "extension")},
		lambdatest.Config{Env: map[string]string{"SUBSCRIBE": "yes"}})
}
