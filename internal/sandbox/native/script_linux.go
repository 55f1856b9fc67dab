package native

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A script is a list of system calls for process 1, with the data they need:
// policy is Go code here, the process only interprets. An operation is twelve
// words:
//
//	number, six arguments, store, equal, onEqual, onError, next
//
// The result is stored at the address store, if there is one; then control
// goes to onEqual when the result is equal and onEqual is not zero, to onError
// when it is an error and onError is not zero, else to next. The number -1 is
// no call: its result is its first argument.
type script struct {
	base uint64
	ops  []*op
	data []byte
	fix  []fixup
	// failTo is where operations go whose call fails, unless they say
	// otherwise: an *op or an address; nil goes on.
	failTo any
	err    error
}

const (
	opSize  = 12 * 8
	noCall  = ^uint64(0)
	maxOps  = 1000
	dataAli = 8
)

// op is one operation. Its fields may hold integers, *op and at values.
type op struct {
	name    string
	nr      uint64
	args    [6]any
	store   any
	equal   int64
	onEqual any
	onError any
	next    any // nil: the operation that follows
	index   int
	placed  bool
}

// at is an address within the script's data; the data follows the operations.
type at int

// address is one outside the script.
type address uint64

// fixup is a word of the data that holds an address.
type fixup struct {
	where at
	value any
}

// call appends a system call; a failure goes to s.failTo.
func (s *script) call(name string, nr uintptr, args ...any) *op {
	o := s.try(name, nr, args...)
	o.onError = s.failTo
	return o
}

// try appends a system call whose failure does not matter.
func (s *script) try(name string, nr uintptr, args ...any) *op {
	o := &op{name: name, nr: uint64(nr)}
	copy(o.args[:], args)
	return s.place(o)
}

// set appends an operation that stores a number.
func (s *script) set(where any, value any) *op {
	o := s.place(&op{name: "set", nr: noCall, store: where})
	o.args[0] = value
	return o
}

// jump appends an operation that goes elsewhere.
func (s *script) jump(to any) *op {
	o := s.place(&op{name: "jump", nr: noCall, next: to})
	o.args[0] = 0
	return o
}

// place appends an operation, which may have been referred to before.
func (s *script) place(o *op) *op {
	if o.placed {
		s.err = fmt.Errorf("operation %s is placed twice", o.name)
	}
	o.index, o.placed = len(s.ops), true
	s.ops = append(s.ops, o)
	return o
}

// bytes appends data, aligned.
func (s *script) bytes(b []byte) at {
	for len(s.data)%dataAli != 0 {
		s.data = append(s.data, 0)
	}
	where := at(len(s.data))
	s.data = append(s.data, b...)
	return where
}

// room appends zeros.
func (s *script) room(n int) at { return s.bytes(make([]byte, n)) }

// text appends a string as the system takes it.
func (s *script) text(v string) at {
	for i := range len(v) {
		if v[i] == 0 {
			s.err = errNUL
		}
	}
	return s.bytes(append([]byte(v), 0))
}

var errNUL = errors.New("a text contains NUL")

// words appends words, which may be addresses.
func (s *script) words(values ...any) at {
	where := s.room(8 * len(values))
	for i, v := range values {
		s.word(where+at(8*i), v)
	}
	return where
}

// word sets one word of the data.
func (s *script) word(where at, value any) {
	s.fix = append(s.fix, fixup{where, value})
}

// texts appends a list of strings that ends with a null pointer.
func (s *script) texts(values []string) at {
	list := make([]any, 0, len(values)+1)
	for _, v := range values {
		list = append(list, s.text(v))
	}
	return s.words(append(list, 0)...)
}

// resolve makes a word of a value.
func (s *script) resolve(v any) uint64 {
	switch v := v.(type) {
	case nil:
		return 0
	case int:
		return uint64(v)
	case uint32:
		return uint64(v)
	case int64:
		return uint64(v)
	case uint64:
		return v
	case uintptr:
		return uint64(v)
	case address:
		return uint64(v)
	case at:
		return s.base + uint64(len(s.ops)*opSize) + uint64(v)
	case *op:
		if v == nil || !v.placed {
			s.err = errors.New("a script refers to an operation that it does not have")
			return 0
		}
		return s.base + uint64(v.index*opSize)
	}
	s.err = fmt.Errorf("a script has a %T", v)
	return 0
}

// assemble returns the script's bytes: operations, then data.
func (s *script) assemble() ([]byte, error) {
	if len(s.ops) > maxOps {
		return nil, fmt.Errorf("a script has %d operations", len(s.ops))
	}
	out := make([]byte, 0, len(s.ops)*opSize+len(s.data))
	for i, o := range s.ops {
		next := o.next
		if next == nil {
			if i+1 == len(s.ops) {
				return nil, errors.New("a script does not say what follows its end")
			}
			next = s.ops[i+1]
		}
		words := [12]uint64{o.nr}
		for j, a := range o.args {
			words[1+j] = s.resolve(a)
		}
		words[7] = s.resolve(o.store)
		words[8] = uint64(o.equal)
		words[9] = s.resolve(o.onEqual)
		words[10] = s.resolve(o.onError)
		words[11] = s.resolve(next)
		for _, w := range words {
			out = binary.LittleEndian.AppendUint64(out, w)
		}
	}
	for _, f := range s.fix {
		binary.LittleEndian.PutUint64(s.data[f.where:], s.resolve(f.value))
	}
	if s.err != nil {
		return nil, s.err
	}
	return append(out, s.data...), nil
}

// opAt names the operation at an address, for an error.
func (s *script) opAt(pc uint64) string {
	i := (pc - s.base) / opSize
	if pc < s.base || i >= uint64(len(s.ops)) {
		return fmt.Sprintf("the operation at %#x", pc)
	}
	return s.ops[i].name
}
