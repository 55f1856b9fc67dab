package native

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// groups is the control groups of a provider: one folder in each hierarchy
// that can be used, with a folder per shell below it.
type groups struct {
	v2          string            // the folder in the version 2 hierarchy; empty: none
	controllers map[string]bool   // that version 2 has for us
	v1          map[string]string // controller to folder
	freezes     bool              // version 2 can freeze
	old         bool              // the limits are version 1's to set
	missing     []string          // why something is not there
}

// groupPrefix begins the names of lamb's folders: the process and its start
// follow.
const groupPrefix = "lamb-"

// openGroups finds what control groups there are, makes a provider's folders
// in them and removes those of lambs that are gone.
func openGroups(name string) *groups {
	g := &groups{controllers: map[string]bool{}, v1: map[string]string{}}
	own, err := ownGroups()
	if err != nil {
		g.missing = append(g.missing, "Control groups cannot be found ("+err.Error()+").")
		return g
	}
	var refused error
	for _, h := range own {
		sweepGroups(h.folder)
		dir := filepath.Join(h.folder, name)
		if h.version == 2 {
			refused = errors.Join(refused, g.openV2(h, dir))
			continue
		}
		for _, c := range h.controllers {
			g.old = g.old || c == "memory"
			if c != "memory" && c != "cpu" && c != "pids" {
				continue
			}
			if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
				refused = errors.Join(refused, err)
				continue
			}
			g.v1[c] = dir
		}
	}
	g.explain(refused)
	return g
}

// openV2 makes a provider's folder in the version 2 hierarchy and passes the
// controllers down to it.
func (g *groups) openV2(h hierarchy, dir string) error {
	available := fields(filepath.Join(h.folder, "cgroup.controllers"))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	g.v2 = dir
	_, err := os.Stat(filepath.Join(dir, "cgroup.freeze"))
	g.freezes = err == nil
	var refused error
	for _, c := range []string{"memory", "pids", "cpu"} {
		if !available[c] {
			continue
		}
		for _, folder := range []string{h.folder, dir} {
			err := writeGroup(folder, "cgroup.subtree_control", "+"+c)
			if err != nil {
				refused = errors.Join(refused, fmt.Errorf("%s: %w", c, err))
			}
		}
		g.controllers[c] = fields(filepath.Join(dir, "cgroup.subtree_control"))[c]
	}
	return refused
}

// has tells whether a controller can be used.
func (g *groups) has(controller string) bool {
	return g.controllers[controller] || g.v1[controller] != ""
}

func (g *groups) explain(refused error) {
	reason := "no control group that lamb may use has this controller"
	switch {
	case errors.Is(refused, syscall.EBUSY):
		reason = "lamb's own control group has processes in it, so it cannot be divided; run lamb as a service with Delegate=yes in a group of its own"
	case errors.Is(refused, os.ErrPermission) && g.old:
		reason = "this host has control groups of version 1, which only root may divide; run lamb as root, or boot with systemd.unified_cgroup_hierarchy=1"
	case errors.Is(refused, os.ErrPermission):
		reason = "lamb may not make control groups; run it as root, or as a service of your own systemd with Delegate=yes"
	case errors.Is(refused, unix.EROFS):
		reason = "control groups are mounted read-only, as in a container; mount /sys/fs/cgroup writable for it"
	}
	for controller, what := range map[string]string{"memory": "Memory is", "cpu": "CPU is"} {
		if !g.has(controller) {
			g.missing = append(g.missing, what+" not limited: "+reason+".")
		}
	}
	if !g.freezes {
		g.missing = append(g.missing, "Idle functions are stopped by signals, which they can notice, instead of being frozen: there is no writable control group of version 2.")
	}
}

// create makes a shell's group.
func (g *groups) create(name string) (*group, error) {
	out := &group{of: g, v1: map[string]string{}}
	if g.v2 != "" {
		dir := filepath.Join(g.v2, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return nil, err
		}
		out.v2 = dir
		f, err := os.Open(dir)
		if err != nil {
			return nil, errors.Join(err, out.remove())
		}
		out.dir = f
	}
	for c, parent := range g.v1 {
		dir := filepath.Join(parent, name)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, errors.Join(err, out.remove())
		}
		out.v1[c] = dir
	}
	if err := out.prepareCPU(); err != nil {
		return nil, errors.Join(err, out.remove())
	}
	return out, nil
}

// remove removes the provider's folders.
func (g *groups) remove() error {
	var errs []error
	if g.v2 != "" {
		errs = append(errs, removeGroup(g.v2))
	}
	for _, dir := range g.v1 {
		errs = append(errs, removeGroup(dir))
	}
	return errors.Join(errs...)
}

// group is the control groups of one shell.
type group struct {
	of  *groups
	v2  string
	dir *os.File // v2, opened
	v1  map[string]string
}

