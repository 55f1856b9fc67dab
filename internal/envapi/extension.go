package envapi

import "net/http"

const extensionAPI = "/2020-01-01/extension"

// maxExtensionBody bounds the bodies that extensions send: JSON of a few
// lines.
const maxExtensionBody = 1 << 20

// ExtensionHandler is the environment behind the Extensions, Telemetry and
// Logs APIs. Its methods are called from connection goroutines, several at
// once; bodies are valid only during the call.
type ExtensionHandler interface {
	// Register is POST /2020-01-01/extension/register. The answer is the body
	// of the 200 and the identifier of its header.
	Register(name, features string, body []byte) (id string, answer []byte, e *Error)
	// NextEvent is GET /2020-01-01/extension/event/next; like Handler.Next, but
	// the waiter is answered by DeliverExtension.
	NextEvent(id string, w *Waiter) *Error
	// ExtensionInitError and ExtensionExitError are the POSTs of that name.
	ExtensionInitError(id, errorType string, body []byte) *Error
	ExtensionExitError(id, errorType string, body []byte) *Error
	// Subscribe is PUT /2022-07-01/telemetry, or PUT /2020-08-15/logs when logs
	// is true. The answer is the body of the 200.
	Subscribe(logs bool, id string, body []byte) (answer string, e *Error)
}

// ExtensionEvent is what event/next answers.
type ExtensionEvent struct {
	// ID is the header Lambda-Extension-Event-Identifier; left out if empty.
	ID string
	// Body is the event, JSON.
	Body []byte
}

// DeliverExtension is Deliver for a waiter of NextEvent.
func (w *Waiter) DeliverExtension(e *ExtensionEvent) error {
	return w.answer(e.ID, func() error {
		pool := w.c.s.cfg.Buffers
		buf := pool.get(256 + len(e.ID) + len(e.Body))
		defer pool.put(buf)
		b := appendStatus(buf.b[:0], http.StatusOK, w.http10)
		b = appendHeader(b, "Content-Type", jsonType)
		b = appendHeader(b, "Lambda-Extension-Event-Identifier", e.ID)
		b = appendEnd(b, len(e.Body), w.http10, w.keepAlive)
		return w.c.write(append(b, e.Body...))
	})
}

// Errors of extensions' requests that are not about an extension's state. AWS
// answers 403 to all of them.
var (
	ErrMissingExtensionID = extensionError("MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header")
	ErrInvalidExtensionID = extensionError("InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier")
	ErrMissingErrorType   = extensionError("MissingHeader", "Lambda-Extension-Function-Error-Type not found")
)

func extensionError(kind, message string) *Error {
	return &Error{Status: http.StatusForbidden, Type: "Extension." + kind, Message: message}
}

func (c *conn) register([]byte) bool {
	name, features := string(c.req.extName), string(c.req.extFeatures)
	return c.gatherUpTo(maxExtensionBody, func(body []byte) *Error {
		id, answer, e := c.s.cfg.Extensions.Register(name, features, body)
		if e == nil {
			c.reply = reply{http.StatusOK, []field{{"Lambda-Extension-Identifier", id}}, answer}
			for name, value := range c.s.cfg.RegistrationHeader {
				c.reply.headers = append(c.reply.headers, field{name, value})
			}
		}
		return e
	})
}

func (c *conn) extensionNext([]byte) bool {
	id, e := c.extensionID()
	if e != nil {
		return c.answerError(e)
	}
	return c.wait(func(w *Waiter) *Error { return c.s.cfg.Extensions.NextEvent(id, w) })
}

func (c *conn) extensionInitError([]byte) bool {
	return c.extensionFailed(c.s.cfg.Extensions.ExtensionInitError)
}

func (c *conn) extensionExitError([]byte) bool {
	return c.extensionFailed(c.s.cfg.Extensions.ExtensionExitError)
}

func (c *conn) extensionFailed(take func(id, errorType string, body []byte) *Error) bool {
	id, e := c.extensionID()
	errorType := string(c.req.extErrorType)
	if e == nil && errorType == "" {
		e = ErrMissingErrorType
	}
	if e != nil {
		return c.answerError(e)
	}
	return c.gatherUpTo(maxExtensionBody, func(body []byte) *Error { return take(id, errorType, body) })
}

func (c *conn) subscribe(logs bool) bool {
	id, e := c.extensionID()
	if e != nil {
		return c.answerError(e)
	}
	return c.gatherUpTo(maxExtensionBody, func(body []byte) *Error {
		answer, e := c.s.cfg.Extensions.Subscribe(logs, id, body)
		if e == nil {
			c.reply = reply{http.StatusOK, nil, []byte(answer)}
		}
		return e
	})
}

func (c *conn) subscribeTelemetry([]byte) bool { return c.subscribe(false) }
func (c *conn) subscribeLogs([]byte) bool      { return c.subscribe(true) }

// extensionID is the identifier of the request's header, a UUID.
func (c *conn) extensionID() (string, *Error) {
	if len(c.req.extID) == 0 {
		return "", ErrMissingExtensionID
	}
	if !isUUID(c.req.extID) {
		return "", ErrInvalidExtensionID
	}
	return string(c.req.extID), nil
}

func isUUID(b []byte) bool {
	if len(b) != 36 {
		return false
	}
	for i, c := range b {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (c == '-') || !dash && hexValue(c) < 0 {
			return false
		}
	}
	return true
}

// reply is a success that is not the usual 202.
type reply struct {
	status  int
	headers []field
	body    []byte
}

// succeed answers with the reply that the handler left, or else with the 202.
func (c *conn) succeed() bool {
	r := c.reply
	c.reply = reply{}
	if r.status == 0 {
		return c.accepted()
	}
	o := c.options()
	b := appendStatus(nil, r.status, o.http10)
	b = appendHeader(b, "Content-Type", jsonType)
	for _, h := range r.headers {
		b = appendHeader(b, h.name, h.value)
	}
	b = appendEnd(b, len(r.body), o.http10, o.keepAlive)
	return c.after(c.write(append(b, r.body...)), o)
}

// field is a header line.
type field struct{ name, value string }
