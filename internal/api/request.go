package api

import (
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// A request is what the generated decoders read from. The first failure
// sticks, and everything after it does nothing.
type request struct {
	r      *http.Request
	params PathParams
	query  url.Values
	body   Body
	spool  string
	err    error
}

func newRequest(r *http.Request, p PathParams, b Body, spool string) *request {
	q := &request{r: r, params: p, body: b, spool: spool}
	if r.URL.RawQuery != "" {
		// Broken pairs are left out, as net/http does: a presigned link may
		// have passed through programs that add their own.
		q.query, _ = url.ParseQuery(r.URL.RawQuery)
	}
	return q
}

func (q *request) fail(err error) {
	if q.err == nil {
		q.err = err
	}
}

// The functions below set a member from its text, if there is any.

func parseString(s string) (string, error) { return s, nil }

func parseInteger(s string) (int, error) {
	n, err := strconv.ParseInt(s, 10, 32)
	return int(n), err
}

func parseLong(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }

func parseBoolean(s string) (bool, error) {
	switch s {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, strconv.ErrSyntax
}

// parseTimestamp reads the date-time form that SDKs put into queries, and
// epoch seconds.
func parseTimestamp(s string) (Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return Time{t.UTC()}, nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return Time{}, err
	}
	return epoch(f)
}

func setText[T any](q *request, dst **T, name, text string, parse func(string) (T, error)) {
	v, err := parse(text)
	if err != nil {
		q.fail(NewSerialization("%s: %q can not be converted to the parameter's type", name, clip(text)))
		return
	}
	*dst = &v
}

// clip bounds what an answer repeats of a request.
func clip(s string) string {
	const limit = 200
	if len(s) > limit {
		return s[:limit]
	}
	return s
}

func label[T any](q *request, dst **T, name string, i int, parse func(string) (T, error)) {
	setText(q, dst, name, q.params[i], parse)
}

func query[T any](q *request, dst **T, name string, parse func(string) (T, error)) {
	if values := q.query[name]; len(values) > 0 {
		setText(q, dst, name, values[0], parse)
	}
}

func (q *request) queryStrings(dst *[]string, name string) {
	if values := q.query[name]; len(values) > 0 {
		*dst = values
	}
}

// header takes an empty header for an absent one.
func (q *request) header(dst **string, name string) {
	if text := q.r.Header.Get(name); text != "" {
		*dst = &text
	}
}

// payload takes the whole body; an empty one is absent.
func (q *request) payload(dst *[]byte) {
	if q.err != nil {
		return
	}
	p, err := readAll(q.body)
	if err != nil {
		q.fail(err)
		return
	}
	*dst = p
}

// readJSON reads the body into v and closes what it had spooled on failure.
func readJSON[T any, P fromJSON[T]](q *request, v *T) {
	if q.err != nil || q.body == nil {
		return
	}
	size := q.body.Size()
	d := newJSONReader(io.NewSectionReader(q.body, 0, size), size, q.spool)
	if err := readBody[T, P](d, v); err != nil {
		q.fail(d.discard(err))
	}
}

// payloadObject reads a body that is one structure; an empty one is absent.
func payloadObject[T any, P fromJSON[T]](q *request, dst **T) {
	if q.err != nil || q.body == nil || q.body.Size() == 0 {
		return
	}
	v := new(T)
	readJSON[T, P](q, v)
	*dst = v
}
