package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/auth"
)

func owner(access auth.Access) auth.Owner {
	return auth.Owner{Environment: "env-1", Partition: "aws", Account: "111122223333", Region: "us-east-1", Name: "caller", Access: access}
}

// TestMintedSDK: a function's credentials work in the SDK, within their
// access, and say whose they are.
func TestMintedSDK(t *testing.T) {
	var caller api.Caller
	d := open(t, func(c *Config) {
		c.Raw["Invoke"] = func(w http.ResponseWriter, r *http.Request, in any) {
			caller = api.CallerFrom(r.Context())
			payloads(w, r, in)
		}
	})
	d.service.account = func(context.Context) (*api.GetAccountSettingsResponse, error) {
		return &api.GetAccountSettingsResponse{}, nil
	}
	const denied = "User: arn:aws:sts::111122223333:assumed-role/lamb-function/caller is not authorized to perform: "
	tests := []struct {
		access        auth.Access
		invoke, other string // the refusal's text, or empty
	}{
		{auth.AccessInvoke, "", denied + "lambda:GetAccountSettings on resource: * because no identity-based policy allows the lambda:GetAccountSettings action"},
		{auth.AccessFull, "", ""},
		{auth.AccessNone, denied + "lambda:InvokeFunction on resource: arn:aws:lambda:eu-west-1:111122223333:function:g:live because no identity-based policy allows the lambda:InvokeFunction action",
			denied + "lambda:GetAccountSettings on resource: *"},
	}
	check := func(t *testing.T, err error, want string) {
		t.Helper()
		switch {
		case want == "" && err != nil:
			t.Errorf("refused: %v", err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "AccessDeniedException")):
			t.Errorf("error is %v, want %s", err, want)
		}
	}
	for _, tt := range tests {
		t.Run(string(tt.access), func(t *testing.T) {
			creds := d.keyring.Mint(owner(tt.access))
			client := d.sdk(creds)
			_, err := client.Invoke(context.Background(), &lambda.InvokeInput{
				FunctionName: aws.String("arn:aws:lambda:eu-west-1:111122223333:function:g:live"), Payload: []byte(`{}`)})
			check(t, err, tt.invoke)
			if tt.invoke == "" {
				want := api.Caller{Partition: "aws", Account: "111122223333", Region: "eu-west-1", RequestID: caller.RequestID, Host: caller.Host,
					AccessKeyID: creds.AccessKeyID, Environment: "env-1", Received: caller.Received, BodyRead: caller.BodyRead}
				if caller != want || caller.Received.IsZero() || caller.BodyRead <= 0 {
					t.Errorf("caller = %+v, want %+v", caller, want)
				}
			}
			_, err = client.GetAccountSettings(context.Background(), &lambda.GetAccountSettingsInput{})
			check(t, err, tt.other)
		})
	}
}

func TestMintedVerified(t *testing.T) {
	d := open(t, nil)
	creds := d.keyring.Mint(owner(auth.AccessInvoke))
	revoked := d.keyring.Mint(owner(auth.AccessInvoke))
	d.keyring.Revoke(revoked.AccessKeyID)
	wrong := creds
	wrong.SecretAccessKey = strings.Repeat("x", 40)
	tokenless := creds
	tokenless.SessionToken = ""
	large := bytes.Repeat([]byte("x"), 3<<20)
	const small = `{"amount":1}`
	hash := func(b string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(b))) }

	tests := []struct {
		name   string
		creds  auth.Credentials
		signed string // the body that is signed
		sent   string
		change func(*http.Request)
		typ    string // of the refusal
	}{
		{"good", creds, small, small, nil, ""},
		{"good and large", creds, string(large), string(large), nil, ""},
		{"good and chunked", creds, small, small, func(r *http.Request) { r.ContentLength = -1 }, "InvalidSignatureException"}, // Content-Length was signed
		{"wrong secret", wrong, small, small, nil, "InvalidSignatureException"},
		{"no token", tokenless, small, small, nil, "UnrecognizedClientException"},
		{"revoked", revoked, small, small, nil, "UnrecognizedClientException"},
		{"body changed", creds, small, `{"amount":2}`, nil, "InvalidSignatureException"},
		{"large body changed", creds, string(large), string(large[1:]) + "y", nil, "InvalidSignatureException"},
		{"path changed", creds, small, small, func(r *http.Request) { r.URL.Path = "/2015-03-31/functions/g/invocations" }, "InvalidSignatureException"},
		{"query added", creds, small, small, func(r *http.Request) { r.URL.RawQuery = "Qualifier=1" }, "InvalidSignatureException"},
		{"header added", creds, small, small, func(r *http.Request) { r.Header.Set("X-Amz-Invocation-Type", "DryRun") }, "InvalidSignatureException"},
		{"trace header added", creds, small, small, func(r *http.Request) { r.Header.Set("X-Amzn-Trace-Id", "Root=1") }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, _ := http.NewRequest("POST", d.URL+invokePath, strings.NewReader(tt.sent))
			sign(t, r, tt.creds, "lambda", hash(tt.signed))
			if tt.change != nil {
				tt.change(r)
			}
			a := d.do(t, r)
			if tt.typ != "" {
				a.wantError(t, 403, tt.typ, "")
				return
			}
			if a.status != 200 || a.body != tt.sent {
				t.Errorf("answer is %d %.200s", a.status, a.body)
			}
		})
	}
}

// TestMintedDeniedUnread: what a function may not do is refused without
// taking its body.
func TestMintedDeniedUnread(t *testing.T) {
	d := open(t, nil)
	body := &letters{60 << 20}
	r, _ := http.NewRequest("POST", d.URL+"/2015-03-31/functions", body)
	r.ContentLength = 60 << 20
	r.Header.Set("Expect", "100-continue")
	sign(t, r, d.keyring.Mint(owner(auth.AccessInvoke)), "lambda", auth.EmptyBody)
	transport := &http.Transport{ExpectContinueTimeout: time.Minute} // the client that httptest makes does not wait
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	read(t, res).wantError(t, 403, "AccessDeniedException", "lambda:CreateFunction")
	if sent := 60<<20 - body.n; sent != 0 {
		t.Errorf("the client sent %d bytes", sent)
	}
}

// TestPresigned: a link made with an SDK's presigner works until it expires,
// and is no more than what was signed.
func TestPresigned(t *testing.T) {
	d := open(t, nil)
	d.service.account = func(context.Context) (*api.GetAccountSettingsResponse, error) {
		return &api.GetAccountSettingsResponse{}, nil
	}
	creds := d.keyring.Mint(owner(auth.AccessFull))
	presign := func(age time.Duration) string {
		r, _ := http.NewRequest("GET", d.URL+"/2016-08-19/account-settings?X-Amz-Expires=60", nil)
		link, _, err := v4.NewSigner().PresignHTTP(context.Background(),
			aws.Credentials{AccessKeyID: creds.AccessKeyID, SecretAccessKey: creds.SecretAccessKey, SessionToken: creds.SessionToken},
			r, auth.EmptyBody, "lambda", "eu-west-1", time.Now().Add(-age))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimPrefix(link, d.URL)
	}
	if a := d.get(t, "GET", presign(0)); a.status != 200 {
		t.Errorf("answer is %d %s", a.status, a.body)
	}
	d.get(t, "GET", presign(2*time.Minute)).wantError(t, 403, "InvalidSignatureException", "Signature expired")
	d.get(t, "GET", presign(0)+"&more=1").wantError(t, 403, "InvalidSignatureException", "does not match")
}
