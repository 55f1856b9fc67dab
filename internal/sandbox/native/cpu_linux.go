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

// share sets the weight among others when the CPUs are all busy, and what a
// quota that comes later may save up: a function that has been idle for a
// period has another's worth in reserve.
func (g *group) share(memoryMB int) error {
	dir, weight, burst := g.v1["cpu"], "cpu.shares", "cpu.cfs_burst_us"
	value := max(2, 1024*memoryMB/fullCPU)
	if dir == "" {
		if !g.of.controllers["cpu"] {
			return nil
		}
		dir, weight, burst = g.v2, "cpu.weight", "cpu.max.burst"
		value = min(max(1, 100*memoryMB/fullCPU), 10000)
	}
	err := writeGroup(dir, burst, strconv.Itoa(quotaOf(memoryMB)))
	if errors.Is(err, os.ErrNotExist) {
		err = nil // Linux before 5.14 has none
	}
	return errors.Join(err, writeGroup(dir, weight, strconv.Itoa(value)))
}

// quota bounds the CPU time to AWS's share for this memory, or lifts the
// bound.
func (g *group) quota(memoryMB int, limited bool) error {
	if dir := g.v1["cpu"]; dir != "" {
		value := "-1"
		if limited {
			value = strconv.Itoa(quotaOf(memoryMB))
		}
		return writeGroup(dir, "cpu.cfs_quota_us", value)
	}
	if !g.of.controllers["cpu"] {
		return nil
	}
	value := "max"
	if limited {
		value = fmt.Sprintf("%d %d", quotaOf(memoryMB), cpuPeriod)
	}
	return writeGroup(g.v2, "cpu.max", value)
}
