package process

import (
	"context"

	"golang.org/x/sys/unix"
)

// move freezes or thaws a box, in the order of the requests: a freeze may be
// under way when whoever asked for it has given it up and wants a thaw. Without
// one, a thaw is done at once, for the same reason as usage.
func (s *supervisor) move(req *request) {
	done := make(chan struct{})
	var before chan struct{}
	s.mu.Lock()
	if box := s.boxes[req.box]; box != nil {
		before, box.moved = box.moved, done
	}
	s.mu.Unlock()
	turn := func() {
		s.look(req)
		close(done)
	}
	if before != nil {
		select {
		case <-before:
		default:
			go func() {
				<-before
				turn()
			}()
			return
		}
	}
	if req.op == opThaw {
		turn()
	} else {
		go turn()
	}
}

// look serves the requests that look at a box's processes.
func (s *supervisor) look(req *request) {
	r := &report{op: opReply, id: req.id}
	s.mu.Lock()
	box := s.boxes[req.box]
	s.mu.Unlock()
	sweep := &sweeper{s: s, fs: newProcfs(), box: box}
	switch {
	case box == nil: // nothing was ever started there
	case req.op == opKill:
		sweep.kill(context.Background())
	case req.op == opFreeze:
		sweep.freeze()
	case req.op == opThaw:
		sweep.thaw()
	case req.op == opUsage:
		r.a, r.b = sweep.usage()
	default:
		r.errno = unix.ENOSYS
	}
	s.say(r)
}
