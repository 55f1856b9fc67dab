package gateway

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/lambhq/lamb/internal/auth"
	"github.com/lambhq/lamb/internal/metrics"
)

// BenchmarkInvoke is what the gateway adds to an invocation, without the
// network: for a stranger's key, whose signature is only read, and for a
// minted one, which is verified.
func BenchmarkInvoke(b *testing.B) {
	const event = `{"n":1}`
	ring := &auth.Keyring{}
	minted := ring.Mint(auth.Owner{Account: "000000000000", Access: auth.AccessInvoke})
	g, err := New(Config{
		Raw: map[string]RawHandler{"Invoke": payloads}, Keyring: ring, Account: "000000000000",
		Registry: metrics.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	for _, bb := range []struct {
		name  string
		creds auth.Credentials
	}{{"stranger", someone}, {"minted", minted}} {
		b.Run(bb.name, func(b *testing.B) {
			body := bytes.NewReader([]byte(event))
			r := httptest.NewRequest("POST", "http://localhost"+invokePath, body)
			creds := aws.Credentials{AccessKeyID: bb.creds.AccessKeyID, SecretAccessKey: bb.creds.SecretAccessKey, SessionToken: bb.creds.SessionToken}
			err := v4.NewSigner().SignHTTP(b.Context(), creds, r, fmt.Sprintf("%x", sha256.Sum256([]byte(event))), "lambda", "us-east-1", time.Now())
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				_, _ = body.Seek(0, io.SeekStart)
				w := httptest.NewRecorder()
				g.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatal(w.Code, w.Body)
				}
			}
		})
	}
}
