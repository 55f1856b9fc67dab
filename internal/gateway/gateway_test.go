package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/auth"
	"github.com/lambhq/lamb/internal/metrics"
)

// service is an api.Service of which each test sets what it needs.
type service struct {
	api.Unimplemented
	create  func(context.Context, *api.CreateFunctionRequest) (*api.FunctionConfiguration, error)
	get     func(context.Context, *api.GetFunctionConfigurationRequest) (*api.FunctionConfiguration, error)
	account func(context.Context) (*api.GetAccountSettingsResponse, error)
}

func (s *service) CreateFunction(ctx context.Context, in *api.CreateFunctionRequest) (*api.FunctionConfiguration, error) {
	return s.create(ctx, in)
}

func (s *service) GetFunctionConfiguration(ctx context.Context, in *api.GetFunctionConfigurationRequest) (*api.FunctionConfiguration, error) {
	return s.get(ctx, in)
}

func (s *service) GetAccountSettings(ctx context.Context, _ *api.GetAccountSettingsRequest) (*api.GetAccountSettingsResponse, error) {
	return s.account(ctx)
}

// door is a gateway on a real server, with what a test needs of both.
type door struct {
	*httptest.Server
	service *service
	keyring *auth.Keyring
	links   *auth.Links
	log     *logBuffer
	metrics *metrics.Registry
	spool   string
}

type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// payloads is a RawHandler that answers an invocation with its payload.
func payloads(w http.ResponseWriter, _ *http.Request, in any) {
	w.Header().Set("X-Amz-Executed-Version", "$LATEST")
	_, _ = w.Write(in.(*api.InvocationRequest).Payload)
}

// open starts a gateway; change may alter its Config.
func open(t *testing.T, change func(*Config)) *door {
	t.Helper()
	links, err := auth.NewLinks(bytes.Repeat([]byte("k"), 32))
	if err != nil {
		t.Fatal(err)
	}
	d := &door{
		service: &service{}, keyring: &auth.Keyring{}, links: links,
		log: &logBuffer{}, metrics: metrics.NewRegistry(), spool: t.TempDir(),
	}
	cfg := Config{
		Service: d.service, Raw: map[string]RawHandler{"Invoke": payloads}, Keyring: d.keyring, Account: "000000000000",
		SpoolDir: d.spool, Ready: func() bool { return true }, Version: "1.2.3", Registry: d.metrics, Links: d.links,
		Code: func(context.Context, []string) (io.ReadSeekCloser, error) { return nil, fs.ErrNotExist },
		Log:  slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&cfg)
	}
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	d.Server = httptest.NewUnstartedServer(nil)
	d.Config = NewServer(g, cfg.Log)
	d.Start()
	t.Cleanup(d.Close)
	return d
}

// sdk is an unmodified AWS client that signs with creds.
func (d *door) sdk(creds auth.Credentials) *lambda.Client {
	return lambda.New(lambda.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(d.URL), HTTPClient: d.Client(), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(creds.AccessKeyID, creds.SecretAccessKey, creds.SessionToken),
	})
}

var someone = auth.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "secret"}

