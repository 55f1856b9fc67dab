package relay

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// flowKey is a program's address and the one that it sent to.
type flowKey struct{ inside, outside netip.AddrPort }

// flow is a peer of a program: what arrives at conn goes back to it.
type flow struct {
	conn *net.UDPConn
	used atomic.Int64 // when a datagram last passed, UnixNano
}

// flows are a session's.
type flows struct {
	mu    sync.Mutex // guards what follows
	byKey map[flowKey]*flow
}

// receiveUDP passes on the programs' datagrams until the inlet is closed.
func (s *Session) receiveUDP() {
	raw, err := s.inlet.udp.SyscallConn()
	if err != nil {
		return // closed already
	}
	for {
		datagram, from, to, err := s.receive(raw)
		if err != nil {
			if s.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			s.log.Warn("a datagram from the sandbox could not be read", "error", err)
			select {
			case <-time.After(acceptPause):
				continue
			case <-s.ctx.Done():
				return
			}
		}
		if to.IsValid() {
			s.forward(*datagram, flowKey{from, to})
		}
		*datagram = (*datagram)[:cap(*datagram)]
		s.relay.buffers.Put(datagram)
	}
}

// receive waits for a datagram. Its buffer comes from the pool only when there
// is one: waiting sessions hold none.
func (s *Session) receive(raw syscall.RawConn) (datagram *[]byte, from, to netip.AddrPort, err error) {
	var oob [64]byte
	waitErr := raw.Read(func(fd uintptr) bool {
		buf := s.relay.buffers.Get().(*[]byte)
		n, oobn, _, source, recvErr := unix.Recvmsg(int(fd), *buf, oob[:], unix.MSG_DONTWAIT)
		if recvErr != nil {
			s.relay.buffers.Put(buf)
			err = recvErr
			return recvErr != unix.EAGAIN
		}
		*buf = (*buf)[:n]
		datagram, err = buf, nil
		if in, ok := source.(*unix.SockaddrInet4); ok {
			from = netip.AddrPortFrom(netip.AddrFrom4(in.Addr), uint16(in.Port))
			to = originalDestination(oob[:oobn])
		}
		return true
	})
	if waitErr != nil {
		err = waitErr
	}
	return datagram, from, to, err
}

func originalDestination(oob []byte) netip.AddrPort {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return netip.AddrPort{}
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_IP && m.Header.Type == unix.IP_ORIGDSTADDR && len(m.Data) >= 8 {
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte(m.Data[4:8])), binary.BigEndian.Uint16(m.Data[2:]))
		}
	}
	return netip.AddrPort{}
}

// forward passes on one datagram.
func (s *Session) forward(datagram []byte, key flowKey) {
	s.flows.mu.Lock()
	f := s.flows.byKey[key]
	s.flows.mu.Unlock()
	if f == nil {
		d := s.decide(UDP, key.outside)
		switch d.Verdict {
		case DNS:
			s.answerUDP(datagram, key)
			return
		case Allow, Host:
			var err error
			if f, err = s.openFlow(key, d.Addr); err == nil {
				break
			}
			s.log.Debug("destination not reached", "protocol", "udp", "destination", key.outside.String(), "error", err)
			fallthrough
		default:
			s.refuse(key, len(datagram))
			return
		}
	}
	f.used.Store(time.Now().UnixNano())
	_, err := f.conn.Write(datagram)
	if errors.Is(err, syscall.ECONNREFUSED) {
		// That was the answer to an earlier one, and this was not sent.
		s.refuse(key, len(datagram))
		_, err = f.conn.Write(datagram)
	}
	if err != nil {
		s.log.Debug("a datagram was lost", "destination", key.outside.String(), "error", err)
	}
}

// openFlow makes a flow, in the place of the one that was idle longest when
// there are too many.
func (s *Session) openFlow(key flowKey, to netip.AddrPort) (*flow, error) {
	if err := s.relay.take(); err != nil {
		return nil, err
	}
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		s.relay.give()
		return nil, err
	}
	f := &flow{conn: conn}
	f.used.Store(time.Now().UnixNano())
	s.flows.mu.Lock()
	if len(s.flows.byKey) >= s.relay.limits.Flows {
		s.flows.dropOldest()
	}
	s.flows.byKey[key] = f
	s.flows.mu.Unlock()
	s.running.Go(func() { s.serveFlow(key, f) })
	return f, nil
}

