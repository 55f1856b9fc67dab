package native_test

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/native"
)

// bootstrap is a static Go program that asks for its first event and ends.
const bootstrap = `package main

import (
	"io"
	"net"
	"os"
)

func main() {
	c, err := net.Dial("tcp", os.Getenv("AWS_LAMBDA_RUNTIME_API"))
	if err != nil {
		os.Exit(1)
	}
	io.WriteString(c, "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n")
	io.Copy(io.Discard, c)
}
`

func buildBootstrap(b *testing.B) string {
	b.Helper()
	goTool, err := exec.LookPath("go")
	if err != nil {
		b.Skip("no go to build the bootstrap with")
	}
	src, task := b.TempDir(), b.TempDir()
	if err := os.WriteFile(filepath.Join(src, "main.go"), []byte(bootstrap), 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(goTool, "build", "-o", filepath.Join(task, "bootstrap"), filepath.Join(src, "main.go"))
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return task
}

// firstLine accepts a connection and returns when its first line is there.
func firstLine(b *testing.B, l net.Listener) {
	c, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	if _, err := bufio.NewReader(c).ReadString('\n'); err != nil {
		b.Fatal(err)
	}
	c.Close()
}

func median(d []time.Duration) float64 {
	slices.Sort(d)
	return float64(d[len(d)/2].Microseconds()) / 1000
}

// BenchmarkFirstNext measures from the decision to start until the bootstrap
// has asked for its first event: as a plain child, in a fresh sandbox, in one
// from the pool; one after the other in each round.
func BenchmarkFirstNext(b *testing.B) {
	task := buildBootstrap(b)
	pooled := newProvider(b, native.Config{Ready: 4, Stores: []string{task}, TmpMB: 512})
	fresh := newProvider(b, native.Config{})
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	plainStart := func() time.Duration {
		begin := time.Now()
		cmd := exec.Command(filepath.Join(task, "bootstrap"))
		cmd.Env = []string{"AWS_LAMBDA_RUNTIME_API=" + l.Addr().String()}
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		firstLine(b, l)
		took := time.Since(begin)
		_ = cmd.Wait() // its connection was closed
		return took
	}
	ctx := context.Background()
	start := func(p *native.Provider) (create, whole time.Duration) {
		begin := time.Now()
		sb, err := p.Create(ctx, sandbox.Spec{ID: "bench", Task: task, MemoryMB: 1769, TmpMB: 512, MaxFiles: 1024, MaxProcesses: 1024})
		if err != nil {
			b.Fatal(err)
		}
		create = time.Since(begin)
		if _, err := sb.Start(ctx, sandbox.Process{
			Path: "/var/task/bootstrap", Env: []string{"AWS_LAMBDA_RUNTIME_API=" + sb.Address()},
			Stdout: &text{}, Stderr: &text{},
		}); err != nil {
			b.Fatal(err)
		}
		firstLine(b, sb.Listener())
		whole = time.Since(begin)
		if err := sb.Close(); err != nil {
			b.Fatal(err)
		}
		return create, whole
	}
	var plain, freshAll, freshCreate, poolAll, poolCreate []time.Duration
	round := 0
	for b.Loop() {
		plainTook := plainStart()
		create, whole := start(fresh)
		native.AwaitPool(b, pooled)
		pCreate, pWhole := start(pooled)
		native.AwaitPool(b, pooled)
		if round++; round <= 3 {
			continue // warming up
		}
		plain, freshAll, freshCreate = append(plain, plainTook), append(freshAll, whole), append(freshCreate, create)
		poolAll, poolCreate = append(poolAll, pWhole), append(poolCreate, pCreate)
	}
	if len(plain) == 0 {
		return
	}
	floor := median(plain)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(floor, "plain-ms")
	b.ReportMetric(median(freshAll), "fresh-ms")
	b.ReportMetric(median(freshCreate), "fresh-create-ms")
	b.ReportMetric(median(poolAll), "pooled-ms")
	b.ReportMetric(median(poolCreate), "pooled-create-ms")
	// On a busy machine the quickest of each tell more than the medians, which
	// are sorted by now.
	least := func(d []time.Duration) float64 { return float64(d[0].Microseconds()) / 1000 }
	b.ReportMetric(least(plain), "plain-min-ms")
	b.ReportMetric(least(freshAll), "fresh-min-ms")
	b.ReportMetric(least(poolAll), "pooled-min-ms")
	b.ReportMetric(median(freshAll)/floor, "fresh/plain")
	b.ReportMetric(median(poolAll)/floor, "pooled/plain")
}
