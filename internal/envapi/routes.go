package envapi

import (
	"bytes"
	"net/http"
)

const runtimeAPI = "/2018-06-01"

// route is one call of the API. Its path is before+id+after when after is
// set, else before alone. serve answers, and reports whether the connection
// can carry another request.
type route struct {
	method, before, after string
	serve                 func(c *conn, id []byte) bool
}

// routes is everything that an environment can call; the rest is 404.
func routes(cfg *Config) []route {
	all := []route{
		{"GET", runtimeAPI + "/runtime/invocation/next", "", (*conn).next},
		{"POST", runtimeAPI + "/runtime/invocation/", "/response", (*conn).response},
		{"POST", runtimeAPI + "/runtime/invocation/", "/error", (*conn).invocationError},
		{"POST", runtimeAPI + "/runtime/init/error", "", (*conn).initError},
		{"GET", runtimeAPI + "/ping", "", (*conn).ping},
	}
	if cfg.Restore != nil {
		all = append(all,
			route{"GET", runtimeAPI + "/runtime/restore/next", "", (*conn).restoreNext},
			route{"POST", runtimeAPI + "/runtime/restore/error", "", (*conn).restoreError},
		)
	}
	if cfg.Credentials != nil {
		all = append(all, route{"GET", "/2021-04-23/credentials", "", (*conn).credentials})
	}
	if cfg.Extensions == nil {
		return all
	}
	// AWS's pages have the addresses of subscriptions with a slash at the end, and
	// its own examples have them without.
	for _, slash := range []string{"", "/"} {
		all = append(all,
			route{"PUT", "/2022-07-01/telemetry" + slash, "", (*conn).subscribeTelemetry},
			route{"PUT", "/2020-08-15/logs" + slash, "", (*conn).subscribeLogs},
		)
	}
	return append(all,
		route{"GET", extensionAPI + "/event/next", "", (*conn).extensionNext},
		route{"POST", extensionAPI + "/register", "", (*conn).register},
		route{"POST", extensionAPI + "/init/error", "", (*conn).extensionInitError},
		route{"POST", extensionAPI + "/exit/error", "", (*conn).extensionExitError},
	)
}

// match returns the id in the path, still percent-encoded.
func (t *route) match(path []byte) (id []byte, ok bool) {
	if t.after == "" {
		return nil, string(path) == t.before
	}
	if len(path) < len(t.before)+len(t.after) || string(path[:len(t.before)]) != t.before ||
		string(path[len(path)-len(t.after):]) != t.after {
		return nil, false
	}
	id = path[len(t.before) : len(path)-len(t.after)]
	return id, bytes.IndexByte(id, '/') < 0
}

// errWebPage refuses what a browser sent for a page: it is no runtime.
var errWebPage = &Error{Status: http.StatusForbidden, Type: "Forbidden", Message: "Requests from web pages are refused"}

// handle answers the request whose head was just read; it reports whether
// another one can follow.
func (c *conn) handle() bool {
	c.body.timeout = c.s.cfg.BodyTimeout
	if c.req.fromWebPage || !plainHost(c.req.host) {
		return c.answerError(errWebPage)
	}
	allow := ""
	for i := range c.s.routes {
		t := &c.s.routes[i]
		id, ok := t.match(c.req.path)
		if !ok {
			continue
		}
		if string(c.req.method) == t.method {
			return t.serve(c, id)
		}
		allow = t.method // no path has two methods
	}
	if allow != "" {
		return c.answer(http.StatusMethodNotAllowed, "", allow, nil)
	}
	return c.answer(http.StatusNotFound, textType, "", []byte("404 page not found\n"))
}

func (c *conn) ping([]byte) bool {
	return c.answer(http.StatusOK, textType, "", []byte("pong"))
}

// answer writes an answer, then reads what is left of the request's body.
func (c *conn) answer(status int, contentType, allow string, body []byte) bool {
	o := c.options()
	buf := c.s.cfg.Buffers.get(smallBuffer)
	err := c.write(appendAnswer(buf.b[:0], status, contentType, allow, body, o))
	c.s.cfg.Buffers.put(buf)
	return c.after(err, o)
}

// answerError is answer with an error of the API.
func (c *conn) answerError(e *Error) bool {
	o := c.options()
	return c.after(c.write(appendError(nil, e, o)), o)
}

// accepted answers a POST whose body has been read to its end.
func (c *conn) accepted() bool {
	if c.req.keepAlive && !c.req.http10 {
		return c.after(c.write(accepted), answerOptions{keepAlive: true})
	}
	return c.answer(http.StatusAccepted, jsonType, "", []byte(okBody))
}

// options decides whether the connection is to stay, as far as it is known
// before the rest of the body has been read.
func (c *conn) options() answerOptions {
	q := &c.req
	unread := !c.body.done && (c.body.left > maxDrain || q.expectContinue && !c.body.continued)
	return answerOptions{
		http10:    q.http10,
		keepAlive: q.keepAlive && !unread && !c.body.broken,
		head:      q.head,
	}
}

// after finishes a request that was answered (err: the write's).
func (c *conn) after(err error, o answerOptions) bool {
	if err != nil {
		return false
	}
	// A client that asked to close, too, may have to write its body to the end
	// before it reads the answer.
	if c.drain(maxDrain) && o.keepAlive {
		return true
	}
	c.linger()
	return false
}
