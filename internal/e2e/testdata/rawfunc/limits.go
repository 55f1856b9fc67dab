package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// limits goes to the limit that the event names and answers how far it came.
func limits() {
	atInit := burn()
	for {
		id, event := nextEvent()
		answer := fmt.Sprintf("%q", "no limit is called "+event)
		switch strings.Trim(event, `"`) {
		case "memory":
			swallow()
		case "child":
			answer = fmt.Sprintf("%q", fmt.Sprint(exec.Command("/proc/self/exe", "swallow").Run()))
		case "killed": // long after any child
			time.Sleep(1500 * time.Millisecond)
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		case "tmp":
			answer = fmt.Sprint(fill())
		case "files":
			answer = fmt.Sprint(open())
		case "processes":
			answer = fmt.Sprint(spawn())
		case "cpu":
			answer = fmt.Sprintf(`{"init":%d,"invoke":%d}`, atInit, burn())
		}
		say("POST", "/2018-06-01/runtime/invocation/"+id+"/response", answer)
	}
}

// burn uses 60 ms of CPU time and returns how many milliseconds that took.
func burn() int64 {
	start, began := used(), time.Now()
	for used()-start < 60*time.Millisecond {
	}
	return time.Since(began).Milliseconds()
}

// used is the CPU time of this process.
func used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// swallow takes memory until there is no more.
func swallow() {
	var all [][]byte
	for range 1 << 10 {
		block := make([]byte, 1<<20)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		all = append(all, block)
	}
	fmt.Println("there is a gigabyte of memory", len(all))
}

// fill returns how many megabytes fit into /tmp.
func fill() int {
	f, err := os.Create(filepath.Join(os.TempDir(), "full"))
	if err != nil {
		panic(err)
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	for n := range 2000 {
		if _, err := f.Write(block); err != nil {
			if !errors.Is(err, syscall.ENOSPC) {
				panic(err)
			}
			return n
		}
	}
	return 2000
}

// open returns how many files can be open.
func open() int {
	var all []*os.File
	defer func() {
		for _, f := range all {
			f.Close()
		}
	}()
	for len(all) < 5000 {
		f, err := os.Open("/dev/null")
		if err != nil {
			break
		}
		all = append(all, f)
	}
	return len(all)
}

// spawn returns how many processes can be started.
func spawn() int {
	var all []*exec.Cmd
	defer func() {
		for _, cmd := range all {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}()
	for len(all) < 3000 {
		cmd := exec.Command("/bin/sleep", "1000")
		if err := cmd.Start(); err != nil {
			break
		}
		all = append(all, cmd)
	}
	return len(all)
}