// dropOldest is called with mu held. The flow's own goroutine ends by it.
func (t *flows) dropOldest() {
	var oldest flowKey
	var least int64
	for key, f := range t.byKey {
		if used := f.used.Load(); least == 0 || used < least {
			oldest, least = key, used
		}
	}
	t.byKey[oldest].conn.Close()
	delete(t.byKey, oldest)
}

// drop removes a flow, unless another has its place already.
func (t *flows) drop(key flowKey, f *flow) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byKey[key] == f {
		delete(t.byKey, key)
	}
}

func (t *flows) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.byKey)
}

// serveFlow passes answers back until the flow is idle or closed.
func (s *Session) serveFlow(key flowKey, f *flow) {
	stop := context.AfterFunc(s.ctx, func() { f.conn.Close() })
	defer stop()
	defer s.relay.give()
	defer f.conn.Close()
	defer s.flows.drop(key, f)
	raw, err := f.conn.SyscallConn()
	if err != nil {
		return
	}
	for {
		idleAt := time.Unix(0, f.used.Load()).Add(s.relay.limits.FlowIdle)
		if err := f.conn.SetReadDeadline(idleAt); err != nil {
			return
		}
		datagram, _, _, err := s.receive(raw)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			if time.Now().UnixNano()-f.used.Load() >= int64(s.relay.limits.FlowIdle) {
				return
			}
			continue // it was used meanwhile
		case errors.Is(err, syscall.ECONNREFUSED):
			s.refuse(key, 0)
			continue
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil:
			return
		}
		f.used.Store(time.Now().UnixNano())
		s.reply(key, *datagram)
		*datagram = (*datagram)[:cap(*datagram)]
		s.relay.buffers.Put(datagram)
	}
}

const (
	ipHeader  = 20
	udpHeader = 8
	icmpHead  = 8
	ttl       = 64

	// maxPayload is what fits into an IPv4 datagram.
	maxPayload = 65535 - ipHeader - udpHeader
)

// reply sends a datagram to a program as if it came from where the program
// had sent its own.
func (s *Session) reply(key flowKey, payload []byte) {
	if len(payload) > maxPayload {
		return
	}
	buf := s.relay.buffers.Get().(*[]byte)
	defer s.relay.buffers.Put(buf)
	b := appendIP((*buf)[:0], unix.IPPROTO_UDP, key, udpHeader+len(payload))
	b = appendUDP(b, key.outside.Port(), key.inside.Port(), len(payload))
	s.inject(append(b, payload...), key.inside.Addr())
}

// refuse tells a program that nobody receives at a destination, as a host
// does: by an ICMP message with the head of what it sent.
func (s *Session) refuse(key flowKey, size int) {
	back := flowKey{inside: key.outside, outside: key.inside} // the program's own datagram
	icmp := append(make([]byte, 0, 64), 3, 3, 0, 0, 0, 0, 0, 0)
	icmp = appendIP(icmp, unix.IPPROTO_UDP, back, udpHeader+size)
	icmp = appendUDP(icmp, key.inside.Port(), key.outside.Port(), size)
	binary.BigEndian.PutUint16(icmp[2:], checksum(icmp))
	s.inject(append(appendIP(nil, unix.IPPROTO_ICMP, key, len(icmp)), icmp...), key.inside.Addr())
}

// appendIP appends a header from key.outside to key.inside.
func appendIP(b []byte, proto byte, key flowKey, size int) []byte {
	start := len(b)
	b = append(b, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(min(ipHeader+size, 65535)))
	b = append(b, 0, 0, 0, 0, ttl, proto, 0, 0)
	b = append(b, key.outside.Addr().AsSlice()...)
	b = append(b, key.inside.Addr().AsSlice()...)
	binary.BigEndian.PutUint16(b[start+10:], checksum(b[start:]))
	return b
}

// appendUDP appends a header without a checksum, which IPv4 permits: nothing
// lies between here and the program.
func appendUDP(b []byte, from, to uint16, size int) []byte {
	b = binary.BigEndian.AppendUint16(b, from)
	b = binary.BigEndian.AppendUint16(b, to)
	b = binary.BigEndian.AppendUint16(b, uint16(min(udpHeader+size, 65535)))
	return append(b, 0, 0)
}

// checksum is the Internet's, of bytes in which its own field is zero.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// inject sends a packet into the namespace. What does not get in is lost, as
// datagrams may be.
func (s *Session) inject(packet []byte, to netip.Addr) {
	_, _ = s.inlet.raw.WriteToIP(packet, &net.IPAddr{IP: to.AsSlice()})
}
