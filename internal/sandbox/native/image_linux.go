package native

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// image is process 1's program: an ELF file in memory, made of the
// interpreter's code and the resident script.
type image struct {
	file *os.File // read-only, sealed
	base *resident
}

func (m *image) close() error { return m.file.Close() }

// newImage makes the program. The filters are the seccomp programs that
// scripts may install.
func newImage(first, last []unix.SockFilter) (*image, error) {
	text, err := code()
	if err != nil {
		return nil, err
	}
	base := newResident(first, last)
	body, err := base.script.assemble()
	if err != nil {
		return nil, fmt.Errorf("assemble the resident script: %w", err)
	}
	if scriptBase+len(body) > messageBase {
		return nil, fmt.Errorf("the resident script has %d bytes", len(body))
	}
	data := binary.LittleEndian.AppendUint64(nil, reportFailed)
	data = append(data, make([]byte, scriptBase-errorBase-len(data))...)
	data = append(data, body...)

	sealed, err := seal(elf(text, data))
	if err != nil {
		return nil, fmt.Errorf("make the program of process 1: %w", err)
	}
	return &image{file: sealed, base: base}, nil
}

// elf makes an executable of code and data, and with room for messages.
func elf(text, data []byte) []byte {
	const headers = 64 + 3*56
	codeAt := uint64(256)
	dataAt := uint64(segmentAlign) // offset and address agree modulo any page size
	machine := uint16(62)
	if runtime.GOARCH == "arm64" {
		machine = 183
	}
	le := binary.LittleEndian
	b := make([]byte, 0, int(dataAt)+len(data))
	b = append(b, "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	b = le.AppendUint16(b, 2) // ET_EXEC
	b = le.AppendUint16(b, machine)
	b = le.AppendUint32(b, 1)
	b = le.AppendUint64(b, codeBase+codeAt) // entry
	b = le.AppendUint64(b, 64)              // program headers
	b = le.AppendUint64(b, 0)
	b = le.AppendUint32(b, 0)
	for _, v := range []uint16{64, 56, 3, 0, 0, 0} {
		b = le.AppendUint16(b, v)
	}
	segment := func(kind, flags uint32, offset, address, file, memory uint64) {
		b = le.AppendUint32(b, kind)
		b = le.AppendUint32(b, flags)
		for _, v := range []uint64{offset, address, address, file, memory, segmentAlign} {
			b = le.AppendUint64(b, v)
		}
	}
	const load, gnuStack, x, w, r = 1, 0x6474e551, 1, 2, 4
	segment(load, r|x, 0, codeBase, codeAt+uint64(len(text)), codeAt+uint64(len(text)))
	segment(load, r|w, dataAt, errorBase, uint64(len(data)), messageBase+maxMessage-errorBase)
	segment(gnuStack, r|w, 0, 0, 0, 0)
	_ = b[headers-1] // all three are there
	b = append(b, make([]byte, int(codeAt)-len(b))...)
	b = append(b, text...)
	b = append(b, make([]byte, int(dataAt)-len(b))...)
	return append(b, data...)
}

// segmentAlign is the largest page that arm64 kernels use.
const segmentAlign = 0x10000

// seal puts a program into memory that nobody can change, opened read-only:
// the kernel does not execute a file that is open for writing.
func seal(content []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("lamb-init", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	w := os.NewFile(uintptr(fd), "lamb-init")
	defer w.Close()
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	seals := unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(w.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return nil, os.NewSyscallError("seal", err)
	}
	return os.Open(fmt.Sprintf("/proc/self/fd/%d", w.Fd()))
}
