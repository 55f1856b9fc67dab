package conform

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lambhq/lamb/extension"
	"github.com/lambhq/lamb/lambda/runtimeapi"
	"github.com/lambhq/lamb/lambdatest"
)

// badRuntime is a runtime that does almost everything well.
type badRuntime struct {
	answer func(event []byte) []byte
	fails  func(client *runtimeapi.Client, inv *runtimeapi.Invocation) error
	before func(p *lambdatest.Process, client *runtimeapi.Client) error
	// heedless goes on when an answer was refused
	heedless bool
}

func (b badRuntime) program() lambdatest.Program {
	return lambdatest.Go(func(_ context.Context, p *lambdatest.Process) error {
		client := &runtimeapi.Client{Endpoint: p.Endpoint, Dial: p.Dial}
		if b.before != nil {
			if err := b.before(p, client); err != nil {
				return err
			}
		}
		var inv runtimeapi.Invocation
		for {
			if err := client.Next(&inv); err != nil {
				return err
			}
			var err error
			switch {
			case strings.Contains(string(inv.Payload), `"error"`) && b.fails != nil:
				err = b.fails(client, &inv)
			case b.answer != nil:
				err = client.PostResponse(&inv, "application/json", b.answer(inv.Payload))
			default:
				err = client.PostResponse(&inv, "application/json", inv.Payload)
			}
			if err != nil && !b.heedless {
				return err
			}
		}
	})
}

func failWith(typ, body string) func(*runtimeapi.Client, *runtimeapi.Invocation) error {
	return func(client *runtimeapi.Client, inv *runtimeapi.Invocation) error {
		return client.PostError(inv, &runtimeapi.Failure{Type: typ, Body: []byte(body)})
	}
}

// TestBrokenRuntimes: every rule can be broken.
func TestBrokenRuntimes(t *testing.T) {
	const good = `{"errorMessage":"m","errorType":"t"}`
	for rule, program := range map[string]badRuntime{
		"init/asks-for-an-event":         {before: func(*lambdatest.Process, *runtimeapi.Client) error { return errors.New("no") }},
		"init/reports-a-missing-handler": {before: func(p *lambdatest.Process, _ *runtimeapi.Client) error { return errors.New(p.Getenv("_HANDLER")) }},
		"next/asks-in-order": {before: func(p *lambdatest.Process, _ *runtimeapi.Client) error {
			resp, err := http.Post("http://"+p.Endpoint+"/2018-06-01/runtime/invocation/x/response", "", nil)
			if err == nil {
				err = resp.Body.Close()
			}
			return err
		}},
		"response/answers-the-event": {answer: func([]byte) []byte { return []byte(`{}`) }},
		"response/keeps-text": {answer: func(event []byte) []byte {
			return []byte(strings.ToValidUTF8(strings.ReplaceAll(string(event), "ä", "a"), "?"))
		}},
		"response/large-payloads":     {answer: func(event []byte) []byte { return event[:min(len(event), 1<<20)] }},
		"response/survives-too-large": {answer: func([]byte) []byte { return make([]byte, 7_000_000) }},
		"response/exits-after-500":    {heedless: true},
		"error/reports":               {fails: failWith("Function.Bad", `{"errorMessage":7}`)},
		"error/type-header":           {fails: failWith("Bad", good)},
		"error/goes-on": {fails: func(client *runtimeapi.Client, inv *runtimeapi.Invocation) error {
			return errors.Join(failWith("Function.Bad", good)(client, inv), errors.New("and exits"))
		}},
		"trace/propagates":   {answer: func([]byte) []byte { return []byte(`"Root=1"`) }},
		"freeze/survives":    {answer: oneOfThree()},
		"reset/starts-again": {before: onlyOnce()},
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			broken(t, Runtime(), rule, Subject{Config: lambdatest.Config{Runtime: program.program()}})
		})
	}
}

// oneOfThree answers the third event wrongly.
func oneOfThree() func([]byte) []byte {
	n := 0
	return func(event []byte) []byte {
		if n++; n == 3 {
			return []byte(`null`)
		}
		return event
	}
}

// onlyOnce fails from the second start on.
func onlyOnce() func(*lambdatest.Process, *runtimeapi.Client) error {
	starts := 0
	return func(*lambdatest.Process, *runtimeapi.Client) error {
		if starts++; starts > 1 {
			return errors.New("again?")
		}
		return nil
	}
}

