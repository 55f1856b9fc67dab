package native

import (
	"testing"
	"time"

	"github.com/lambhq/lamb/internal/sandbox"
)

// AwaitPool waits until the pool is full.
func AwaitPool(t testing.TB, p *Provider) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for p.pool.ready() < p.pool.size {
		if time.Now().After(deadline) {
			t.Error("the pool is not filled")
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// TmpOnHost is where a sandbox's /tmp is.
func TmpOnHost(sb sandbox.Sandbox) string { return sb.(*Box).shell.dir }

// Traces lists the processes and control groups of a provider.
func Traces(p *Provider) (pids []int, folders []string) {
	for _, b := range p.boxes {
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
