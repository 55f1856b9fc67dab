package awsclient

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lambhq/lamb/internal/api"
)

// world keeps the machine's own AWS settings out of a test.
func world(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	for k, v := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
		"AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_CONFIG_FILE": filepath.Join(dir, "config"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(dir, "credentials"),
		"AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(k, v)
	}
}

// service is a server that stands for AWS: it answers by action or path.
func service(t *testing.T, answers map[string]string) (*httptest.Server, *[]string) {
	t.Helper()
	var asked []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if r.URL.Path == "/_lamb/health" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") {
			t.Errorf("%s is signed by %q", r.URL.Path, r.Header.Get("Authorization"))
		}
		key := r.Method + " " + r.URL.RequestURI()
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
			key = string(body)
		}
		asked = append(asked, key)
		for prefix, answer := range answers {
			if strings.HasPrefix(key, prefix) {
				status, text, _ := strings.Cut(answer, " ")
				w.WriteHeader(map[string]int{"200": 200, "404": 404, "429": 429}[status])
				_, _ = io.WriteString(w, text) // the client may have gone
				return
			}
		}
		t.Errorf("unexpected: %s", key)
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(s.Close)
	return s, &asked
}

// TestIAM: the query protocol, its errors, and that a target that is no lamb is
// called for all services.
func TestIAM(t *testing.T) {
	world(t)
	s, asked := service(t, map[string]string{
		"Action=GetRole&":           `404 <ErrorResponse><Error><Code>NoSuchEntity</Code><Message>none</Message></Error></ErrorResponse>`,
		"Action=AttachRolePolicy&":  `200 <AttachRolePolicyResponse/>`,
		"Action=GetCallerIdentity&": `200 <R><GetCallerIdentityResult><Account>123456789012</Account><Arn>arn:aws:iam::123456789012:user/u</Arn></GetCallerIdentityResult></R>`,
		"Action=CreateRole&":        `200 <R><CreateRoleResult><Role><Arn>arn:aws:iam::123456789012:role/r</Arn></Role></CreateRoleResult></R>`,
	})
	c, err := Open(t.Context(), Options{Target: s.URL, Region: "eu-west-1"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Lamb {
		t.Error("it was taken for a lamb")
	}
	if _, err := c.RoleARN(t.Context(), "r"); !IsNotFound(err) || !strings.Contains(err.Error(), "GetRole: NoSuchEntity: none") {
		t.Errorf("GetRole: %v", err)
	}
	// The form's names come in the order of the alphabet.
	_, err = c.CreateRole(t.Context(), "r", `{"Version":"2012-10-17"}`, "d")
	if err != nil {
		t.Error(err)
	}
	if err := c.AttachRolePolicy(t.Context(), "r", "arn:aws:iam::aws:policy/p"); err != nil {
		t.Error(err)
	}
	if account, arn, err := c.Account(t.Context()); account != "123456789012" || !strings.HasSuffix(arn, ":user/u") || err != nil {
		t.Errorf("GetCallerIdentity: %s %s %v", account, arn, err)
	}
	if len(*asked) != 4 || !strings.Contains((*asked)[2], "PolicyArn=arn%3Aaws%3Aiam%3A%3Aaws%3Apolicy%2Fp") {
		t.Errorf("asked %q", *asked)
	}
}

// TestErrors: both ways in which JSON services say what is wrong, and what is
// tried again.
func TestErrors(t *testing.T) {
	world(t)
	calls := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/slow/configuration"):
			if calls++; calls < 2 {
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			_ = json.NewEncoder(w).Encode(map[string]string{"FunctionName": "slow"})
		case r.Header.Get("X-Amz-Target") != "":
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"__type":"com.amazonaws#ResourceNotFoundException","message":"no group"}`)
		default:
			w.Header().Set("X-Amzn-Errortype", "ResourceNotFoundException:http://internal")
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"Type":"User","Message":"no function"}`)
		}
	}))
	defer s.Close()
	c, err := Open(t.Context(), Options{Target: s.URL, Region: "eu-west-1"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.GetFunctionConfiguration(t.Context(), "f", "")
	if e := (*Error)(nil); !errors.As(err, &e) || e.Code != "ResourceNotFoundException" || e.Message != "no function" || !IsNotFound(err) {
		t.Errorf("Lambda: %v", err)
	}
	_, _, err = c.FilterLogEvents(t.Context(), LogFilter{Group: "g"})
	if e := (*Error)(nil); !errors.As(err, &e) || e.Code != "ResourceNotFoundException" || e.Message != "no group" {
		t.Errorf("Logs: %v", err)
	}
	f, err := c.GetFunctionConfiguration(t.Context(), "slow", "")
	if err != nil || api.Value(f.FunctionName) != "slow" || calls != 2 {
		t.Errorf("after a throttle: %v, %d calls", err, calls)
	}
}

// TestEndpoints: aws is where the variables of the AWS CLI say; a target is where
// it says itself.
func TestEndpoints(t *testing.T) {
	world(t)
	s, asked := service(t, map[string]string{"GET /2015-03-31/functions/f/configuration": `200 {"FunctionName":"f"}`})
	t.Setenv("AWS_ENDPOINT_URL_LAMBDA", s.URL)
	for _, target := range []string{"aws", s.URL} {
		c, err := Open(t.Context(), Options{Target: target, Region: "eu-west-1"})
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
		if _, err := c.GetFunctionConfiguration(t.Context(), "f", ""); err != nil || c.URL() != s.URL {
			t.Errorf("%s: %s, %v", target, c.URL(), err)
		}
	}
	if len(*asked) != 2 {
		t.Errorf("asked %q", *asked)
	}
	t.Setenv("AWS_ENDPOINT_URL_LAMBDA", "nowhere")
	if _, err := Open(t.Context(), Options{Target: "aws", Region: "eu-west-1"}); err == nil || !strings.Contains(err.Error(), "AWS_ENDPOINT_URL_LAMBDA: it is not a URL") {
		t.Error(err)
	}
}

func TestTargets(t *testing.T) {
	world(t)
	for _, tt := range []struct {
		o       Options
		want    string // of Lambda's endpoint
		wantErr string
	}{
		{o: Options{Target: "aws", Region: "eu-west-1"}, want: "https://lambda.eu-west-1.amazonaws.com"},
		{o: Options{Target: "aws", Region: "cn-north-1"}, want: "https://lambda.cn-north-1.amazonaws.com.cn"},
		{o: Options{Target: "aws"}, wantErr: "no region: give --region"},
		{o: Options{Target: "ftp://x", Region: "r"}, wantErr: "neither lamb, nor aws, nor a URL"},
	} {
		c, err := Open(t.Context(), tt.o)
		if tt.wantErr != "" {
			if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("%+v: %v, want %q", tt.o, err, tt.wantErr)
			}
			continue
		}
		if err != nil || c.URL() != tt.want {
			t.Errorf("%+v: %s, %v; want %s", tt.o, c.URL(), err, tt.want)
		}
	}
}
