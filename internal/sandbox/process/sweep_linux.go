package process

import (
	"context"
	"maps"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// sweeper finds and signals the processes of one box, or of all.
type sweeper struct {
	s   *supervisor
	fs  *procfs
	box *cell // nil means all
	// memory makes members hold how much memory they use, and not their birth.
	memory bool
}

func (w *sweeper) inspect(pid int) (member, error) {
	if w.memory {
		return w.fs.status(pid)
	}
	return w.fs.stat(pid)
}

// owns tells whether an orphan belongs to the box; s.mu is held. An orphan
// without a mark of a live box has changed it: nobody can tell whose it is,
// and strays says whether to take it.
func (w *sweeper) owns(m member, strays bool) bool {
	if w.box == nil {
		return true
	}
	if !w.s.marks {
		_, ours := w.box.sessions[m.session]
		return ours
	}
	mark, ok := markOf(m.pid)
	if !ok {
		return false
	}
	if mark == w.s.base|uint64(w.box.id) {
		return true
	}
	known := mark&^markBoxes == w.s.base && w.s.boxes[uint32(mark&markBoxes)] != nil
	return strays && !known
}

// roots lists the supervisor's children that belong to the box.
func (w *sweeper) roots(strays bool) []member {
	self := unix.Getpid()
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	// Orphans are on the list of the process's first thread, programs on that
	// of the thread that started them.
	pids, _ := w.fs.children(nil, self, self) // see everything
	if w.box != nil {
		pids = slices.AppendSeq(pids, maps.Keys(w.box.programs))
	} else {
		pids = slices.AppendSeq(pids, maps.Keys(w.s.programs))
	}
	seen := make(map[int]struct{}, len(pids))
	var roots []member
	for _, pid := range pids {
		if _, twice := seen[pid]; twice {
			continue
		}
		seen[pid] = struct{}{}
		c := w.s.programs[pid]
		if c != nil && w.box != nil && c.box != w.box {
			continue
		}
		m, err := w.inspect(pid)
		if err == nil && (c != nil || w.owns(m, strays)) {
			roots = append(roots, m)
		}
	}
	return roots
}

// members lists the box's processes, parents before their children.
func (w *sweeper) members(strays bool) []member {
	list := w.roots(strays)
	seen := make(map[int]struct{}, len(list))
	for _, m := range list {
		seen[m.pid] = struct{}{}
	}
	self := unix.Getpid()
	var pids []int
	for i := 0; i < len(list); i++ {
		parent := list[i]
		pids = w.fs.childrenOf(pids[:0], parent)
		for _, pid := range pids {
			if _, twice := seen[pid]; twice {
				continue
			}
			m, err := w.inspect(pid)
			// Somebody else's child by now: the number was given away.
			if err != nil || (m.parent != parent.pid && m.parent != self) {
				continue
			}
			seen[pid] = struct{}{}
			list = append(list, m)
		}
	}
	return list
}

// everything is members where the kernel does not list children, or of all
// boxes: it looks at every process of the machine.
//
// For one box the lists are enough. Every process of it has an ancestor among
// the supervisor's children, and that list misses none: it can only grow at its
// end while it is read, because what has ended stays on it until it is reaped.
func (w *sweeper) everything() []member {
	list := w.members(true)
	if !w.s.marks || len(list) > 0 || (w.box != nil && w.s.lists) {
		return list
	}
	return w.fs.marked(unix.Getpid(), func(mark uint64) bool {
		if w.box == nil {
			return mark&^markBoxes == w.s.base
		}
		return mark == w.s.base|uint64(w.box.id)
	})
}

// maxPasses bounds how often stopAll looks for new processes. Those that it
// has stopped do not fork, and the number of processes is finite.
const maxPasses = 10_000

// stopAll stops the box's processes and returns them. It goes on until it
// finds none that it has not stopped: a process may fork, and die, faster
// than it is killed, but not when it and all like it stand still.
func (w *sweeper) stopAll(strays bool) []member {
	type identity struct {
		pid  int
		born uint64
	}
	stopped := map[identity]struct{}{}
	var list []member
	for range maxPasses {
		list = w.members(strays)
		fresh := false
		for _, m := range list {
			id := identity{m.pid, m.born}
			if _, known := stopped[id]; known || m.zombie() {
				continue
			}
			stopped[id] = struct{}{}
			w.send(m, unix.SIGSTOP)
			fresh = true
		}
		if !fresh {
			break
		}
	}
	return list
}

// kill ends the box's processes and returns when they are gone and reaped, or
// with the context.
func (w *sweeper) kill(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for delay := time.Millisecond; ctx.Err() == nil; delay = min(2*delay, 50*time.Millisecond) {
		w.s.mu.Lock()
		reaped := w.s.reaped.next()
		if w.box != nil {
			reaped = w.box.reaped.next()
		}
		w.s.mu.Unlock()
		list := w.stopAll(true)
		if len(list) == 0 {
			if list = w.everything(); len(list) == 0 {
				return
			}
		}
		w.sendAll(list, unix.SIGKILL)
		timer.Reset(delay)
		select {
		case <-reaped:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

// freezePatience is how long freeze waits for processes to stand still. One
// that sleeps uninterruptibly stops when it wakes, before it does anything.
const freezePatience = 100 * time.Millisecond

func (w *sweeper) freeze() {
	list := w.stopAll(false)
	deadline := time.Now().Add(freezePatience)
	for _, m := range list {
		for pause := 10 * time.Microsecond; !w.fs.stopped(m) && time.Now().Before(deadline); pause *= 2 {
			// time.Sleep takes a millisecond at least.
			ts := unix.NsecToTimespec(int64(pause))
			_ = unix.Nanosleep(&ts, nil) // cut short by a signal, it looks again
		}
	}
	w.s.mu.Lock()
	w.box.frozen = list
	w.s.mu.Unlock()
}

// thaw continues what freeze has stopped: nothing of that has started
// anything since.
func (w *sweeper) thaw() {
	w.s.mu.Lock()
	list := w.box.frozen
	w.box.frozen = nil
	w.s.mu.Unlock()
	w.sendAll(list, unix.SIGCONT)
}

// sendAll signals processes, children before their parents: a parent that
// runs again does not see its children stopped, and the kernel does not
// continue the stopped children of a parent that has died.
func (w *sweeper) sendAll(members []member, sig unix.Signal) {
	for _, m := range slices.Backward(members) {
		w.send(m, sig)
	}
}

// send signals one process.
func (w *sweeper) send(m member, sig unix.Signal) {
	w.s.mu.Lock()
	c := w.s.programs[m.pid]
	if c != nil && (w.box == nil || c.box == w.box) {
		// Not reaped, so the number is its own.
		_ = unix.Kill(m.pid, sig) // it may have ended
		w.s.mu.Unlock()
		return
	}
	w.s.mu.Unlock()
	w.fs.send(m, sig)
}

// usage returns the high-water mark of the box's memory and the number of its
// live processes. The mark is the sum of the live processes' own marks, which
// counts memory that they share several times.
func (w *sweeper) usage() (peak, processes int64) {
	var sum int64
	w.memory = true
	for _, m := range w.members(false) {
		if m.zombie() {
			continue
		}
		processes++
		sum += m.peak
	}
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.box.peak = max(w.box.peak, sum)
	return w.box.peak, processes
}

// endTimeout bounds how long the supervisor stays for processes that do not
// die; those that it started itself get their death signal again when it ends.
const endTimeout = 20 * time.Second

// endAll kills everything that was ever started here.
func (s *supervisor) endAll() {
	ctx, cancel := context.WithTimeout(context.Background(), endTimeout)
	defer cancel()
	(&sweeper{s: s, fs: newProcfs()}).kill(ctx)
}
