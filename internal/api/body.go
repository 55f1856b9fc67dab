package api

import (
	"bytes"
	"io"
)

// A Body is a request's body, complete, in memory or in a file. It may have a
// method Bytes() []byte that returns all of it without copying; a payload is
// then not copied either, and lives as long as what Bytes returned.
type Body interface {
	io.ReaderAt
	Size() int64
}

// BytesBody is a Body in memory. The bytes must not change afterwards.
func BytesBody(p []byte) Body { return memory{bytes.NewReader(p), p} }

type memory struct {
	*bytes.Reader
	all []byte
}

func (m memory) Bytes() []byte { return m.all }

// readAll returns all of a body. Its size has been checked.
func readAll(b Body) ([]byte, error) {
	if b == nil || b.Size() == 0 {
		return nil, nil
	}
	if m, ok := b.(interface{ Bytes() []byte }); ok {
		return m.Bytes(), nil
	}
	p := make([]byte, b.Size())
	if _, err := io.ReadFull(io.NewSectionReader(b, 0, b.Size()), p); err != nil {
		return nil, err
	}
	return p, nil
}
