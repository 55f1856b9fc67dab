package trace

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// MaxErrorCause is the largest error cause that is kept, in bytes of JSON.
const MaxErrorCause = 64 << 10

// maxCauseRead is the largest that is read and then cropped.
const maxCauseRead = 1 << 20

// errorCause is what a runtime tells X-Ray about an error.
type errorCause struct {
	Exceptions []exception `json:"exceptions,omitempty"`
	WorkingDir string      `json:"working_directory,omitempty"`
	Paths      []string    `json:"paths,omitempty"`
	Message    string      `json:"message,omitempty"`
}

type exception struct {
	Message string  `json:"message,omitempty"`
	Type    string  `json:"type,omitempty"`
	Stack   []frame `json:"stack,omitempty"`
}

type frame struct {
	Path  string `json:"path,omitempty"`
	Line  int    `json:"line,omitempty"`
	Label string `json:"label,omitempty"`
}

// ErrorCause reads the value of the header
// Lambda-Runtime-Function-XRay-Error-Cause, or the member errorCause of an
// error's body, and returns its JSON with the known members, at most
// MaxErrorCause bytes. One that is too large loses exceptions and paths from
// the end, a fifth at a time; then all of them, and its texts are cut. The
// error says why there is no cause: it is not of the form, or says nothing.
func ErrorCause(raw []byte) ([]byte, error) {
	if len(raw) > maxCauseRead {
		return nil, fmt.Errorf("error cause of %d bytes is too large to be cropped", len(raw))
	}
	var c errorCause
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, fmt.Errorf("read error cause: %w", err)
	}
	if len(c.Exceptions) == 0 && c.WorkingDir == "" && len(c.Paths) == 0 && c.Message == "" {
		return nil, errors.New("the error cause is empty")
	}
	text := c.encode()
	for fifths := 4; fifths > 0 && len(text) > MaxErrorCause; fifths-- {
		less := c
		less.Exceptions = c.Exceptions[:len(c.Exceptions)*fifths/5]
		less.Paths = c.Paths[:len(c.Paths)*fifths/5]
		text = less.encode()
	}
	// The room that AWS leaves for the members' names is also enough for them
	// here. Texts whose JSON is much longer than they are need another round.
	for limit := (MaxErrorCause - 4096) / 2; len(text) > MaxErrorCause; limit /= 2 {
		less := errorCause{WorkingDir: cut(c.WorkingDir, limit), Message: cut(c.Message, limit)}
		text = less.encode()
	}
	if string(text) == "{}" {
		return nil, errors.New("nothing is left of the error cause, it is too large")
	}
	return text, nil
}

func (c errorCause) encode() []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(c); err != nil { // strings and numbers always encode
		panic(err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// cut shortens s to at most n bytes, with an ellipsis and not within a
// character.
func cut(s string, n int) string {
	const ellipsis = "..."
	if len(s) <= n {
		return s
	}
	n = max(0, n-len(ellipsis))
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + ellipsis
}
