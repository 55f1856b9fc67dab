package api

import (
	"encoding/base64"
	"errors"
	"io"
)

// fromJSON is implemented by the generated structures of requests.
type fromJSON[T any] interface {
	*T
	readMember(d *jsonReader, key string) error
}

// The functions below read one member. Null leaves it absent.

func readScalar[T any](d *jsonReader, dst **T, read func(*jsonReader) (T, error)) error {
	if null, err := d.null(); null || err != nil {
		*dst = nil
		return err
	}
	v, err := read(d)
	if err != nil {
		return err
	}
	*dst = &v
	return nil
}

func readObject[T any, P fromJSON[T]](d *jsonReader, dst **T) error {
	// Twice the same structure is refused, not merged or replaced: the first
	// one may hold an upload.
	if *dst != nil {
		return NewSerialization("A member of the request body is there twice")
	}
	if null, err := d.null(); null || err != nil {
		return err
	}
	v := new(T)
	*dst = v
	return objectElem[T, P](d, v)
}

func readList[T any](d *jsonReader, dst *[]T, elem func(*jsonReader, *T) error) error {
	if null, err := d.null(); null || err != nil {
		*dst = nil
		return err
	}
	return listElem(elem)(d, dst)
}

func readMap[T any](d *jsonReader, dst *map[string]T, elem func(*jsonReader, *T) error) error {
	if null, err := d.null(); null || err != nil {
		*dst = nil
		return err
	}
	m := make(map[string]T)
	if err := d.object(func(key string) error {
		var v T
		if err := elem(d, &v); err != nil {
			return err
		}
		m[key] = v
		return nil
	}); err != nil {
		return err
	}
	*dst = m
	return nil
}

// badBase64 is the answer to a blob that is not base64.
func badBase64() error {
	return NewSerialization("A blob of the request body is not valid base64")
}

// The functions below read one element of a list or a map, where null is an error.

func scalarElem[T any](read func(*jsonReader) (T, error)) func(*jsonReader, *T) error {
	return func(d *jsonReader, dst *T) error {
		var err error
		*dst, err = read(d)
		return err
	}
}

func objectElem[T any, P fromJSON[T]](d *jsonReader, v *T) error {
	return d.object(func(key string) error { return P(v).readMember(d, key) })
}

func listElem[T any](elem func(*jsonReader, *T) error) func(*jsonReader, *[]T) error {
	return func(d *jsonReader, dst *[]T) error {
		list := []T{}
		if err := d.array(func() error {
			var v T
			if err := elem(d, &v); err != nil {
				return err
			}
			list = append(list, v)
			return nil
		}); err != nil {
			return err
		}
		*dst = list
		return nil
	}
}

// readBody reads the whole body into v. An empty body is an empty object.
func readBody[T any, P fromJSON[T]](d *jsonReader, v *T) error {
	if end, err := d.atEnd(); end || err != nil {
		return err
	}
	null, err := d.null()
	if err != nil {
		return err
	}
	if !null {
		if err := objectElem[T, P](d, v); err != nil {
			return err
		}
	}
	end, err := d.atEnd()
	if err == nil && !end {
		err = NewSerialization("Unexpected data after the end of the request body")
	}
	return err
}

// upload spools a base64 string to a file.
func (d *jsonReader) upload(dst **Upload) error {
	if *dst != nil {
		return NewSerialization("A member of the request body is there twice")
	}
	c, err := d.peek()
	if err != nil {
		return err
	}
	if c == 'n' {
		return d.word("null")
	}
	if c != '"' {
		return wrongType(c, "a Blob")
	}
	u, err := createUpload(d.spool)
	if err != nil {
		return err
	}
	d.uploads = append(d.uploads, u)
	d.pos++
	dec := base64Writer{dst: (*uploadWriter)(u)}
	from := d.consumed()
	d.inUpload = true // of any size: the body's was checked
	if err := d.chunks(dec.write); err != nil {
		return err
	}
	d.inUpload = false
	d.uploaded += d.consumed() - from
	if err := dec.close(); err != nil {
		return err
	}
	*dst = u
	return nil
}

// discard closes the uploads of a request that failed with err.
func (d *jsonReader) discard(err error) error {
	for _, u := range d.uploads {
		err = closeFailed(u, err)
	}
	return err
}

// closeFailed closes c and adds its failure to err.
func closeFailed(c io.Closer, err error) error {
	if closeErr := c.Close(); closeErr != nil {
		return errors.Join(err, closeErr)
	}
	return err
}

// A base64Writer decodes a stream in pieces of any size. As encoding/base64
// does, it skips line ends.
type base64Writer struct {
	dst    *uploadWriter
	in     [32 << 10]byte // a multiple of 4
	out    [24 << 10]byte
	n      int  // characters in in
	padded bool // padding was seen: nothing may follow
}

func (w *base64Writer) write(p []byte) error {
	for len(p) > 0 {
		run := 0
		for run < len(p) && p[run] > '\r' && p[run] != '=' {
			run++
		}
		if run == 0 { // a character that is not a digit of base64
			if p[0] == '\r' || p[0] == '\n' {
				p = p[1:]
				continue
			}
			run = 1
		}
		if w.padded && w.n%4 == 0 {
			return badBase64()
		}
		w.padded = w.padded || p[0] == '='
		n := copy(w.in[w.n:], p[:run])
		w.n += n
		p = p[n:]
		if w.n == len(w.in) {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *base64Writer) flush() error {
	n, err := base64.StdEncoding.Decode(w.out[:], w.in[:w.n])
	if err != nil {
		return badBase64()
	}
	w.n = 0
	_, err = w.dst.Write(w.out[:n])
	return err
}

func (w *base64Writer) close() error {
	if w.n%4 != 0 {
		return badBase64()
	}
	return w.flush()
}
