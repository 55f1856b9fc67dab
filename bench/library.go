package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"time"

	"github.com/lambhq/lamb/bench/library"
	"github.com/lambhq/lamb/lambda"
	"github.com/lambhq/lamb/lambda/runtimeapi"
)

// theirs is the floor of the library's rows, though not a floor: it is what
// people use.
const theirs = "aws-lambda-go"

// largeEvent is what is echoed without decoding, in bytes.
const largeEvent = 5 << 20

// libraries are the same function by package lambda and by aws-lambda-go.
type libraries struct {
	b            *bench
	stub         *library.Stub
	ours, theirs string // programs
}

// openLibraries builds both, once.
func (b *bench) openLibraries(ctx context.Context) (*libraries, error) {
	if b.libraries != nil {
		return b.libraries, nil
	}
	l := &libraries{b: b}
	var err error
	if l.ours, err = buildProgram(ctx, b.scratch, "bench/library/ours", released); err != nil {
		return nil, err
	}
	if l.theirs, err = buildProgram(ctx, b.scratch, "bench/library/theirs", released); err != nil {
		return nil, err
	}
	stub, err := buildProgram(ctx, b.scratch, "bench/library/stub", released)
	if err != nil {
		return nil, err
	}
	if l.stub, err = library.Start(stub); err != nil {
		return nil, err
	}
	b.onClose(l.stub.Close)
	b.libraries = l
	return l, nil
}

// command is a function's program with a handler.
func (l *libraries) command(program, handler string) command {
	return command{path: program, env: []string{"_HANDLER=" + handler}, dir: l.b.scratch}
}

// serve runs a program on the stub, in so many processes at once, with n events,
// after some that do not count. It measures the processes' CPU time and the time
// per event, in microseconds, and events per second.
func (l *libraries) serve(program, handler string, processes int, event []byte, n int) contender {
	return func(context.Context) (values []float64, err error) {
		if err := l.stub.SetEvent(event); err != nil {
			return nil, err
		}
		var running []*exec.Cmd
		defer func() {
			for _, cmd := range running {
				_ = cmd.Process.Kill() // before its connection ends: it would make another
				_ = cmd.Wait()         // killed
			}
		}()
		c := l.command(program, handler)
		for range processes {
			cmd := exec.Command(c.path)
			cmd.Env, cmd.Dir, cmd.Stderr = append(c.env, "AWS_LAMBDA_RUNTIME_API="+l.stub.Address()), c.dir, os.Stderr
			if err := cmd.Start(); err != nil {
				return nil, err
			}
			running = append(running, cmd)
		}
		if err := l.stub.Accept(processes); err != nil {
			return nil, err
		}
		if _, err := l.stub.Serve(max(processes, n/4)); err != nil {
			return nil, err
		}
		before, err := cpuTimes(running)
		if err != nil {
			return nil, err
		}
		took, err := l.stub.Serve(n)
		if err != nil {
			return nil, err
		}
		after, err := cpuTimes(running)
		return []float64{micros(after-before) / float64(n), micros(took) / float64(n), float64(n) / took.Seconds()}, err
	}
}

// cpuTimes is the CPU time of all of them.
func cpuTimes(commands []*exec.Cmd) (total time.Duration, err error) {
	for _, cmd := range commands {
		used, err := cpuTime(cmd.Process.Pid)
		if err != nil {
			return 0, err
		}
		total += used
	}
	return total, nil
}

// libraryJSON is a handler that takes and gives JSON, called by reflection.
func (b *bench) libraryJSON(ctx context.Context) (contest, error) {
	return b.libraryContest(ctx, "json", "library, JSON handler")
}

// libraryTyped is the same by StartTyped.
func (b *bench) libraryTyped(ctx context.Context) (contest, error) {
	return b.libraryContest(ctx, "typed", "library, StartTyped")
}

// sideBySide is how many processes take events at once, so that two CPUs have
// something to do all the time.
const sideBySide = 4

func (b *bench) libraryContest(ctx context.Context, handler, what string) (contest, error) {
	l, err := b.openLibraries(ctx)
	if err != nil {
		return contest{}, err
	}
	n := 4 * b.sizes.warm
	side := func(program, handler string) contender {
		together, alone := l.serve(program, handler, sideBySide, event, 4*n), l.serve(program, handler, 1, event, n)
		return func(ctx context.Context) ([]float64, error) {
			several, err := together(ctx)
			if err != nil {
				return nil, err
			}
			one, err := alone(ctx)
			if err != nil {
				return nil, err
			}
			return []float64{several[0], several[2], one[1]}, nil
		}
	}
	return contest{
		floor: side(l.theirs, "json"), lamb: side(l.ours, handler),
		rows: []row{
			{what: fmt.Sprintf("%s, %d at once: CPU per event", what, sideBySide), floor: theirs, unit: "µs", target: target{kind: ratioMax, limit: 0.35}},
			{what: "… events per second", floor: theirs, unit: "1/s", target: target{kind: ratioMin, limit: 2.5}},
			{what: "… execution of one alone, on the stub", floor: theirs, unit: "µs"},
		},
	}, nil
}

// libraryRaw echoes a large event without decoding it.
func (b *bench) libraryRaw(ctx context.Context) (contest, error) {
	l, err := b.openLibraries(ctx)
	if err != nil {
		return contest{}, err
	}
	event := make([]byte, largeEvent)
	for i := range event {
		event[i] = 'a' + byte(i%26)
	}
	event[0], event[largeEvent-1] = '"', '"'
	return contest{
		floor: inMillis(second(l.serve(l.theirs, "raw", 1, event, b.sizes.big))), lamb: inMillis(second(l.serve(l.ours, "raw", 1, event, b.sizes.big))),
		rows: []row{{what: "library, raw echo of 5 MB", floor: theirs + ", json.RawMessage", unit: "ms", target: target{kind: ratioMax, limit: 0.5}}},
	}, nil
}

