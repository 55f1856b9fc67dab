package auth

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// received is the request as a server has it: written to the wire and read
// again by net/http.
func received(t *testing.T, r *http.Request) *http.Request {
	t.Helper()
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		t.Fatal(err)
	}
	got, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// fromWire reads a raw request, lines separated by plain line feeds.
func fromWire(t *testing.T, raw string) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.ReplaceAll(raw, "\n", "\r\n"))))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func bodyHash(t *testing.T, r *http.Request) string {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(body)
	return hex.EncodeToString(digest[:])
}

func hashOf(body string) string {
	digest := sha256.Sum256([]byte(body))
	return hex.EncodeToString(digest[:])
}

// wantType checks that err is an *Error of a type; "" means no error.
func wantType(t *testing.T, err error, typ string) {
	t.Helper()
	var e *Error
	switch {
	case typ == "" && err != nil:
		t.Fatalf("refused: %v", err)
	case typ == "":
	case !errors.As(err, &e):
		t.Fatalf("error = %v, want %s", err, typ)
	case e.Type != typ:
		t.Fatalf("error = %v, want %s", err, typ)
	}
}

// requests are what the SDK signs in TestVerifySDK.
var requests = []struct {
	name, method, url, body string
	header                  map[string]string
}{
	{name: "list", method: "GET", url: "http://127.0.0.1:3001/2015-03-31/functions?MaxItems=3&Marker=a%2Bb%3D"},
	{name: "trailing slash", method: "GET", url: "http://localhost/2015-03-31/functions/"},
	{name: "root", method: "GET", url: "http://localhost"},
	{name: "encoded ARN", method: "POST", body: `{"a":1}`,
		url: "http://localhost:3001/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af%3A%24LATEST/invocations"},
	{name: "ARN as it is", method: "GET", url: "http://localhost/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST"},
	{name: "encoded slash and percent", method: "GET", url: "http://localhost/2017-03-31/tags/a%2Fb%25c%20d"},
	{name: "other letters", method: "GET", url: "http://localhost/x/%C3%A9%E2%82%AC"},
	{name: "double slash", method: "GET", url: "http://localhost//a//b"},
	{name: "dot segments", method: "GET", url: "http://localhost/a/./b/../c"},
	{name: "odd query", method: "GET", url: "http://localhost/x?a=1&A=2&b&c=&a=0&z=%7E*%27%20%2F&%C3%A9=%26"},
	{name: "blank as plus", method: "GET", url: "http://localhost/x?a=b+c"},
	{name: "repeated keys that sort by their encoding", method: "DELETE",
		url: "http://localhost/2017-03-31/tags/arn?tagKeys=a-b&tagKeys=a%2Fb&tagKeys=aB"},
	{name: "headers", method: "POST", url: "http://localhost/x", body: "{}", header: map[string]string{
		"X-Amz-Client-Context": "e30=", "X-Amz-Invocation-Type": "Event", "Content-Type": "application/json", "X-Blanks": "  a   b  c "}},
	{name: "unsigned payload", method: "POST", url: "http://localhost/x", body: "{}",
		header: map[string]string{"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"}},
	{name: "declared payload", method: "POST", url: "http://localhost/x", body: "{}",
		header: map[string]string{"X-Amz-Content-Sha256": hashOf("{}")}},
}

