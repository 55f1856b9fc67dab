package native

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lambhq/lamb/internal/sandbox"
	"github.com/lambhq/lamb/internal/sandbox/hostfs"
	"github.com/lambhq/lamb/internal/sandbox/relay"
)

// imagePath is the image in a process that is about to run it.
const imagePath = "/proc/self/fd/4"

// setupTimeout bounds how long process 1 may take for one of lamb's scripts
// before it is given up: many times what a busy machine needs.
const setupTimeout = 20 * time.Second

// shell is a sandbox without a function: namespaces, root, listener and
// process 1, which waits to be configured. It becomes one sandbox at most.
type shell struct {
	provider *Provider
	name     string
	dir      string // its /tmp, on the host; empty when it has a disk
	disk     *disk  // nil: none
	stores   []string
	rooted   bool // its root is a copy of the template
	user     int  // index in the provider's range of users
	group    *group
	control  *control
	pid      int // of process 1, on the host
	listener net.Listener
	address  string         // of listener, as processes inside dial it
	root     *os.File       // "/" inside, O_PATH
	inlet    *relay.Inlet   // nil without a private network
	session  *relay.Session // serves the inlet, once it is a sandbox's

	endOnce sync.Once
	endErr  error // valid after endOnce
}

// newShell makes a shell whose spec will name folders in stores, that much room
// in /tmp, and these mounts.
func (p *Provider) newShell(stores []string, tmpMB int, mounts ...sandbox.Mount) (_ *shell, err error) {
	sh := &shell{provider: p, stores: stores, user: -1}
	sh.rooted = p.rooted(tmpMB, mounts) && slices.Equal(stores, p.pool.stores)
	defer func() {
		if err != nil {
			err = errors.Join(err, sh.end())
		}
	}()
	sh.name = "s" + strconv.FormatUint(p.lastShell.Add(1), 10)
	if sh.user, err = p.users.take(); err != nil {
		return nil, err
	}
	// Meanwhile: it takes about as long as process 1 takes to start.
	tmp := make(chan madeTmp, 1)
	go func() { tmp <- sh.makeTmp(tmpMB) }()
	err = sh.prepare()
	made := <-tmp
	if sh.disk = made.disk; sh.disk != nil {
		defer sh.disk.unmount() // the shell has it
	}
	if err = errors.Join(err, made.err); err != nil {
		return nil, err
	}
	tasks, err := sh.group.tasks()
	defer closeFiles(tasks)
	if err != nil {
		return nil, err
	}
	plan := &shellPlan{
		name: sh.name, rooted: sh.rooted, groups: len(tasks), stores: sh.stores, files: p.userFiles(sh.user),
		network: p.net, tmp: made.folder, mounts: mounts,
	}
	if err := sh.setup(plan, append(made.files(), tasks...)...); err != nil {
		return nil, fmt.Errorf("set up: %w", err)
	}
	return sh, nil
}

// rooted tells whether a shell for this can have a copy of the template's root,
// which has the pool's stores: all that it lacks comes in a descriptor.
func (p *Provider) rooted(tmpMB int, mounts []sandbox.Mount) bool {
	return p.disks != nil && tmpMB > 0 && len(mounts) == 0
}

// prepare starts process 1, with what it needs from the start.
func (sh *shell) prepare() (err error) {
	p := sh.provider
	if sh.group, err = p.groups.create(sh.name); err != nil {
		return fmt.Errorf("make its control group: %w", err)
	}
	if p.net == NetworkHost {
		if err := sh.listenOnHost(); err != nil {
			return fmt.Errorf("open its listener: %w", err)
		}
	}
	return sh.spawn()
}

// madeTmp is what becomes a shell's /tmp: a disk or a folder.
type madeTmp struct {
	disk   *disk
	folder string
	err    error
}

// files are what the shell gets of it.
func (m madeTmp) files() []*os.File {
	if m.disk == nil {
		return nil
	}
	return []*os.File{m.disk.mount}
}

func (sh *shell) makeTmp(mb int) (m madeTmp) {
	disks := sh.provider.disks
	if disks != nil && mb > 0 {
		var made disk
		if made, m.err = disks.make(mb); m.err == nil {
			m.disk = &made
		}
	} else {
		m.folder, m.err = sh.makeFolder()
	}
	if m.err != nil {
		m.err = fmt.Errorf("make its /tmp: %w", m.err)
	}
	return m
}