// sign signs a request as the SDK does.
func sign(t *testing.T, r *http.Request, creds auth.Credentials, service, payloadHash string) *http.Request {
	t.Helper()
	err := v4.NewSigner().SignHTTP(context.Background(),
		aws.Credentials{AccessKeyID: creds.AccessKeyID, SecretAccessKey: creds.SecretAccessKey, SessionToken: creds.SessionToken},
		r, payloadHash, service, "eu-west-1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// request makes a request that is signed by someone.
func (d *door) request(t *testing.T, method, path string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, d.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	return sign(t, r, someone, "lambda", auth.EmptyBody)
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (d *door) do(t *testing.T, r *http.Request) answer {
	t.Helper()
	res, err := d.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, res)
}

func read(t *testing.T, res *http.Response) answer {
	t.Helper()
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

// wantError checks that an answer is an error as AWS writes it.
func (a answer) wantError(t *testing.T, status int, typ, text string) {
	t.Helper()
	if a.status != status || a.header.Get("X-Amzn-Errortype") != typ {
		t.Errorf("answer is %d %s, want %d %s", a.status, a.header.Get("X-Amzn-Errortype"), status, typ)
	}
	if len(a.header.Get("X-Amzn-Requestid")) != 36 || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("headers are not an API error's: %v", a.header)
	}
	var body map[string]string
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		t.Fatalf("body %q is not JSON: %v", a.body, err)
	}
	if message := body["message"] + body["Message"]; message == "" || !strings.Contains(message, text) {
		t.Errorf("message is %q, want %q in it", message, text)
	}
}

func TestSDK(t *testing.T) {
	d := open(t, nil)
	var caller api.Caller
	d.service.get = func(ctx context.Context, in *api.GetFunctionConfigurationRequest) (*api.FunctionConfiguration, error) {
		caller = api.CallerFrom(ctx)
		return &api.FunctionConfiguration{FunctionName: in.FunctionName}, nil
	}
	const arn = "arn:aws:lambda:eu-west-1:123456789012:function:f"
	numbered := someone
	numbered.AccessKeyID = "123456789012"
	for _, tt := range []struct {
		creds   auth.Credentials
		account string
	}{{someone, "000000000000"}, {numbered, "123456789012"}} {
		out, err := d.sdk(tt.creds).GetFunctionConfiguration(context.Background(),
			&lambda.GetFunctionConfigurationInput{FunctionName: aws.String(arn)})
		if err != nil {
			t.Fatal(err)
		}
		if aws.ToString(out.FunctionName) != arn {
			t.Errorf("name = %s", aws.ToString(out.FunctionName))
		}
		want := api.Caller{Partition: "aws", Account: tt.account, Region: "eu-west-1",
			RequestID: caller.RequestID, Host: caller.Host, AccessKeyID: tt.creds.AccessKeyID,
			Received: caller.Received, BodyRead: caller.BodyRead}
		if caller != want || len(caller.RequestID) != 36 || !strings.HasPrefix(caller.Host, "127.0.0.1:") {
			t.Errorf("caller = %+v, want %+v", caller, want)
		}
	}

	out, err := d.sdk(someone).Invoke(context.Background(), &lambda.InvokeInput{FunctionName: aws.String("f"), Payload: []byte(`{"a":1}`)})
	if err != nil {
		t.Fatal(err)
	}
	if string(out.Payload) != `{"a":1}` || aws.ToString(out.ExecutedVersion) != "$LATEST" {
		t.Errorf("invoke = %s %s", out.Payload, aws.ToString(out.ExecutedVersion))
	}

	_, err = d.sdk(someone).ListAliases(context.Background(), &lambda.ListAliasesInput{FunctionName: aws.String("f")})
	var status interface{ HTTPStatusCode() int }
	if !errors.As(err, &status) || status.HTTPStatusCode() != 501 || !strings.Contains(err.Error(), "ListAliases") {
		t.Errorf("operation that is not implemented: %v", err)
	}
}

func TestRefused(t *testing.T) {
	d := open(t, func(c *Config) { c.Hosts = []string{"lamb.example", "192.0.2.7"} })
	d.service.account = func(context.Context) (*api.GetAccountSettingsResponse, error) {
		return &api.GetAccountSettingsResponse{}, nil
	}
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	host := func(h string) func(*http.Request) { return func(r *http.Request) { r.Host = h } }
	tests := []struct {
		name   string
		change func(*http.Request)
		status int
		typ    string
		text   string
	}{
		{"good", func(*http.Request) {}, 200, "", ""},
		{"localhost", host("localhost:3001"), 200, "", ""},
		{"capitals", host("LocalHost"), 200, "", ""},
		{"subdomain of localhost", host("x.y.localhost:1"), 200, "", ""},
		{"v6", host("[::1]:3001"), 200, "", ""},
		{"v4 in v6", host("[::ffff:127.0.0.1]"), 200, "", ""},
		{"another loopback address", host("127.9.9.9"), 200, "", ""},
		{"from a function", host("host.lamb.internal:3001"), 200, "", ""},
		{"configured name", host("lamb.example:80"), 200, "", ""},
		{"configured address", host("192.0.2.7"), 200, "", ""},
		{"rebound name", host("evil.example"), 403, "AccessDeniedException", "Host"},
		{"name that begins right", host("127.0.0.1.evil.example"), 403, "AccessDeniedException", "Host"},
		{"name that ends right", host("evillocalhost"), 403, "AccessDeniedException", "Host"},
		{"only a dot", host(".localhost"), 403, "AccessDeniedException", "Host"},
		{"address of the network", host("192.168.1.1"), 403, "AccessDeniedException", "Host"},
		{"any address", host("0.0.0.0:3001"), 403, "AccessDeniedException", "Host"},
		{"decimal address", host("2130706433"), 403, "AccessDeniedException", "Host"},
		{"bad port", host("localhost:80x"), 403, "AccessDeniedException", "Host"},
		{"name and address", host("evil:127.0.0.1:1"), 403, "AccessDeniedException", "Host"},
		{"origin", set("Origin", "https://evil.example"), 403, "AccessDeniedException", "web pages"},
		{"own origin", set("Origin", "http://127.0.0.1:3001"), 403, "AccessDeniedException", "web pages"},
		{"origin of a file", set("Origin", "null"), 403, "AccessDeniedException", "web pages"},
		{"another site", set("Sec-Fetch-Site", "cross-site"), 403, "AccessDeniedException", "web pages"},
		{"another port", set("Sec-Fetch-Site", "same-site"), 403, "AccessDeniedException", "web pages"},
		{"typed by hand", set("Sec-Fetch-Site", "none"), 200, "", ""},
		{"unsigned", func(r *http.Request) { r.Header.Del("Authorization") }, 403, "MissingAuthenticationTokenException", "Missing Authentication Token"},
		{"bearer", set("Authorization", "Bearer x"), 403, "IncompleteSignatureException", "AWS4-HMAC-SHA256"},
		{"service", func(r *http.Request) { sign(t, r, someone, "s3", auth.EmptyBody) }, 403, "InvalidSignatureException",
			"Credential should be scoped to correct service: 'lambda'."},
		{"key that lamb might have minted", func(r *http.Request) {
			sign(t, r, auth.Credentials{AccessKeyID: "ASIALAMBAAAAAAAAAAAA", SecretAccessKey: "s", SessionToken: "t"}, "lambda", auth.EmptyBody)
		}, 403, "UnrecognizedClientException", "The security token included in the request is invalid."},
		{"no such path", func(r *http.Request) { r.URL.Path = "/2015-03-31/nothing" }, 404, "UnknownOperationException", "nothing"},
		{"double slash", func(r *http.Request) { r.URL.Path = "//2016-08-19/account-settings" }, 404, "UnknownOperationException", ""},
		{"no such method", func(r *http.Request) { r.Method = "PATCH" }, 405, "MethodNotAllowedException", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := d.request(t, "GET", "/2016-08-19/account-settings", nil)
			tt.change(r)
			a := d.do(t, r)
			if tt.status == 200 {
				if a.status != 200 || len(a.header.Get("X-Amzn-Requestid")) != 36 {
					t.Errorf("answer is %d %s, %v", a.status, a.body, a.header)
				}
				return
			}
			a.wantError(t, tt.status, tt.typ, tt.text)
		})
	}
}

