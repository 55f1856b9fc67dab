package lambda

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// codec is how events are decoded and answers encoded.
type codec struct {
	useNumber             bool
	disallowUnknownFields bool
	escapeHTML            bool
	prefix, indent        string
}

// decode reads the JSON value that payload begins with into v. (Lambda sees to
// it that there is exactly one.)
func (c *codec) decode(payload []byte, v any) error {
	if !c.useNumber && !c.disallowUnknownFields {
		err := json.Unmarshal(payload, v)
		if syntax := (*json.SyntaxError)(nil); !errors.As(err, &syntax) {
			return err
		}
		// json.Decoder, which aws-lambda-go uses and which costs more, has other
		// words for that, and takes what follows the value.
	}
	decoder := json.NewDecoder(bytes.NewReader(payload))
	if c.useNumber {
		decoder.UseNumber()
	}
	if c.disallowUnknownFields {
		decoder.DisallowUnknownFields()
	}
	return decoder.Decode(v)
}

func (c *codec) newEncoder(w io.Writer) *json.Encoder {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(c.escapeHTML)
	encoder.SetIndent(c.prefix, c.indent)
	return encoder
}

// encode makes v the answer: as JSON, or, if it is a reader and its JSON is
// none or an empty object, as what it gives.
func (c *codec) encode(v any, r *result) error {
	reader, isReader := v.(io.Reader)
	r.buffer.Reset()
	if err := r.encoder.Encode(v); err != nil {
		if isReader {
			r.setReader(reader)
			return nil
		}
		return err
	}
	if isReader && bytes.HasPrefix(r.buffer.Bytes(), []byte("{}")) {
		r.setReader(reader)
		return nil
	}
	r.body, r.contentType = r.buffer.Bytes(), contentTypeJSON
	if c.prefix == "" && c.indent == "" {
		r.body = r.body[:len(r.body)-1] // the encoder's line feed
	}
	return nil
}
