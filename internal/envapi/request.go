package envapi

import (
	"bytes"
	"net/http"
)

// Bounds of a request's head, in bytes and headers. aws-lambda-go sends an
// X-Ray cause of up to 1 MiB in a header, so that one line has its own bound.
const (
	maxHead      = 64 << 10
	maxCauseLine = 1<<20 + 1<<10
	maxHeaders   = 128
)

const causeHeader = "lambda-runtime-function-xray-error-cause"

// protocolError is a request that is not acceptable HTTP; the connection ends
// with it.
type protocolError struct {
	status int
	reason string
}

func (e *protocolError) Error() string { return http.StatusText(e.status) + ": " + e.reason }

func badRequest(reason string) *protocolError { return &protocolError{http.StatusBadRequest, reason} }

// scanHead looks for the end of a head in b, whose first from bytes are known
// to be whole lines. It returns the head's length if it is complete, else how
// far the whole lines go. A line end without CR is refused here, so that the
// client need not wait for the timeout.
func scanHead(b []byte, from int) (n int, complete bool, err *protocolError) {
	if from == 0 && len(b) > 0 && !isTokenByte(b[0]) {
		return 0, false, badRequest("malformed request line")
	}
	for n = from; ; {
		i := bytes.IndexByte(b[n:], '\n')
		if i < 0 {
			return n, false, nil
		}
		if i == 0 || b[n+i-1] != '\r' {
			return n, false, badRequest("line without CRLF")
		}
		n += i + 1
		if i == 1 {
			return n, true, nil
		}
	}
}

// mayBeLong reports whether an incomplete head of more than maxHead bytes may
// go on: only the X-Ray cause makes it so long.
func mayBeLong(b []byte) bool {
	if len(b) > maxHead+maxCauseLine {
		return false
	}
	for len(b) > 0 {
		if len(b) > len(causeHeader) && equalFold(b[:len(causeHeader)], causeHeader) {
			return true
		}
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			return false
		}
		b = b[i+1:]
	}
	return false
}

// request is a parsed head. Its slices point into the connection's buffer and
// are valid until the body is read.
type request struct {
	method, target, path []byte
	http10               bool
	head                 bool // HEAD, whose answer has no body
	keepAlive            bool
	chunked              bool
	contentLength        int64 // 0 if absent
	expectContinue       bool
	fromWebPage          bool // as far as browsers say so
	host                 []byte

	contentType, userAgent, features, errorType, cause, mode []byte
	hasMode                                                  bool

	authorization []byte // of the credentials endpoint

	// Of extensions.
	extName, extID, extFeatures, extErrorType []byte

	// What has been seen, to refuse repetition.
	sawHost, sawLength, sawEncoding, sawKeepAlive, sawClose bool
}

// parse reads a complete head, its empty line included. It is strict where
// parsers differ (line ends, folding, repeated or contradicting lengths): what
// two readers of one connection could understand differently is refused.
func (q *request) parse(head []byte) *protocolError {
	*q = request{}
	line, rest := cutLine(head)
	if err := q.parseRequestLine(line); err != nil {
		return err
	}
	other := len(line) + 2
	for n := 0; ; n++ {
		line, rest = cutLine(rest)
		if len(line) == 0 {
			break
		}
		if n == maxHeaders {
			return &protocolError{http.StatusRequestHeaderFieldsTooLarge, "too many headers"}
		}
		name, value, ok := splitHeader(line)
		if !ok {
			return badRequest("malformed header")
		}
		if equalFold(name, causeHeader) {
			if len(line) > maxCauseLine {
				return errHeadTooLarge
			}
		} else if other += len(line) + 2; other > maxHead {
			return errHeadTooLarge
		}
		if err := q.header(name, value); err != nil {
			return err
		}
	}
	return q.check()
}

var errHeadTooLarge = &protocolError{http.StatusRequestHeaderFieldsTooLarge, "headers too large"}

// parseRequestLine takes "METHOD SP target SP HTTP/1.x".
func (q *request) parseRequestLine(line []byte) *protocolError {
	method, rest, ok := bytes.Cut(line, []byte{' '})
	target, version, ok2 := bytes.Cut(rest, []byte{' '})
	if !ok || !ok2 || !isToken(method) {
		return badRequest("malformed request line")
	}
	switch string(version) {
	case "HTTP/1.1":
	case "HTTP/1.0":
		q.http10 = true
	default:
		if len(version) == 8 && string(version[:5]) == "HTTP/" && isDigit(version[5]) && version[6] == '.' && isDigit(version[7]) {
			return &protocolError{http.StatusHTTPVersionNotSupported, "unsupported version"}
		}
		return badRequest("malformed version")
	}
	q.method, q.target = method, target
	q.head = string(method) == http.MethodHead
	path, ok := targetPath(target)
	if !ok {
		return badRequest("malformed target")
	}
	q.path = path
	return nil
}

