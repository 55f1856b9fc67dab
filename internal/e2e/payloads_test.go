package e2e

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// formSigned has a signature's form, which is all that lamb can check of a key
// that is not its own.
const formSigned = "AWS4-HMAC-SHA256 Credential=test/20261122/us-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, " +
	"Signature=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// buildPoisoned builds a lamb that overwrites every pooled buffer when it goes
// back, with the race detector where there is a C compiler.
func buildPoisoned(t *testing.T) string {
	t.Helper()
	path := filepath.Join(scratch, "lamb-poisoned")
	args, cgo := []string{"build", "-tags", "lamb_poison", "-o", path}, "CGO_ENABLED=0"
	if _, err := exec.LookPath("gcc"); err == nil {
		args, cgo = append(args, "-race"), "CGO_ENABLED=1"
	} else {
		t.Log("without the race detector: there is no gcc")
	}
	cmd := exec.Command("go", append(args, lambCommand.pkg)...)
	cmd.Env = append(os.Environ(), cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// TestOwnPayloads has many clients at once, some of which hang up at the worst
// moments: everybody gets back exactly what he sent, byte by byte, although
// every buffer on the way is garbage as soon as it is given back.
func TestOwnPayloads(t *testing.T) {
	t.Parallel()
	if here.user != nil {
		t.Skip("who runs lamb makes no difference here")
	}
	const clients, each = 24, 40
	l, err := launch(buildPoisoned(t), folder(t), []string{"--listen", "127.0.0.1:0", "--ephemeral", "--log-level", "debug"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.mustDie(t) }) // and neither races nor panics
	name := l.goFn(t, "own-payload", "echo", func(f *fn) { f.memory = 1024 })
	var all sync.WaitGroup
	for n := range clients {
		c := payloadClient{l: l, path: "/2015-03-31/functions/" + name + "/invocations", random: rand.New(rand.NewPCG(20261122, uint64(n)))}
		all.Go(func() {
			for i := range each {
				if err := c.once(fmt.Sprintf("%d-%d", n, i)); err != nil {
					t.Errorf("client %d, request %d: %v", n, i, err)
					return
				}
			}
		})
	}
	all.Wait()
	l.terminate(t)
	if code := l.exitCode(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// payloadClient sends one request after the other.
type payloadClient struct {
	l      *lamb
	path   string
	random *rand.Rand
}

// event is a JSON string that no other request has anything of.
func (c *payloadClient) event(id string) []byte {
	size := []int{0, 50, 1000, 5000, 20_000, 70_000, 300_000}[c.random.IntN(7)]
	if c.random.IntN(60) == 0 {
		size = 3 << 20
	}
	mark := "<" + id + ">"
	return []byte(`"` + mark + strings.Repeat(mark, size/len(mark)) + `"`)
}

func (c *payloadClient) once(id string) error {
	event := c.event(id)
	switch kind := c.random.IntN(10); kind {
	case 0:
		return c.leave(event, len(event)/2) // in the middle of the request
	case 1:
		return c.leave(event, len(event)) // while the function runs
	case 2:
		return c.invoke(event[:len(event)-1], false, http.StatusBadRequest)
	default:
		return c.invoke(event, kind < 6, http.StatusOK)
	}
}

// leave hangs up when so much of the event is sent.
func (c *payloadClient) leave(event []byte, sent int) error {
	address := strings.TrimPrefix(c.l.URL, "http://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\nX-Amz-Date: 20261122T000000Z\r\nContent-Length: %d\r\n\r\n%s",
		c.path, address, formSigned, len(event), event[:sent])
	return err
}

// invoke sends an event and compares the answer with it.
func (c *payloadClient) invoke(event []byte, chunked bool, status int) error {
	req, err := http.NewRequest(http.MethodPost, c.l.URL+c.path, bytes.NewReader(event))
	if err != nil {
		return err
	}
	if chunked {
		req.ContentLength = -1
	}
	req.Header.Set("Authorization", formSigned)
	req.Header.Set("X-Amz-Date", "20261122T000000Z")
	resp, err := c.l.calls.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != status {
		return fmt.Errorf("status %d, want %d: %.200s", resp.StatusCode, status, body)
	}
	if status == http.StatusOK && !bytes.Equal(body, event) {
		at := 0
		for at < min(len(body), len(event)) && body[at] == event[at] {
			at++
		}
		return fmt.Errorf("%d bytes for %d, different from byte %d: %q", len(body), len(event), at, body[at:min(len(body), at+100)])
	}
	return nil
}
