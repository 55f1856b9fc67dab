package api

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
)

// endless gives a body that never ends and counts what was read of it.
type endless struct {
	head, loop string
	size, read int64
}

func (e *endless) Size() int64 { return e.size }

func (e *endless) ReadAt(p []byte, off int64) (int, error) {
	for i := range p {
		at := off + int64(i)
		if at < int64(len(e.head)) {
			p[i] = e.head[at]
		} else {
			p[i] = e.loop[(at-int64(len(e.head)))%int64(len(e.loop))]
		}
	}
	e.read = max(e.read, off+int64(len(p)))
	return len(p), nil
}

func TestTextOutsideUploadsIsBounded(t *testing.T) {
	for _, body := range []*endless{
		{head: `{"Description":"`, loop: "x"},
		{head: `{"FileSystemConfigs":[{}`, loop: ",{}"},
		{head: `{"X":[`, loop: " "},
		{head: `{"Timeout":1`, loop: "0"},
		{head: `{"X":`, loop: "["},
	} {
		body.size = 70 << 20
		r := httptest.NewRequest("POST", "/2015-03-31/functions", nil)
		op, params, err := NewRouter(RouterConfig{}).Lookup("POST", r.URL.Path, "")
		if err != nil {
			t.Fatal(err)
		}
		_, err = op.Decode(r, params, body)
		var e Error
		if !errors.As(err, &e) || e.HTTPStatus() != 400 && e.HTTPStatus() != 413 {
			t.Errorf("%s...: %v", body.head, err)
		}
		if body.read > 2*maxJSONText {
			t.Errorf("%s...: %d bytes were read", body.head, body.read)
		}
	}
}

func TestElementsAreBounded(t *testing.T) {
	_, err := decodeRequest(t, "POST", "/2015-03-31/functions", `{"FileSystemConfigs":[{}`+strings.Repeat(",{}", maxJSONElements)+`]}`)
	var e *SerializationException
	if !errors.As(err, &e) || !strings.Contains(e.Message, "too many elements") {
		t.Errorf("%.200v, want a SerializationException", err)
	}
}

// Padding ends the data, also where one piece of the decoder ends with it.
func TestNothingFollowsPadding(t *testing.T) {
	for _, n := range []int{4, 32 << 10} {
		padded := strings.Repeat("A", n-1) + "="
		for more, valid := range map[string]bool{"": true, `\n`: true, "AAAA": false, "=": false} {
			d := newJSONReader(strings.NewReader(`"`+padded+more+`"`), 64, t.TempDir())
			var u *Upload
			err := d.upload(&u)
			if (err == nil) != valid {
				t.Errorf("%d characters and %q: %v", n, more, err)
			}
			if err := d.discard(nil); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestUploadIsSpooled(t *testing.T) {
	dir := t.TempDir()
	content := bytes.Repeat([]byte("lamb\x00\xff\xff\xff\xff"), 1<<20)
	body := fmt.Sprintf(`{"FunctionName":"f","Role":"arn:aws:iam::123456789012:role/r","Code":{"ZipFile":%q},"Timeout":7}`,
		base64.StdEncoding.EncodeToString(content))
	// PHP's and others' encoders escape the slash; that must not count as text
	// outside the upload.
	body = strings.ReplaceAll(body, "////", `\/\/\/\/`)
	r := httptest.NewRequest("POST", "/2015-03-31/functions", nil)
	op, params, err := NewRouter(RouterConfig{SpoolDir: dir}).Lookup("POST", r.URL.Path, "")
	if err != nil {
		t.Fatal(err)
	}
	bodyBytes := BytesBody([]byte(body))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	in, err := op.Decode(r, params, bodyBytes)
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
		t.Errorf("decoding a %d byte upload took %d bytes of memory", len(content), used)
	}
	got := in.(*CreateFunctionRequest)
	if Value(got.Timeout) != 7 {
		t.Error("what follows the upload is lost")
	}
	if got.Code.ZipFile.Size() != int64(len(content)) {
		t.Fatalf("size %d, want %d", got.Code.ZipFile.Size(), len(content))
	}
	back := make([]byte, len(content))
	if _, err := got.Code.ZipFile.ReadAt(back, 0); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(back, content) {
		t.Error("the content is another")
	}
	if err := got.Close(); err != nil {
		t.Fatal(err)
	}
	if err := got.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	if _, err := got.Code.ZipFile.ReadAt(back[:1], 0); !errors.Is(err, os.ErrClosed) {
		t.Errorf("reading after Close: %v", err)
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) > 0 {
		t.Errorf("%d files are left in the spool folder", len(left))
	}
}

// A refused request must not hold its upload's space: the file has no name any
// more, so only the open descriptor shows it.
func TestRefusedRequestsCloseTheirUploads(t *testing.T) {
	if _, err := os.ReadDir("/proc/self/fd"); err != nil {
		t.Skipf("open files cannot be listed: %v", err)
	}
	dir := t.TempDir()
	open := func() int {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, fd := range fds {
			// A descriptor may be gone by now: it is then not ours.
			if target, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(target, dir) {
				n++
			}
		}
		return n
	}
	r := httptest.NewRequest("POST", "/2015-03-31/functions", nil)
	op, params, err := NewRouter(RouterConfig{SpoolDir: dir}).Lookup("POST", r.URL.Path, "")
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]string{
		"constraints":     `{"FunctionName":"!","Code":{"ZipFile":"AAAA"}}`,
		"broken JSON":     `{"Code":{"ZipFile":"AAAA"},`,
		"broken base64":   `{"Code":{"ZipFile":"AAAA?"}}`,
		"unfinished body": `{"Code":{"ZipFile":"AAAA`,
	} {
		if _, err := op.Decode(r, params, BytesBody([]byte(body))); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if n := open(); n > 0 {
			t.Fatalf("%s: %d uploads are still open", name, n)
		}
	}
	in, err := op.Decode(r, params, BytesBody([]byte(
		`{"FunctionName":"f","Role":"arn:aws:iam::123456789012:role/r","Code":{"ZipFile":"AAAA"}}`)))
	if err != nil {
		t.Fatal(err)
	}
	if n := open(); n != 1 {
		t.Errorf("%d uploads are open after an accepted request, want 1", n)
	}
	closeAll(t, in)
}

func TestSpoolFolderMissing(t *testing.T) {
	r := httptest.NewRequest("POST", "/2015-03-31/functions", nil)
	op, params, err := NewRouter(RouterConfig{SpoolDir: t.TempDir() + "/gone"}).Lookup("POST", r.URL.Path, "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = op.Decode(r, params, BytesBody([]byte(`{"Code":{"ZipFile":"AAAA"}}`)))
	var e Error
	if err == nil || errors.As(err, &e) {
		t.Errorf("%v, want a failure of the server", err)
	}
}

func BenchmarkUploadDecode(b *testing.B) {
	body := []byte(`{"Code":{"ZipFile":"` + strings.Repeat("QUJD", 4<<20) + `"}}`)
	dir := b.TempDir()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		d := newJSONReader(bytes.NewReader(body), int64(len(body)), dir)
		var v CreateFunctionRequest
		if err := readBody(d, &v); err != nil {
			b.Fatal(err)
		}
		if err := v.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