// header notes one header line that matters here; all others are ignored. Of
// a repeated one the first counts, except for those that frame the message.
func (q *request) header(name, value []byte) *protocolError {
	switch len(name) {
	case 4:
		if equalFold(name, "host") {
			if q.sawHost {
				return badRequest("repeated Host")
			}
			q.sawHost, q.host = true, value
		}
	case 6:
		if equalFold(name, "expect") {
			if !equalFold(value, "100-continue") {
				return &protocolError{http.StatusExpectationFailed, "unknown expectation"}
			}
			q.expectContinue = true
		} else if equalFold(name, "origin") {
			q.fromWebPage = true
		}
	case 7:
		if equalFold(name, "trailer") && namesFraming(value) {
			return badRequest("trailer that frames the message")
		}
	case 10:
		if equalFold(name, "connection") {
			q.connection(value)
		} else if equalFold(name, "user-agent") {
			first(&q.userAgent, value)
		}
	case 12:
		if equalFold(name, "content-type") {
			first(&q.contentType, value)
		}
	case 14:
		if equalFold(name, "content-length") {
			return q.length(value)
		} else if equalFold(name, "sec-fetch-site") {
			q.fromWebPage = true
		}
	case 17:
		if equalFold(name, "transfer-encoding") {
			return q.encoding(value)
		}
	default:
		q.lambdaHeader(name, value)
	}
	return nil
}

func (q *request) lambdaHeader(name, value []byte) {
	switch {
	case equalFold(name, "lambda-runtime-features"):
		first(&q.features, value)
	case equalFold(name, errorTypeHeader):
		first(&q.errorType, value)
	case equalFold(name, "lambda-runtime-function-response-mode"):
		if !q.hasMode {
			q.hasMode, q.mode = true, value
		}
	case equalFold(name, causeHeader):
		first(&q.cause, value)
	case equalFold(name, "authorization"):
		first(&q.authorization, value)
	case equalFold(name, "lambda-extension-identifier"):
		first(&q.extID, value)
	case equalFold(name, "lambda-extension-name"):
		first(&q.extName, value)
	case equalFold(name, "lambda-extension-accept-feature"):
		first(&q.extFeatures, value)
	case equalFold(name, "lambda-extension-function-error-type"):
		first(&q.extErrorType, value)
	}
}

func (q *request) length(value []byte) *protocolError {
	if q.sawLength {
		return badRequest("repeated Content-Length")
	}
	q.sawLength = true
	if len(value) == 0 || len(value) > 18 {
		return badRequest("malformed Content-Length")
	}
	var n int64
	for _, d := range value {
		if !isDigit(d) {
			return badRequest("malformed Content-Length")
		}
		n = n*10 + int64(d-'0')
	}
	q.contentLength = n
	return nil
}

func (q *request) encoding(value []byte) *protocolError {
	if q.sawEncoding {
		return badRequest("repeated Transfer-Encoding")
	}
	q.sawEncoding = true
	if !equalFold(value, "chunked") {
		return &protocolError{http.StatusNotImplemented, "unsupported transfer encoding"}
	}
	q.chunked = true
	return nil
}

func (q *request) connection(value []byte) {
	for len(value) > 0 {
		var token []byte
		token, value, _ = bytes.Cut(value, []byte{','})
		token = trimOWS(token)
		if equalFold(token, "close") {
			q.sawClose = true
		} else if equalFold(token, "keep-alive") {
			q.sawKeepAlive = true
		}
	}
}

// check judges the head as a whole.
func (q *request) check() *protocolError {
	switch {
	case q.chunked && q.sawLength:
		return badRequest("both Content-Length and Transfer-Encoding")
	case q.chunked && q.http10:
		return badRequest("Transfer-Encoding in HTTP/1.0")
	case !q.http10 && !q.sawHost:
		return badRequest("missing Host")
	case len(q.host) > 0 && !isAuthority(q.host):
		return badRequest("malformed Host")
	}
	q.keepAlive = !q.sawClose && (!q.http10 || q.sawKeepAlive)
	if q.http10 {
		q.expectContinue = false // 1.0 has no interim answers
	}
	if q.chunked {
		q.contentLength = -1
	}
	return nil
}
