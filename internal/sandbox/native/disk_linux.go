package native

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// disks makes the sandboxes' /tmp where its size can be limited: file systems
// of their own, in files without a name (shelf_linux.go). What a sandbox writes
// lies on the disk of the provider's folder, as it would without.
//
// Lamb mounts a disk nowhere and has process 1 put the mount into the sandbox's
// namespace, with which it ends; then the kernel gives the loop device back,
// and lamb its part of the file. Nothing is left to clean up, not even by a lamb
// that was killed: the file ends with the last device.
type disks struct {
	shelves shelves  // where they are
	mkfs    string   // the program that formats
	control *os.File // /dev/loop-control

	// spares are disks of spareMB, made ahead: a start that finds no shell need
	// not wait for one. wake has an element when some are missing.
	spareMB int
	spares  chan disk
	wake    chan struct{}
	stop    chan struct{} // closed by close
	filling sync.WaitGroup

	// attaching is held from asking for a free device until it is taken: all who
	// ask at once are told of the same one.
	attaching sync.Mutex

	mu      sync.Mutex          // guards what follows; held while a size is formatted
	formats map[int]*diskFormat // by MB
}

// disk is a file system for one sandbox. It lasts as long as the mount's file is
// open or the mount is in a namespace.
type disk struct {
	mount *os.File // nowhere yet; nil once it is closed
	slot  slot
}

// close gives back what is left of a disk that nothing uses any more, or will.
func (d *disk) close() {
	d.unmount()
	d.slot.give()
}

// unmount lets go of the mount; who has put it somewhere keeps it.
func (d *disk) unmount() {
	if d.mount != nil {
		d.mount.Close()
		d.mount = nil
	}
}

// maxSpares is how many disks are kept ahead.
const maxSpares = 8

// diskFormat is a freshly formatted file system: all of it that is not zero.
// To write that is much faster than to format again.
type diskFormat struct {
	size   int64
	chunks []diskChunk
}

type diskChunk struct {
	offset int64
	data   []byte
}

// diskBlock is the size of the file systems' blocks.
const diskBlock = 4096

// maxFormatted bounds what is kept of a format: for 10 GB it is a megabyte.
const maxFormatted = 16 << 20

// diskFeatures are those that cost nothing to have: a journal would write
// everything twice, and what is in /tmp need not survive anything.
const diskFeatures = "^has_journal,^resize_inode,^metadata_csum,uninit_bg"

// openDisks finds what the host has for disks; those of spareMB are made ahead
// once fill has been called.
func openDisks(dir string, spareMB int) (*disks, error) {
	mkfs, err := findMkfs()
	if err != nil {
		return nil, err
	}
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &disks{
		shelves: shelves{dir: dir}, mkfs: mkfs, control: control, formats: map[int]*diskFormat{},
		spareMB: spareMB, spares: make(chan disk, maxSpares),
		wake: make(chan struct{}, 1), stop: make(chan struct{}),
	}, nil
}

// fill begins to keep spare disks, until close.
func (d *disks) fill(log *slog.Logger) {
	if d.spareMB == 0 {
		return
	}
	d.poke()
	d.filling.Go(func() {
		for {
			select {
			case <-d.stop:
				return
			case <-d.wake:
			}
			if err := d.refill(); err != nil {
				log.Warn("a disk for /tmp could not be made ahead", "error", err)
			}
		}
	})
}

// refill makes the spare disks that are missing. Only the filling goroutine
// adds any, so there is room.
func (d *disks) refill() error {
	for len(d.spares) < cap(d.spares) {
		select {
		case <-d.stop:
			return nil
		default:
		}
		made, err := d.makeNew(d.spareMB)
		if err != nil {
			return err // the next one that is taken asks again
		}
		d.spares <- made
	}
	return nil
}

func (d *disks) poke() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// errNoMkfs: the program that formats is not there.
var errNoMkfs = errors.New("there is no mkfs.ext4")

