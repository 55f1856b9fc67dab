package process

// notice wakes all who wait for something to happen again. Its owner's lock
// guards it.
type notice chan struct{}

// next returns a channel that is closed when it happens.
func (n *notice) next() <-chan struct{} {
	if *n == nil {
		*n = make(notice)
	}
	return *n
}

func (n *notice) happened() {
	if *n != nil {
		close(*n)
		*n = nil
	}
}

// child is a program.
type child struct {
	id  uint64 // of its opStart
	box *cell
}

// cell is what the supervisor knows of a box.
type cell struct {
	id       uint32
	programs map[int]struct{} // the live ones' process ids
	sessions map[int]struct{} // every session that a program began
	frozen   []member         // what freeze has stopped
	moved    chan struct{}    // closed when the last freeze or thaw is done; nil before the first
	peak     int64            // the most memory in use so far, in bytes
	reaped   notice           // a process that may be of this box was reaped
}
