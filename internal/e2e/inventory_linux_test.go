package e2e

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// inventory is what a lamb has: by kind, one line for each thing.
type inventory map[string][]string

// spare is by how much a kind may grow without being a leak: by what depends
// on how many environments were there at the same moment, and so on what else
// the machine does. One for each environment would be a thousand.
var spare = map[string]int{
	"goroutines":   4,   // of the test's last connections, which it has just closed
	"descriptors":  2,   // the same
	"threads":      32,  // Go never ends those that are idle
	"log segments": 32,  // what was logged is kept, in files of a megabyte
	"user files":   200, // native's passwd and group of every user that it has ever needed at once
}

// inventory takes stock of a lamb that serves nobody.
func (l *lamb) inventory(t testing.TB, home, mark string) inventory {
	t.Helper()
	l.calls.CloseIdleConnections()
	http.DefaultClient.CloseIdleConnections() // so that metric leaves exactly one
	goroutines := int(l.metric(t, "lamb_go_goroutines"))
	inv := inventory{
		"goroutines":       make([]string, goroutines),
		"threads":          namesIn(t, fmt.Sprintf("/proc/%d/task", l.PID)),
		"marked processes": markedProcesses(t, mark),
		"control groups":   groupsOf(t, l.PID),
	}
	for _, path := range filesBelow(t, home) {
		kind := "files"
		switch filepath.Base(filepath.Dir(path)) {
		case "users":
			kind = "user files"
		case "logs":
			kind = "log segments"
		}
		inv[kind] = append(inv[kind], path)
	}
	for _, pid := range append(descendants(t, l.PID), l.PID) {
		inv.addProcess(l.PID, pid)
	}
	return inv
}

func (inv inventory) addProcess(lamb, pid int) {
	folder := fmt.Sprintf("/proc/%d/", pid)
	name, err := os.ReadFile(folder + "comm")
	if err != nil {
		return // it has ended
	}
	add := func(kind, what string) {
		inv[kind] = append(inv[kind], fmt.Sprintf("%s: %s", bytes.TrimSpace(name), what))
	}
	add("processes", fmt.Sprint(pid))
	kind := "descriptors"
	if pid != lamb {
		kind = "descriptors of its processes"
	}
	fds, _ := os.ReadDir(folder + "fd") // it may have ended
	for _, fd := range fds {
		link, _ := os.Readlink(folder + "fd/" + fd.Name())
		add(kind, fd.Name()+" "+link)
	}
	namespaces, _ := os.ReadDir(folder + "ns")
	for _, ns := range namespaces {
		link, _ := os.Readlink(folder + "ns/" + ns.Name())
		if link != "" && !slices.Contains(inv["namespaces"], link) {
			inv["namespaces"] = append(inv["namespaces"], link)
		}
	}
	if pid == lamb {
		mounts, _ := os.ReadFile(folder + "mountinfo")
		for line := range strings.Lines(string(mounts)) {
			add("mounts", line)
		}
	}
}

// more says of what there is more than there was.
func (inv inventory) more(before inventory) (report []string) {
	for _, kind := range slices.Sorted(maps.Keys(inv)) {
		now, then := inv[kind], before[kind]
		if len(now) <= len(then)+spare[kind] {
			continue
		}
		line := fmt.Sprintf("%d %s, %d before", len(now), kind, len(then))
		var added []string
		for _, thing := range now {
			if thing != "" && !slices.Contains(then, thing) {
				added = append(added, thing)
			}
		}
		if len(added) > 0 {
			line += ", such as:\n  " + strings.Join(added[:min(len(added), 10)], "\n  ")
		}
		report = append(report, line)
	}
	return report
}

// settled takes stock when nothing has changed for half a second.
func (l *lamb) settled(t testing.TB, home, mark string) inventory {
	t.Helper()
	const steady = 10
	deadline := time.Now().Add(2 * patience)
	last, same, changes := l.inventory(t, home, mark), 0, []string(nil)
	for same < steady {
		if time.Now().After(deadline) {
			t.Fatalf("lamb does not come to rest:\n%s", strings.Join(changes, "\n"))
		}
		<-time.After(50 * time.Millisecond)
		now := l.inventory(t, home, mark)
		if change := append(now.more(last), last.more(now)...); len(change) > 0 {
			same, changes = 0, change
		} else {
			same++
		}
		last = now
	}
	return last
}

// awaitNoMoreThan waits until lamb has no more than it had: environments end
// in the background.
func (l *lamb) awaitNoMoreThan(t testing.TB, before inventory, home, mark string) {
	t.Helper()
	deadline := time.Now().Add(2 * patience)
	for {
		more := l.inventory(t, home, mark).more(before)
		if len(more) == 0 {
			return
		}
		if time.Now().After(deadline) {
			_ = l.cmd.Process.Signal(syscall.SIGQUIT) // it says what its goroutines do, and ends
			<-l.exited
			t.Fatalf("lamb has more than before:\n%s\n%s", strings.Join(more, "\n"), l.stderr)
		}
		<-time.After(50 * time.Millisecond)
	}
}

func namesIn(t testing.TB, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// markedProcesses are all processes of this machine with a variable, be they
// lamb's descendants or not.
func markedProcesses(t testing.TB, variable string) (found []string) {
	t.Helper()
	for _, name := range namesIn(t, "/proc") {
		env, err := os.ReadFile("/proc/" + name + "/environ")
		if err == nil && slices.Contains(strings.Split(string(env), "\x00"), variable) {
			found = append(found, name)
		}
	}
	return found
}

// groupsOf are the control groups that a lamb has made, which have its process
// id in their names, with those below them.
func groupsOf(t testing.TB, pid int) (found []string) {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	own := regexp.MustCompile(fmt.Sprintf(`/lamb-%d-[^/]*(/|$)`, pid))
	for line := range strings.Lines(string(mounts)) {
		before, after, _ := strings.Cut(line, " - ")
		if !strings.HasPrefix(after, "cgroup") {
			continue
		}
		_ = filepath.WalkDir(strings.Fields(before)[4], func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.IsDir() && own.MatchString(path) {
				found = append(found, path)
			}
			return nil // others come and go
		})
	}
	return found
}

func filesBelow(t testing.TB, folder string) (found []string) {
	t.Helper()
	_ = filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && path != folder {
			found = append(found, path)
		}
		return nil // what has gone meanwhile is no leak
	})
	return found
}