// tasks are the files through which a thread enters the groups of version 1.
// The caller closes them.
func (g *group) tasks() (files []*os.File, err error) {
	for _, dir := range g.v1 {
		path := filepath.Join(dir, "tasks")
		fd, err := openGroup(path, unix.O_WRONLY)
		if err != nil {
			return files, err
		}
		files = append(files, os.NewFile(uintptr(fd), path))
	}
	return files, nil
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// limit sets what a spec asks for.
func (g *group) limit(memoryMB, processes int) error {
	var errs []error
	if memoryMB > 0 {
		bytes := strconv.FormatInt(int64(memoryMB)<<20, 10)
		if dir := g.v1["memory"]; dir != "" {
			errs = append(errs, writeGroup(dir, "memory.limit_in_bytes", bytes))
			// Only where swap is accounted.
			if err := writeGroup(dir, "memory.memsw.limit_in_bytes", bytes); !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.EOPNOTSUPP) {
				errs = append(errs, err)
			}
		} else if g.of.controllers["memory"] {
			errs = append(errs, writeGroup(g.v2, "memory.max", bytes))
			if err := writeGroup(g.v2, "memory.swap.max", "0"); !errors.Is(err, os.ErrNotExist) {
				errs = append(errs, err)
			}
		}
		errs = append(errs, g.reserve(memoryMB))
	}
	if processes > 0 {
		n := strconv.Itoa(processes + 1) // process 1
		if dir := g.v1["pids"]; dir != "" {
			errs = append(errs, writeGroup(dir, "pids.max", n))
		} else if g.of.controllers["pids"] {
			errs = append(errs, writeGroup(g.v2, "pids.max", n))
		}
	}
	return errors.Join(errs...)
}

// peak is the most memory that the group has had; ok is false when nothing
// counts it.
func (g *group) peak() (n int64, ok bool) {
	if dir := g.v1["memory"]; dir != "" {
		return readNumber(filepath.Join(dir, "memory.max_usage_in_bytes"))
	}
	if g.of.controllers["memory"] {
		return readNumber(filepath.Join(g.v2, "memory.peak"))
	}
	return 0, false
}

// cache is the memory that holds files, which the kernel takes back when it
// needs it.
func (g *group) cache() int64 {
	dir := g.v1["memory"]
	if dir == "" {
		dir = g.v2
	}
	b, err := readGroup(filepath.Join(dir, "memory.stat"))
	if err != nil {
		return 0
	}
	return max(0, keyIn(b, "inactive_file")) + max(0, keyIn(b, "active_file"))
}

// resetPeak forgets what setting up needed. A kernel that cannot counts it.
func (g *group) resetPeak() {
	if dir := g.v1["memory"]; dir != "" {
		_ = writeGroup(dir, "memory.max_usage_in_bytes", "0")
	}
}

// kills is how many processes the memory limit has ended.
func (g *group) kills() int64 {
	path := ""
	if dir := g.v1["memory"]; dir != "" {
		path = filepath.Join(dir, "memory.oom_control")
	} else if g.of.controllers["memory"] {
		path = filepath.Join(g.v2, "memory.events")
	}
	if path == "" {
		return 0
	}
	return readKey(path, "oom_kill")
}

// procs lists the live processes; ok is false when no group knows.
func (g *group) procs() (pids []int, ok bool) {
	dir := g.v2
	for _, v1 := range g.v1 {
		if dir == "" {
			dir = v1
		}
	}
	if dir == "" {
		return nil, false
	}
	b, err := readGroup(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return nil, false
	}
	for line := range bytes.Lines(b) {
		if pid, err := strconv.Atoi(strings.TrimSpace(string(line))); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids, true
}

// freeze stops or releases every process, process 1 too.
func (g *group) freeze(ctx context.Context, frozen bool) error {
	want := "0"
	if frozen {
		want = "1"
	}
	if err := writeGroup(g.v2, "cgroup.freeze", want); err != nil {
		return err
	}
	events, err := openGroup(filepath.Join(g.v2, "cgroup.events"), unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer unix.Close(events)
	for pause := 20 * time.Microsecond; ; pause = min(2*pause, 5*time.Millisecond) {
		var b [256]byte // it has two lines
		n, err := retry(func() (int, error) { return unix.Pread(events, b[:], 0) })
		if err != nil {
			return os.NewSyscallError("read cgroup.events", err)
		}
		if strconv.FormatInt(keyIn(b[:n], "frozen"), 10) == want {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// remove removes the groups of a shell whose processes are gone.
func (g *group) remove() error {
	var errs []error
	if g.dir != nil {
		g.dir.Close()
	}
	if g.v2 != "" {
		errs = append(errs, removeGroup(g.v2))
	}
	for _, dir := range g.v1 {
		errs = append(errs, removeGroup(dir))
	}
	return errors.Join(errs...)
}

// removeGroup removes a folder of a hierarchy. A process that has just been
// reaped may count for a moment.
func removeGroup(dir string) error {
	var err error
	for pause := time.Millisecond; pause < time.Second; pause *= 2 {
		err = unix.Rmdir(dir)
		if err == nil || err == unix.ENOENT {
			return nil
		}
		if err != unix.EBUSY {
			break
		}
		time.Sleep(pause)
	}
	return &os.PathError{Op: "rmdir", Path: dir, Err: err}
}
