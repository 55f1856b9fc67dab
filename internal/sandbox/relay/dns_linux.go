package relay

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"
)

const (
	// queryTimeout is for one name server.
	queryTimeout = 3 * time.Second
	// idleDNS ends a TCP connection on which no query arrives.
	idleDNS = 10 * time.Second
	// maxResolvConf bounds the file.
	maxResolvConf = 64 << 10
)

// resolvers are the host's name servers, as its resolv.conf has them now.
type resolvers struct {
	path string

	mu       sync.Mutex // guards what follows
	modified time.Time
	list     []netip.AddrPort
}

func (r *resolvers) current() []netip.AddrPort {
	r.mu.Lock()
	defer r.mu.Unlock()
	info, err := os.Stat(r.path)
	if err == nil && r.list != nil && info.ModTime().Equal(r.modified) {
		return r.list
	}
	content := ""
	if err == nil {
		r.modified = info.ModTime()
		content = readBounded(r.path)
	}
	if err == nil || r.list == nil {
		r.list = parseNameServers(content)
	}
	return r.list
}

// readBounded returns a file's beginning, empty when it cannot be read.
func readBounded(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxResolvConf))
	if err != nil {
		return ""
	}
	return string(b)
}

// resolve answers a query, by the given way to ask others; nil means that
// there is nothing to answer.
func (s *Session) resolve(query []byte, exchange func(context.Context, netip.AddrPort, []byte) ([]byte, error)) []byte {
	q, rcode, ok := parseQuestion(query)
	if !ok {
		return nil
	}
	if rcode != rcodeOK {
		return makeAnswer(query, q, rcode, netip.Addr{})
	}
	if answer := ownAnswer(query, q, s.relay.name); answer != nil {
		return answer
	}
	if err := s.relay.take(); err != nil {
		return makeAnswer(query, q, rcodeServFail, netip.Addr{})
	}
	defer s.relay.give()
	for _, server := range s.relay.resolvers.current() {
		ctx, cancel := context.WithTimeout(s.ctx, queryTimeout)
		answer, err := exchange(ctx, server, query)
		cancel()
		if err == nil {
			return answer
		}
		s.log.Debug("a name server did not answer", "server", server.String(), "error", err)
		if s.ctx.Err() != nil {
			return nil
		}
	}
	return makeAnswer(query, q, rcodeServFail, netip.Addr{})
}

// answerUDP answers a query in the background; too many are dropped.
func (s *Session) answerUDP(datagram []byte, key flowKey) {
	select {
	case s.queries <- struct{}{}:
	default:
		return
	}
	query := slices.Clone(datagram)
	s.running.Go(func() {
		defer func() { <-s.queries }()
		if answer := s.resolve(query, s.exchangeUDP); answer != nil {
			s.reply(key, answer)
		}
	})
}

// connect opens a connection to a name server that ends with ctx.
func connect(ctx context.Context, network string, server netip.AddrPort) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, network, server.String())
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { conn.Close() })
	return conn, nil
}

// exchangeUDP asks a name server from a port of its own.
func (s *Session) exchangeUDP(ctx context.Context, server netip.AddrPort, query []byte) ([]byte, error) {
	conn, err := connect(ctx, "udp", server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if _, err := conn.Write(query); err != nil {
		return nil, err
	}
	buf := s.relay.buffers.Get().(*[]byte)
	defer s.relay.buffers.Put(buf)
	for {
		n, err := conn.Read(*buf)
		if err != nil {
			return nil, err
		}
		if answer := (*buf)[:n]; answers(answer, query) {
			return slices.Clone(answer), nil
		}
	}
}

func (s *Session) exchangeTCP(ctx context.Context, server netip.AddrPort, query []byte) ([]byte, error) {
	conn, err := connect(ctx, "tcp", server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := writeMessage(conn, query); err != nil {
		return nil, err
	}
	answer, err := readMessage(conn)
	if err == nil && !answers(answer, query) {
		err = errors.New("the answer is for another query")
	}
	return answer, err
}

// serveDNS answers queries on a TCP connection, one after the other.
func (s *Session) serveDNS(conn net.Conn) {
	defer conn.Close()
	for {
		if err := conn.SetDeadline(time.Now().Add(idleDNS)); err != nil {
			return
		}
		query, err := readMessage(conn)
		if err != nil {
			return
		}
		select {
		case s.queries <- struct{}{}:
		case <-s.ctx.Done():
			return
		}
		answer := s.resolve(query, s.exchangeTCP)
		<-s.queries
		if answer == nil {
			return
		}
		if err := conn.SetDeadline(time.Now().Add(idleDNS)); err != nil {
			return
		}
		if err := writeMessage(conn, answer); err != nil {
			return
		}
	}
}

// readMessage reads a message, 64 KiB at most by the format.
func readMessage(r io.Reader) ([]byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	msg := make([]byte, binary.BigEndian.Uint16(size[:]))
	_, err := io.ReadFull(r, msg)
	return msg, err
}

func writeMessage(w io.Writer, msg []byte) error {
	if len(msg) > 0xffff {
		return fmt.Errorf("a message of %d bytes", len(msg))
	}
	_, err := w.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(msg))), msg...))
	return err
}
