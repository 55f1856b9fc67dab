package metrics

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// clockTicks is how many ticks a second has in /proc/self/stat, on every
// architecture of Go's.
const clockTicks = 100

// processFiles registers what is read from /proc.
func processFiles(r *Registry, prefix string) {
	type reading = Reading[memoryAndStart]
	Read(r, readStat,
		reading{prefix + "resident_memory_bytes", "Memory of this program, in bytes.", TypeGauge, func(s memoryAndStart) float64 { return s.resident }},
		reading{prefix + "virtual_memory_bytes", "Address space of this program, in bytes.", TypeGauge, func(s memoryAndStart) float64 { return s.virtual }},
		reading{prefix + "start_time_seconds", "When this program was started, in seconds since 1970.", TypeGauge, func(s memoryAndStart) float64 { return s.start }},
	)
	Read(r, openFiles, Reading[int]{prefix + "open_fds", "Files that this program has open.", TypeGauge, func(n int) float64 { return float64(n) }})
	Read(r, readOctets,
		Reading[octets]{prefix + "network_receive_bytes_total", "Bytes that came over IP to the network namespace of this program.", TypeCounter, func(o octets) float64 { return o.in }},
		Reading[octets]{prefix + "network_transmit_bytes_total", "Bytes that the network namespace of this program sent over IP.", TypeCounter, func(o octets) float64 { return o.out }},
	)
}

type memoryAndStart struct{ virtual, resident, start float64 }

// readStat reads /proc/self/stat and when the machine was started; see proc(5).
func readStat() (s memoryAndStart, err error) {
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return s, err
	}
	// The second field is the program's name in parentheses, and may have
	// anything in it.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	const third, start, virtual, resident = 3, 22, 23, 24 // counted from 1
	if len(fields) <= resident-third {
		return s, fmt.Errorf("/proc/self/stat has %d fields", len(fields)+third-1)
	}
	number := func(field int) float64 {
		v, e := strconv.ParseFloat(string(fields[field-third]), 64)
		err = errors.Join(err, e)
		return v
	}
	s = memoryAndStart{virtual: number(virtual), resident: number(resident) * float64(os.Getpagesize()), start: number(start) / clockTicks}
	if err != nil {
		return s, err
	}
	booted, err := bootTime()
	s.start += booted
	return s, err
}

// bootTime is when the machine was started, in seconds since 1970.
func bootTime() (float64, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		if value, ok := bytes.CutPrefix(line, []byte("btime ")); ok {
			return strconv.ParseFloat(string(bytes.TrimSpace(value)), 64)
		}
	}
	return 0, errors.New("/proc/stat has no btime")
}

func openFiles() (int, error) {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0, err
	}
	defer dir.Close() // it was only read: no error matters
	names, err := dir.Readdirnames(-1)
	return len(names) - 1, err // without the folder itself
}

type octets struct{ in, out float64 }

// readOctets reads the two lines of /proc/self/net/netstat that begin with
// IpExt: one has the names, the next the values.
func readOctets() (o octets, err error) {
	text, err := os.ReadFile("/proc/self/net/netstat")
	if err != nil {
		return o, err
	}
	var names [][]byte
	for line := range bytes.Lines(text) {
		fields := bytes.Fields(line)
		switch {
		case len(fields) == 0 || string(fields[0]) != "IpExt:":
		case names == nil:
			names = fields
		default:
			return octetsOf(names, fields)
		}
	}
	return o, errors.New("/proc/self/net/netstat has no IpExt")
}

func octetsOf(names, values [][]byte) (o octets, err error) {
	found := 0
	for i, name := range names[:min(len(names), len(values))] {
		to := map[string]*float64{"InOctets": &o.in, "OutOctets": &o.out}[string(name)]
		if to == nil {
			continue
		}
		found++
		if *to, err = strconv.ParseFloat(string(values[i]), 64); err != nil {
			return o, err
		}
	}
	if found != 2 {
		return o, errors.New("/proc/self/net/netstat has no octets")
	}
	return o, nil
}
