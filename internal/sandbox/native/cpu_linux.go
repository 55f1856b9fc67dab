package native

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/lambhq/lamb/internal/sandbox"
)

// fullCPU is the memory, in MB, that has a whole CPU on AWS.
const fullCPU = 1769

// cpuPeriod is what a quota refers to, in microseconds. It is AWS's: a longer
// one would let a small function stand still for longer.
const cpuPeriod = 20_000

// quotaOf is AWS's share of the CPU for this memory, in microseconds of each
// period; the kernel takes no less than a millisecond.
func quotaOf(memoryMB int) int { return max(1000, cpuPeriod*memoryMB/fullCPU) }

var _ sandbox.CPULimiter = (*Box)(nil)

// LimitCPU implements sandbox.CPULimiter: the bound is AWS's share for the
// sandbox's memory. It does nothing where the fingerprint has no CPU, or where
// the spec has no memory.
func (b *Box) LimitCPU(ctx context.Context, limited bool) error {
	return b.life.Exclusively(ctx, "limit the CPU of", func(context.Context) error {
		if b.spec.MemoryMB == 0 {
			return nil
		}
		return b.shell.group.quota(b.spec.MemoryMB, limited)
	})
}

// prepareCPU sets what quotas need and do not depend on the function.
func (g *group) prepareCPU() error {
	dir := g.v1["cpu"]
	if dir == "" {
		return nil // version 2 takes the period with the quota
	}
	return writeGroup(dir, "cpu.cfs_period_us", strconv.Itoa(cpuPeriod))
}

// reserve sets what a quota that comes later may save up: a function that has
// been idle for a period has another's worth.
func (g *group) reserve(memoryMB int) error {
	dir, name := g.v1["cpu"], "cpu.cfs_burst_us"
	if dir == "" {
		if !g.of.controllers["cpu"] {
			return nil
		}
		dir, name = g.v2, "cpu.max.burst"
	}
	err := writeGroup(dir, name, strconv.Itoa(quotaOf(memoryMB)))
	if errors.Is(err, os.ErrNotExist) {
		return nil // Linux before 5.14 has none
	}
	return err
}

// quota bounds the CPU time to AWS's share for this memory, which is also the
// weight among others when all CPUs are busy; or lifts both: an init counts
// like any other program.
func (g *group) quota(memoryMB int, limited bool) error {
	if dir := g.v1["cpu"]; dir != "" {
		quota, weight := -1, 1024
		if limited {
			quota, weight = quotaOf(memoryMB), max(2, weight*memoryMB/fullCPU)
		}
		return errors.Join(
			writeGroup(dir, "cpu.cfs_quota_us", strconv.Itoa(quota)),
			writeGroup(dir, "cpu.shares", strconv.Itoa(weight)))
	}
	if !g.of.controllers["cpu"] {
		return nil
	}
	bound, weight := "max", 100
	if limited {
		bound, weight = fmt.Sprintf("%d %d", quotaOf(memoryMB), cpuPeriod), min(max(1, weight*memoryMB/fullCPU), 10000)
	}
	return errors.Join(
		writeGroup(g.v2, "cpu.max", bound),
		writeGroup(g.v2, "cpu.weight", strconv.Itoa(weight)))
}
