package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/lambhq/lamb/bench/load"
)

// manyIdle is how long many environments take to be started, all at once, and
// how much memory each of them has afterwards, next to the same program
// started plainly: what its own memory is, it has there too.
func (b *bench) manyIdle(ctx context.Context) (contest, error) {
	l, err := b.start(ctx, readyShells)
	if err != nil {
		return contest{}, err
	}
	return b.manyIdleOn(ctx, l)
}

// manyIdleUnlimited is the same without limits and private network, which is
// the process sandbox.
func (b *bench) manyIdleUnlimited(ctx context.Context) (contest, error) {
	if b.o.sandbox == "process" {
		return contest{}, fmt.Errorf("the same as many-idle on the process sandbox: %w", errMissing)
	}
	l, err := startLamb(ctx, b.binary, b.scratch, "--sandbox", "process")
	if err != nil {
		return contest{}, err
	}
	b.onClose(l.Close)
	return b.manyIdleOn(ctx, l)
}

func (b *bench) manyIdleOn(ctx context.Context, l *lamb) (contest, error) {
	n := b.sizes.idle
	s := b.rawSpec("idle", "echo", smallMB)
	s.tenants = true
	if err := l.create(ctx, s); err != nil {
		return contest{}, err
	}
	plain := b.rawCommand()
	for name, value := range quiet { // as the function has it
		plain.env = append(plain.env, name+"="+value)
	}
	bare, err := b.manyPlain(plain, n)
	if err != nil {
		return contest{}, err
	}
	most := target{kind: ratioMax, limit: 1.7}
	if strings.Contains(l.where, "cgroup v") && strings.Contains(l.where, "private network") {
		most.limit = 2.5
	}
	return contest{floor: bare, lamb: b.manyEnvironments(l, s.name, n), most: 3, rows: []row{
		{what: fmt.Sprintf("%d idle environments, created", n), floor: fmt.Sprintf("%d × %s", n, execName), unit: "ms", target: most, where: l.where},
		{what: "… memory of each", floor: "the program's own", unit: "MB", target: target{kind: extraMax, limit: 1.2}, where: l.where},
	}}, nil
}

// manyEnvironments starts an environment for each of n tenants.
func (b *bench) manyEnvironments(l *lamb, name string, n int) contender {
	round := 0
	return func(ctx context.Context) ([]float64, error) {
		round++
		before, err := atRest(ctx)
		if err != nil {
			return nil, err
		}
		if err := l.awaitMetric(ctx, "lamb_shells_ready", float64(l.shells)); err != nil && l.shells > 0 {
			return nil, err
		}
		requests := make([]load.Request, n)
		for i := range requests {
			requests[i] = l.invocationOf(local, name, fmt.Sprintf("tenant-%d-%d", round, i), event, event)
		}
		values, err := talk(l.address, n, load.Get(l.address, "/_lamb/health"), func(ctx context.Context, c *load.Client) ([]float64, error) {
			r, err := c.Each(ctx, requests)
			return []float64{millis(r.Elapsed)}, err
		})(ctx)
		if err != nil {
			return nil, fmt.Errorf("%w; lamb said: %s", err, l.said)
		}
		if err := l.awaitMetric(ctx, "lamb_environments_idle", float64(n)); err != nil {
			return nil, err
		}
		after, err := atRest(ctx)
		if err != nil {
			return nil, err
		}
		// The next round starts them anew.
		b.generation++
		err = errors.Join(l.update(ctx, name, b.generation), l.awaitFunction(ctx, name), l.awaitMetric(ctx, "lamb_environments_idle", 0))
		return append(values, perOne(before, after, n)), err
	}
}

// perOne is the memory that one of n has, in MB. Others on the machine may give
// more back than n take.
func perOne(before, after memory, n int) float64 {
	return max(0.001, float64(after.kb-before.kb)/1024/float64(n))
}

// atRest measures memory when the kernel has freed what was used before.
func atRest(ctx context.Context) (memory, error) {
	var last memory
	for range 100 {
		m, err := measureMemory(map[int]bool{})
		if err != nil {
			return m, err
		}
		if last.kb > 0 && m.kb >= last.kb-1024 {
			return m, nil
		}
		last = m
		select {
		case <-ctx.Done():
			return m, ctx.Err()
		case <-time.After(20 * settle):
		}
	}
	return last, errors.New("memory is being freed all the time")
}

// manyPlain starts a command n times at once; see plain and manyIdle.
func (b *bench) manyPlain(c command, n int) (contender, error) {
	l, err := listen()
	if err != nil {
		return nil, err
	}
	b.onClose(l.Close)
	return func(ctx context.Context) ([]float64, error) {
		before, err := atRest(ctx)
		if err != nil {
			return nil, err
		}
		cmds, errs := make([]*exec.Cmd, n), make([]error, n)
		var starting sync.WaitGroup
		began := time.Now()
		for i := range n {
			starting.Go(func() { cmds[i], errs[i] = l.start(c) })
		}
		conns, err := arrive(l.TCPListener, n)
		took := time.Since(began)
		starting.Wait()
		after, memoryErr := atRest(ctx)
		for _, conn := range conns {
			conn.Close()
		}
		for i, cmd := range cmds {
			if errs[i] == nil {
				_ = cmd.Process.Kill() // it may have ended by itself
				_ = cmd.Wait()         // killed
			}
		}
		return []float64{millis(took), perOne(before, after, n)}, errors.Join(append(errs, err, memoryErr)...)
	}, nil
}

// arrive returns when n programs have sent the first line of a request each.
func arrive(l *net.TCPListener, n int) ([]net.Conn, error) {
	if err := l.SetDeadline(time.Now().Add(startPatience)); err != nil {
		return nil, err
	}
	var conns []net.Conn
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		c, err := l.Accept()
		if err != nil {
			errs[i] = err
			break
		}
		conns = append(conns, c)
		wg.Go(func() {
			_ = c.SetReadDeadline(time.Now().Add(startPatience))
			_, errs[i] = bufio.NewReader(c).ReadString('\n')
		})
	}
	wg.Wait()
	return conns, errors.Join(errs...)
}
