package native

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/lambhq/lamb/internal/sandbox"
)

// Descriptors of process 1. 0 to 2 are /dev/null.
const (
	fdControl  = 3 // the socket whose other end lamb holds
	fdSignals  = 4 // a signalfd for SIGCHLD
	fdReceived = 5 // the first that came with a message, or
	fdMessage  = 4 // with that of the setup, before fdSignals is there
)

// Kinds of reports, the first word of each message to lamb.
const (
	reportFailed = 1 // address of the operation, result; process 1 ends
	reportDone   = 2 // request, then what the request asks for
	reportExited = 3 // process, wait status, rusage
)

const (
	exitedSize  = 8 + 8 + 8 + 144 // with the struct rusage of 64-bit Linux
	maxrssAt    = 24 + 32
	wAll        = 0x40000000         // __WALL: children that send no SIGCHLD too
	controlRoom = 16 + 4*maxReceived // room for the descriptors of a message
	maxReceived = 2 + sandbox.MaxExtraFiles
)

// resident is the script that is always in process 1, and the places in it
// that messages go to:
//
//	park ──message──▶ (setup) ──▶ park ──message──▶ (configuration) ──▶ loop
//	loop: wait for a child's end or a message; reap; run the message ──▶ loop
//
// End of the socket, that is of lamb, ends process 1 and with it everything.
type resident struct {
	script *script
	park   address // wait for a message
	loop   address // serve
	reap   address // report one process after the other, then serve
	exit   address
	failed address // report the failed operation and end

	exited  address // the report of an ended process
	status  address // its parts
	usage   address
	filters [2]address // each a sock_fprog
}

// newResident writes the resident script.
func newResident(first, last []unix.SockFilter) *resident {
	s := &script{base: scriptBase}
	iov := s.words(address(messageBase), maxMessage)
	control := s.room(controlRoom)
	msg := s.words(0, 0, iov, 1, control, controlRoom, 0)
	poll := s.room(16)
	binary.LittleEndian.PutUint32(s.data[poll:], fdControl)
	binary.LittleEndian.PutUint16(s.data[poll+4:], unix.POLLIN)
	binary.LittleEndian.PutUint32(s.data[poll+8:], fdSignals)
	binary.LittleEndian.PutUint16(s.data[poll+12:], unix.POLLIN)
	siginfo := s.room(128)
	exited := s.words(reportExited)
	s.room(exitedSize - 8)
	filters := [2]at{
		s.words(len(first), s.bytes(filterBytes(first))),
		s.words(len(last), s.bytes(filterBytes(last))),
	}

	exit := &op{name: "exit", nr: uint64(unix.SYS_EXIT_GROUP)}
	loop := &op{name: "wait", nr: uint64(unix.SYS_PPOLL), args: [6]any{poll, 2, 0, 0, 0}}
	loop.onError = loop

	// Those that lamb itself was started with, and the program's.
	s.try("close descriptors", unix.SYS_CLOSE_RANGE, fdControl+1, ^uint32(0), 0)
	park := s.set(msg+40, controlRoom)
	begin := s.call("receive", unix.SYS_RECVMSG, fdControl, msg, unix.MSG_CMSG_CLOEXEC)
	begin.onEqual, begin.onError, begin.next = exit, exit, address(messageBase)

	s.place(loop)
	s.try("clear", unix.SYS_READ, fdSignals, siginfo, 128)
	receive := &op{name: "set", nr: noCall, store: msg + 40, args: [6]any{controlRoom}}
	reap := s.try("reap", unix.SYS_WAIT4, -1, exited+16, unix.WNOHANG|wAll, exited+24)
	reap.store, reap.onEqual, reap.onError = exited+8, receive, receive
	say := s.try("report", unix.SYS_SENDTO, fdControl, exited, exitedSize, unix.MSG_NOSIGNAL)
	say.onError, say.next = exit, reap

	s.place(receive)
	get := s.try("receive", unix.SYS_RECVMSG, fdControl, msg, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
	get.onEqual, get.onError, get.next = exit, loop, address(messageBase)

	failed := s.try("fail", unix.SYS_SENDTO, fdControl, address(errorBase), 24, unix.MSG_NOSIGNAL)
	s.place(exit)
	exit.next = exit

	where := func(v any) address { return address(s.resolve(v)) }
	return &resident{
		script: s, park: where(park), loop: where(loop), reap: where(reap), exit: where(exit), failed: where(failed),
		exited: where(exited), status: where(exited + 16), usage: where(exited + 24),
		filters: [2]address{where(filters[0]), where(filters[1])},
	}
}

func filterBytes(filter []unix.SockFilter) []byte {
	var b []byte
	for _, f := range filter {
		b = binary.LittleEndian.AppendUint16(b, f.Code)
		b = append(b, f.Jt, f.Jf)
		b = binary.LittleEndian.AppendUint32(b, f.K)
	}
	return b
}
