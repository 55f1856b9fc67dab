package server

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/functionurl"
)

// DefaultURLDomain is the domain of functions' URLs: every name under it is
// this machine, for most programs.
const DefaultURLDomain = "localhost"

// functionURL is the text of a function's URL.
func (s *Server) functionURL(u *function.URL) string {
	domain, port := s.urlDomain(), strconv.Itoa(s.port())
	if _, given, err := net.SplitHostPort(s.cfg.URLDomain); err == nil {
		port = given
	}
	return "http://" + net.JoinHostPort(function.URLHost(u.ID, u.Key.Region, domain), port) + "/"
}

// checkURLDomain accepts DOMAIN and DOMAIN:PORT.
func checkURLDomain(s string) error {
	domain := s
	if host, port, err := net.SplitHostPort(s); err == nil {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("URL domain %q has no valid port", s)
		}
		domain = host
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || strings.Trim(strings.ToLower(label), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return fmt.Errorf("URL domain %q is not the name of a domain", s)
		}
	}
	return nil
}

// urlDomain is the domain of functions' URLs without a port.
func (s *Server) urlDomain() string {
	if domain, _, err := net.SplitHostPort(s.cfg.URLDomain); err == nil {
		return domain
	}
	return s.cfg.URLDomain
}

// functionURLs is what serves functions' URLs.
func (s *Server) functionURLs() *functionurl.Handler {
	return functionurl.New(functionurl.Config{Catalog: s.catalog, Invoke: s.invoke, Domain: s.urlDomain(), Log: s.cfg.Log})
}
