package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// A response is what the generated encoders write to.
type response struct {
	header http.Header
	status int
	body   []byte
	stream io.Reader
	err    error
}

// output is implemented by the generated structures of answers.
type output interface{ encode(r *response) }

func (r *response) setStatus(status *int) {
	if status != nil {
		r.status = *status
	}
}

func (r *response) setHeader(name string, value *string) {
	if value != nil {
		r.header.Set(name, *value)
	}
}

// json prints v, the members in declared order and without those that are nil.
func (r *response) json(v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		r.err = err
		return
	}
	r.body = bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// write sends the answer. The body of a stream is passed on as it comes.
func (r *response) write(w http.ResponseWriter) error {
	if r.err != nil {
		return fmt.Errorf("encode answer: %w", r.err)
	}
	if r.status < 200 || r.status > 599 {
		return fmt.Errorf("encode answer: %d is not a status", r.status)
	}
	if r.stream != nil {
		return r.writeStream(w)
	}
	if r.status == http.StatusNoContent {
		w.WriteHeader(r.status)
		return nil
	}
	if r.header.Get("Content-Type") == "" && (len(r.body) > 0 || r.status == http.StatusOK) {
		r.header.Set("Content-Type", "application/json")
	}
	r.header.Set("Content-Length", strconv.Itoa(len(r.body)))
	w.WriteHeader(r.status)
	if _, err := w.Write(r.body); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}

func (r *response) writeStream(w http.ResponseWriter) error {
	w.WriteHeader(r.status)
	flush := http.NewResponseController(w)
	buf := make([]byte, 32<<10)
	for {
		n, err := r.stream.Read(buf)
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return fmt.Errorf("write answer: %w", err)
			}
			if err := flush.Flush(); err != nil {
				return fmt.Errorf("write answer: %w", err)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read answer's stream: %w", err)
		}
	}
}