func TestVerifySDK(t *testing.T) {
	var ring Keyring
	creds := ring.Mint(Owner{Name: "f"})
	signer := v4.NewSigner()
	sdkCreds := aws.Credentials{AccessKeyID: creds.AccessKeyID, SecretAccessKey: creds.SecretAccessKey, SessionToken: creds.SessionToken}
	for _, tt := range requests {
		build := func(t *testing.T) (*http.Request, string) {
			r, err := http.NewRequest(tt.method, tt.url, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range tt.header {
				r.Header.Set(k, v)
			}
			payload := hashOf(tt.body)
			if declared := tt.header["X-Amz-Content-Sha256"]; declared != "" {
				payload = declared
			}
			return r, payload
		}
		t.Run("header/"+tt.name, func(t *testing.T) {
			r, payload := build(t)
			if err := signer.SignHTTP(context.Background(), sdkCreds, r, payload, Service, "eu-west-1", now); err != nil {
				t.Fatal(err)
			}
			checkGood(t, received(t, r), creds, false)
		})
		t.Run("query/"+tt.name, func(t *testing.T) {
			r, payload := build(t)
			q := r.URL.Query()
			q.Set("X-Amz-Expires", "60")
			r.URL.RawQuery = q.Encode()
			link, header, err := signer.PresignHTTP(context.Background(), sdkCreds, r, payload, Service, "eu-west-1", now)
			if err != nil {
				t.Fatal(err)
			}
			if r.URL, err = url.Parse(link); err != nil {
				t.Fatal(err)
			}
			header.Del("Host")
			r.Header = header
			if declared := tt.header["X-Amz-Content-Sha256"]; declared != "" {
				r.Header.Set("X-Amz-Content-Sha256", declared)
			}
			checkGood(t, received(t, r), creds, true)
		})
	}
}

// checkGood verifies a good request, and then that no part of it can change.
func checkGood(t *testing.T, r *http.Request, creds Credentials, presigned bool) {
	t.Helper()
	sig, err := Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	if sig.AccessKeyID != creds.AccessKeyID || sig.Region != "eu-west-1" || sig.Service != "lambda" ||
		sig.Token != creds.SessionToken || sig.Presigned != presigned || !sig.Date.Equal(now) {
		t.Errorf("signature = %+v", sig)
	}
	hash := bodyHash(t, r)
	if err := Verify(r, sig, creds, hash, now); err != nil {
		t.Fatalf("good request refused: %v", err)
	}

	other := creds
	other.SecretAccessKey = strings.ToLower(creds.SecretAccessKey)
	wantType(t, Verify(r, sig, other, hash, now), "InvalidSignatureException")
	other = creds
	other.SessionToken += "x"
	wantType(t, Verify(r, sig, other, hash, now), "UnrecognizedClientException")
	if r.Header.Get("X-Amz-Content-Sha256") != unsignedPayload {
		wantType(t, Verify(r, sig, creds, hashOf("another body"), now), "InvalidSignatureException")
	}

	changed := r.Clone(context.Background())
	changed.Method = "PUT"
	wantType(t, Verify(changed, sig, creds, hash, now), "InvalidSignatureException")
	changed = r.Clone(context.Background())
	changed.Host = "example.com"
	wantType(t, Verify(changed, sig, creds, hash, now), "InvalidSignatureException")
	changed = r.Clone(context.Background())
	changed.RequestURI = "/elsewhere"
	wantType(t, Verify(changed, sig, creds, hash, now), "InvalidSignatureException")
	changed = r.Clone(context.Background())
	changed.URL.RawQuery += "&more=1"
	wantType(t, Verify(changed, sig, creds, hash, now), "InvalidSignatureException")
	changed = r.Clone(context.Background())
	changed.Header.Set("X-Amz-Log-Type", "Tail")
	wantType(t, Verify(changed, sig, creds, hash, now), "InvalidSignatureException")

	wantType(t, Verify(r, sig, creds, hash, now.Add(-MaxSkew-time.Second)), "InvalidSignatureException")
	late := MaxSkew
	if presigned {
		late = time.Minute
	}
	wantType(t, Verify(r, sig, creds, hash, now.Add(late)), "")
	wantType(t, Verify(r, sig, creds, hash, now.Add(late+time.Second)), "InvalidSignatureException")
}

// The vectors of AWS's published SigV4 test suite and of its documentation.
func TestVerifyVectors(t *testing.T) {
	creds := Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
	at := time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)
	const service = "Host: example.amazonaws.com\nX-Amz-Date: 20150830T123600Z\n"
	auth := func(svc, headers, signature string) string {
		return "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/" + svc +
			"/aws4_request, SignedHeaders=" + headers + ", Signature=" + signature + "\n\n"
	}
	tests := []struct{ name, raw string }{
		{"documentation", "GET /?Action=ListUsers&Version=2010-05-08 HTTP/1.1\nHost: iam.amazonaws.com\n" +
			"Content-Type: application/x-www-form-urlencoded; charset=utf-8\nX-Amz-Date: 20150830T123600Z\n" +
			auth("iam", "content-type;host;x-amz-date", "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7")},
		{"get-vanilla", "GET / HTTP/1.1\n" + service +
			auth("service", "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31")},
		{"get-slash", "GET // HTTP/1.1\n" + service +
			auth("service", "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31")},
		{"get-relative", "GET /example/.. HTTP/1.1\n" + service +
			auth("service", "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31")},
		{"get-slashes", "GET //example// HTTP/1.1\n" + service +
			auth("service", "host;x-amz-date", "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84")},
		{"get-vanilla-query-order-key-case", "GET /?Param2=value2&Param1=value1 HTTP/1.1\n" + service +
			auth("service", "host;x-amz-date", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500")},
		{"post-vanilla", "POST / HTTP/1.1\n" + service +
			auth("service", "host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b")},
		{"get-header-key-duplicate", "GET / HTTP/1.1\nHost: example.amazonaws.com\nMy-Header1: value2\nMy-Header1: value2\nMy-Header1: value1\nX-Amz-Date: 20150830T123600Z\n" +
			auth("service", "host;my-header1;x-amz-date", "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := fromWire(t, tt.raw)
			sig, err := Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			if err := Verify(r, sig, creds, hashOf(""), at); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestVerifyDeclaredPayload(t *testing.T) {
	tests := []struct{ name, declared, want string }{
		{"hash of another body", hashOf("x"), "InvalidSignatureException"},
		{"chunk signatures", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "InvalidSignatureException"},
		{"hash in capitals", strings.ToUpper(hashOf("{}")), "InvalidSignatureException"},
	}
	creds := Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret"}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, _ := http.NewRequest("POST", "http://localhost/x", strings.NewReader("{}"))
			r.Header.Set("X-Amz-Content-Sha256", tt.declared)
			err := v4.NewSigner().SignHTTP(context.Background(),
				aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret"}, r, tt.declared, Service, "us-east-1", now)
			if err != nil {
				t.Fatal(err)
			}
			r = received(t, r)
			sig, err := Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			wantType(t, Verify(r, sig, creds, hashOf("{}"), now), tt.want)
		})
	}
}
