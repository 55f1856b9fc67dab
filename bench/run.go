package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// bench is a run: its programs, processes and contests.
type bench struct {
	o       options
	sizes   sizes
	scratch string // folder for everything, removed at the end
	log     io.Writer

	binary    string // lamb
	worker    string // the raw worker
	workerZip []byte // as a deployment package
	lamb      *lamb  // as operators run it
	echo      *child
	proxy     *child
	missing   []string
	// generation numbers the updates that make functions start cold.
	generation int
	libraries  *libraries // once they are asked for
	undo       []func() error
}

// sizes are how much is done per measurement.
type sizes struct {
	warm   int // requests, one after the other
	loaded int // requests on several connections, in all
	big    int // requests of 6 MB
	pairs  int // starts in a round
	burst  int // starts at once
	shells int // prepared to measure the memory of one
	idle   int // environments that are started and stay
	packed int // MB that are packed
}

var (
	fullSizes  = sizes{warm: 1000, loaded: 6400, big: 6, pairs: 4, burst: 64, shells: 128, idle: 1000, packed: 50}
	quickSizes = sizes{warm: 10, loaded: 128, big: 1, pairs: 1, burst: 2, shells: 8, idle: 4, packed: 1}
)

// run measures and reports.
func run(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	only, err := regexp.Compile(o.only)
	if err != nil {
		return err
	}
	b := &bench{o: o, sizes: fullSizes, log: stderr}
	if o.quick {
		b.sizes, b.o.rounds = quickSizes, 1
	}
	result := Result{Time: time.Now().UTC().Format(time.RFC3339), Rounds: b.o.rounds, Quick: o.quick, Commit: commit(ctx), Machine: machine()}
	began := time.Now()
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.open(ctx); err != nil {
		return err
	}
	contests, err := b.contests(ctx, only)
	if err != nil {
		return err
	}
	if len(contests) == 0 {
		return fmt.Errorf("no contest is named like %q", o.only)
	}
	measured, err := play(ctx, contests, b.o.rounds, stderr)
	if err != nil {
		return err
	}
	result.Seconds, result.Missing, result.Rows = round3(time.Since(began).Seconds()), b.missing, lines(contests, measured)
	if err := result.print(stdout); err != nil {
		return err
	}
	if err := result.keep(o.out); err != nil || !o.profile {
		return err
	}
	return b.profile(ctx, o.out)
}

// onClose remembers what is to be closed; the last comes first.
func (b *bench) onClose(f func() error) { b.undo = append(b.undo, f) }

