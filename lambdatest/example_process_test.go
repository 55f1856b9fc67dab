package lambdatest_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/lambhq/lamb/lambda/runtimeapi"
	"github.com/lambhq/lamb/lambdatest"
)

// A runtime in the test's process, which ends by itself when it is told to.
func ExampleGo() {
	t := &exampleT{}
	defer t.end()

	runtime := lambdatest.Go(func(ctx context.Context, p *lambdatest.Process) error {
		client := runtimeapi.Client{Endpoint: p.Endpoint, Dial: p.Dial}
		terminate := p.CatchSIGTERM()
		go func() {
			<-terminate
			fmt.Fprintln(p.Stdout, "ends by itself")
			client.Stop()
		}()
		var inv runtimeapi.Invocation
		for client.Next(&inv) == nil {
			if err := client.PostResponse(&inv, "text/plain", []byte(p.Getenv("COLOUR"))); err != nil {
				return err
			}
		}
		return nil
	})
	// There is no SIGTERM where there is no extension.
	idle := lambdatest.Go(func(ctx context.Context, p *lambdatest.Process) error {
		client := http.Client{Transport: &http.Transport{DialContext: p.DialContext}}
		return registerAndWait(ctx, &client, p)
	})
	env := lambdatest.New(t, lambdatest.Config{
		Runtime: runtime, Env: map[string]string{"COLOUR": "red"},
		Extensions: []lambdatest.Extension{{Name: "idle", Program: idle}},
	})
	fmt.Println(string(env.Call("x").Payload))
	env.Shutdown()
	env.WaitLog("ends by itself")
	// Output: red
}

// registerAndWait is an extension on net/http alone.
func registerAndWait(ctx context.Context, client *http.Client, p *lambdatest.Process) error {
	url, id := "http://"+p.Endpoint+"/2020-01-01/extension/", ""
	for _, call := range []struct{ method, path, body string }{{"POST", "register", `{"events":[]}`}, {"GET", "event/next", ""}} {
		req, err := http.NewRequestWithContext(ctx, call.method, url+call.path, strings.NewReader(call.body))
		if err != nil {
			return err
		}
		req.Header.Set("Lambda-Extension-Name", p.Name)
		req.Header.Set("Lambda-Extension-Identifier", id)
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		id = resp.Header.Get("Lambda-Extension-Identifier")
		if err := resp.Body.Close(); err != nil {
			return err
		}
	}
	return nil
}

func ExampleProgram_WithFiles() {
	t := &exampleT{}
	defer t.end()

	r, w, err := os.Pipe()
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.Exec("sh", "-c", "echo through the pipe >&3").WithFiles(w)})
	env.Init()
	env.Close()
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	text, err := io.ReadAll(r)
	fmt.Println(string(text), err)
	// Output:
	// through the pipe
	//  <nil>
}

// With Config.Isolate, a program that takes more memory than its function has is
// killed.
func ExampleCanIsolate() {
	// func TestMemory(t *testing.T)
	_ = func(t *testing.T) {
		if err := lambdatest.CanIsolate(); err != nil {
			t.Skip(err)
		}
		env := lambdatest.New(t, lambdatest.Config{
			Runtime: lambdatest.Exec("./bootstrap"), Isolate: true, MemoryMB: 128,
		})
		if res := env.Call("a large file"); res.ErrorType == "Runtime.OutOfMemory" {
			t.Errorf("128 MB are not enough: %s", res.Payload)
		}
	}
}

func ExampleSupervise() {
	// func TestMain(m *testing.M)
	_ = func(m *testing.M) {
		lambdatest.Supervise()
		os.Exit(m.Run())
	}
}

// A bootstrap under a debugger, which the environment freezes and kills.
func ExampleEnvironment_Attach() {
	// func TestUnderDebugger(t *testing.T)
	_ = func(t *testing.T) {
		env := lambdatest.New(t, lambdatest.Config{Runtime: lambdatest.Attached(), Timeout: time.Hour})
		cmd := exec.Command("dlv", "exec", "--headless", "--listen=127.0.0.1:2345", "./bootstrap")
		cmd.Env = append(os.Environ(), env.Environ()...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		env.Attach("bootstrap", cmd.Process)
		t.Logf("%s", env.Call("x").Payload)
	}
}
