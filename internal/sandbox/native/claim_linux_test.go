package native

import (
	"os"
	"path/filepath"
	"testing"
)

// TestClaims: no two providers of a host have users in common, and those of
// one that has ended are free.
func TestClaims(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "users")
	taken := map[int]claim{}
	for range parts {
		c, err := claimUsers(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := taken[c.first]; twice || c.first < firstUID || c.first%partUIDs != firstUID%partUIDs {
			t.Errorf("claim of %d", c.first)
		}
		taken[c.first] = c
	}
	if c, err := claimUsers(dir); err == nil || c.first != firstUID || c.lock != nil {
		t.Errorf("a claim where everything is taken: %+v, %v", c, err)
	}
	const middle = firstUID + 3*partUIDs
	if err := taken[middle].close(); err != nil {
		t.Fatal(err)
	}
	again, err := claimUsers(dir)
	if err != nil || again.first != middle {
		t.Errorf("%+v, %v", again, err)
	}
	taken[middle] = again
	for _, c := range taken {
		if err := c.close(); err != nil {
			t.Error(err)
		}
	}
}

// TestClaimsWithoutPlace: where claims cannot be made, lamb runs all the same,
// and says that others may have the same users.
func TestClaimsWithoutPlace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := claimUsers(filepath.Join(file, "users"))
	if err == nil || c.first != firstUID {
		t.Errorf("%+v, %v", c, err)
	}
	if err := c.close(); err != nil {
		t.Error(err)
	}
}