func (b *bench) close() error {
	var errs []error
	for _, f := range slices.Backward(b.undo) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

// open builds what is measured and starts what all contests share.
func (b *bench) open(ctx context.Context) error {
	var err error
	if b.scratch, err = os.MkdirTemp("", "lamb-bench-"); err != nil {
		return err
	}
	b.onClose(func() error { return os.RemoveAll(b.scratch) })
	// Functions have a user of their own, who has to reach their code.
	if err := os.Chmod(b.scratch, 0o755); err != nil {
		return err
	}
	if b.binary = b.o.lamb; b.binary == "" {
		if b.binary, err = buildProgram(ctx, b.scratch, "cmd/lamb", released); err != nil {
			return err
		}
	}
	if b.worker, err = buildProgram(ctx, b.scratch, "bench/worker", released); err != nil {
		return err
	}
	if b.workerZip, err = zipProgram(b.worker, "bootstrap"); err != nil {
		return err
	}
	if b.o.sandbox == "auto" {
		b.chooseSandbox(ctx)
	}
	if b.lamb, err = b.start(ctx, readyShells); err != nil {
		return err
	}
	if b.echo, err = startFloor(ctx, "echo"); err != nil {
		return err
	}
	b.onClose(b.echo.Close)
	if b.proxy, err = startFloor(ctx, "proxy", "http://"+b.echo.address); err != nil {
		return err
	}
	b.onClose(b.proxy.Close)
	return nil
}

// launch starts a lamb on the sandbox of this run; the caller closes it.
func (b *bench) launch(ctx context.Context, shells int, more ...string) (*lamb, error) {
	flags := append([]string{"--sandbox", b.o.sandbox}, more...)
	if b.o.network != "" {
		flags = append(flags, "--network", b.o.network)
	}
	if b.o.sandbox != "native" {
		shells = 0
	}
	l, err := startLamb(ctx, b.binary, b.scratch, append(flags, "--shells", strconv.Itoa(shells))...)
	if err != nil {
		return nil, err
	}
	l.shells = shells
	return l, nil
}

// start is launch for a lamb that is closed with the run.
func (b *bench) start(ctx context.Context, shells int, more ...string) (*lamb, error) {
	l, err := b.launch(ctx, shells, more...)
	if err == nil {
		b.onClose(l.Close)
	}
	return l, err
}

// chooseSandbox takes native if a lamb starts with it.
func (b *bench) chooseSandbox(ctx context.Context) {
	b.o.sandbox = "native"
	l, err := startLamb(ctx, b.binary, b.scratch, "--sandbox", "native")
	if err == nil {
		err = l.Close()
	}
	if err != nil {
		b.o.sandbox = "process"
		b.leaveOut("the native sandbox: %v", err)
	}
}

// leaveOut says in the result what could not be measured.
func (b *bench) leaveOut(format string, args ...any) {
	b.missing = append(b.missing, strings.TrimSpace(fmt.Sprintf(format, args...)))
}

// A maker prepares a contest: its functions, connections and files.
type maker struct {
	name string
	make func(context.Context) (contest, error)
}

// makers are all contests, in the order of the table.
func (b *bench) makers() []maker {
	like := func(f func(context.Context, string) (spec, error), alone bool) func(context.Context) (contest, error) {
		return func(ctx context.Context) (contest, error) { return b.coldInterpreter(ctx, f, alone) }
	}
	return []maker{
		{"warm", b.warmRaw},
		{"warm-one-hop", b.warmOneHop},
		{"warm-verified", b.warmVerified},
		{"warm-128MB", b.warmSmall},
		{"warm-before", b.warmBefore},
		{"warm-extension", b.warmExtension},
		{"warm-go", b.warmGo},
		{"warm-python", b.warmPython},
		{"warm-node", b.warmNode},
		{"8-connections", func(ctx context.Context) (contest, error) { return b.loaded(ctx, 8) }},
		{"64-connections", func(ctx context.Context) (contest, error) { return b.loaded(ctx, 64) }},
		{"6MB", b.big},
		{"start-pooled", b.startPooled},
		{"start-fresh", b.startFresh},
		{"cold", b.coldRaw},
		{"cold-dry", b.coldDry},
		{"cold-python", like(pythonSpec, false)},
		{"cold-python-alone", like(pythonSpec, true)},
		{"cold-node", like(nodeSpec, false)},
		{"cold-node-alone", like(nodeSpec, true)},
		{"burst", b.burstRaw},
		{"burst-python", func(ctx context.Context) (contest, error) { return b.burstInterpreter(ctx, pythonSpec) }},
		{"burst-node", func(ctx context.Context) (contest, error) { return b.burstInterpreter(ctx, nodeSpec) }},
		{"stream-first-byte", b.streamFirstByte},
		{"stream-100MB", b.streamThroughput},
		{"stream-pace", b.streamPace},
		{"slow-streams", b.slowStreams},
		{"freeze", b.freeze},
		{"many-idle", b.manyIdle},
		{"many-idle-unlimited", b.manyIdleUnlimited},
		{"shell-memory", b.shellMemory},
		{"start-up", b.startUp},
		{"tools: lamb --version", b.versionStart},
		{"tools: lamb run", b.runOnce},
		{"tools: lamb package", b.packaging},
		{"tools: lamb dev", b.editDev},
		{"idle-memory", b.idleMemory},
		{"durable", b.durable},
		{"library-json", b.libraryJSON},
		{"library-typed", b.libraryTyped},
		{"library-raw", b.libraryRaw},
		{"library-init", b.libraryInit},
		{"library-allocations", b.libraryAllocations},
		{"library-on-lamb", b.libraryOnLamb},
	}
}

// contests are those that were asked for, ready to be played.
func (b *bench) contests(ctx context.Context, only *regexp.Regexp) ([]contest, error) {
	var all []contest
	for _, m := range b.makers() {
		if !only.MatchString(m.name) {
			continue
		}
		c, err := m.make(ctx)
		if errors.Is(err, errMissing) {
			b.leaveOut("%s: %v", m.name, err)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("prepare %s: %w", m.name, err)
		}
		c.name = m.name
		for i := range c.rows {
			c.rows[i].where = cmp.Or(c.rows[i].where, b.lamb.where)
		}
		all = append(all, c)
	}
	return all, nil
}

// errMissing is why a contest cannot be run on this machine.
var errMissing = errors.New("not on this machine")

// machine describes this one.
func machine() Machine {
	m := Machine{CPU: runtime.GOARCH, CPUs: runtime.NumCPU(), Go: runtime.Version()}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if found := regexp.MustCompile(`(?m)^model name\s*: (.*)$`).FindSubmatch(text); found != nil {
			m.CPU = string(found[1])
		}
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(text))
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		first, _, _ := strings.Cut(string(text), " ")
		m.LoadBefore, _ = strconv.ParseFloat(first, 64)
	}
	return m
}

// commit is the checkout's, as make build names versions; unknown outside of
// one.
func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--tags", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// path is a file in the run's own folder.
func (b *bench) path(name string) string { return filepath.Join(b.scratch, name) }
