package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/lambhq/lamb/bench/load"
)

const (
	fullMB  = 1769 // one vCPU, on AWS as here
	smallMB = 128
)

// event is what is invoked with, where size does not matter.
var event = []byte(`{"order":"4711","items":[{"sku":"lamb-1","count":3},{"sku":"lamb-2","count":1}],"express":true}`)

const proxyName = "proxy p50"

//go:embed functions/echo.py
var pythonEcho []byte

//go:embed functions/echo.mjs
var nodeEcho []byte

// rawSpec is a function on the raw worker.
func (b *bench) rawSpec(name, handler string, memoryMB int) spec {
	return spec{name: name, runtime: "provided.al2023", handler: handler, memoryMB: memoryMB, zip: b.workerZip}
}

// rawFunction creates a function on the raw worker.
func (b *bench) rawFunction(ctx context.Context, l *lamb, name string, memoryMB int) error {
	return l.create(ctx, b.rawSpec(name, "echo", memoryMB))
}

// talk is a contender that uses n connections. They are fresh, since servers
// close those that are idle for long, but each has had its first answer.
func talk(address string, n int, greeting load.Request, f func(context.Context, *load.Client) ([]float64, error)) contender {
	return func(ctx context.Context) ([]float64, error) {
		client, err := load.Dial(ctx, address, n)
		if err != nil {
			return nil, err
		}
		var values []float64
		if err = client.Greet(greeting); err == nil {
			values, err = f(ctx, client)
		}
		return values, errors.Join(err, client.Close())
	}
}

// warmRaw is the first row of all: the whole path, and lamb's share of it.
func (b *bench) warmRaw(ctx context.Context) (contest, error) {
	if err := b.rawFunction(ctx, b.lamb, "raw", fullMB); err != nil {
		return contest{}, err
	}
	lamb, err := b.invoked(ctx, "raw", b.sizes.warm)
	if err != nil {
		return contest{}, err
	}
	return contest{
		floor: withCPU(b.proxy.cmd, b.sizes.warm+1, b.proxied(event, b.sizes.warm)), lamb: withCPU(b.lamb.cmd, b.sizes.warm+1, lamb),
		rows: []row{
			{what: "warm invoke, raw worker, p50", floor: proxyName, unit: "µs", target: target{kind: ratioMax, limit: 0.9}},
			{what: "… p99", floor: "proxy p99", unit: "µs"},
			{what: "… CPU of lamb per request", floor: "proxy's CPU", unit: "µs", target: target{kind: ratioMax, limit: 1}},
		},
	}, nil
}

