// Command agent is an external extension of the kind that observability
// vendors ship: it registers for all events, subscribes to all telemetry with a
// server of its own, and tells at its end what it has seen.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
)

var api = "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API")

func main() {
	name := filepath.Base(os.Args[0])
	registered := call("POST", "/2020-01-01/extension/register", "", map[string]any{"events": []string{"INVOKE", "SHUTDOWN"}}, name)
	id := registered.Header.Get("Lambda-Extension-Identifier")

	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	seen := &events{}
	go func() { check(http.Serve(l, seen)) }()
	call("PUT", "/2022-07-01/telemetry", id, map[string]any{
		"schemaVersion": "2022-12-13", "types": []string{"platform", "function", "extension"},
		"buffering":   map[string]int{"maxItems": 1000, "maxBytes": 262144, "timeoutMs": 25},
		"destination": map[string]any{"protocol": "HTTP", "URI": fmt.Sprintf("http://sandbox.localdomain:%d", l.Addr().(*net.TCPAddr).Port)},
	}, "")
	for {
		resp := call("GET", "/2020-01-01/extension/event/next", id, nil, "")
		var event struct{ EventType, RequestID, ShutdownReason string }
		check(json.NewDecoder(resp.Body).Decode(&event))
		if event.EventType == "SHUTDOWN" {
			fmt.Println("agent ends by "+event.ShutdownReason+", saw", seen)
			return
		}
		fmt.Println("agent: " + event.EventType + " " + event.RequestID)
	}
}

// call calls an API of the environment, which must like it.
func call(method, path, id string, body any, name string) *http.Response {
	var b bytes.Buffer
	if body != nil {
		check(json.NewEncoder(&b).Encode(body))
	}
	req, err := http.NewRequest(method, api+path, &b)
	check(err)
	if id != "" {
		req.Header.Set("Lambda-Extension-Identifier", id)
	}
	if name != "" {
		req.Header.Set("Lambda-Extension-Name", name)
	}
	resp, err := http.DefaultClient.Do(req)
	check(err)
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		check(fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, text))
	}
	return resp
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "agent:", err)
		os.Exit(1)
	}
}

// events counts the telemetry by its type.
type events struct {
	mu    sync.Mutex
	count map[string]int
}

func (e *events) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var batch []struct{ Type string }
	check(json.NewDecoder(r.Body).Decode(&batch))
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.count == nil {
		e.count = map[string]int{}
	}
	for _, ev := range batch {
		e.count[ev.Type]++
	}
}

func (e *events) String() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	b, err := json.Marshal(e.count)
	check(err)
	return string(b)
}
