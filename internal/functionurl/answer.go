package functionurl

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/invoke"
)

// answer is the answer to one request.
type answer struct {
	w       http.ResponseWriter
	r       *http.Request
	cors    *function.CORS
	control *http.ResponseController
}

// buffered answers with what the function returned as a whole. An error means
// that the function has not run.
func (h *Handler) buffered(a *answer, v *function.Version, req invoke.Request) error {
	result, err := h.cfg.Invoke.Invoke(a.r.Context(), v, req)
	if err != nil {
		return err
	}
	defer result.Release()
	if result.FunctionError != "" {
		badGateway(a.w)
		return nil
	}
	a.whole(result.Payload)
	return nil
}

// metadata is how a function says more than the body of its answer.
type metadata struct {
	StatusCode json.RawMessage            `json:"statusCode"`
	Headers    map[string]json.RawMessage `json:"headers"`
	Cookies    []string                   `json:"cookies"`
}

// returned is metadata with a body.
type returned struct {
	metadata
	Body            json.RawMessage `json:"body"`
	IsBase64Encoded bool            `json:"isBase64Encoded"`
}

// whole answers with what a function returned: an object that has a statusCode
// is taken apart, and everything else is the body.
func (a *answer) whole(payload []byte) {
	payload = bytes.TrimSpace(payload)
	var r returned
	switch {
	case len(payload) > 0 && payload[0] == '"':
		var text string
		if json.Unmarshal(payload, &text) == nil {
			payload = []byte(text) // strings are bare
		}
	case len(payload) > 0 && payload[0] == '{':
		var has struct {
			StatusCode json.RawMessage `json:"statusCode"`
		}
		if json.Unmarshal(payload, &has) != nil || has.StatusCode == nil {
			break
		}
		body, err := r.read(payload)
		if err != nil {
			badGateway(a.w)
			return
		}
		payload = body
	}
	if err := a.head(r.metadata, "application/json", len(payload)); err != nil {
		badGateway(a.w)
		return
	}
	if a.r.Method != http.MethodHead {
		_, _ = a.w.Write(payload) // a caller that has gone is nobody's error
	}
}

// read takes an object with a statusCode apart.
func (r *returned) read(payload []byte) (body []byte, err error) {
	if err := json.Unmarshal(payload, r); err != nil {
		return nil, err
	}
	if r.Body == nil || string(r.Body) == "null" {
		return nil, nil
	}
	var text string
	if err := json.Unmarshal(r.Body, &text); err != nil {
		return nil, err
	}
	if r.IsBase64Encoded {
		return base64.StdEncoding.DecodeString(text)
	}
	return []byte(text), nil
}

var errBadResponse = errors.New("the function's response is malformed")

// head sends status and headers; nothing when they are malformed. A length
// below zero is not known.
func (a *answer) head(m metadata, contentType string, length int) error {
	status := http.StatusOK
	if m.StatusCode != nil {
		n, err := strconv.Atoi(strings.Trim(string(m.StatusCode), `"`))
		// Informational answers cannot be a function's.
		if err != nil || n < 200 || n > 599 {
			return errBadResponse
		}
		status = n
	}
	values := make(map[string]string, len(m.Headers))
	for name, raw := range m.Headers {
		value, ok := scalar(raw)
		if !ok || !isToken(name) || strings.ContainsAny(value, "\r\n\x00") {
			return errBadResponse
		}
		values[name] = value
	}
	for _, c := range m.Cookies {
		if strings.ContainsAny(c, "\r\n\x00") {
			return errBadResponse
		}
	}
	header := a.w.Header()
	header.Set("Content-Type", contentType)
	for name, value := range values {
		if lower := strings.ToLower(name); hopByHop(lower) || lower == "content-length" {
			continue // the connection's own
		}
		header.Set(name, value)
	}
	for _, c := range m.Cookies {
		header.Add("Set-Cookie", c)
	}
	setCORS(header, a.r, a.cors)
	if length >= 0 && status != http.StatusNoContent && status != http.StatusNotModified {
		header.Set("Content-Length", strconv.Itoa(length))
	}
	a.w.WriteHeader(status)
	return nil
}

// scalar is a header's value: a string, number or boolean.
func scalar(raw json.RawMessage) (string, bool) {
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0:
		return "", false
	case raw[0] == '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err == nil
	case raw[0] == '{' || raw[0] == '[' || raw[0] == 'n':
		return "", false
	}
	return string(raw), true
}

// isToken reports whether a name is one that a header can have.
func isToken(name string) bool {
	return name != "" && textproto.TrimString(name) == name && !strings.ContainsFunc(name, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
	})
}
