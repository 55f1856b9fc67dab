package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
)

// Error is a failure in the form of the API: one type per exception, each with
// a constructor New<Name without Exception>. Use errors.As to look for one.
type Error interface {
	error
	// ErrorCode is the exception's name, "ResourceNotFoundException".
	ErrorCode() string
	// ErrorMessage is the text for the caller.
	ErrorMessage() string
	// HTTPStatus is the status of the answer.
	HTTPStatus() int

	wire() errorWire
}

// errorWire is what the exceptions differ in on the wire.
type errorWire struct {
	messageKey string // "message" or "Message"
	faultType  string // "User", "Service", or empty where the body has no Type
	untyped    bool
	extra      []errorField
}

type errorField struct {
	name   string
	header bool
	value  string // empty: absent
}

// WriteError answers with err. An error that is not, and does not wrap, an
// Error becomes a ServiceException whose message says nothing of its cause:
// the caller of WriteError logs it. A requestID that is not empty is sent as
// x-amzn-RequestId.
func WriteError(w http.ResponseWriter, requestID string, err error) {
	e := AsError(err)
	body := errorBody(e)
	h := w.Header()
	if requestID != "" {
		h.Set("X-Amzn-Requestid", requestID)
	}
	h.Set("X-Amzn-Errortype", e.ErrorCode())
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	for _, f := range e.wire().extra {
		if f.header && f.value != "" {
			h.Set(f.name, f.value)
		}
	}
	w.WriteHeader(e.HTTPStatus())
	_, _ = w.Write(body) // the client has gone: nobody is left to tell
}

// AsError returns the Error in err's chain, or the ServiceException that
// stands for it.
func AsError(err error) Error {
	var e Error
	if errors.As(err, &e) {
		return e
	}
	return &ServiceException{Message: "An internal error occurred."}
}

// errorBody prints the body: Type, message, and the members of its own.
func errorBody(e Error) []byte {
	wire := e.wire()
	var b bytes.Buffer
	b.WriteByte('{')
	if wire.faultType != "" && !wire.untyped {
		writeMember(&b, "Type", wire.faultType)
	}
	for _, f := range wire.extra {
		if !f.header && f.value != "" {
			writeMember(&b, f.name, f.value)
		}
	}
	if msg := e.ErrorMessage(); msg != "" {
		writeMember(&b, wire.messageKey, msg)
	} else {
		// Some refusals are recorded with a null message (rule 7).
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + wire.messageKey + `":null`)
	}
	b.WriteByte('}')
	return b.Bytes()
}

func writeMember(b *bytes.Buffer, name, value string) {
	if b.Len() > 1 {
		b.WriteByte(',')
	}
	b.WriteString(`"` + name + `":`)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(value)   // a string into a buffer cannot fail
	b.Truncate(b.Len() - 1) // the newline
}

// notImplemented is the answer of Unimplemented.
func notImplemented(operation string) error {
	return NewNotImplemented("lamb does not implement the operation %s", operation)
}
