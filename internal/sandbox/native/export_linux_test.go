package native

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/sandbox"
)

// AwaitPool waits until the pool is full.
func AwaitPool(t testing.TB, p *Provider) {
	t.Helper()
	late := time.AfterFunc(20*time.Second, p.pool.added.Broadcast)
	defer late.Stop()
	began := time.Now()
	p.pool.mu.Lock()
	defer p.pool.mu.Unlock()
	for len(p.pool.shells) < p.pool.size {
		if time.Since(began) >= 20*time.Second {
			t.Error("the pool is not filled")
			return
		}
		p.pool.added.Wait()
	}
}

// HoldEndings makes it look as if as many sandboxes were ending as may at once,
// until release.
func HoldEndings(p *Provider) (release func()) {
	for range cap(p.endings) {
		p.endings <- struct{}{}
	}
	return func() {
		for range cap(p.endings) {
			<-p.endings
		}
	}
}

// Connect connects a socket; ConnectionOf takes one that is.
var (
	Connect      = connect
	ConnectionOf = connectionOf
)

// FirstProcess is the number of process 1 of a sandbox, on the host.
func FirstProcess(sb sandbox.Sandbox) int { return sb.(*Box).shell.pid }

// Ready is how many shells wait.
func Ready(p *Provider) int { return p.pool.ready() }

// TmpOnHost is where a sandbox's /tmp is.
func TmpOnHost(sb sandbox.Sandbox) string {
	sh := sb.(*Box).shell
	if sh.dir == "" {
		return fmt.Sprintf("/proc/%d/root/tmp", sh.pid) // a disk
	}
	return sh.dir
}

// Traces lists the processes and control groups of a provider.
func Traces(p *Provider) (pids []int, folders []string) {
	for _, b := range p.boxes.All() {
		pids = append(pids, b.shell.pid)
	}
	for _, sh := range p.pool.shells {
		pids = append(pids, sh.pid)
	}
	if p.groups.v2 != "" {
		folders = append(folders, p.groups.v2)
	}
	for _, dir := range p.groups.v1 {
		folders = append(folders, dir)
	}
	return pids, folders
}

// CPUGroup is the folder of the control group that limits a sandbox's CPU.
func CPUGroup(sb sandbox.Sandbox) string {
	g := sb.(*Box).shell.group
	if dir := g.v1["cpu"]; dir != "" {
		return dir
	}
	return g.v2
}

// CPUTime is what the sandbox's processes, inside, have used of the CPU.
func CPUTime(sb sandbox.Sandbox) time.Duration {
	sh := sb.(*Box).shell
	var total time.Duration
	for _, pid := range sh.processes() {
		// The first number of schedstat, in ns, is without the children.
		text, _, _ := strings.Cut(sh.readProc(fmt.Sprintf("proc/%d/schedstat", pid)), " ")
		ns, err := strconv.ParseInt(text, 10, 64)
		if err == nil {
			total += time.Duration(ns)
		}
	}
	return total
}

// CPUQuota is "QUOTA PERIOD" in microseconds, or "none".
func CPUQuota(sb sandbox.Sandbox) string {
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(CPUGroup(sb), name))
		if err != nil {
			return err.Error()
		}
		return strings.TrimSpace(string(b))
	}
	quota := ""
	if sb.(*Box).shell.group.v1["cpu"] != "" {
		quota = read("cpu.cfs_quota_us") + " " + read("cpu.cfs_period_us")
	} else {
		quota = read("cpu.max")
	}
	if strings.HasPrefix(quota, "-1 ") || strings.HasPrefix(quota, "max ") {
		return "none"
	}
	return quota
}
