package escapes

import (
	"errors"
	"io"
	"net"
	"os"
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
	netlink := func(protocol int) func(Target) error {
		return func(Target) error {
			fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, protocol)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			return unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1})
		}
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
	// A connection that lamb accepts and resets has led nowhere.
	answered := func(network, address string) error {
		c, err := net.DialTimeout(network, address, patience)
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(patience / 4)); err != nil {
			return err
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		return nil // somebody is there
	}
	// What was sent was accepted by lamb, if by anybody: an answer tells.
	ask := func(address string) error {
		c, err := net.DialTimeout("udp", address, patience)
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(patience / 4)); err != nil {
			return err
		}
		if _, err := c.Write([]byte("anybody?")); err != nil {
			return err
		}
		_, err = c.Read(make([]byte, 16))
		return err
	}
	return []Attempt{
		{"connect to the host", func(t Target) error { return answered("tcp", t.TCP) }},
		{"connect to the host by its other address", func(t Target) error {
			if t.Local == "" {
				return errRefused
			}
			return answered("tcp", t.Local)
		}},
		{"connect to the host by mapped IPv6", func(t Target) error {
			_, port, err := net.SplitHostPort(t.TCP)
			if err != nil {
				return err
			}
			return answered("tcp6", "[64:ff9b::7f00:1]:"+port)
		}},
		{"get out by IPv6", func(Target) error { return dial("tcp6", "[2001:4860:4860::8888]:53") }},
		{"reach neighbours by IPv6", func(Target) error { return ask("[ff02::1%lo]:5353") }},
		{"reach everybody on the network", func(Target) error { return ask("255.255.255.255:67") }},
		{"reach a group of the network", func(Target) error { return ask("224.0.0.251:5353") }},
		{"reach the relay itself", func(Target) error { return answered("tcp", "127.0.0.1:2") }},
		{"reach the relay by its address", func(Target) error { return answered("tcp", "10.77.0.2:2") }},
		{"take the relay's port", func(Target) error {
			l, err := net.Listen("tcp", "10.77.0.2:2")
			if err == nil {
				l.Close()
			}
			return err
		}},
		{"hear of the host's devices", netlink(unix.NETLINK_KOBJECT_UEVENT)},
		{"talk to the firewall", netlink(unix.NETLINK_NETFILTER)},
		{"list sockets", netlink(unix.NETLINK_SOCK_DIAG)},
		{"open a socket that loads a module", socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP)},
		{"pair sockets of another family", func(Target) error {
			pair, err := unix.Socketpair(unix.AF_TIPC, unix.SOCK_SEQPACKET, 0)
			if err == nil || err == unix.EOPNOTSUPP {
				unix.Close(pair[0])
				return nil // the kernel has looked for the family
			}
			return err
		}},
		{"reach another sandbox's Runtime API", func(t Target) error {
			c, err := net.DialTimeout("tcp", t.OtherAPI, patience)
			if err != nil {
				return err
			}
			defer c.Close()
			_ = c.SetReadDeadline(time.Now().Add(patience))
			heard, err := io.ReadAll(io.LimitReader(c, 100))
			if string(heard) == greeting {
				return nil
			}
			return errors.Join(errRefused, err) // its own, which says nothing
		}},
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