// TestBrokenExtensions is that for extensions.
func TestBrokenExtensions(t *testing.T) {
	both := []extension.EventType{extension.Invoke, extension.Shutdown}
	loop := func(client *extension.Client) error {
		for {
			if ev, err := client.Next(); err != nil || ev.Shutdown != nil {
				return err
			}
		}
	}
	for rule, run := range map[string]func(ctx context.Context, p *lambdatest.Process, client *extension.Client) error{
		"register/first": func(_ context.Context, p *lambdatest.Process, client *extension.Client) error {
			_, again := client.Register(p.Name, both)
			if _, err := client.Register(p.Name, both); err == nil || again != nil {
				return fmt.Errorf("registered twice: %v, %v", again, err)
			}
			return loop(client)
		},
		"register/name": func(_ context.Context, _ *lambdatest.Process, client *extension.Client) error {
			_, err := client.Register("other", nil)
			return errors.Join(err, loop(client))
		},
		"register/events": func(context.Context, *lambdatest.Process, *extension.Client) error { return errors.New("no") },
		"next/ends-init": func(ctx context.Context, p *lambdatest.Process, client *extension.Client) error {
			_, err := client.Register(p.Name, both)
			<-ctx.Done()
			return err
		},
		"next/after-every-event": func(ctx context.Context, p *lambdatest.Process, client *extension.Client) error {
			_, err := client.Register(p.Name, both)
			_, next := client.Next()
			<-ctx.Done()
			return errors.Join(err, next)
		},
		"calls/no-runtime-api": func(_ context.Context, p *lambdatest.Process, client *extension.Client) error {
			_, err := client.Register(p.Name, both)
			resp, call := http.Post("http://"+p.Endpoint+"/2018-06-01/runtime/invocation/x/error", "", nil)
			if call == nil {
				call = resp.Body.Close()
			}
			return errors.Join(err, call, loop(client))
		},
		"shutdown/exits-in-time": func(ctx context.Context, p *lambdatest.Process, client *extension.Client) error {
			_, err := client.Register(p.Name, both)
			err = errors.Join(err, loop(client))
			<-ctx.Done()
			return err
		},
		"reset/starts-again": func(ctx context.Context, p *lambdatest.Process, client *extension.Client) error {
			_, err := client.Register(p.Name, both)
			err = errors.Join(err, loop(client))
			<-ctx.Done()
			return err
		},
		"freeze/survives": func(_ context.Context, p *lambdatest.Process, client *extension.Client) error {
			_, err := client.Register(p.Name, both)
			_, next := client.Next()
			return errors.Join(err, next)
		},
		"telemetry/listens-first": subscribeTo(closedPort),
	} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			broken(t, Extension(), rule, Subject{
				Config: lambdatest.Config{InitTimeout: time.Second, Timeout: time.Second},
				Extension: lambdatest.Extension{Name: "agent", Program: lambdatest.Go(func(ctx context.Context, p *lambdatest.Process) error {
					return run(ctx, p, &extension.Client{Endpoint: p.Endpoint, Dial: p.Dial})
				})},
			})
		})
	}
}

// closedPort is where nobody listens: the discard port.
const closedPort = 9

// subscribeTo is an extension that subscribes for a port.
func subscribeTo(port int) func(context.Context, *lambdatest.Process, *extension.Client) error {
	return func(_ context.Context, p *lambdatest.Process, client *extension.Client) error {
		if _, err := client.Register(p.Name, nil); err != nil {
			return err
		}
		err := client.Subscribe(extension.Subscription{
			Streams: []extension.Stream{extension.Platform}, Timeout: 25 * time.Millisecond,
			Destination: extension.Destination{URI: fmt.Sprintf("http://sandbox.localdomain:%d", port)},
		})
		if err != nil {
			return err
		}
		_, err = client.Next()
		return err
	}
}

// broken runs the check of a rule, which must find the subject at fault.
func broken(t *testing.T, checks []Check, rule string, s Subject) {
	t.Helper()
	i := slices.IndexFunc(checks, func(c Check) bool { return c.Name == rule })
	if i < 0 {
		t.Fatal("no such rule")
	}
	v := checks[i].Run(t.Context(), s)
	if len(v.Broken) == 0 {
		t.Errorf("it was not noticed: %+v", v)
	}
	t.Log(v.Broken)
}

// TestNames: names are unique, and every rule says where it is from.
func TestNames(t *testing.T) {
	for _, checks := range [][]Check{Runtime(), Extension()} {
		seen := make(map[string]bool)
		for _, c := range checks {
			if seen[c.Name] || c.Rule == "" || !strings.HasPrefix(c.Page, "https://docs.aws.amazon.com/lambda/latest/") {
				t.Errorf("check %+v", c)
			}
			seen[c.Name] = true
		}
	}
}
