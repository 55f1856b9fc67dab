package loopback

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// procNetOwner implements ownerFunc by reading the kernel's table of TCP
// sockets; it takes as long as there are sockets.
func procNetOwner(local, remote netip.AddrPort) (uint32, error) {
	if !local.Addr().Is4() || !remote.Addr().Is4() {
		return 0, errNoSocket
	}
	want4 := procNetAddr(local, "") + " " + procNetAddr(remote, "")
	// A socket of the other family may carry an IPv4 connection (Java's do).
	mapped := "0000000000000000FFFF0000"
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		mapped = "00000000000000000000FFFF" // a big-endian machine
	}
	want6 := procNetAddr(local, mapped) + " " + procNetAddr(remote, mapped)
	for path, want := range map[string]string{"/proc/net/tcp": want4, "/proc/net/tcp6": want6} {
		if uid, err := findSocket(path, want); err == nil {
			return uid, nil
		}
	}
	return 0, errNoSocket
}

// procNetAddr writes an address as the table does: the address as one number
// in the machine's byte order.
func procNetAddr(a netip.AddrPort, prefix string) string {
	ip := a.Addr().As4()
	return fmt.Sprintf("%s%08X:%04X", prefix, binary.NativeEndian.Uint32(ip[:]), a.Port())
}

func findSocket(path, ends string) (uint32, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := lines.Text()
		if !strings.Contains(line, ends) {
			continue
		}
		// sl local remote state queues timer retransmissions uid …
		fields := strings.Fields(line)
		if len(fields) < 8 {
			continue
		}
		uid, err := strconv.ParseUint(fields[7], 10, 32)
		if err != nil {
			return 0, err
		}
		return uint32(uid), nil
	}
	if err := lines.Err(); err != nil {
		return 0, err
	}
	return 0, errNoSocket
}
