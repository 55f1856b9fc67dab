package envapi

import "net/http"

// RestoreHandler is the environment behind the calls that only environments
// have whose runtime is stopped after its init and resumed later (SnapStart).
// Its methods are called from connection goroutines, several at once.
type RestoreHandler interface {
	// RestoreNext is GET /2018-06-01/runtime/restore/next; like Handler.Next,
	// but the waiter is answered by DeliverRestored.
	RestoreNext(w *Waiter) *Error
	// RestoreError is POST /2018-06-01/runtime/restore/error, its body complete
	// and valid only during the call.
	RestoreError(h Header, body []byte) *Error
}

// CredentialsHandler is the environment behind GET /2021-04-23/credentials.
type CredentialsHandler interface {
	// Credentials is the answer, JSON, for whoever shows the right token in
	// the header Authorization.
	Credentials(token string) (body []byte, ok bool)
}

// DeliverRestored is Deliver for a waiter of RestoreNext: it has no body.
func (w *Waiter) DeliverRestored() error {
	return w.answer("", func() error {
		return w.c.write(appendEnd(appendStatus(nil, http.StatusOK, w.http10), 0, w.http10, w.keepAlive))
	})
}

func (c *conn) restoreNext([]byte) bool { return c.wait(c.s.cfg.Restore.RestoreNext) }

func (c *conn) restoreError([]byte) bool {
	h := c.header()
	return c.gather(func(body []byte) *Error { return c.s.cfg.Restore.RestoreError(h, body) })
}

// credentials answers as AWS's emulator does, in text.
func (c *conn) credentials([]byte) bool {
	body, ok := c.s.cfg.Credentials.Credentials(string(c.req.authorization))
	if !ok {
		return c.answer(http.StatusNotFound, textType, "", []byte("cannot get credentials for the provided token\n"))
	}
	return c.answer(http.StatusOK, textType, "", body)
}
