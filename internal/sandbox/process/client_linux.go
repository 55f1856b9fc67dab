package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lambhq/lamb/internal/sandbox"
)

// helloTimeout bounds the start of a supervisor: lamb's own start-up.
const helloTimeout = 15 * time.Second

// errSupervisor: the supervisor has ended, and with it the sandbox.
var errSupervisor = fmt.Errorf("the supervisor of its processes has ended: %w", sandbox.ErrClosed)

// client is lamb's end of one supervisor.
type client struct {
	conn  *net.UnixConn
	cmd   *exec.Cmd
	log   *slog.Logger
	base  uint64
	marks bool
	// dead is closed when the supervisor has ended; gone, after it, when
	// everything that it had started has.
	dead, gone chan struct{}

	mu      sync.Mutex // guards what follows
	closing bool       // shutdown was called
	lastID  uint64
	lastBox uint32
	calls   map[uint64]chan report
	procs   map[uint64]*proc
}

// startClient starts a supervisor and waits until it runs.
func startClient(log *slog.Logger) (*client, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	theirs := os.NewFile(uintptr(fds[1]), "supervisor")
	defer theirs.Close()
	ours := os.NewFile(uintptr(fds[0]), "lamb")
	conn, err := net.FileConn(ours)
	ours.Close()
	if err != nil {
		return nil, err
	}
	c := &client{
		log: log, dead: make(chan struct{}), gone: make(chan struct{}),
		calls: map[uint64]chan report{}, procs: map[uint64]*proc{},
	}
	c.conn = conn.(*net.UnixConn)
	c.cmd = &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{supervisorName}, Env: []string{}, Dir: "/",
		ExtraFiles: []*os.File{theirs},
		Stderr:     os.Stderr, // for the trace of a crash
		// Its own session: Ctrl-C is for lamb, which then ends it.
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if err := c.cmd.Start(); err != nil {
		conn.Close()
		return nil, err
	}
	theirs.Close()
	if err := c.hello(); err != nil {
		conn.Close()
		_ = c.cmd.Process.Kill() // it may have ended
		_ = c.cmd.Wait()
		return nil, fmt.Errorf("no sign of life: %w", err)
	}
	go c.read()
	return c, nil
}

func (c *client) hello() error {
	if err := c.conn.SetReadDeadline(time.Now().Add(helloTimeout)); err != nil {
		return err
	}
	r, err := c.receive(make([]byte, 128))
	if err != nil {
		return err
	}
	if r.op != opHello {
		return errMessage
	}
	c.marks, c.base = r.a == 1, uint64(r.b)
	return c.conn.SetReadDeadline(time.Time{})
}

func (c *client) receive(buf []byte) (report, error) {
	n, _, _, _, err := c.conn.ReadMsgUnix(buf, nil)
	if err != nil {
		return report{}, err
	}
	return parseReport(buf[:n])
}

// read takes the supervisor's reports until it ends, then buries what it
// leaves.
func (c *client) read() {
	buf := make([]byte, 128)
	for {
		r, err := c.receive(buf)
		if err != nil {
			c.bury(err)
			return
		}
		c.mu.Lock()
		switch r.op {
		case opReply:
			if call := c.calls[r.id]; call != nil {
				delete(c.calls, r.id)
				call <- r
			}
		case opExit:
			if p := c.procs[r.id]; p != nil {
				delete(c.procs, r.id)
				p.finish(exitOf(syscall.WaitStatus(r.a)))
			}
		}
		c.mu.Unlock()
	}
}

// buryTimeout bounds the search for what a dead supervisor left.
const buryTimeout = 10 * time.Second

// bury ends everything that a dead supervisor has started.
func (c *client) bury(cause error) {
	close(c.dead)
	c.conn.Close()
	c.mu.Lock()
	expected := c.closing
	c.mu.Unlock()
	if !expected {
		c.log.Error("the supervisor of the functions' processes has ended; its sandboxes fail", "cause", cause)
		// It may only have lost the connection: then it ends by itself, or so.
		_ = c.cmd.Process.Kill()
	}
	// Its exit status says nothing that matters any more.
	_ = c.cmd.Wait()
	c.killMarked()

	c.mu.Lock()
	defer c.mu.Unlock()
	for id, p := range c.procs {
		delete(c.procs, id)
		p.finish(sandbox.Exit{Code: -1, Signal: syscall.SIGKILL})
	}
	close(c.gone)
}

// killMarked kills what carries a mark of the dead supervisor. The programs
// themselves the kernel kills; this is for their children.
func (c *client) killMarked() {
	if !c.marks {
		return
	}
	fs := newProcfs()
	deadline := time.Now().Add(buryTimeout)
	for pause := time.Millisecond; time.Now().Before(deadline); pause = min(2*pause, 50*time.Millisecond) {
		var alive []member
		for _, m := range fs.marked(os.Getpid(), func(mark uint64) bool { return mark&^markBoxes == c.base }) {
			if !m.zombie() { // those are for whoever is their parent now
				alive = append(alive, m)
			}
		}
		if len(alive) == 0 {
			return
		}
		for _, m := range alive {
			fs.send(m, unix.SIGSTOP)
		}
		for _, m := range alive {
			fs.send(m, unix.SIGKILL)
		}
		time.Sleep(pause)
	}
}

// ask sends a request and waits for its answer.
func (c *client) ask(ctx context.Context, req *request, files ...*os.File) (report, error) {
	answer := make(chan report, 1)
	c.mu.Lock()
	if req.id == 0 {
		c.lastID++
		req.id = c.lastID
	}
	c.calls[req.id] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.calls, req.id)
		c.mu.Unlock()
	}()
	if err := c.send(req, files); err != nil {
		return report{}, err
	}
	select {
	case r := <-answer:
		if r.errno != 0 {
			return r, r.errno
		}
		return r, nil
	case <-ctx.Done():
		return report{}, ctx.Err()
	case <-c.dead:
		return report{}, errSupervisor
	}
}

func (c *client) send(req *request, files []*os.File) error {
	message := req.append(make([]byte, 0, 4096))
	if len(message) > maxMessage {
		return syscall.E2BIG
	}
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			// Fd makes the file blocking, which a writing end is anyway.
			fds[i] = int(f.Fd())
		}
		rights = unix.UnixRights(fds...)
	}
	if _, _, err := c.conn.WriteMsgUnix(message, rights, nil); err != nil {
		if errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
			return errSupervisor
		}
		return err
	}
	return nil
}

func (c *client) newBox() (uint32, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lastBox == markBoxes {
		return 0, errors.New("too many sandboxes for one run")
	}
	c.lastBox++
	return c.lastBox, nil
}

// shutdown ends the supervisor and waits until it is gone.
func (c *client) shutdown() error {
	c.mu.Lock()
	c.closing = true
	c.mu.Unlock()
	// Only the writing side: the supervisor takes that for lamb's end, and
	// read notices when it has ended itself.
	if err := c.conn.CloseWrite(); err != nil {
		c.conn.Close()
	}
	timer := time.NewTimer(endTimeout + time.Second)
	defer timer.Stop()
	select {
	case <-c.gone:
		return nil
	case <-timer.C:
	}
	_ = c.cmd.Process.Kill() // it may be ending
	<-c.gone
	return errors.New("the supervisor of processes had to be killed")
}
