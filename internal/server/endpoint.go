package server

import (
	"fmt"
	"net"
	"net/url"

	"github.com/lambhq/lamb/internal/gateway"
	"github.com/lambhq/lamb/internal/sandbox/native"
)

// URL is where this machine reaches the server.
func (s *Server) URL() string {
	addr := s.listener.Addr().(*net.TCPAddr)
	host := addr.IP.String()
	if addr.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, fmt.Sprint(addr.Port))
}

func (s *Server) port() int { return s.listener.Addr().(*net.TCPAddr).Port }

// functionsURL is where functions reach the server: on its own address, or,
// in a private network, by the way that is marked as theirs.
func (s *Server) functionsURL() string {
	if s.sandboxes.Fingerprint().Network == native.NetworkPrivate {
		return "http://" + net.JoinHostPort(gateway.InternalHost, fmt.Sprint(s.port()))
	}
	return s.URL()
}

// otherEndpoint is where functions find the other AWS services. What is on
// this machine's loopback has another name in a private network.
func (s *Server) otherEndpoint() string {
	u, err := url.Parse(s.cfg.AWSEndpoint)
	if err != nil || s.sandboxes.Fingerprint().Network != native.NetworkPrivate {
		return s.cfg.AWSEndpoint
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && !ip.IsLoopback() {
		return s.cfg.AWSEndpoint
	}
	host := gateway.InternalHost
	if port := u.Port(); port != "" {
		host = net.JoinHostPort(host, port)
	}
	u.Host = host
	return u.String()
}
