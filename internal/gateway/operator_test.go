package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/auth"
	"github.com/lambhq/lamb/internal/metrics"
	"github.com/lambhq/lamb/internal/metrics/metricstest"
)

func (d *door) get(t *testing.T, method, path string, header ...string) answer {
	t.Helper()
	r, err := http.NewRequest(method, d.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return d.do(t, r)
}

func TestHealth(t *testing.T) {
	ready := false
	d := open(t, func(c *Config) { c.Ready = func() bool { return ready } })
	for _, want := range []struct {
		ready  bool
		status int
		text   string
	}{{false, 503, "starting"}, {true, 200, "ready"}} {
		ready = want.ready
		a := d.get(t, "GET", "/_lamb/health")
		var got map[string]string
		if err := json.Unmarshal([]byte(a.body), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{"service": "lamb", "version": "1.2.3", "status": want.text}, got); diff != "" || a.status != want.status {
			t.Errorf("health is %d (-want +got):\n%s", a.status, diff)
		}
		if a := d.get(t, "HEAD", "/_lamb/health"); a.status != want.status || a.body != "" {
			t.Errorf("HEAD is %d %q", a.status, a.body)
		}
	}
	d.get(t, "POST", "/_lamb/health").wantError(t, 405, "MethodNotAllowedException", "GET")
	d.get(t, "DELETE", "/metrics").wantError(t, 405, "MethodNotAllowedException", "GET")
	d.get(t, "GET", "/_lamb/other").wantError(t, 404, "UnknownOperationException", "")
}

// TestViews are answered as JSON, to those who may read health.
func TestViews(t *testing.T) {
	views := map[string]View{"things": func(rest string) any {
		switch rest {
		case "":
			return []string{"a/b"}
		case "a/b":
			return map[string]int{"n": 1}
		}
		return nil
	}}
	d := open(t, func(c *Config) { c.Views = views })
	for path, want := range map[string]string{"/_lamb/things": `["a/b"]`, "/_lamb/things/a/b": `{"n":1}`, "/_lamb/things/a%2Fb": `{"n":1}`} {
		if a := d.get(t, "GET", path); a.status != 200 || a.body != want+"\n" {
			t.Errorf("%s is %d %s", path, a.status, a.body)
		}
	}
	d.get(t, "GET", "/_lamb/things/c").wantError(t, 404, "ResourceNotFoundException", "things")
	d.get(t, "GET", "/_lamb/things/").wantError(t, 404, "UnknownOperationException", "")
	d.get(t, "POST", "/_lamb/things").wantError(t, 405, "MethodNotAllowedException", "GET")
}

func TestMetrics(t *testing.T) {
	d := open(t, nil)
	d.service.account = func(context.Context) (*api.GetAccountSettingsResponse, error) {
		return nil, api.NewTooManyRequests("Rate Exceeded.")
	}
	d.get(t, "GET", "/_lamb/health")
	for range 3 {
		d.do(t, d.request(t, "POST", invokePath, strings.NewReader(`{}`)))
	}
	d.do(t, d.request(t, "GET", "/2016-08-19/account-settings", nil))
	d.get(t, "GET", "/2016-08-19/account-settings") // unsigned
	// A request is counted when its answer is complete, which may be a moment
	// after the client has it: closing waits for the server's handlers.
	page := d.get(t, "GET", "/metrics")
	if page.status != 200 || page.header.Get("Content-Type") != metrics.ContentType || !strings.Contains(page.body, `lamb_api_request_duration_seconds_bucket{operation="Invoke",le="900"}`) {
		t.Errorf("metrics page is %d %s %s", page.status, page.header, page.body)
	}
	d.Close()
	want := map[string]float64{
		"lamb_api_requests_total 200 Invoke": 3, "lamb_api_requests_total 403 unknown": 1, "lamb_api_requests_total 429 GetAccountSettings": 1,
		"lamb_api_request_duration_seconds Invoke": 3, "lamb_api_request_duration_seconds unknown": 1, "lamb_api_request_duration_seconds GetAccountSettings": 1,
		"lamb_api_requests_in_flight": 0,
	}
	if diff := cmp.Diff(want, metricstest.Values(t, d.metrics)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestStatusesAreBounded: functions choose the statuses of their URLs, and must
// not make a series of every number.
func TestStatusesAreBounded(t *testing.T) {
	r := metrics.NewRegistry()
	m := newMetrics(r)
	for status := 200; status < 200+maxStatuses+7; status++ {
		m.done("f", status, time.Second)
	}
	all := metricstest.Values(t, r)
	if n := all["lamb_api_requests_total (others) f"]; n != 7 {
		t.Errorf("%v requests have other statuses, want 7", n)
	}
	if want := maxStatuses + 1 + 1 + 1; len(all) != want { // one other, one duration, one gauge
		t.Errorf("%d series, want %d", len(all), want)
	}
}

// TestOperatorOffLoopback: from another machine, health and metrics want a
// signature, unless the operator has opened lamb.
func TestOperatorOffLoopback(t *testing.T) {
	for _, insecure := range []bool{false, true} {
		d := open(t, func(c *Config) { c.Insecure = insecure })
		call := func(change func(*http.Request)) *httptest.ResponseRecorder {
			r := httptest.NewRequest("GET", "http://localhost/metrics", nil)
			r.RemoteAddr = "192.0.2.1:4000"
			change(r)
			w := httptest.NewRecorder()
			d.Config.Handler.ServeHTTP(w, r)
			return w
		}
		want := 403
		if insecure {
			want = 200
		}
		if w := call(func(*http.Request) {}); w.Code != want {
			t.Errorf("insecure %v, unsigned: %d", insecure, w.Code)
		}
		wrong := d.keyring.Mint(auth.Owner{})
		good := wrong
		wrong.SecretAccessKey += "x"
		if w := call(func(r *http.Request) { sign(t, r, wrong, "lambda", auth.EmptyBody) }); w.Code != want {
			t.Errorf("insecure %v, wrongly signed: %d", insecure, w.Code)
		}
		if w := call(func(r *http.Request) { sign(t, r, good, "lambda", auth.EmptyBody) }); w.Code != 200 {
			t.Errorf("insecure %v, signed: %d %s", insecure, w.Code, w.Body)
		}
		if w := call(func(r *http.Request) { r.RemoteAddr = "[::1]:4000" }); w.Code != 200 {
			t.Errorf("insecure %v, loopback: %d", insecure, w.Code)
		}
	}
}

type archive struct {
	*bytes.Reader
	closed bool
}

func (a *archive) Close() error { a.closed = true; return nil }

func TestCode(t *testing.T) {
	const content = "PK\x03\x04 exactly these bytes"
	var opened []string
	file := &archive{Reader: bytes.NewReader([]byte(content))}
	var fail error
	d := open(t, func(c *Config) {
		c.Code = func(_ context.Context, parts []string) (io.ReadSeekCloser, error) {
			if opened = parts; fail != nil {
				return nil, fail
			}
			return file, nil
		}
	})
	const path = "/_lamb/code/aws/000000000000/us-east-1/f%2Fg/%24LATEST"
	link := d.links.Sign(path, time.Now())

	a := d.get(t, "GET", link)
	if a.status != 200 || a.body != content || a.header.Get("Content-Type") != "application/zip" || !file.closed {
		t.Errorf("answer is %d %q %v, closed %v", a.status, a.body, a.header, file.closed)
	}
	if diff := cmp.Diff([]string{"aws", "000000000000", "us-east-1", "f/g", "$LATEST"}, opened); diff != "" {
		t.Errorf("opened (-want +got):\n%s", diff)
	}
	if a := d.get(t, "GET", link, "Range", "bytes=2-5"); a.status != 206 || a.body != content[2:6] {
		t.Errorf("range is %d %q", a.status, a.body)
	}
	if a := d.get(t, "HEAD", link); a.status != 200 || a.body != "" || a.header.Get("Content-Length") != "24" {
		t.Errorf("HEAD is %d %q %v", a.status, a.body, a.header)
	}

	opened = nil
	d.get(t, "GET", path).wantError(t, 403, "AccessDeniedException", "not valid")
	d.get(t, "GET", strings.Replace(link, "us-east-1", "us-east-2", 1)).wantError(t, 403, "AccessDeniedException", "not valid")
	d.get(t, "GET", d.links.Sign(path, time.Now().Add(-auth.LinkLifetime-time.Minute))).wantError(t, 403, "AccessDeniedException", "expired")
	d.get(t, "POST", link).wantError(t, 405, "MethodNotAllowedException", "")
	if opened != nil {
		t.Errorf("a bad link opened %v", opened)
	}
	fail = fs.ErrNotExist
	d.get(t, "GET", link).wantError(t, 404, "ResourceNotFoundException", "")
	fail = errors.New("disk on fire")
	d.get(t, "GET", link).wantError(t, 500, "ServiceException", "")

	none := open(t, func(c *Config) { c.Links, c.Code = nil, nil })
	none.get(t, "GET", link).wantError(t, 404, "UnknownOperationException", "")
}

// TestAccessLog: a request leaves one line, with nothing secret in it.
func TestAccessLog(t *testing.T) {
	d := open(t, nil)
	r := d.request(t, "POST", invokePath, strings.NewReader(`"secret body"`))
	signature := r.Header.Get("Authorization")
	a := d.do(t, r)
	d.get(t, "GET", "/_lamb/health")
	d.Close() // waits for the handlers, and so for their log lines
	log := d.log.String()
	var lines []string
	for line := range strings.Lines(log) {
		if strings.Contains(line, "level=INFO msg=request") {
			lines = append(lines, line)
		}
	}
	if len(lines) != 1 {
		t.Fatalf("%d access lines, want 1: %s", len(lines), log)
	}
	for _, want := range []string{"operation=Invoke", "status=200", "bytes=13", "duration=", "requestId=" + a.header.Get("X-Amzn-Requestid")} {
		if !strings.Contains(lines[0], want) {
			t.Errorf("%q is not in %s", want, lines[0])
		}
	}
	for _, secret := range []string{"secret body", signature, signature[len(signature)-64:]} {
		if strings.Contains(log, secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
}

func TestListenPolicy(t *testing.T) {
	tests := []struct {
		addr              string
		insecure, hasKeys bool
		ok                bool
	}{
		{"127.0.0.1:3001", false, false, true},
		{"127.1.2.3:0", false, false, true},
		{"[::1]:3001", false, false, true},
		{"localhost:3001", false, false, true},
		{"0.0.0.0:3001", false, false, false},
		{":3001", false, false, false},
		{"[::]:3001", false, false, false},
		{"192.168.1.5:3001", false, false, false},
		{"lamb.example:3001", false, false, false},
		{"localhost.example:3001", false, false, false},
		{"0.0.0.0:3001", true, false, true},
		{"0.0.0.0:3001", false, true, true},
		{"3001", true, true, false},
	}
	for _, tt := range tests {
		if err := ListenPolicy(tt.addr, tt.insecure, tt.hasKeys); (err == nil) != tt.ok {
			t.Errorf("ListenPolicy(%q, %v, %v) = %v", tt.addr, tt.insecure, tt.hasKeys, err)
		}
	}
}
