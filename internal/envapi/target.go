package envapi

import "bytes"

// targetPath returns the path of an origin-form or absolute-form target,
// still percent-encoded, without its query.
func targetPath(target []byte) ([]byte, bool) {
	for _, c := range target {
		if c <= ' ' || c >= 0x7f {
			return nil, false
		}
	}
	if len(target) >= 7 && equalFold(target[:7], "http://") {
		end := bytes.IndexAny(target[7:], "/?")
		if end < 0 {
			end = len(target) - 7
		}
		if end == 0 || !isAuthority(target[7:7+end]) {
			return nil, false
		}
		target = target[7+end:]
	} else if len(target) == 0 || target[0] != '/' {
		return nil, false
	}
	path, _, _ := bytes.Cut(target, []byte{'?'})
	for i := 0; i < len(path); i++ {
		if path[i] == '%' && (i+2 >= len(path) || hexValue(path[i+1]) < 0 || hexValue(path[i+2]) < 0) {
			return nil, false
		}
	}
	return path, true
}

// isAuthority reports whether b is host or host:port with a plain name or an
// address as host.
func isAuthority(b []byte) bool {
	host, port, hasPort := b, []byte(nil), false
	if b[0] == '[' {
		end := bytes.IndexByte(b, ']')
		if end < 2 {
			return false
		}
		for _, c := range b[1:end] {
			if hexValue(c) < 0 && c != ':' && c != '.' {
				return false
			}
		}
		host, port = nil, b[end+1:]
		if len(port) > 0 && port[0] != ':' {
			return false
		}
		if len(port) > 0 {
			port = port[1:]
		}
	} else {
		host, port, hasPort = bytes.Cut(b, []byte{':'})
		if hasPort && len(host) == 0 {
			return false
		}
	}
	for _, c := range host {
		if !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'z') && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	for _, c := range port {
		if !isDigit(c) {
			return false
		}
	}
	return len(port) <= 5
}

// decodeSegment undoes percent-encoding, whose syntax targetPath has checked.
func decodeSegment(b []byte) string {
	if bytes.IndexByte(b, '%') < 0 {
		return string(b)
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '%' {
			out = append(out, byte(hexValue(b[i+1])<<4|hexValue(b[i+2])))
			i += 2
		} else {
			out = append(out, b[i])
		}
	}
	return string(out)
}

// plainHost reports whether a well-formed Host header is one that a program in the
// environment uses: an address, or a name that no DNS server can give to a
// stranger. A page whose own name was made to resolve here (rebinding) sends
// that name, and for a plain GET no other sign of being a page.
func plainHost(host []byte) bool {
	if len(host) == 0 || host[0] == '[' {
		return true // HTTP/1.0; an IPv6 address
	}
	name, _, _ := bytes.Cut(host, []byte{':'})
	last := name[bytes.LastIndexByte(name, '.')+1:]
	for _, local := range []string{"localhost", "localdomain", "internal", "sandbox"} {
		if equalFold(last, local) {
			return true
		}
	}
	for _, c := range name {
		if !isDigit(c) && c != '.' {
			return false
		}
	}
	return true
}