// TestWebPageOperator: lamb's own paths are shut to web pages like all others.
func TestWebPageOperator(t *testing.T) {
	d := open(t, nil)
	for _, path := range []string{"/_lamb/health", "/metrics", "/_lamb/code/x", "/_lamb/"} {
		r, _ := http.NewRequest("GET", d.URL+path, nil)
		r.Header.Set("Origin", "https://evil.example")
		d.do(t, r).wantError(t, 403, "AccessDeniedException", "web pages")
		r, _ = http.NewRequest("GET", d.URL+path, nil)
		r.Host = "evil.example"
		d.do(t, r).wantError(t, 403, "AccessDeniedException", "Host")
	}
}

func TestFailures(t *testing.T) {
	d := open(t, nil)
	tests := []struct {
		name   string
		fail   func() (*api.GetAccountSettingsResponse, error)
		status int
		typ    string
		text   string
		logged string
	}{
		{"of the API", func() (*api.GetAccountSettingsResponse, error) { return nil, api.NewResourceNotFound("no %s", "f") },
			404, "ResourceNotFoundException", "no f", ""},
		{"inside", func() (*api.GetAccountSettingsResponse, error) { return nil, errors.New("disk on fire") },
			500, "ServiceException", "", "disk on fire"},
		{"panic", func() (*api.GetAccountSettingsResponse, error) { panic("unthinkable") },
			500, "ServiceException", "", "unthinkable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d.service.account = func(context.Context) (*api.GetAccountSettingsResponse, error) { return tt.fail() }
			a := d.do(t, d.request(t, "GET", "/2016-08-19/account-settings/", nil))
			a.wantError(t, tt.status, tt.typ, tt.text)
			if tt.logged == "" {
				return
			}
			if strings.Contains(a.body, tt.logged) {
				t.Errorf("the caller sees the cause: %s", a.body)
			}
			if log := d.log.String(); !strings.Contains(log, tt.logged) || !strings.Contains(log, a.header.Get("X-Amzn-Requestid")) {
				t.Errorf("the cause is not in the log: %s", log)
			}
		})
	}
}

// TestPanicInAnswer: an answer that breaks off does not look whole.
func TestPanicInAnswer(t *testing.T) {
	d := open(t, func(c *Config) {
		c.Raw["Invoke"] = func(w http.ResponseWriter, _ *http.Request, _ any) {
			_, _ = io.WriteString(w, `{"half":`)
			panic("half way")
		}
	})
	res, err := d.Client().Do(d.request(t, "POST", "/2015-03-31/functions/f/invocations", nil))
	if err == nil {
		_, err = io.ReadAll(res.Body)
		res.Body.Close()
	}
	if err == nil {
		t.Error("the answer looks whole")
	}
}

func TestNewRefuses(t *testing.T) {
	good := Config{Account: "000000000000", Registry: metrics.NewRegistry(), Log: slog.New(slog.DiscardHandler)}
	for name, change := range map[string]func(*Config){
		"account": func(c *Config) { c.Account = "me" },
		"host":    func(c *Config) { c.Hosts = []string{"lamb.example:3001"} },
		"no host": func(c *Config) { c.Hosts = []string{""} },
		"raw":     func(c *Config) { c.Raw = map[string]RawHandler{"Invok": payloads} },
	} {
		cfg := good
		change(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: New took it", name)
		}
	}
	if _, err := New(good); err != nil {
		t.Errorf("good config: %v", err)
	}
}
