package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/lambhq/lamb/bench/load"
)

const functionsPath = "/2015-03-31/functions"

// pollEvery is how often is asked whether something has happened in lamb.
const pollEvery = 5 * time.Millisecond

// spec is a function to create.
type spec struct {
	name, runtime, handler string
	memoryMB               int
	zip                    []byte
	layers                 []string // ARNs
	tenants                bool     // each has environments of its own
}

// language is what a function is written in, for names.
func (s spec) language() string {
	language, _, _ := strings.Cut(strings.Map(func(r rune) rune {
		if r < 'a' || r > 'z' {
			return '-'
		}
		return r
	}, s.runtime), "-")
	return language
}

// call makes a signed request of the management API.
func (l *lamb) call(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+l.address+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, value := range local.headers(method, l.address, path, body) {
		req.Header.Set(name, value)
	}
	resp, err := l.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %.300s", method, path, resp.Status, text)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

// quiet keeps Go's runtime from signalling, every 10 ms, a raw worker that
// waits in the kernel: there can be dozens of them beside what is measured.
var quiet = map[string]string{"GODEBUG": "asyncpreemptoff=1"}

// create makes a function and waits until it can be invoked.
func (l *lamb) create(ctx context.Context, s spec) error {
	architecture := map[string]string{"arm64": "arm64"}[runtime.GOARCH]
	if architecture == "" {
		architecture = "x86_64"
	}
	in := map[string]any{
		"FunctionName": s.name, "Runtime": s.runtime, "Handler": s.handler, "MemorySize": s.memoryMB, "Timeout": 60,
		"Environment": map[string]any{"Variables": quiet},
		"Role":        "arn:aws:iam::000000000000:role/bench", "Architectures": []string{architecture}, "Code": map[string]any{"ZipFile": s.zip},
		"Layers": s.layers,
	}
	if s.tenants {
		in["TenancyConfig"] = map[string]string{"TenantIsolationMode": "PER_TENANT"}
	}
	if err := l.call(ctx, http.MethodPost, functionsPath, in, nil); err != nil {
		return err
	}
	return l.awaitFunction(ctx, s.name)
}

// publishLayer makes a layer and returns its version's ARN.
func (l *lamb) publishLayer(ctx context.Context, name string, zip []byte) (string, error) {
	var out struct{ LayerVersionArn string }
	err := l.call(ctx, http.MethodPost, "/2018-10-31/layers/"+name+"/versions", map[string]any{"Content": map[string]any{"ZipFile": zip}}, &out)
	return out.LayerVersionArn, err
}

// update changes a function's configuration, so that its next invocation
// starts cold. It returns when lamb has acknowledged that, which is when it is
// on the disk.
func (l *lamb) update(ctx context.Context, name string, generation int) error {
	return l.call(ctx, http.MethodPut, functionsPath+"/"+name+"/configuration", map[string]any{
		"Environment": map[string]any{"Variables": map[string]string{
			"GENERATION": fmt.Sprint(generation), "GODEBUG": quiet["GODEBUG"],
		}},
	}, nil)
}

// awaitFunction waits until a function can be invoked as it was last written.
func (l *lamb) awaitFunction(ctx context.Context, name string) error {
	return poll(ctx, func() (bool, error) {
		var c struct{ State, StateReason, LastUpdateStatus, LastUpdateStatusReason string }
		if err := l.call(ctx, http.MethodGet, functionsPath+"/"+name+"/configuration", nil, &c); err != nil {
			return false, err
		}
		if c.State == "Failed" || c.LastUpdateStatus == "Failed" {
			return false, fmt.Errorf("function %s: %s %s", name, c.StateReason, c.LastUpdateStatusReason)
		}
		return c.State == "Active" && c.LastUpdateStatus == "Successful", nil
	})
}

// awaitMetric waits until a metric has a value.
func (l *lamb) awaitMetric(ctx context.Context, name string, want float64) error {
	return poll(ctx, func() (bool, error) {
		v, err := l.metric(ctx, name)
		return v == want, err
	})
}

// poll asks again and again until the answer is yes.
func poll(ctx context.Context, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited for nothing: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// invocation is a signed Invoke as the load client sends it.
func (l *lamb) invocation(c credentials, name string, event, want []byte) load.Request {
	return l.invocationOf(c, name, "", event, want)
}

// invocationOf is invocation for a tenant; empty for none.
func (l *lamb) invocationOf(c credentials, name, tenant string, event, want []byte) load.Request {
	path := functionsPath + "/" + name + "/invocations"
	header := ""
	if tenant != "" {
		header = "X-Amz-Tenant-Id: " + tenant + "\r\n"
	}
	for name, value := range c.headers(http.MethodPost, l.address, path, event) {
		header += name + ": " + value + "\r\n"
	}
	return load.Post(l.address, path, header, event, want)
}

// zipOf makes a deployment package with one file.
func zipOf(name string, mode os.FileMode, content []byte) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	h := &zip.FileHeader{Name: name, Method: zip.Deflate}
	h.SetMode(mode)
	f, err := w.CreateHeader(h)
	if err != nil {
		return nil, err
	}
	if _, err := f.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// zipProgram is a program, under a name, as a deployment package.
func zipProgram(path, name string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return zipOf(name, 0o755, content)
}
