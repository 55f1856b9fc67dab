package native

import (
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// shelves are the files that hold disks: without names, several disks in each.
// Making a file and removing its name costs as much as all else about a disk
// when many are made at once, above all where the file system has no journal:
// ext4 looks at every file then that was deleted within five minutes.
type shelves struct {
	dir string

	mu      sync.Mutex // guards what follows, and the fields of each shelf
	current *shelf     // nil: the next disk needs a new one
}

// shelf is one of these files. It is closed with its last disk.
type shelf struct {
	file  *os.File
	end   int64 // where the next disk begins
	room  int   // how many more it takes
	users int   // disks that are there, and one while it is current
}

// perShelf is how many disks lie in a file. They share its lock when the kernel
// writes to it.
const perShelf = 16

// slot is a disk's place in a file. Nobody else has it before the file is gone.
type slot struct {
	of     *shelves
	shelf  *shelf
	offset int64
	size   int64 // in bytes
}

// take returns a place that reads as zeros. The caller gives it back.
func (s *shelves) take(size int64) (slot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil && (s.current.room == 0 || s.current.file.Truncate(s.current.end+size) != nil) {
		s.retire() // full, or as large as a file may be
	}
	if s.current == nil {
		made, err := newShelf(s.dir)
		if err != nil {
			return slot{}, err
		}
		s.current = made
		if err := made.file.Truncate(size); err != nil {
			s.retire()
			return slot{}, err
		}
	}
	c := s.current
	taken := slot{s, c, c.end, size}
	c.end += size
	c.users++
	c.room--
	return taken, nil
}

// newShelf makes a file without a name.
func newShelf(dir string) (*shelf, error) {
	f, err := os.CreateTemp(dir, "disk-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	made := &shelf{file: f, room: perShelf, users: 1}
	if punch(f, 0, diskBlock) != nil {
		made.room = 1 // only removing the file gives room back here
	}
	return made, nil
}

// retire lets the current file be: its disks keep it. It is for holders of mu.
func (s *shelves) retire() {
	s.current.release()
	s.current = nil
}

// release counts a user less. It is for holders of mu.
func (f *shelf) release() {
	if f.users--; f.users == 0 {
		f.file.Close()
	}
}

// give frees what a disk has taken of the host's, once nothing uses it.
func (s slot) give() {
	// Not under the lock. What fails here comes back with the file.
	_ = punch(s.shelf.file, s.offset, s.size)
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	s.shelf.release()
}

// close lets go of the current file.
func (s *shelves) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil {
		s.retire()
	}
}

// punch makes a part of a file empty.
func punch(f *os.File, offset, size int64) error {
	return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, offset, size)
}