// second is the time per event alone.
func second(run contender) contender {
	return func(ctx context.Context) ([]float64, error) {
		values, err := run(ctx)
		if err != nil {
			return nil, err
		}
		return values[1:2], nil
	}
}

// libraryInit is the time from exec to the first request.
func (b *bench) libraryInit(ctx context.Context) (contest, error) {
	l, err := b.openLibraries(ctx)
	if err != nil {
		return contest{}, err
	}
	floor, err := b.plain(l.command(l.theirs, "json"), 1)
	if err != nil {
		return contest{}, err
	}
	ours, err := b.plain(l.command(l.ours, "json"), 1)
	return contest{floor: floor, lamb: ours, pairs: 5 * b.sizes.pairs, rows: []row{
		{what: "library: init, exec to first next, on the stub", floor: theirs, unit: "ms", target: target{kind: ratioMax, limit: 0.75}},
	}}, err
}

// libraryAllocations counts allocations per event in this process: of the
// client alone, and of all with a handler and its context.
func (b *bench) libraryAllocations(ctx context.Context) (contest, error) {
	l, err := b.openLibraries(ctx)
	if err != nil {
		return contest{}, err
	}
	n := b.sizes.warm
	return contest{
		lamb: func(context.Context) ([]float64, error) {
			client, err := l.allocations(n, func(ctx context.Context) error { return answerAll(ctx, l.stub.Address()) })
			if err != nil {
				return nil, err
			}
			all, err := l.allocations(n, func(ctx context.Context) error {
				echo := lambda.BytesFunc(func(_ context.Context, event []byte) ([]byte, error) { return event, nil })
				return (&lambda.Runtime{Handler: echo, Endpoint: l.stub.Address()}).Run(ctx)
			})
			return []float64{client, all}, err
		},
		rows: []row{
			{what: "library: allocations per event, Runtime API client", unit: "allocs", target: target{kind: figureMax, limit: 0}},
			{what: "… with a handler and its context", unit: "allocs"},
		},
	}, nil
}

// answerAll answers every event with itself, by the client alone, until ctx is
// done.
func answerAll(ctx context.Context, endpoint string) error {
	client := runtimeapi.Client{Endpoint: endpoint}
	defer client.Close()
	stop := context.AfterFunc(ctx, client.Stop)
	defer stop()
	var inv runtimeapi.Invocation
	for {
		if err := client.Next(&inv); errors.Is(err, runtimeapi.ErrStopped) {
			return nil
		} else if err != nil {
			return err
		}
		if err := client.PostResponse(&inv, "application/json", inv.Payload); err != nil {
			return err
		}
	}
}

// allocations serves n events to a runtime in this process, which ends with its
// context, and counts what is allocated per event, rounded down as
// testing.AllocsPerRun does.
func (l *libraries) allocations(n int, runtime func(context.Context) error) (perEvent float64, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	defer func() {
		cancel()
		err = errors.Join(err, <-ended)
	}()
	go func() { ended <- runtime(ctx) }()
	if err := errors.Join(l.stub.SetEvent(event), l.stub.Accept(1)); err != nil {
		return 0, err
	}
	if _, err := l.stub.Serve(n / 4); err != nil {
		return 0, err
	}
	before := mallocs()
	if _, err := l.stub.Serve(n); err != nil {
		return 0, err
	}
	return math.Floor(float64(mallocs()-before) / float64(n)), nil
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// libraryOnLamb is what lamb's REPORT says of both, cold and warm.
func (b *bench) libraryOnLamb(ctx context.Context) (contest, error) {
	l, err := b.openLibraries(ctx)
	if err != nil {
		return contest{}, err
	}
	sides := make([]contender, 2)
	for i, program := range []string{l.theirs, l.ours} {
		name := []string{"library-theirs", "library-ours"}[i]
		zip, err := zipProgram(program, "bootstrap")
		if err != nil {
			return contest{}, err
		}
		if err := b.lamb.create(ctx, spec{name: name, runtime: "provided.al2023", handler: "json", memoryMB: fullMB, zip: zip}); err != nil {
			return contest{}, err
		}
		sides[i] = func(ctx context.Context) ([]float64, error) { return b.reported(ctx, name) }
	}
	return contest{floor: sides[0], lamb: sides[1], pairs: b.sizes.pairs, rows: []row{
		{what: "library: Duration on lamb, warm", floor: theirs, unit: "ms", target: target{kind: figureMax, limit: 1}},
		{what: "library: Init Duration on lamb", floor: theirs, unit: "ms", target: target{kind: figureMax, limit: 11}},
	}}, nil
}

// reported is the Duration of the third invocation of a new environment and its
// Init Duration, as its REPORT lines have them.
func (b *bench) reported(ctx context.Context, name string) ([]float64, error) {
	if err := b.renew(ctx, b.lamb, []string{name}); err != nil {
		return nil, err
	}
	var values [2]float64
	for i := range 3 {
		log, err := b.lamb.logTail(ctx, name)
		if err != nil {
			return nil, err
		}
		duration, init := durations(log)
		if i == 0 {
			values[1] = init
		}
		values[0] = duration
	}
	if values[0] == 0 || values[1] == 0 {
		return nil, fmt.Errorf("no durations in the REPORT of %s", name)
	}
	return values[:], nil
}
