package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// urlOf gives a function a URL and, with AuthType NONE, the policy that lets
// everyone call it.
func (l *lamb) urlOf(t testing.TB, name string, change ...func(*lambda.CreateFunctionUrlConfigInput)) string {
	t.Helper()
	in := &lambda.CreateFunctionUrlConfigInput{FunctionName: &name, AuthType: types.FunctionUrlAuthTypeNone}
	for _, c := range change {
		c(in)
	}
	out, err := l.client().CreateFunctionUrlConfig(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if in.AuthType == types.FunctionUrlAuthTypeNone {
		l.openURL(t, name)
	}
	return *out.FunctionUrl
}

// openURL lets everyone call a function's URL.
func (l *lamb) openURL(t testing.TB, name string) {
	t.Helper()
	for _, in := range []*lambda.AddPermissionInput{
		{StatementId: aws.String("url"), Action: aws.String("lambda:InvokeFunctionUrl"), FunctionUrlAuthType: types.FunctionUrlAuthTypeNone},
		{StatementId: aws.String("function"), Action: aws.String("lambda:InvokeFunction"), InvokedViaFunctionUrl: aws.Bool(true)},
	} {
		in.FunctionName, in.Principal = &name, aws.String("*")
		if _, err := l.client().AddPermission(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
}

// web is a client for which every name is lamb's machine, as with
// names below localhost it should be.
func (l *lamb) web(t testing.TB) *http.Client {
	t.Helper()
	u, err := url.Parse(l.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, u.Host)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// page is an answer of a URL.
type page struct {
	*http.Response
	text string
}

// ask sends a request to a URL.
func (l *lamb) ask(t testing.TB, method, to, body string, header ...string) page {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, to, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := l.web(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return page{resp, string(b)}
}

// TestURLEvent: a request as the function sees it, by host and by path.
func TestURLEvent(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	home := l.urlOf(t, l.goFn(t, "url-echo", "echo"))
	u, err := url.Parse(home)
	if err != nil {
		t.Fatal(err)
	}
	id, _, _ := strings.Cut(u.Host, ".")
	for _, base := range []string{home, l.URL + "/_lamb/url/" + id + "/"} {
		got := l.ask(t, "POST", base+"a%20b/%25c?x=1&y=a%26b&x=2", `{"n":1}`,
			"Content-Type", "application/json", "Cookie", "k=v; l=w", "X-Many", "1", "X-Many", "2", "Origin", "https://example.test")
		var e struct {
			Version, RouteKey, RawPath, RawQueryString, Body string
			Cookies                                          []string
			Headers, QueryStringParameters                   map[string]string
			IsBase64Encoded                                  bool
			RequestContext                                   struct {
				AccountID, APIID, DomainName, DomainPrefix, RequestID, RouteKey, Stage, Time string
				HTTP                                                                         struct{ Method, Path, Protocol, SourceIP, UserAgent string }
			}
		}
		if err := json.Unmarshal([]byte(got.text), &e); err != nil || got.StatusCode != 200 || got.Header.Get("Content-Type") != "application/json" {
			t.Fatalf("%s: %d %s: %v", base, got.StatusCode, got.text, err)
		}
		c := e.RequestContext
		if e.Version != "2.0" || e.RouteKey != "$default" || e.RawPath != "/a b/%c" || e.RawQueryString != "x=1&y=a%26b&x=2" ||
			e.Body != `{"n":1}` || e.IsBase64Encoded || strings.Join(e.Cookies, "|") != "k=v|l=w" ||
			e.QueryStringParameters["x"] != "1,2" || e.QueryStringParameters["y"] != "a&b" || e.Headers["x-many"] != "1,2" ||
			e.Headers["host"] == "" || !strings.HasPrefix(e.Headers["x-amzn-trace-id"], "Root=1-") || e.Headers["x-forwarded-for"] != "127.0.0.1" {
			t.Errorf("%s: event %s", base, got.text)
		}
		if c.AccountID != "anonymous" || c.APIID != id || c.DomainPrefix != id || !strings.HasPrefix(c.DomainName, id+".lambda-url.us-east-1.") ||
			c.RequestID != got.Header.Get("X-Amzn-Requestid") || c.HTTP.Method != "POST" || c.HTTP.Path != "/a b/%c" || c.HTTP.SourceIP != "127.0.0.1" {
			t.Errorf("%s: request context %+v", base, c)
		}
	}
	binary := l.ask(t, "PUT", home, "\x00\xff", "Content-Type", "application/octet-stream")
	if !strings.Contains(binary.text, `"body":"AP8="`) || !strings.Contains(binary.text, `"isBase64Encoded":true`) {
		t.Errorf("binary: %s", binary.text)
	}
}

// TestURLReturns: what functions return, and what becomes of it.
func TestURLReturns(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	needInside(t, "python3")
	// It returns what its request's body says, in Python.
	l.create(t, fn{name: "url-returns", runtime: "python3.12", handler: "app.handler", code: zipOf(t, file{"app.py", 0o644,
		"def handler(event, context):\n    return eval(event['body'])\n"})})
	home := l.urlOf(t, "url-returns")
	for _, tt := range []struct {
		returns     string
		status      int
		text        string
		contentType string
	}{
		{`{"a": 1}`, 200, `{"a": 1}`, "application/json"},
		{`[1]`, 200, `[1]`, "application/json"},
		{`"bare"`, 200, `bare`, "application/json"},
		{`None`, 200, `null`, "application/json"},
		{`{"statusCode": 201, "headers": {"Content-Type": "text/x", "X-N": 7, "X-B": True}, "cookies": ["a=1", "b=2"], "body": "made"}`, 201, "made", "text/x"},
		{`{"statusCode": 200, "body": "AP8=", "isBase64Encoded": True}`, 200, "\x00\xff", "application/json"},
		{`{"statusCode": 404}`, 404, "", "application/json"},
		{`{"statusCode": 99}`, 502, "Internal Server Error", "text/plain"},
		{`{"statusCode": 200, "body": 5}`, 502, "Internal Server Error", "text/plain"},
		{`{"statusCode": 200, "body": "!", "isBase64Encoded": True}`, 502, "Internal Server Error", "text/plain"},
		{`{"statusCode": 200, "headers": {"X": "a\r\nSet-Cookie: b"}}`, 502, "Internal Server Error", "text/plain"},
		{`1/0`, 502, "Internal Server Error", "text/plain"},
	} {
		got := l.ask(t, "POST", home, tt.returns, "Content-Type", "text/plain")
		if got.StatusCode != tt.status || got.text != tt.text || got.Header.Get("Content-Type") != tt.contentType {
			t.Errorf("%s: %d %q of %q", tt.returns, got.StatusCode, got.text, got.Header.Get("Content-Type"))
		}
		if tt.status == 201 && (strings.Join(got.Header["Set-Cookie"], "|") != "a=1|b=2" || got.Header.Get("X-N") != "7" || got.Header.Get("X-B") != "true") {
			t.Errorf("headers %v", got.Header)
		}
	}
	large := l.ask(t, "POST", home, strings.Repeat("x", 6<<20), "Content-Type", "text/plain")
	if large.StatusCode != 413 {
		t.Errorf("6 MB: %d %s", large.StatusCode, large.text)
	}
}

// TestURLAccess: who may call a URL.
func TestURLAccess(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	const forbidden = `{"Message":"Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"}`
	name := l.goFn(t, "url-access", "echo")
	refused := func(what string, got page) {
		t.Helper()
		if got.StatusCode != 403 || got.text != forbidden {
			t.Errorf("%s: %d %s", what, got.StatusCode, got.text)
		}
	}
	home := l.urlOf(t, name, func(in *lambda.CreateFunctionUrlConfigInput) { in.AuthType = types.FunctionUrlAuthTypeAwsIam })
	refused("unsigned", l.ask(t, "GET", home, ""))
	signed := func(by aws.Credentials) page {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "GET", home, nil)
		if err != nil {
			t.Fatal(err)
		}
		const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
		if err := v4.NewSigner().SignHTTP(t.Context(), by, req, empty, "lambda", "us-east-1", time.Now()); err != nil {
			t.Fatal(err)
		}
		resp, err := l.web(t).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return page{resp, string(b)}
	}
	anySecret := func(key string) aws.Credentials { return aws.Credentials{AccessKeyID: key, SecretAccessKey: "any"} }
	if got := signed(anySecret("test")); got.StatusCode != 200 || !strings.Contains(got.text, `"accessKey":"test"`) || strings.Contains(got.text, "Signature=") {
		t.Errorf("signed: %d %s", got.StatusCode, got.text)
	}
	refused("another account", signed(anySecret("111122223333")))
	refused("a key that lamb did not mint", signed(anySecret("ASIALAMB000000000000")))

	var env map[string]string
	l.invoke(t, l.goFn(t, "url-caller", "env"), "null").into(t, &env)
	minted := aws.Credentials{
		AccessKeyID: env["AWS_ACCESS_KEY_ID"], SecretAccessKey: env["AWS_SECRET_ACCESS_KEY"], SessionToken: env["AWS_SESSION_TOKEN"],
	}
	if got := signed(minted); got.StatusCode != 200 || !strings.Contains(got.text, `"accessKey":"`+minted.AccessKeyID+`"`) {
		t.Errorf("signed by a function: %d %s", got.StatusCode, got.text)
	}
	minted.SecretAccessKey += "x"
	if got := signed(minted); got.StatusCode != 403 || !strings.Contains(got.text, "The request signature we calculated does not match the signature you provided.") {
		t.Errorf("a function's key with another secret: %d %s", got.StatusCode, got.text)
	}

	if _, err := l.client().UpdateFunctionUrlConfig(t.Context(), &lambda.UpdateFunctionUrlConfigInput{FunctionName: &name, AuthType: types.FunctionUrlAuthTypeNone}); err != nil {
		t.Fatal(err)
	}
	refused("without a policy", l.ask(t, "GET", home, ""))
	l.openURL(t, name)
	if got := l.ask(t, "GET", home, ""); got.StatusCode != 200 {
		t.Errorf("open: %d %s", got.StatusCode, got.text)
	}
	refused("an id of nobody", l.ask(t, "GET", l.URL+"/_lamb/url/nobody/", ""))
	// Nothing else of lamb's is open to web pages.
	if got := l.ask(t, "GET", l.URL+"/2015-03-31/functions/", "", "Origin", "https://example.test"); got.StatusCode != 403 || !strings.Contains(got.text, "web pages") {
		t.Errorf("the API answers a web page: %d %s", got.StatusCode, got.text)
	}
}

// TestURLCORS: lamb answers browsers that ask, and adds what it is told to.
func TestURLCORS(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	home := l.urlOf(t, l.goFn(t, "url-cors", "echo"), func(in *lambda.CreateFunctionUrlConfigInput) {
		in.Cors = &types.Cors{
			AllowOrigins: []string{"https://example.test"}, AllowMethods: []string{"GET", "POST"}, AllowHeaders: []string{"x-a", "x-b"},
			ExposeHeaders: []string{"x-c"}, AllowCredentials: aws.Bool(true), MaxAge: aws.Int32(60),
		}
	})
	asks := []string{"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "x-a"}
	got := l.ask(t, "OPTIONS", home, "", append(asks, "Origin", "https://example.test")...)
	for name, want := range map[string]string{
		"Origin": "https://example.test", "Methods": "GET,POST", "Headers": "x-a,x-b", "Credentials": "true",
	} {
		if v := got.Header.Get("Access-Control-Allow-" + name); v != want {
			t.Errorf("preflight: Allow-%s is %q, want %q", name, v, want)
		}
	}
	if got.StatusCode != 200 || got.text != "" || got.Header.Get("Access-Control-Max-Age") != "60" {
		t.Errorf("preflight: %d %q %v", got.StatusCode, got.text, got.Header)
	}
	if got := l.ask(t, "OPTIONS", home, "", append(asks, "Origin", "https://else.test")...); got.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("preflight of another origin: %v", got.Header)
	}
	got = l.ask(t, "GET", home, "", "Origin", "https://example.test")
	if h := got.Header; h.Get("Access-Control-Allow-Origin") != "https://example.test" || h.Get("Access-Control-Expose-Headers") != "x-c" || got.StatusCode != 200 {
		t.Errorf("request: %d %v", got.StatusCode, h)
	}
	if got := l.ask(t, "OPTIONS", home, ""); !strings.Contains(got.text, `"method":"OPTIONS"`) {
		t.Errorf("OPTIONS that is no preflight: %s", got.text)
	}
}

// TestURLStream: server-sent events of aws-lambda-go arrive as they are sent.
func TestURLStream(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	p := newPace(t, l)
	stream := func(in *lambda.CreateFunctionUrlConfigInput) { in.InvokeMode = types.InvokeModeResponseStream }
	home := l.urlOf(t, l.streamFn(t, "url-stream", "url"), stream)
	req, err := http.NewRequestWithContext(t.Context(), "POST", home, strings.NewReader("one\ntwo\nthree\n"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "text/plain")
	req.Header.Set("X-Ask", p.URL)
	resp, err := l.web(t).Do(req) // the status is there before the first event
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 202 || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("X-Method") != "POST" ||
		strings.Join(resp.Header["Set-Cookie"], "|") != "a=1; Path=/|b=2" {
		t.Errorf("status %d, headers %v", resp.StatusCode, resp.Header)
	}
	lines := bufio.NewReader(resp.Body)
	for _, word := range []string{"one", "two", "three"} {
		p.next()
		line, err := lines.ReadString('\n')
		if line != "data: "+word+"\n" || err != nil {
			t.Fatalf("line %q, %v", line, err)
		}
		if line, err := lines.ReadString('\n'); line != "\n" || err != nil {
			t.Fatalf("line %q, %v", line, err)
		}
	}
	if rest, err := io.ReadAll(lines); len(rest) > 0 || err != nil {
		t.Errorf("at the end %q, %v", rest, err)
	}

	// A function that does not stream works all the same.
	echo := l.urlOf(t, l.goFn(t, "url-stream-echo", "echo"), stream)
	if got := l.ask(t, "GET", echo+"here", ""); got.StatusCode != 200 || !strings.Contains(got.text, `"rawPath":"/here"`) {
		t.Errorf("not streamed: %d %s", got.StatusCode, got.text)
	}
	fails := l.urlOf(t, l.goFn(t, "url-stream-fail", "fail"), stream)
	if got := l.ask(t, "GET", fails, ""); got.StatusCode != 502 || got.text != "Internal Server Error" {
		t.Errorf("failed: %d %s", got.StatusCode, got.text)
	}
}

// TestNodeStream: awslambda.streamifyResponse and HttpResponseStream.from, by
// the API and by a URL.
func TestNodeStream(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	needInside(t, "node")
	l.create(t, fn{name: "node-stream", runtime: "nodejs20.x", handler: "index.handler", timeout: 5, code: zipOf(t, file{"index.mjs", 0o644, `
export const handler = awslambda.streamifyResponse(async (event, responseStream, context) => {
  if (event.rawPath) {
    responseStream = awslambda.HttpResponseStream.from(responseStream, {
      statusCode: 418, headers: { 'Content-Type': 'text/event-stream', 'X-Path': event.rawPath }, cookies: ['a=b'],
    });
  }
  responseStream.write('data: one\n\n');
  if (event.fail || event.rawPath === '/fail') throw new TypeError('in the middle');
  responseStream.end('data: two\n\n');
});
`})})
	const both = "data: one\n\ndata: two\n\n"
	_, stream := l.beginStream(t, "node-stream", []byte("{}"))
	if got := readStream(t, stream); got.text() != both || got.complete.ErrorCode != nil {
		t.Errorf("by the API %+v", got)
	}
	_, stream = l.beginStream(t, "node-stream", []byte(`{"fail":true}`))
	got := readStream(t, stream)
	if details := aws.ToString(got.complete.ErrorDetails); got.text() != "data: one\n\n" || aws.ToString(got.complete.ErrorCode) != "TypeError" || !strings.Contains(details, `"errorMessage":"in the middle"`) {
		t.Errorf("failed by the API: %q, %s", got.text(), details)
	}
	home := l.urlOf(t, "node-stream", func(in *lambda.CreateFunctionUrlConfigInput) { in.InvokeMode = types.InvokeModeResponseStream })
	if got := l.ask(t, "GET", home+"tea", ""); got.StatusCode != 418 || got.text != both || got.Header.Get("X-Path") != "/tea" || got.Header.Get("Set-Cookie") != "a=b" {
		t.Errorf("by the URL: %d %q %v", got.StatusCode, got.text, got.Header)
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", home+"fail", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := l.web(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); resp.StatusCode != 418 || string(b) != "data: one\n\n" || err == nil {
		t.Errorf("failed by the URL: %d %q, %v: want the connection cut", resp.StatusCode, b, err)
	}
}
