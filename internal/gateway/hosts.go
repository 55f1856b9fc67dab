package gateway

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// InternalHost is the name under which functions reach the host, and lamb.
const InternalHost = "host.lamb.internal"

// hostRule says which Host a request may ask for. It is what stops DNS
// rebinding: a web page can make its own name resolve to 127.0.0.1, but then
// it is that name which the browser sends.
type hostRule struct {
	extra map[string]bool // configured names and addresses, lower case
}

func newHostRule(extra []string) (hostRule, error) {
	rule := hostRule{extra: make(map[string]bool, len(extra))}
	for _, host := range extra {
		name := strings.Trim(strings.ToLower(host), "[]")
		_, err := netip.ParseAddr(name)
		if name == "" || err != nil && strings.ContainsAny(name, ":/@ ") {
			return hostRule{}, fmt.Errorf("host %q is not a host name or address (give it without a port)", host)
		}
		rule.extra[name] = true
	}
	return rule, nil
}

// allows reports whether a request may carry this Host header.
func (h hostRule) allows(hostport string) bool {
	host, ok := cutPort(hostport)
	if !ok {
		return false
	}
	host = strings.ToLower(host)
	if host == "localhost" || host == InternalHost || h.extra[host] || isLocalhostName(host) {
		return true
	}
	return isLoopback(host)
}

// isLocalhostName is true of x.localhost, which resolves to loopback
// everywhere (RFC 6761) and so is no way for a web page to come in.
func isLocalhostName(host string) bool {
	name, ok := strings.CutSuffix(host, ".localhost")
	return ok && name != ""
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// cutPort splits "host", "host:port", "[v6]" and "[v6]:port"; a bare v6
// address is taken too. It reports whether the form is one of these.
func cutPort(s string) (host string, ok bool) {
	if rest, ok := strings.CutPrefix(s, "["); ok {
		host, port, ok := strings.Cut(rest, "]")
		return host, ok && (port == "" || isPort(port))
	}
	i := strings.IndexByte(s, ':')
	if i < 0 {
		return s, s != ""
	}
	if strings.IndexByte(s[i+1:], ':') >= 0 {
		return s, true // only an address has two colons; nothing else is allowed with them
	}
	return s[:i], i > 0 && isPort(s[i:])
}

// isPort is true of ":", as RFC 3986 lets a port be empty, and of ":8080".
func isPort(s string) bool {
	if s == "" || s[0] != ':' || len(s) > 6 {
		return false
	}
	for i := 1; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// fromWebPage reports whether a browser sent the request for a page: no AWS
// client sends an Origin. Sec-Fetch-Site tells of the requests without one,
// such as images and navigation; "same-site" is another port of localhost.
func fromWebPage(r *http.Request) bool {
	if _, ok := r.Header["Origin"]; ok {
		return true
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		return true
	}
	return false
}
