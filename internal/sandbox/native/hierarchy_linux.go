package native

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// hierarchy is a mounted hierarchy of control groups with lamb's own group in
// it.
type hierarchy struct {
	version     int
	controllers []string // of version 1
	folder      string   // lamb's own group
}

// ownGroups finds the hierarchies that are mounted where lamb can see its own
// group in them.
func ownGroups() ([]hierarchy, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	return parseGroups(mounts, own), nil
}

// parseGroups is ownGroups on the two files' contents.
func parseGroups(mounts, own []byte) []hierarchy {
	var found []hierarchy
	for line := range bytes.Lines(own) {
		// 4:memory:/a/b or 0::/a/b
		parts := strings.SplitN(strings.TrimSpace(string(line)), ":", 3)
		if len(parts) != 3 {
			continue
		}
		h := hierarchy{version: 1}
		if parts[1] == "" {
			h.version = 2
		} else {
			h.controllers = strings.Split(parts[1], ",")
		}
		if h.folder = groupFolder(mounts, h, parts[2]); h.folder != "" {
			found = append(found, h)
		}
	}
	return found
}

// groupFolder is where the group at path of a hierarchy can be seen.
func groupFolder(mounts []byte, h hierarchy, path string) string {
	for line := range bytes.Lines(mounts) {
		// 31 23 0:27 ROOT POINT OPTIONS ... - TYPE SOURCE OPTIONS
		before, after, ok := strings.Cut(strings.TrimSpace(string(line)), " - ")
		head, tail := strings.Fields(before), strings.Fields(after)
		if !ok || len(head) < 5 || len(tail) < 3 || !h.isMount(tail[0], tail[2]) {
			continue
		}
		if rel, err := filepath.Rel(head[3], path); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
			return filepath.Join(head[4], rel)
		}
	}
	return ""
}

func (h hierarchy) isMount(kind, options string) bool {
	if h.version == 2 {
		return kind == "cgroup2"
	}
	if kind != "cgroup" {
		return false
	}
	has := map[string]bool{}
	for o := range strings.SplitSeq(options, ",") {
		has[o] = true
	}
	for _, c := range h.controllers {
		if !has[c] {
			return false
		}
	}
	return true
}

// groupName names a provider's folder: by the process, so that another lamb
// can tell whether it is still there, and by a number within it.
func groupName(provider uint64) (string, error) {
	start, err := startOf(os.Getpid())
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s%d-%d-%d", groupPrefix, os.Getpid(), start, provider), nil
}

// startOf is when a process was started, in the kernel's ticks.
func startOf(pid int) (uint64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name, in parentheses, may have anything in it.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 20 {
		return 0, errors.New("an unknown form of /proc/PID/stat")
	}
	return strconv.ParseUint(fields[19], 10, 64)
}

// sweepGroups removes the folders of lambs that are gone. Their processes
// ended with them; a folder that still has some stays, so that a lamb which
// only cannot be seen from here keeps its own.
func sweepGroups(parent string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range entries {
		parts := strings.Split(strings.TrimPrefix(e.Name(), groupPrefix), "-")
		if !e.IsDir() || !strings.HasPrefix(e.Name(), groupPrefix) || len(parts) != 3 {
			continue
		}
		pid, err := strconv.Atoi(parts[0])
		if err != nil {
			continue
		}
		if start, err := startOf(pid); err == nil && strconv.FormatUint(start, 10) == parts[1] {
			continue
		}
		dir := filepath.Join(parent, e.Name())
		shells, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, s := range shells {
			if s.IsDir() {
				// Busy groups stay, and with them their parent.
				_ = unix.Rmdir(filepath.Join(dir, s.Name()))
			}
		}
		_ = unix.Rmdir(dir)
	}
}