// findMkfs looks where an ordinary PATH may not lead, too.
func findMkfs() (string, error) {
	for _, name := range []string{"mkfs.ext4", "/usr/sbin/mkfs.ext4", "/sbin/mkfs.ext4"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errNoMkfs
}

func (d *disks) close() error {
	close(d.stop)
	d.filling.Wait()
	for {
		select {
		case spare := <-d.spares:
			spare.close()
			continue
		default:
		}
		d.shelves.close()
		return d.control.Close()
	}
}

// make returns an empty file system with room for that many MB, mounted nowhere.
func (d *disks) make(mb int) (disk, error) {
	if mb == d.spareMB {
		select {
		case spare := <-d.spares:
			d.poke()
			return spare, nil
		default:
		}
	}
	return d.makeNew(mb)
}

func (d *disks) makeNew(mb int) (disk, error) {
	format, err := d.format(mb)
	if err != nil {
		return disk{}, err
	}
	place, err := d.shelves.take(format.size)
	if err != nil {
		return disk{}, err
	}
	mount, err := d.mount(format, place)
	if err != nil {
		place.give()
		return disk{}, err
	}
	return disk{mount, place}, nil
}

// mount formats a place and mounts it.
func (d *disks) mount(format *diskFormat, place slot) (*os.File, error) {
	device, err := d.attach(place)
	if err != nil {
		return nil, err
	}
	defer device.Close() // the mount keeps it
	if err := format.write(device); err != nil {
		return nil, err
	}
	return mountDisk(device.Name())
}

// attachTries bounds how often somebody else may be given the same device.
const attachTries = 100

// attach makes a place a block device.
func (d *disks) attach(place slot) (*os.File, error) {
	cfg := unix.LoopConfig{
		Fd: uint32(place.shelf.file.Fd()), Size: diskBlock,
		Info: unix.LoopInfo64{
			Flags: unix.LO_FLAGS_AUTOCLEAR, Offset: uint64(place.offset), Sizelimit: uint64(place.size),
		},
	}
	d.attaching.Lock()
	defer d.attaching.Unlock()
	for range attachTries {
		n, err := unix.IoctlRetInt(int(d.control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, os.NewSyscallError("find a loop device", err)
		}
		device, err := os.OpenFile("/dev/loop"+strconv.Itoa(n), os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		err = unix.IoctlLoopConfigure(int(device.Fd()), &cfg)
		if err == nil {
			return device, nil
		}
		device.Close()
		if err != unix.EBUSY {
			return nil, os.NewSyscallError("configure a loop device", err)
		}
	}
	return nil, errors.New("every loop device is busy")
}

// format returns the format of a size.
func (d *disks) format(mb int) (*diskFormat, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if format := d.formats[mb]; format != nil {
		return format, nil
	}
	f, err := os.CreateTemp(d.shelves.dir, "format-")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	defer os.Remove(f.Name())
	// One inode for each 16 KB, of 256 bytes, is what the file system needs
	// for itself: the function gets all that was asked for.
	format := &diskFormat{size: int64(mb)<<20 + int64(mb)<<20/64 + 1<<20}
	if err := f.Truncate(format.size); err != nil {
		return nil, err
	}
	out, err := exec.Command(d.mkfs, "-q", "-F", "-t", "ext4", "-O", diskFeatures, "-b", strconv.Itoa(diskBlock),
		"-I", "256", "-i", "16384", "-m", "0", "-E", "lazy_itable_init=1,nodiscard", f.Name()).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", filepath.Base(d.mkfs), err, bytes.TrimSpace(out))
	}
	if err := format.read(f); err != nil {
		return nil, err
	}
	d.formats[mb] = format
	return format, nil
}

// read takes what is not zero in a formatted file.
func (format *diskFormat) read(f *os.File) error {
	total, offset := 0, int64(0)
	for {
		begin, err := unix.Seek(int(f.Fd()), offset, unix.SEEK_DATA)
		if err == unix.ENXIO {
			return nil // that was the last
		}
		if err != nil {
			return os.NewSyscallError("seek", err)
		}
		if offset, err = unix.Seek(int(f.Fd()), begin, unix.SEEK_HOLE); err != nil {
			return os.NewSyscallError("seek", err)
		}
		if total += int(offset - begin); total > maxFormatted {
			return errors.New("the file system that holds /tmp does not know which parts of a file are empty")
		}
		data := make([]byte, offset-begin)
		if _, err := f.ReadAt(data, begin); err != nil && err != io.EOF {
			return err
		}
		format.chunks = append(format.chunks, diskChunk{begin, data})
	}
}

// write formats an empty disk. What is written to the device need not be read
// from it when it is mounted, which would wait for another of the kernel's
// threads each time.
func (format *diskFormat) write(f *os.File) error {
	for _, c := range format.chunks {
		if _, err := f.WriteAt(c.data, c.offset); err != nil {
			return err
		}
	}
	return nil
}

// mountDisk mounts a disk nowhere yet, and makes it what /tmp is.
func mountDisk(device string) (_ *os.File, err error) {
	fs, err := unix.Fsopen("ext4", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError(stepDisk, err)
	}
	defer unix.Close(fs)
	// Nothing is written only to be safe: it is gone after a crash anyway.
	mount, err := -1, errors.Join(
		unix.FsconfigSetString(fs, "source", device),
		unix.FsconfigSetString(fs, "barrier", "0"),
		unix.FsconfigSetFlag(fs, "noinit_itable"))
	if err == nil {
		err = unix.FsconfigCreate(fs)
	}
	if err == nil {
		mount, err = unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOATIME)
	}
	if err != nil {
		return nil, os.NewSyscallError(stepDisk, err)
	}
	f := os.NewFile(uintptr(mount), "tmp")
	err = errors.Join(unix.Unlinkat(mount, "lost+found", unix.AT_REMOVEDIR), unix.Fchmodat(mount, ".", 0o1777, 0))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make /tmp empty: %w", err), f.Close())
	}
	return f, nil
}

// placeDisk puts a mount that came with the script where /tmp is.
func (s *script) placeDisk() {
	s.call("place the file system for /tmp", unix.SYS_MOVE_MOUNT, fdMessage, s.text(""), unix.AT_FDCWD, s.text("tmp"), unix.MOVE_MOUNT_F_EMPTY_PATH)
}

// stepDisk is the step that fails where the kernel does not let lamb mount.
const stepDisk = "mount a file system for /tmp"

// explainDisks says why /tmp has no limit, and what would help.
func (p *Provider) explainDisks() string {
	const begin = "The size of /tmp is not limited: "
	switch {
	case p.rootless:
		return begin + "only root may mount a file system for each function. Run lamb as root, or on a disk where it may fill up."
	case errors.Is(p.noDisks, errNoMkfs):
		return begin + "it needs mkfs.ext4 to make a file system for each function. Install e2fsprogs."
	case errors.Is(p.noDisks, os.ErrNotExist), errors.Is(p.noDisks, unix.ENODEV):
		return begin + "there are no loop devices or no ext4 (" + p.noDisks.Error() + "). Load them with `modprobe loop ext4`; a container needs /dev/loop-control and the devices."
	}
	return begin + "a file system for each function does not work here (" + p.noDisks.Error() + ")."
}

// inMemory tells whether a folder's file system is in memory, where what a
// function writes to /tmp counts as its memory.
func inMemory(dir string) bool {
	var fs unix.Statfs_t
	if unix.Statfs(dir, &fs) != nil {
		return false
	}
	return fs.Type == unix.TMPFS_MAGIC || fs.Type == unix.RAMFS_MAGIC
}
