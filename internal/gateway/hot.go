package gateway

import "bytes"

// IsInvoke reports whether a POST to this target (path and query, as sent) is
// most likely the operation Invoke: what package front is there for. It
// decides about the way of a request only, not about what the request is.
func IsInvoke(target []byte) bool {
	path, _, _ := bytes.Cut(target, []byte("?"))
	return bytes.HasPrefix(path, []byte("/2015-03-31/functions/")) && bytes.HasSuffix(path, []byte("/invocations"))
}
