package lambdatest_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lambhq/lamb/extension"
	"github.com/lambhq/lamb/lambda"
	"github.com/lambhq/lamb/lambdatest"
)

// TestMain lets the tests' binary be a runtime or an extension, too.
func TestMain(m *testing.M) {
	lambdatest.Supervise()
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "a-runtime":
			lambda.Start(handle)
		case "a-reader":
			lambda.Start(readFile)
		case "an-extension":
			if err := extend(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
	os.Exit(m.Run())
}

func handle(_ context.Context, do string) (string, error) {
	switch do {
	case "exit":
		os.Exit(3)
	case "hang":
		<-time.After(time.Hour) // not select{}: with nothing else to do the program would notice
	case "memory":
		takeMemory(1 << 30)
	}
	fmt.Println("did", do)
	return os.Getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE") + os.Getenv("COLOUR"), nil
}

// readFile gives what descriptor 3 leads to.
func readFile() (string, error) {
	text := make([]byte, 64)
	n, err := os.NewFile(3, "given").ReadAt(text, 0)
	if err == io.EOF {
		err = nil
	}
	return string(text[:n]), err
}

// takeMemory uses n bytes.
func takeMemory(n int) {
	all := make([]byte, n)
	for i := 0; i < n; i += os.Getpagesize() {
		all[i] = 1
	}
	fmt.Println("took", len(all))
}

// self is the tests' binary.
func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func extend() error {
	client := &extension.Client{Endpoint: os.Getenv("AWS_LAMBDA_RUNTIME_API")}
	if _, err := client.Register("agent", []extension.EventType{extension.Invoke, extension.Shutdown}); err != nil {
		return err
	}
	for {
		ev, err := client.Next()
		if err != nil {
			return err
		}
		fmt.Println("agent:", ev.Type)
		if ev.Shutdown != nil {
			return nil
		}
	}
}

func TestProcesses(t *testing.T) {
	t.Parallel()
	env := lambdatest.New(t, lambdatest.Config{
		Runtime: lambdatest.Exec(self(t), "a-runtime"), MemoryMB: 256, Timeout: 10 * time.Second,
		Env:         map[string]string{"COLOUR": "red"},
		Extensions:  []lambdatest.Extension{{Name: "agent", Program: lambdatest.Exec(self(t), "an-extension")}},
		FreezeAfter: 20 * time.Millisecond,
	})
	if res := env.Call("work"); string(res.Payload) != `"256red"` || !strings.Contains(res.LogTail, "did work\n") {
		t.Errorf("%s\n%s", res.Payload, res.LogTail)
	}
	env.WaitFrozen()
	if res := env.Call("exit"); res.ErrorType != "Runtime.ExitError" || !strings.Contains(string(res.Payload), "exit status 3") {
		t.Errorf("%+v %s", res, res.Payload)
	}
	if res := env.Do(lambdatest.Request{Payload: []byte(`"hang"`), Timeout: time.Second}); res.Status != lambdatest.TimedOut {
		t.Errorf("%+v %s", res, res.Payload)
	}
	if res := env.Call("again"); res.Status != lambdatest.Success || res.Record.MaxMemoryBytes == 0 {
		t.Errorf("%+v %s", res, res.Payload)
	}
	env.Shutdown()
	if n := strings.Count(env.Log(), "agent: SHUTDOWN\n"); n != 3 {
		t.Errorf("the extension was told of %d ends, want 3:\n%s", n, env.Log())
	}
}

func TestMissingProgram(t *testing.T) {
	t.Parallel()
	env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.Exec("/nowhere/bootstrap")})
	if r := env.Init(); r.Err == nil || !strings.Contains(r.Err.Error(), "Runtime.InvalidEntrypoint") {
		t.Errorf("init: %v", r.Err)
	}
}

// TestExtraFiles: a program gets open files of the test's, in every life.
func TestExtraFiles(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "given")
	if err := os.WriteFile(name, []byte("from the test"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.Exec(self(t), "a-reader").WithFiles(f)})
	for range 2 {
		if res := env.Call(nil); string(res.Payload) != `"from the test"` {
			t.Errorf("%+v %s", res, res.Payload)
		}
		env.Reset(lambdatest.Failure)
	}
}
