package envapi

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	responsePath = "/2018-06-01/runtime/invocation/id-1/response"
	errorPath    = "/2018-06-01/runtime/invocation/id-1/error"
	okAnswer     = "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n"
	notFound     = "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 19\r\n\r\n404 page not found\n"
	pong         = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 4\r\n\r\npong"
)

func jsonAnswer(status, body string) string {
	return "HTTP/1.1 " + status + "\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

func refusal(status, reason string) string {
	body := status[4:] + ": " + reason + "\n"
	return "HTTP/1.1 " + status + "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: " +
		strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

// TestAnswers sends bytes and compares every byte that comes back. The
// requests that leave the connection open are followed by a ping on it.
func TestAnswers(t *testing.T) {
	webPage := "{\"errorMessage\":\"Requests from web pages are refused\",\"errorType\":\"Forbidden\"}\n"
	tests := []struct {
		name, request, want string
		closes              bool
	}{
		{name: "ping", request: get("/2018-06-01/ping"), want: pong},
		{name: "query is ignored", request: get("/2018-06-01/ping?x=%zz"), want: pong},
		{name: "absolute form", request: get("http://169.254.100.1:9001/2018-06-01/ping"), want: pong},
		{name: "absolute form, IPv6", request: get("HTTP://[::1]:9001/2018-06-01/ping"), want: pong},
		{name: "upgrade is ignored", request: head("GET", "/2018-06-01/ping") + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n", want: pong},
		{name: "no path", request: get("/"), want: notFound},
		{name: "other version", request: get("/2020-01-01/extension/event/next"), want: notFound},
		{name: "restore", request: get("/2018-06-01/runtime/restore/next"), want: notFound},
		{name: "trailing slash", request: get("/2018-06-01/ping/"), want: notFound},
		{name: "slash in id", request: head("POST", "/2018-06-01/runtime/invocation/a/b/response") + "\r\n", want: notFound},
		{name: "unknown path with body", request: head("POST", "/2020-01-01/extension/register") + "Content-Length: 15\r\n\r\n{\"events\":null}", want: notFound},
		{name: "HEAD of unknown", request: head("HEAD", "/x") + "\r\n", want: strings.TrimSuffix(notFound, "404 page not found\n")},
		{name: "response by GET", request: get(responsePath), want: "HTTP/1.1 405 Method Not Allowed\r\nAllow: POST\r\nContent-Length: 0\r\n\r\n"},
		{name: "next by POST", request: head("POST", nextPath) + "Content-Length: 3\r\n\r\nabc", want: "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\nContent-Length: 0\r\n\r\n"},
		{name: "ping by HEAD", request: head("HEAD", "/2018-06-01/ping") + "\r\n", want: "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\nContent-Length: 0\r\n\r\n"},
		{name: "response", request: head("POST", responsePath) + "Content-Length: 2\r\n\r\n{}", want: okAnswer},
		{name: "response, no body", request: head("POST", responsePath) + "\r\n", want: okAnswer},
		{name: "response, encoded id", request: head("POST", "/2018-06-01/runtime/invocation/id%2D1/response") + "\r\n", want: okAnswer},
		{name: "response, wrong id", request: head("POST", "/2018-06-01/runtime/invocation/id-2/response") + "Content-Length: 2\r\n\r\n{}", want: jsonAnswer("400 Bad Request", "{\"errorMessage\":\"Invalid request ID\",\"errorType\":\"InvalidRequestID\"}\n")},
		{name: "response, empty id", request: head("POST", "/2018-06-01/runtime/invocation//response") + "\r\n", want: jsonAnswer("400 Bad Request", "{\"errorMessage\":\"Invalid request ID\",\"errorType\":\"InvalidRequestID\"}\n")},
		{name: "response, bad mode", request: head("POST", responsePath) + "Lambda-Runtime-Function-Response-Mode: buffered\r\nContent-Length: 2\r\n\r\n{}", want: jsonAnswer("400 Bad Request", "{\"errorMessage\":\"Invalid function response mode\",\"errorType\":\"InvalidFunctionResponseMode\"}\n")},
		{name: "error", request: head("POST", errorPath) + "Content-Length: 2\r\n\r\n{}", want: okAnswer},
		{name: "error, wrong state", request: head("POST", "/2018-06-01/runtime/invocation/done/error") + "\r\n", want: jsonAnswer("403 Forbidden", "{\"errorMessage\":\"State transition from RuntimeResponseSentState to InvocationErrorResponse failed for runtime. Error: State transition is not allowed\",\"errorType\":\"InvalidStateTransition\"}\n")},
		{name: "init error", request: head("POST", "/2018-06-01/runtime/init/error") + "Content-Length: 2\r\n\r\n{}", want: okAnswer},
		{name: "next, refused", request: get(nextPath), want: jsonAnswer("500 Internal Server Error", "{\"errorMessage\":\"Internal Server Error\",\"errorType\":\"InternalServerError\"}\n")},
		{name: "origin", request: head("GET", "/2018-06-01/ping") + "Origin: null\r\n\r\n", want: jsonAnswer("403 Forbidden", webPage)},
		{name: "sec-fetch-site", request: head("POST", responsePath) + "sec-fetch-site: same-origin\r\nContent-Length: 2\r\n\r\n{}", want: jsonAnswer("403 Forbidden", webPage)},
		{name: "rebound name", request: "GET " + nextPath + " HTTP/1.1\r\nHost: evil.example:9001\r\n\r\n", want: jsonAnswer("403 Forbidden", webPage)},
		{name: "own names", request: "GET /2018-06-01/ping HTTP/1.1\r\nhost: sandbox.localdomain:9001\r\n\r\n", want: pong},
		{name: "keep-alive in 1.0", request: "GET /2018-06-01/ping HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", want: "HTTP/1.0 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\npong"},
		{name: "1.0 closes", closes: true, request: "POST " + responsePath + " HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}", want: "HTTP/1.0 202 Accepted\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n"},
		{name: "close", closes: true, request: head("POST", responsePath) + "Connection: foo , CLOSE\r\nContent-Length: 2\r\n\r\n{}", want: "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n"},

		{name: "bare LF", closes: true, request: "GET /2018-06-01/ping HTTP/1.1\n", want: refusal("400 Bad Request", "line without CRLF")},
		{name: "bare LF in headers", closes: true, request: "GET /2018-06-01/ping HTTP/1.1\r\nHost: a\n", want: refusal("400 Bad Request", "line without CRLF")},
		{name: "bare CR", closes: true, request: head("GET", "/2018-06-01/ping") + "A: b\rC: d\r\n\r\n", want: refusal("400 Bad Request", "malformed header")},
		{name: "TLS", closes: true, request: "\x16\x03\x01", want: refusal("400 Bad Request", "malformed request line")},
		{name: "empty line first", closes: true, request: "\r\n" + get("/2018-06-01/ping"), want: refusal("400 Bad Request", "malformed request line")},
		{name: "folded header", closes: true, request: head("GET", "/x") + "A: b\r\n c\r\n\r\n", want: refusal("400 Bad Request", "malformed header")},
		{name: "space before colon", closes: true, request: head("POST", responsePath) + "Content-Length : 2\r\n\r\n{}", want: refusal("400 Bad Request", "malformed header")},
		{name: "no host", closes: true, request: "GET /x HTTP/1.1\r\n\r\n", want: refusal("400 Bad Request", "missing Host")},
		{name: "two hosts", closes: true, request: head("GET", "/x") + "Host: 127.0.0.1\r\n\r\n", want: refusal("400 Bad Request", "repeated Host")},
		{name: "malformed host", closes: true, request: "GET /x HTTP/1.1\r\nHost: a b\r\n\r\n", want: refusal("400 Bad Request", "malformed Host")},
		{name: "two lengths", closes: true, request: head("POST", responsePath) + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", want: refusal("400 Bad Request", "repeated Content-Length")},
		{name: "signed length", closes: true, request: head("POST", responsePath) + "Content-Length: +2\r\n\r\n{}", want: refusal("400 Bad Request", "malformed Content-Length")},
		{name: "huge length", closes: true, request: head("POST", responsePath) + "Content-Length: 9999999999999999999\r\n\r\n{}", want: refusal("400 Bad Request", "malformed Content-Length")},
		{name: "length and chunked", closes: true, request: head("POST", responsePath) + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", want: refusal("400 Bad Request", "both Content-Length and Transfer-Encoding")},
		{name: "chunked twice", closes: true, request: head("POST", responsePath) + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", want: refusal("400 Bad Request", "repeated Transfer-Encoding")},
		{name: "gzip, chunked", closes: true, request: head("POST", responsePath) + "Transfer-Encoding: gzip, chunked\r\n\r\n", want: refusal("501 Not Implemented", "unsupported transfer encoding")},
		{name: "chunked in 1.0", closes: true, request: "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", want: refusal("400 Bad Request", "Transfer-Encoding in HTTP/1.0")},
		{name: "framing trailer", closes: true, request: head("POST", responsePath) + "Transfer-Encoding: chunked\r\nTrailer: x, Content-Length\r\n\r\n", want: refusal("400 Bad Request", "trailer that frames the message")},
		{name: "expectation", closes: true, request: head("POST", responsePath) + "Expect: tea\r\n\r\n", want: refusal("417 Expectation Failed", "unknown expectation")},
		{name: "HTTP/2", closes: true, request: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", want: refusal("505 HTTP Version Not Supported", "unsupported version")},
		{name: "version", closes: true, request: "GET / HTTP/1.10\r\n\r\n", want: refusal("400 Bad Request", "malformed version")},
		{name: "asterisk", closes: true, request: head("OPTIONS", "*") + "\r\n", want: refusal("400 Bad Request", "malformed target")},
		{name: "two spaces", closes: true, request: "GET  / HTTP/1.1\r\n\r\n", want: refusal("400 Bad Request", "malformed version")},
		{name: "bad escape", closes: true, request: get("/2018-06-01/%zz"), want: refusal("400 Bad Request", "malformed target")},
		{name: "user in authority", closes: true, request: get("http://u@127.0.0.1/"), want: refusal("400 Bad Request", "malformed target")},
		{name: "open bracket", closes: true, request: get("http://[::1/"), want: refusal("400 Bad Request", "malformed target")},
		{name: "no address in brackets", closes: true, request: get("http://[h]/"), want: refusal("400 Bad Request", "malformed target")},
		{name: "behind brackets", closes: true, request: get("http://[::1]x/"), want: refusal("400 Bad Request", "malformed target")},
		{name: "no host in authority", closes: true, request: get("http://:80/"), want: refusal("400 Bad Request", "malformed target")},
		{name: "port of letters", closes: true, request: get("http://h:http/"), want: refusal("400 Bad Request", "malformed target")},
		{name: "body of next too large", closes: true, request: head("GET", nextPath) + "Content-Length: 65537\r\n\r\n", want: "HTTP/1.1 413 Request Entity Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"},
		{name: "long target", closes: true, request: get("/" + strings.Repeat("a", maxHead)), want: refusal("431 Request Header Fields Too Large", "headers too large")},
		{name: "many headers", closes: true, request: head("GET", "/x") + strings.Repeat("A: b\r\n", maxHeaders) + "\r\n", want: refusal("431 Request Header Fields Too Large", "too many headers")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.next = func(*Waiter) *Error { return ErrInternal }
			f.invocations = func(id string, _ Header, _ []byte) *Error {
				if id == "done" {
					return InvalidTransition("RuntimeResponseSentState", "InvocationErrorResponse")
				}
				return nil
			}
			f.response = func(id string, h Header) (Sink, *Error) {
				switch {
				case id != "id-1":
					return nil, ErrInvalidRequestID
				case h.HasResponseMode && h.ResponseMode != "streaming":
					return nil, ErrInvalidResponseMode
				}
				return &fakeSink{f: f}, nil
			}
			_, addr := serve(t, Config{Handler: f})
			p := dial(t, addr)
			want := tt.want
			p.send(tt.request)
			if !tt.closes {
				// The ping ends the connection, so that all there is can be read.
				p.send(head("GET", "/2018-06-01/ping") + "Connection: close\r\n\r\n")
				want += "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: 4\r\n\r\npong"
			}
			var got strings.Builder
			if _, err := p.r.WriteTo(&got); err != nil {
				t.Fatalf("read: %v (after %q)", err, got.String())
			}
			if d := cmp.Diff(want, got.String()); d != "" {
				t.Errorf("answer (-want +got):\n%s", d)
			}
		})
	}
}

// TestHeader checks what a handler gets to know of a POST.
func TestHeader(t *testing.T) {
	f := newFake()
	_, addr := serve(t, Config{Handler: f})
	p := dial(t, addr)
	cause := `{"exceptions":[{"message":"` + strings.Repeat("ü", 300_000) + `"}]}`
	p.send(head("POST", "/2018-06-01/runtime/invocation/%61%2Fb%00/error") +
		"content-type:  application/vnd.aws.lambda.error.cause+json\t\r\nCONTENT-TYPE: second\r\n" +
		"Content-Length: 3\r\nuser-agent: aws-lambda-python/3.11\r\n" +
		"lambda-runtime-function-error-type: Runtime.NoSuchHandler\r\n" +
		"Lambda-Runtime-Function-Xray-Error-Cause: " + cause + "\r\n" +
		"Lambda-Runtime-Features: a b\r\nLambda-Runtime-Function-Response-Mode:\r\n\r\nabc")
	p.answer("POST")
	got := receive(t, f.posts)
	want := post{call: "error", id: "a/b\x00", body: "abc", header: Header{
		ContentType: "application/vnd.aws.lambda.error.cause+json", ContentLength: 3,
		HasResponseMode: true, ErrorType: "Runtime.NoSuchHandler", XRayErrorCause: cause,
		UserAgent: "aws-lambda-python/3.11", RuntimeFeatures: "a b",
	}}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(post{})); d != "" {
		t.Errorf("post (-want +got):\n%s", d)
	}

	// Nothing of it stays for the next request on the connection.
	p.send(head("POST", "/2018-06-01/runtime/init/error") + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
	p.answer("POST")
	want = post{call: "init", header: Header{ContentLength: -1}}
	if d := cmp.Diff(want, receive(t, f.posts), cmp.AllowUnexported(post{})); d != "" {
		t.Errorf("second post (-want +got):\n%s", d)
	}
}

// TestCauseTooLarge: the one long header has a bound too, others have the
// usual one beside it.
func TestCauseTooLarge(t *testing.T) {
	const cause = "Lambda-Runtime-Function-XRay-Error-Cause: "
	for name, headers := range map[string]string{ // endless ones get their answer without an end
		"cause":         cause + strings.Repeat("x", maxCauseLine),
		"beside":        cause + "x\r\nA: " + strings.Repeat("x", maxHead),
		"cause in name": "A" + cause + strings.Repeat("x", maxHead),
		"endless":       "A: b\r\nC: " + strings.Repeat("x", 2*maxHead),
		"endless cause": cause + strings.Repeat("x", maxCauseLine+2*maxHead),
	} {
		t.Run(name, func(t *testing.T) {
			_, addr := serve(t, Config{Handler: newFake()})
			p := dial(t, addr)
			p.send(head("POST", errorPath))
			p.send(headers)
			if !strings.HasPrefix(name, "endless") {
				p.send("\r\n\r\n")
			}
			if r, _ := p.answer("POST"); r.StatusCode != 431 {
				t.Errorf("status %d, want 431", r.StatusCode)
			}
			p.expectEnd()
		})
	}
}