// makeFolder makes the folder that becomes /tmp.
func (sh *shell) makeFolder() (string, error) {
	dir := filepath.Join(sh.provider.shellDir(), sh.name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	sh.dir = dir
	return dir, os.Chmod(dir, 0o777|os.ModeSticky)
}

// spawn starts process 1, in namespaces of its own.
func (sh *shell) spawn() error {
	p := sh.provider
	c, theirs, err := newControl()
	if err != nil {
		return err
	}
	defer theirs.Close()
	sh.control = c
	flags := uint64(unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS)
	if p.net != NetworkHost {
		flags |= unix.CLONE_NEWNET
	}
	if p.rootless {
		flags |= unix.CLONE_NEWUSER
	}
	files := []*os.File{theirs}
	if sh.group.dir != nil {
		files = append(files, sh.group.dir)
	}
	if sh.pid, err = p.spawner.start(sh.rooted, flags, files...); err != nil {
		return err
	}
	if p.rootless {
		return mapUser(sh.pid, p.identity(sh.user))
	}
	return nil
}

// mapUser makes this process's user that one in a process's user namespace.
func mapUser(pid int, who identity) error {
	for _, f := range []struct{ name, content string }{
		{"setgroups", "deny"}, // without it an ordinary user may not map the group
		{"uid_map", fmt.Sprintf("%d %d 1", who.uid, os.Geteuid())},
		{"gid_map", fmt.Sprintf("%d %d 1", who.gid, os.Getegid())},
	} {
		if err := writeGroup(filepath.Join("/proc", strconv.Itoa(pid)), f.name, f.content); err != nil {
			return fmt.Errorf("map the user: %w", err)
		}
	}
	return nil
}

// setup runs the first script, to which files come, and takes what it hands over.
func (sh *shell) setup(plan *shellPlan, files ...*os.File) error {
	s := sh.provider.image.setup(sh.provider.root, plan)
	if err := sh.control.conn.SetDeadline(time.Now().Add(setupTimeout)); err != nil {
		return err
	}
	if err := sh.control.send(s, files...); err != nil {
		return err
	}
	_, fds, err := sh.control.receive(s)
	if err == nil && len(fds) != plan.handed() {
		// The kernel drops those for which lamb has no room.
		err = fmt.Errorf("it has passed %d descriptors, not %d: %w", len(fds), plan.handed(), unix.EMFILE)
	}
	if err == nil {
		sh.root, fds = os.NewFile(uintptr(fds[0]), "root"), fds[1:]
		fds, err = sh.connect(fds)
	}
	if err != nil {
		closeAll(fds)
		return err
	}
	sh.group.resetPeak()
	return nil
}

// connect takes the sockets of the shell's own network, if it has one; it
// returns those that it has not taken.
func (sh *shell) connect(fds []int) (rest []int, err error) {
	if len(fds) == 0 {
		return nil, nil
	}
	listener := os.NewFile(uintptr(fds[0]), "listener")
	defer listener.Close()
	fds = fds[1:]
	if sh.listener, err = net.FileListener(listener); err != nil {
		return fds, err
	}
	sh.address = Address
	if len(fds) > 0 {
		sh.inlet, err = relay.Setup(fds) // takes them, whatever happens
	}
	return nil, err
}

// configure makes the shell a sandbox. It does not wait for process 1: what is
// sent after this is done after this, or not at all when this fails; lamb
// hears of that in read.
func (sh *shell) configure(c *configuration, memoryMB int) error {
	if err := sh.control.conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	if err := sh.control.send(sh.control.begin(sh.provider.image.configure(c))); err != nil {
		return err
	}
	// Meanwhile: no program can be started before Create has returned.
	if err := sh.group.limit(memoryMB, c.maxProcesses); err != nil {
		return fmt.Errorf("set limits: %w", err)
	}
	return nil
}

// alive tells whether a parked shell still waits.
func (sh *shell) alive() bool {
	var status syscall.WaitStatus
	// Nobody else waits for it; a shell that has ended stays a zombie.
	pid, err := syscall.Wait4(sh.pid, &status, syscall.WNOHANG, nil)
	if err == nil && pid == sh.pid {
		sh.pid = 0
		return false
	}
	return err == nil
}

// end kills everything in the shell and removes it.
func (sh *shell) end() error {
	sh.endOnce.Do(func() { sh.endErr = sh.remove() })
	return sh.endErr
}

func (sh *shell) remove() error {
	p := sh.provider
	var errs []error
	if sh.pid > 0 {
		// Not reaped, so the number is its own. Its end is that of every
		// process in its namespace: the wait is for all of them.
		p.endings <- struct{}{}
		if err := syscall.Kill(sh.pid, syscall.SIGKILL); err != nil {
			errs = append(errs, os.NewSyscallError("kill process 1", err))
		}
		errs = append(errs, wait(sh.pid))
		<-p.endings
	}
	if sh.control != nil {
		sh.control.conn.Close()
	}
	errs = append(errs, sh.disconnect())
	if sh.listener != nil {
		if err := sh.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if sh.root != nil {
		sh.root.Close()
	}
	if sh.group != nil {
		errs = append(errs, sh.group.remove())
	}
	if sh.disk != nil {
		sh.disk.close()
	}
	if sh.dir != "" {
		errs = append(errs, hostfs.RemoveTree(sh.dir))
	}
	err := errors.Join(errs...)
	if err == nil {
		p.users.give(sh.user) // else something of that user may be left
	}
	return err
}

// wait reaps a process that is ending.
func wait(pid int) error {
	for {
		_, err := syscall.Wait4(pid, nil, 0, nil)
		if err != syscall.EINTR {
			return os.NewSyscallError("wait4", err)
		}
	}
}