// withCPU adds the CPU time of a process per request, greetings included.
func withCPU(process *exec.Cmd, requests int, run contender) contender {
	return func(ctx context.Context) ([]float64, error) {
		before, err := cpuTime(process.Process.Pid)
		if err != nil {
			return nil, err
		}
		values, err := run(ctx)
		if err != nil {
			return nil, err
		}
		after, err := cpuTime(process.Process.Pid)
		return append(values, micros(after-before)/float64(requests)), err
	}
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
func millis(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// latency makes p50 and p99 of n requests on one connection.
func latency(address string, n int, request func() load.Request) contender {
	return func(ctx context.Context) ([]float64, error) {
		r := request() // signed anew each time: a signature is good for minutes
		return talk(address, 1, r, func(ctx context.Context, c *load.Client) ([]float64, error) {
			result, err := c.Run(ctx, r, n)
			if err != nil {
				return nil, err
			}
			return []float64{micros(result.Quantile(.5)), micros(result.Quantile(.99))}, nil
		})(ctx)
	}
}

// proxied sends a body through the proxy.
func (b *bench) proxied(body []byte, n int) contender {
	request := load.Post(b.proxy.address, "/", "", body, body)
	return latency(b.proxy.address, n, func() load.Request { return request })
}

// invoked invokes a function, which answers the event with itself.
func (b *bench) invoked(ctx context.Context, name string, n int) (contender, error) {
	want, err := expect(ctx, b.lamb, name)
	return latency(b.lamb.address, n, func() load.Request { return b.lamb.invocation(local, name, event, want) }), err
}

// ask invokes a function once.
func (l *lamb) ask(ctx context.Context, name string) ([]byte, error) {
	client, err := load.Dial(ctx, l.address, 1)
	if err != nil {
		return nil, err
	}
	answer, err := client.Ask(l.invocation(local, name, event, nil))
	return answer, errors.Join(err, client.Close())
}

// expect returns the bytes with which a function answers the event: the same
// JSON, if not always the same blanks.
func expect(ctx context.Context, l *lamb, name string) ([]byte, error) {
	got, err := l.ask(ctx, name)
	if err != nil {
		return nil, err
	}
	var sent, answered any
	if err := json.Unmarshal(event, &sent); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(got, &answered); err != nil || !reflect.DeepEqual(sent, answered) {
		return nil, fmt.Errorf("function %s answered %q to %q", name, got, event)
	}
	return got, nil
}

// p50 keeps the first value of a contender.
func p50(run contender) contender {
	return func(ctx context.Context) ([]float64, error) {
		values, err := run(ctx)
		if err != nil {
			return nil, err
		}
		return values[:1], nil
	}
}

// warmOneHop shows what the least is that any HTTP server costs.
func (b *bench) warmOneHop(ctx context.Context) (contest, error) {
	request := load.Post(b.echo.address, "/", "", event, event)
	c, err := b.warm(ctx, "raw-one-hop", "warm invoke, raw worker, p50", fullMB)
	c.floor = p50(latency(b.echo.address, b.sizes.warm, func() load.Request { return request }))
	c.rows[0].floor = "echo p50"
	return c, err
}

// warmVerified signs with credentials that lamb has minted, which it verifies
// in full, the body's digest included.
func (b *bench) warmVerified(ctx context.Context) (contest, error) {
	minter := b.rawSpec("credentials", "credentials", fullMB)
	if err := b.lamb.create(ctx, minter); err != nil {
		return contest{}, err
	}
	c, err := b.warm(ctx, "raw-verified", "warm invoke, raw worker, signature verified, p50", fullMB)
	c.lamb = func(ctx context.Context) ([]float64, error) {
		// Asked for each time: they live as long as their environment.
		text, err := b.lamb.ask(ctx, minter.name)
		if err != nil {
			return nil, err
		}
		var minted credentials
		if err := json.Unmarshal(text, &minted); err != nil {
			return nil, err
		}
		invoke := latency(b.lamb.address, b.sizes.warm, func() load.Request { return b.lamb.invocation(minted, "raw-verified", event, event) })
		return p50(invoke)(ctx)
	}
	return c, err
}

func (b *bench) warmSmall(ctx context.Context) (contest, error) {
	return b.warm(ctx, "raw-small", "warm invoke, raw worker at 128 MB, p50", smallMB)
}

// warm is a contest of one row between a raw worker and the proxy.
func (b *bench) warm(ctx context.Context, name, what string, memoryMB int) (contest, error) {
	return b.headline(ctx, b.rawSpec(name, "echo", memoryMB), what)
}

// headline is a contest of one row between a function and the proxy.
func (b *bench) headline(ctx context.Context, s spec, what string) (contest, error) {
	if err := b.lamb.create(ctx, s); err != nil {
		return contest{}, err
	}
	lamb, err := b.invoked(ctx, s.name, b.sizes.warm)
	return contest{
		floor: p50(b.proxied(event, b.sizes.warm)), lamb: p50(lamb),
		rows: []row{{what: what, floor: proxyName, unit: "µs"}},
	}, err
}

func (b *bench) warmGo(ctx context.Context) (contest, error) {
	program, err := buildProgram(ctx, b.scratch, "bench/goecho", released)
	if err != nil {
		return contest{}, err
	}
	zip, err := zipProgram(program, "bootstrap")
	if err != nil {
		return contest{}, err
	}
	s := spec{name: "go", runtime: "provided.al2023", handler: "bootstrap", memoryMB: fullMB, zip: zip}
	return b.headline(ctx, s, "warm invoke, aws-lambda-go, p50")
}

func (b *bench) warmPython(ctx context.Context) (contest, error) {
	s, err := pythonSpec(ctx, "python")
	if err != nil {
		return contest{}, err
	}
	return b.headline(ctx, s, "warm invoke, "+s.runtime+", p50")
}

func (b *bench) warmNode(ctx context.Context) (contest, error) {
	s, err := nodeSpec(ctx, "node")
	if err != nil {
		return contest{}, err
	}
	return b.headline(ctx, s, "warm invoke, "+s.runtime+", p50")
}

// pythonSpec is a function in the version of Python that is on PATH.
func pythonSpec(ctx context.Context, name string) (spec, error) {
	version, err := ask(ctx, "python3", `^Python (3\.\d+)`)
	if err != nil {
		return spec{}, err
	}
	zip, err := zipOf("echo.py", 0o644, pythonEcho)
	return spec{name: name, runtime: "python" + version, handler: "echo.handler", memoryMB: fullMB, zip: zip}, err
}

// nodeSpec is a function in the version of Node that is on PATH.
func nodeSpec(ctx context.Context, name string) (spec, error) {
	version, err := ask(ctx, "node", `^v(\d+)\.`)
	if err != nil {
		return spec{}, err
	}
	zip, err := zipOf("echo.mjs", 0o644, nodeEcho)
	return spec{name: name, runtime: "nodejs" + version + ".x", handler: "echo.handler", memoryMB: fullMB, zip: zip}, err
}

// ask returns an interpreter's version.
func ask(ctx context.Context, program, pattern string) (string, error) {
	out, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", program, errMissing)
	}
	found := regexp.MustCompile(pattern).FindSubmatch(out)
	if found == nil {
		return "", fmt.Errorf("%s says %q as its version", program, out)
	}
	return string(found[1]), nil
}

// loaded is a contest of throughput on n connections. No answer may fail.
func (b *bench) loaded(ctx context.Context, n int) (contest, error) {
	name := fmt.Sprintf("raw-%d", n)
	if err := b.rawFunction(ctx, b.lamb, name, fullMB); err != nil {
		return contest{}, err
	}
	throughput := func(process *exec.Cmd, address string, request func() load.Request) contender {
		return withCPU(process, b.sizes.loaded+n, func(ctx context.Context) ([]float64, error) {
			r := request()
			return talk(address, n, r, func(ctx context.Context, c *load.Client) ([]float64, error) {
				result, err := c.Run(ctx, r, b.sizes.loaded)
				if err != nil {
					return nil, err
				}
				return []float64{result.PerSecond(), micros(result.Quantile(.99))}, nil
			})(ctx)
		})
	}
	through := load.Post(b.proxy.address, "/", "", event, event)
	return contest{
		floor: throughput(b.proxy.cmd, b.proxy.address, func() load.Request { return through }),
		lamb:  throughput(b.lamb.cmd, b.lamb.address, func() load.Request { return b.lamb.invocation(local, name, event, event) }),
		rows: []row{
			{what: fmt.Sprintf("%d connections, raw worker", n), floor: "proxy", unit: "req/s", target: target{kind: ratioMin, limit: 0.7}},
			{what: "… p99", floor: "proxy p99", unit: "µs"},
			{what: "… CPU of lamb per request", floor: "proxy's CPU", unit: "µs"},
		},
	}, nil
}

// maxEvent is the largest event of a synchronous invocation, in bytes.
const maxEvent = 6 << 20

// big is a contest of the largest events there are.
func (b *bench) big(ctx context.Context) (contest, error) {
	if err := b.rawFunction(ctx, b.lamb, "raw-big", fullMB); err != nil {
		return contest{}, err
	}
	const item = `{"sku":"lamb-1","count":3,"price":12.5,"note":"a \"quoted\" note"},`
	body := []byte("[" + strings.TrimSuffix(strings.Repeat(item, (maxEvent-2)/len(item)), ",") + "]")
	lamb := latency(b.lamb.address, b.sizes.big, func() load.Request { return b.lamb.invocation(local, "raw-big", body, body) })
	return contest{
		floor: inMillis(p50(b.proxied(body, b.sizes.big))), lamb: inMillis(p50(lamb)),
		rows: []row{{what: "echo of 6 MB of JSON, validated, p50", floor: proxyName, unit: "ms", target: target{kind: ratioMax, limit: 1.5}}},
	}, nil
}

// inMillis turns microseconds into milliseconds.
func inMillis(run contender) contender {
	return func(ctx context.Context) ([]float64, error) {
		values, err := run(ctx)
		for i := range values {
			values[i] /= 1e3
		}
		return values, err
	}
}
