package native

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// The users of sandboxes, when lamb is root. The range is one that systemd
// leaves unused; each provider on the host has a part of it.
const (
	firstUID = 1_910_000_000
	partUIDs = 4_096
	parts    = 16
)

// claimsDir is where providers tell each other which parts are taken.
const claimsDir = "/run/lamb/users"

// claim is a provider's part of the range of users: nobody else on this host
// uses it until close, or until the end of the process.
type claim struct {
	first int
	lock  *os.File // nil where parts cannot be claimed
}

// claimUsers takes a part that is free. Where the host has no place for
// claims, lambs share the first part: the error says so, the claim is valid.
func claimUsers(dir string) (claim, error) {
	shared := claim{first: firstUID}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return shared, err
	}
	for part := range parts {
		f, err := os.OpenFile(filepath.Join(dir, fmt.Sprint(part)), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return shared, err
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return claim{first: firstUID + part*partUIDs, lock: f}, nil
		}
		f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return shared, err
		}
	}
	return shared, fmt.Errorf("%d others run on this host", parts)
}

// close gives the part back.
func (c claim) close() error {
	if c.lock == nil {
		return nil
	}
	return c.lock.Close()
}
