package process

import (
	"encoding/binary"
	"errors"
	"syscall"

	"github.com/lambhq/lamb/internal/sandbox"
)

// The messages between lamb and its supervisor, one per packet. Numbers are
// varints, strings and lists carry their length. Both ends are the same
// executable, so there are no versions.

// maxMessage bounds a message. It is below what a unix socket takes in one
// packet by default (208 KiB); a longer argument list fails with E2BIG, as
// the system's own limit does.
const maxMessage = 160 << 10

// maxRights is how many descriptors travel with a message at most.
const maxRights = 2 + sandbox.MaxExtraFiles

type op byte

// What lamb asks. Every request is answered by one opReply.
const (
	opStart  op = iota + 1 // a program; descriptors: its outputs, then those from 3 on
	opSignal               // a signal to a program's process group
	opKill                 // end everything in a box
	opFreeze
	opThaw
	opUsage
	opRelease // forget a box
)

// What the supervisor says.
const (
	opHello op = iota + 101 // it runs; a is 1 when processes can be marked
	opReply                 // id is the request's
	opExit                  // a program has ended: id is its opStart's, a the wait status
)

// errMessage: the other end speaks another language.
var errMessage = errors.New("malformed message")

// Where a started program's output goes, as bits of request.outputs.
const (
	outputStdout = 1 << iota // a descriptor for stdout is attached
	outputStderr             // and one for stderr
	outputBoth               // one descriptor for both
)

type request struct {
	op       op
	id       uint64
	box      uint32
	target   uint64         // opSignal: the opStart's id
	signal   syscall.Signal // opSignal
	maxFiles uint32         // opStart, as the rest; zero means no limit
	outputs  byte
	logs     uint32 // another descriptor for stdout; zero for none
	path     string
	dir      string
	argv     []string
	env      []string
}

func (r *request) append(b []byte) []byte {
	b = append(b, byte(r.op), r.outputs)
	for _, n := range []uint64{r.id, uint64(r.box), r.target, uint64(r.signal), uint64(r.maxFiles), uint64(r.logs)} {
		b = binary.AppendUvarint(b, n)
	}
	b = appendString(appendString(b, r.path), r.dir)
	return appendStrings(appendStrings(b, r.argv), r.env)
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendStrings(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendString(b, s)
	}
	return b
}

func parseRequest(b []byte) (*request, error) {
	d := decoder{rest: b}
	r := &request{op: op(d.byte()), outputs: d.byte(), id: d.number()}
	r.box = uint32(d.number())
	r.target = d.number()
	r.signal = syscall.Signal(d.number())
	r.maxFiles = uint32(d.number())
	r.logs = uint32(d.number())
	r.path, r.dir = d.string(), d.string()
	r.argv, r.env = d.strings(), d.strings()
	if d.bad || len(d.rest) != 0 {
		return nil, errMessage
	}
	return r, nil
}

// report is what the supervisor sends.
type report struct {
	op    op
	id    uint64
	errno syscall.Errno // opReply; zero when it went well
	a, b  int64
}

func (r *report) append(b []byte) []byte {
	b = append(b, byte(r.op))
	b = binary.AppendUvarint(b, r.id)
	b = binary.AppendUvarint(b, uint64(r.errno))
	return binary.AppendVarint(binary.AppendVarint(b, r.a), r.b)
}

func parseReport(b []byte) (report, error) {
	d := decoder{rest: b}
	r := report{op: op(d.byte()), id: d.number(), errno: syscall.Errno(d.number()), a: d.signed(), b: d.signed()}
	if d.bad || len(d.rest) != 0 {
		return report{}, errMessage
	}
	return r, nil
}

// decoder takes a message apart; after a mistake it is bad and yields zeros.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) take(n uint64) []byte {
	if d.bad || n > uint64(len(d.rest)) {
		d.bad = true
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) number() uint64 {
	n, size := binary.Uvarint(d.rest)
	if d.bad || size <= 0 {
		d.bad = true
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

func (d *decoder) signed() int64 {
	n, size := binary.Varint(d.rest)
	if d.bad || size <= 0 {
		d.bad = true
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

func (d *decoder) string() string { return string(d.take(d.number())) }

func (d *decoder) strings() []string {
	n := d.number()
	if n > uint64(len(d.rest)) { // each takes a byte at least
		d.bad = true
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = d.string()
	}
	return list
}
