package hostfs

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
)

// Describe tells from its first bytes why a file cannot be executed here:
// " (...)", or empty.
func Describe(head []byte) string {
	switch {
	case len(head) == 0:
		return " (it is empty)"
	case bytes.HasPrefix(head, []byte("#!")):
		line, _, _ := bytes.Cut(head[2:], []byte("\n"))
		return fmt.Sprintf(" (its interpreter %q is missing or cannot be executed)", bytes.TrimSpace(line))
	case bytes.HasPrefix(head, []byte("\x7fELF")) && len(head) >= 20:
		return describeELF(head)
	case len(head) >= 4 && isMachO(binary.LittleEndian.Uint32(head)):
		if runtime.GOOS != "darwin" {
			return " (it is a macOS program)"
		}
		return ""
	}
	return " (it is neither a program nor a script that begins with #!)"
}

func describeELF(head []byte) string {
	order := binary.ByteOrder(binary.LittleEndian)
	if head[5] == 2 {
		order = binary.BigEndian
	}
	arch := map[uint16]string{3: "386", 40: "arm", 62: "amd64", 183: "arm64", 243: "riscv64"}[order.Uint16(head[18:])]
	if arch == "" {
		arch = "another machine"
	}
	if runtime.GOOS != "linux" || arch != runtime.GOARCH {
		return fmt.Sprintf(" (it is a Linux program for %s, this is %s on %s)", arch, runtime.GOOS, runtime.GOARCH)
	}
	return " (its dynamic loader or a part of it is missing)"
}

func isMachO(magic uint32) bool {
	switch magic {
	case 0xfeedface, 0xfeedfacf, 0xbebafeca:
		return true
	}
	return false
}
