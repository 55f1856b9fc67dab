package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/lambhq/lamb/bench/load"
)

// settle is how long is waited after what sets off work in the background that
// nothing tells the end of: environments that are being removed.
const settle = 30 * time.Millisecond

// readyShells is how many sandboxes the lamb with a pool has prepared.
const readyShells = 8

// renew makes the next invocation of functions a cold one, and waits until
// lamb is at rest.
func (b *bench) renew(ctx context.Context, l *lamb, names []string) error {
	b.generation++
	err := eachOf(names, func(name string) error {
		if err := l.update(ctx, name, b.generation); err != nil {
			return err
		}
		return l.awaitFunction(ctx, name)
	})
	if err != nil {
		return err
	}
	time.Sleep(settle)
	if l.shells == 0 {
		return nil
	}
	return l.awaitMetric(ctx, "lamb_shells_ready", float64(l.shells))
}

// eachOf does something for each of many, several at a time.
func eachOf[T any](all []T, do func(T) error) error {
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	turns := make(chan struct{}, 8)
	for i, one := range all {
		wg.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			errs[i] = do(one)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// cold invokes functions once each, all at once and each for the first time,
// and measures in milliseconds until the last has answered.
func (b *bench) cold(ctx context.Context, l *lamb, specs []spec) (contender, error) {
	names, requests := make([]string, len(specs)), make([]load.Request, len(specs))
	for i, s := range specs {
		names[i] = s.name
	}
	if err := eachOf(specs, func(s spec) error { return l.create(ctx, s) }); err != nil {
		return nil, err
	}
	want, err := expect(ctx, l, specs[0].name)
	if err != nil {
		return nil, err
	}
	const started = "lamb_environments_started_total"
	return func(ctx context.Context) ([]float64, error) {
		if err := b.renew(ctx, l, names); err != nil {
			return nil, err
		}
		for i, name := range names {
			requests[i] = l.invocation(local, name, event, want)
		}
		before, err := l.metric(ctx, started)
		if err != nil {
			return nil, err
		}
		// Connections are opened, and greeted, before the time begins to run.
		values, err := talk(l.address, len(names), load.Get(l.address, "/_lamb/health"), func(ctx context.Context, c *load.Client) ([]float64, error) {
			r, err := c.Each(ctx, requests)
			return []float64{millis(r.Elapsed)}, err
		})(ctx)
		if err != nil {
			return nil, err
		}
		after, err := l.metric(ctx, started)
		if err == nil && after-before != float64(len(names)) {
			err = fmt.Errorf("%d cold invocations started %v environments", len(names), after-before)
		}
		return values, err
	}, nil
}

// several are n functions like one.
func several(s spec, n int) []spec {
	all := make([]spec, n)
	for i := range all {
		all[i] = s
		all[i].name = fmt.Sprintf("%s-%d", s.name, i)
	}
	return all
}

const execName = "plain exec"

// coldRaw is a cold Invoke with a sandbox prepared ahead, where there are such.
func (b *bench) coldRaw(ctx context.Context) (contest, error) {
	what := "cold Invoke, raw worker, pool ready"
	if b.lamb.shells == 0 {
		what = "cold Invoke, raw worker"
	}
	return b.coldContest(ctx, b.lamb, "cold-raw", what, target{kind: extraMax, limit: 1.5})
}

// coldDry is a cold Invoke that has to make its sandbox.
func (b *bench) coldDry(ctx context.Context) (contest, error) {
	dry, err := b.withoutShells(ctx)
	if err != nil {
		return contest{}, err
	}
	return b.coldContest(ctx, dry, "cold-dry", "cold Invoke, raw worker, pool dry", target{kind: extraMax, limit: 4})
}

// withoutShells starts another lamb, which prepares no sandboxes.
func (b *bench) withoutShells(ctx context.Context) (*lamb, error) {
	if b.lamb.shells == 0 {
		return nil, fmt.Errorf("the process sandbox prepares nothing: %w", errMissing)
	}
	return b.start(ctx, 0)
}

func (b *bench) coldContest(ctx context.Context, l *lamb, name, what string, t target) (contest, error) {
	s := b.rawSpec(name, "echo", fullMB)
	floor, err := b.plain(b.rawCommand(), 1)
	if err != nil {
		return contest{}, err
	}
	lamb, err := b.cold(ctx, l, []spec{s})
	return contest{floor: floor, lamb: lamb, pairs: b.sizes.pairs,
		rows: []row{{what: what, floor: execName, unit: "ms", target: t}}}, err
}

// programName is the interpreter with lamb's runtime program and the function,
// started without lamb.
const programName = "interpreter + program"

// coldInterpreter is a cold Invoke of Python or Node, next to the interpreter
// with lamb's runtime program, or by itself.
func (b *bench) coldInterpreter(ctx context.Context, like func(context.Context, string) (spec, error), alone bool) (contest, error) {
	s, err := like(ctx, "cold")
	if err != nil {
		return contest{}, err
	}
	bare, program, err := b.interpreterCommands(ctx, s)
	if err != nil {
		return contest{}, err
	}
	s.name = fmt.Sprintf("cold-%s-%v", s.language(), alone)
	what, with := row{what: "cold Invoke, " + s.runtime, floor: programName, unit: "ms", target: target{kind: extraMax, limit: 6}}, program
	if alone {
		what.floor, with = "interpreter alone", bare
	}
	floor, err := b.plain(with, 1)
	if err != nil {
		return contest{}, err
	}
	lamb, err := b.cold(ctx, b.lamb, []spec{s})
	return contest{floor: floor, lamb: lamb, pairs: b.sizes.pairs, rows: []row{what}}, err
}

// burst is many cold starts at once of functions like one.
func (b *bench) burst(ctx context.Context, s spec, c command, floor string) (contest, error) {
	n := b.sizes.burst
	bare, err := b.plain(c, n)
	if err != nil {
		return contest{}, err
	}
	s.name = "burst-" + s.language()
	lamb, err := b.cold(ctx, b.lamb, several(s, n))
	return contest{floor: bare, lamb: lamb, most: 3, rows: []row{{
		what:  fmt.Sprintf("%d cold Invokes at once, %s, the last", n, s.runtime),
		floor: fmt.Sprintf("%d × %s", n, floor), unit: "ms", target: target{kind: ratioMax, limit: 1.3},
	}}}, err
}

func (b *bench) burstRaw(ctx context.Context) (contest, error) {
	return b.burst(ctx, b.rawSpec("", "echo", fullMB), b.rawCommand(), execName)
}

// burstInterpreter is a burst of Python or Node.
func (b *bench) burstInterpreter(ctx context.Context, like func(context.Context, string) (spec, error)) (contest, error) {
	s, err := like(ctx, "")
	if err != nil {
		return contest{}, err
	}
	_, program, err := b.interpreterCommands(ctx, s)
	if err != nil {
		return contest{}, err
	}
	return b.burst(ctx, s, program, programName)
}
