package server

import "testing"

func TestRoomInOpenFiles(t *testing.T) {
	for limit, want := range map[uint64]uint64{0: 0, 100: 0, 1024: 68, 4096: 324, 1 << 20: 87364} {
		if got := roomInOpenFiles(limit); got != want {
			t.Errorf("%d open files: room for %d environments, want %d", limit, got, want)
		}
	}
}
