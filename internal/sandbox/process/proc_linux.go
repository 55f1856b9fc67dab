package process

import (
	"bytes"
	"errors"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// procfs reads what /proc says of processes. It holds one buffer; it is not
// for concurrent use.
type procfs struct {
	buf []byte
}

func newProcfs() *procfs { return &procfs{buf: make([]byte, 4096)} }

// maxProcFile bounds what is read of one file: a list of a hundred thousand
// children.
const maxProcFile = 1 << 20

// read returns a file's content, valid until the next call.
func (p *procfs) read(path string) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	// A file about one process comes whole with the first read that has room
	// for it; a list may not.
	list := strings.HasSuffix(path, "/children")
	n := 0
	for {
		m, err := unix.Read(fd, p.buf[n:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		n += m
		if m == 0 || n >= maxProcFile || (!list && n < len(p.buf)) {
			return p.buf[:n], nil
		}
		if n == len(p.buf) {
			p.buf = append(p.buf, make([]byte, len(p.buf))...)
		}
	}
}

// names calls f with every number that names an entry of a folder.
func (p *procfs) names(path string, f func(int)) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var names []string
	for {
		n, err := unix.ReadDirent(fd, p.buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			break // a process that ends while its threads are listed
		}
		_, _, names = unix.ParseDirent(p.buf[:n], -1, names)
	}
	for _, name := range names {
		if n, err := strconv.Atoi(name); err == nil {
			f(n)
		}
	}
	return nil
}

// member is a process as it was when it was looked at.
type member struct {
	pid, parent, group, session, threads int
	state                                byte   // R, S, D, T (stopped), Z (ended) …
	born                                 uint64 // in clock ticks since the machine's start: with pid it names a process
	peak                                 int64  // the most memory in use so far, in bytes; only of status
}

func (m member) zombie() bool { return m.state == 'Z' || m.state == 'X' }

// errStat: /proc/PID/stat is not as expected.
var errStat = errors.New("unexpected /proc/PID/stat")

func (p *procfs) stat(pid int) (member, error) {
	b, err := p.read("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return member{}, err
	}
	return parseStat(pid, b)
}

func parseStat(pid int, b []byte) (member, error) {
	// The name in parentheses may contain anything.
	end := bytes.LastIndexByte(b, ')')
	if end < 0 {
		return member{}, errStat
	}
	m := member{pid: pid}
	field := 0
	for word := range bytes.FieldsSeq(b[end+1:]) {
		var err error
		switch field {
		case 0:
			m.state = word[0]
		case 1:
			m.parent, err = strconv.Atoi(string(word))
		case 2:
			m.group, err = strconv.Atoi(string(word))
		case 3:
			m.session, err = strconv.Atoi(string(word))
		case 17:
			m.threads, err = strconv.Atoi(string(word))
		case 19:
			m.born, err = strconv.ParseUint(string(word), 10, 64)
			return m, err
		}
		if err != nil {
			return member{}, errStat
		}
		field++
	}
	return member{}, errStat
}

// children appends the children of one thread. It may miss some while others
// are reaped.
func (p *procfs) children(list []int, pid, tid int) ([]int, error) {
	b, err := p.read("/proc/" + strconv.Itoa(pid) + "/task/" + strconv.Itoa(tid) + "/children")
	if err != nil {
		return list, err
	}
	for word := range bytes.FieldsSeq(b) {
		if n, err := strconv.Atoi(string(word)); err == nil {
			list = append(list, n)
		}
	}
	return list, nil
}

// childrenOf appends the children of all threads of a process. A process or
// thread that is gone has none.
func (p *procfs) childrenOf(list []int, m member) []int {
	if m.threads == 1 {
		list, _ = p.children(list, m.pid, m.pid)
		return list
	}
	var tids []int
	_ = p.names("/proc/"+strconv.Itoa(m.pid)+"/task", func(tid int) { tids = append(tids, tid) })
	for _, tid := range tids {
		list, _ = p.children(list, m.pid, tid)
	}
	return list
}

// stopped tells whether every thread of a process stands still.
func (p *procfs) stopped(m member) bool {
	now, err := p.stat(m.pid)
	if err != nil || now.born != m.born || now.zombie() {
		return true
	}
	if now.state != 'T' && now.state != 't' {
		return false
	}
	if now.threads == 1 {
		return true
	}
	all := true
	_ = p.names("/proc/"+strconv.Itoa(m.pid)+"/task", func(tid int) {
		b, err := p.read("/proc/" + strconv.Itoa(m.pid) + "/task/" + strconv.Itoa(tid) + "/stat")
		if err != nil {
			return
		}
		if t, err := parseStat(tid, b); err == nil && t.state != 'T' && t.state != 't' && !t.zombie() {
			all = false
		}
	})
	return all
}

// status is stat with the memory that the process has had at most, and
// without its session and birth.
func (p *procfs) status(pid int) (member, error) {
	b, err := p.read("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return member{}, err
	}
	m := member{pid: pid}
	number := func(value []byte) int {
		n, _ := strconv.Atoi(string(value)) // zero is "unknown" for all of them
		return n
	}
	for line := range bytes.Lines(b) {
		key, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch string(key) {
		case "State":
			if len(value) > 0 {
				m.state = value[0]
			}
		case "PPid":
			m.parent = number(value)
		case "VmHWM": // absent when the process has ended
			m.peak = int64(number(bytes.TrimSuffix(value, []byte(" kB")))) << 10
		case "Threads":
			m.threads = number(value)
			return m, nil
		}
	}
	return member{}, errStat
}

// send sends a signal to exactly the process that m is, never to a stranger
// that has got its number since.
func (p *procfs) send(m member, sig unix.Signal) {
	if m.zombie() {
		return
	}
	fd, openErr := unix.PidfdOpen(m.pid, 0)
	if openErr == nil {
		defer unix.Close(fd)
	}
	if now, err := p.stat(m.pid); err != nil || now.born != m.born {
		return
	}
	// A process that has just gone is no error. Without pidfd (before Linux
	// 5.3, or out of descriptors) the number must do.
	switch {
	case openErr == nil:
		_ = unix.PidfdSendSignal(fd, sig, nil, 0)
	case openErr != unix.ESRCH:
		_ = unix.Kill(m.pid, sig)
	}
}

// The mark that says which box a process belongs to: see the package comment.
// The upper bits name the supervisor, the lower ones the box.
const (
	markBits  = 28
	markBoxes = 1<<markBits - 1
)

// markOf reads a process's mark.
func markOf(pid int) (uint64, bool) {
	var lim unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_LOCKS, nil, &lim); err != nil {
		return 0, false
	}
	return lim.Cur, true
}

// marked lists every process on the machine whose mark match accepts, apart
// from self.
func (p *procfs) marked(self int, match func(mark uint64) bool) []member {
	var pids []int
	// Without /proc there is nothing to find.
	_ = p.names("/proc", func(pid int) {
		if mark, ok := markOf(pid); ok && pid != self && match(mark) {
			pids = append(pids, pid)
		}
	})
	var found []member
	for _, pid := range pids {
		if m, err := p.stat(pid); err == nil {
			found = append(found, m)
		}
	}
	return found
}
