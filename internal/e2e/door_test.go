package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestFrontDoor sends what a web page or a stranger would send.
func TestFrontDoor(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	l.goFn(t, "door", "echo")
	const (
		list   = "GET /2015-03-31/functions"
		invoke = "POST /2015-03-31/functions/door/invocations"
		signed = "AWS4-HMAC-SHA256 Credential=test/20261122/us-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, " +
			"Signature=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	)
	for _, tt := range []struct {
		name, request string
		header        map[string]string
		status        int
		errorType     string
	}{
		{"signed", list, map[string]string{"Authorization": signed}, 200, ""},
		{"unsigned", list, nil, 403, "MissingAuthenticationTokenException"},
		{"unsigned invoke", invoke, nil, 403, "MissingAuthenticationTokenException"},
		{"garbage signature", list, map[string]string{"Authorization": "AWS4-HMAC-SHA256 nonsense"}, 403, "IncompleteSignatureException"},
		{"password", list, map[string]string{"Authorization": "Basic dXNlcjpwYXNz"}, 403, ""},
		{"other service", list, map[string]string{"Authorization": strings.Replace(signed, "/lambda/", "/s3/", 1)}, 403, ""},
		{"web page", invoke, map[string]string{"Authorization": signed, "Origin": "https://evil.example"}, 403, "AccessDeniedException"},
		{"web page on this host", invoke, map[string]string{"Authorization": signed, "Origin": "http://127.0.0.1:8080"}, 403, "AccessDeniedException"},
		{"sandboxed page", invoke, map[string]string{"Authorization": signed, "Origin": "null"}, 403, "AccessDeniedException"},
		{"image in a page", list, map[string]string{"Authorization": signed, "Sec-Fetch-Site": "cross-site"}, 403, "AccessDeniedException"},
		{"rebinding", invoke, map[string]string{"Authorization": signed, "Host": "evil.example"}, 403, "AccessDeniedException"},
		{"rebinding with a port", invoke, map[string]string{"Authorization": signed, "Host": "evil.example:3001"}, 403, "AccessDeniedException"},
		{"a name like localhost", list, map[string]string{"Authorization": signed, "Host": "localhost.evil.example"}, 403, "AccessDeniedException"},
		{"localhost", list, map[string]string{"Authorization": signed, "Host": "localhost:3001"}, 200, ""},
		{"a name under localhost", list, map[string]string{"Authorization": signed, "Host": "lamb.localhost"}, 200, ""},
		{"the name for functions", list, map[string]string{"Authorization": signed, "Host": "host.lamb.internal"}, 200, ""},
		{"health", "GET /_lamb/health", nil, 200, ""},
		{"health from a page", "GET /_lamb/health", map[string]string{"Origin": "https://evil.example"}, 403, "AccessDeniedException"},
		{"health by rebinding", "GET /_lamb/health", map[string]string{"Host": "evil.example"}, 403, "AccessDeniedException"},
		{"metrics from a page", "GET /metrics", map[string]string{"Origin": "https://evil.example"}, 403, "AccessDeniedException"},
		{"metrics by rebinding", "GET /metrics", map[string]string{"Host": "evil.example"}, 403, "AccessDeniedException"},
		{"code without a link", "GET /_lamb/code/0000", nil, 403, "AccessDeniedException"},
		{"pre-flight", "OPTIONS /2015-03-31/functions/door/invocations", map[string]string{"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}, 403, "AccessDeniedException"},
		{"unknown path", "GET /2015-03-31/nothing", map[string]string{"Authorization": signed}, 404, ""},
		{"wrong method", "PATCH /2015-03-31/functions/door", map[string]string{"Authorization": signed}, 405, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			method, path, _ := strings.Cut(tt.request, " ")
			var body io.Reader
			if method == http.MethodPost {
				body = strings.NewReader(`{}`)
			}
			req, err := http.NewRequestWithContext(t.Context(), method, l.URL+path, body)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Amz-Date", "20261122T000000Z")
			for k, v := range tt.header {
				req.Header.Set(k, v)
			}
			req.Host = tt.header["Host"]
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			got := resp.Header.Get("X-Amzn-Errortype")
			if resp.StatusCode != tt.status || tt.errorType != "" && got != tt.errorType {
				t.Errorf("%d %s, want %d %s\n%s", resp.StatusCode, got, tt.status, tt.errorType, text)
			}
			if resp.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Error("a web page may read the answer")
			}
			if tt.status < 400 {
				return
			}
			// Shaped as AWS's: a type in the header, a message in the JSON.
			var shape map[string]any
			if err := json.Unmarshal(text, &shape); err != nil || got == "" || resp.Header.Get("X-Amzn-Requestid") == "" {
				t.Errorf("not AWS's shape: %v, %v\n%s", err, resp.Header, text)
			}
			if shape["Message"] == nil && shape["message"] == nil {
				t.Errorf("no message: %s", text)
			}
		})
	}
}

// TestMetrics reads names: all are lamb's, or the process's as everywhere.
func TestMetrics(t *testing.T) {
	t.Parallel()
	l := sharedLamb.get(t)
	l.invoke(t, l.goFn(t, "metered", "echo"), `1`).succeeded(t)
	_, text := l.get(t, "/metrics")
	seen := map[string]bool{}
	for line := range strings.Lines(text) {
		name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE "), " ")
		name, _, _ = strings.Cut(name, "{")
		seen[name] = true
		if !strings.HasPrefix(name, "lamb_") && !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			t.Errorf("a metric's name is %q", name)
		}
	}
	for _, name := range []string{"lamb_invocations_total", "lamb_environments_busy", "lamb_environments_idle", "lamb_environments_started_total", "lamb_invocation_duration_seconds"} {
		if !seen[name] {
			t.Errorf("there is no metric %s", name)
		}
	}
	var health struct{ Service, Status string }
	if _, text := l.get(t, "/_lamb/health"); json.Unmarshal([]byte(text), &health) != nil || health.Service != "lamb" || health.Status != "ready" {
		t.Errorf("health %s", text)
	}
}
