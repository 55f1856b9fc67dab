package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/lambhq/lamb/internal/auth"
)

// insideListener accepts pipes that say which environment they come from.
type insideListener chan net.Conn

func (l insideListener) Accept() (net.Conn, error) {
	c, ok := <-l
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (l insideListener) Close() error   { return nil }
func (l insideListener) Addr() net.Addr { return &net.TCPAddr{} }

// TestFromInside: over a connection that comes from inside an environment
// only that environment's credentials are good, and only for the Lambda API.
func TestFromInside(t *testing.T) {
	d := open(t, nil)
	listener := make(insideListener)
	server := NewServer(d.Config.Handler, slog.New(slog.DiscardHandler))
	go func() { _ = server.Serve(listener) }() // ends with Close
	t.Cleanup(func() {
		close(listener)
		_ = server.Close()
	})
	client := func(environment string) *http.Client {
		transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			listener <- EnvironmentConn{Conn: ours, Environment: environment}
			return theirs, nil
		}}
		t.Cleanup(transport.CloseIdleConnections)
		return &http.Client{Transport: transport}
	}
	mine := d.keyring.Mint(owner(auth.AccessInvoke)) // env-1's
	invoke := func(environment string, creds auth.Credentials) (int, string) {
		body := []byte(`{}`)
		r, err := http.NewRequest(http.MethodPost, "http://"+InternalHost+":3001/2015-03-31/functions/f/invocations", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		sum := fmt.Sprintf("%x", sha256.Sum256(body))
		err = v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{AccessKeyID: creds.AccessKeyID, SecretAccessKey: creds.SecretAccessKey, SessionToken: creds.SessionToken},
			r, sum, "lambda", "us-east-1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return send(t, client(environment), r)
	}
	if status, body := invoke("env-1", mine); status != 200 {
		t.Errorf("own credentials: %d %s", status, body)
	}
	const refused = "The security token included in the request is invalid."
	for name, try := range map[string]struct {
		environment string
		creds       auth.Credentials
	}{
		"another environment's": {"env-2", mine},
		"made up":               {"env-1", auth.Credentials{AccessKeyID: "test", SecretAccessKey: "test"}},
	} {
		if status, body := invoke(try.environment, try.creds); status != 403 || !strings.Contains(body, refused) {
			t.Errorf("%s credentials: %d %s", name, status, body)
		}
	}
	for _, path := range []string{HealthPath, MetricsPath, CodePrefix + "x"} {
		r, err := http.NewRequest(http.MethodGet, "http://"+InternalHost+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if status, body := send(t, client("env-1"), r); status != 403 || !strings.Contains(body, "AccessDenied") && !strings.Contains(body, "nothing else") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

func send(t *testing.T, c *http.Client, r *http.Request) (int, string) {
	t.Helper()
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}
