package escapes

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds a connection: what is unreachable is so at once.
const patience = 2 * time.Second

func network() []Attempt {
	dial := func(network, address string) error {
		c, err := net.DialTimeout(network, address, patience)
		if err == nil {
			c.Close()
		}
		return err
	}
	socket := func(family, kind, protocol int) func(Target) error {
		return func(Target) error {
			fd, err := unix.Socket(family, kind, protocol)
			if err == nil {
				unix.Close(fd)
			}
			return err
		}
	}
	return []Attempt{
		{"connect to the host", func(t Target) error { return dial("tcp", t.TCP) }},
		{"connect to the host's unix socket", func(t Target) error { return dial("unix", t.Unix) }},
		{"connect to the host's abstract socket", func(t Target) error { return dial("unix", "@"+t.Abstract) }},
		{"connect to the metadata service", func(Target) error { return dial("tcp", "169.254.169.254:80") }},
		{"connect to the metadata service by IPv6", func(Target) error { return dial("tcp", "[fd00:ec2::254]:80") }},
		{"take lamb's address", func(Target) error {
			l, err := net.Listen("tcp", "169.254.100.1:9001")
			if err == nil {
				l.Close()
			}
			return err
		}},
		{"see another interface", func(Target) error {
			all, err := net.Interfaces()
			if err == nil && len(all) == 1 && all[0].Name == "lo" {
				return errRefused
			}
			return err
		}},
		{"open a packet socket", socket(unix.AF_PACKET, unix.SOCK_RAW, 0)},
		{"open a raw socket", socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP)},
		{"open a socket to the hypervisor", socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0)},
		{"open a crypto socket", socket(unix.AF_ALG, unix.SOCK_SEQPACKET, 0)},
		{"take the loopback down", func(Target) error {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			request, err := unix.NewIfreq("lo")
			if err != nil {
				return err
			}
			request.SetUint16(0)
			return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
		}},
	}
}
