// Command scripted is a runtime or an extension that plays a list of steps (see
// package steps). It finds its script beside itself, by the function's name, its
// own, and how often it has been started in this environment; it says on stdout
// what is not as the script expects, and END when it is through.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/lambhq/lamb/internal/e2e/testdata/scripted/steps"
)

var api = os.Getenv("AWS_LAMBDA_RUNTIME_API")

// player plays a script.
type player struct {
	name string

	mu    sync.Mutex
	saved map[string]string
	seen  []json.RawMessage // telemetry
}

func main() {
	p := &player{name: filepath.Base(os.Args[0]), saved: map[string]string{"api": api}}
	program, err := os.Executable()
	p.must(err)
	text, err := os.ReadFile(filepath.Join(filepath.Dir(program), "scripts.json"))
	p.must(err)
	var plays steps.Plays
	p.must(json.Unmarshal(text, &plays))
	lives := plays[os.Getenv("AWS_LAMBDA_FUNCTION_NAME")][p.name]
	if len(lives) == 0 {
		p.say("there is no script")
		os.Exit(99)
	}
	p.play(lives[min(p.life(), len(lives)-1)])
	p.say("END")
}

// life is how often this player has been started before.
func (p *player) life() int {
	f, err := os.OpenFile(flag(p.name+".lives"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	p.must(err)
	defer f.Close()
	info, err := f.Stat()
	p.must(err)
	_, err = f.WriteString("x")
	p.must(err)
	return int(info.Size())
}

func (p *player) play(script []steps.Step) {
	for i, s := range script {
		switch s.Do {
		case steps.Call:
			if wrong := p.call(s); wrong != "" {
				p.say("WRONG step %d, %s %s: %s", i, s.Method, s.Path, wrong)
			}
		case steps.Serve:
			p.serve()
		case steps.Attend:
			p.attend()
		case steps.Listen:
			p.listen(s.Text)
		case steps.Dump:
			p.dump(s.Code)
		case steps.Print:
			for range max(1, s.Code) {
				p.say("%s", p.fill(s.Text))
			}
		case steps.Await:
			p.await(s.Text)
		case steps.Tally:
			p.tally(s.Code)
		case steps.Exit:
			os.Exit(s.Code)
		case steps.Hang:
			time.Sleep(time.Hour)
		case steps.Set:
			p.must(os.WriteFile(flag(s.Text), nil, 0o600))
		case steps.Wait:
			for !exists(flag(s.Text)) {
				time.Sleep(time.Millisecond)
			}
		case steps.Catch:
			p.catch(s.Text)
		case steps.Raw:
			if got := p.raw(p.fill(s.Text)); !strings.Contains(got, s.Has) {
				p.say("WRONG step %d: %q; want %s in it", i, got, s.Has)
			}
		case steps.Spawn:
			go p.play(s.Steps)
		default:
			p.say("WRONG step %d: %q is no verb", i, s.Do)
		}
	}
}

func (p *player) say(format string, args ...any) {
	fmt.Printf(p.name+": "+format+"\n", args...)
}

func (p *player) must(err error) {
	if err != nil {
		p.say("WRONG: %v", err)
		os.Exit(98)
	}
}

// flag is the file of a flag; all players of an environment have one /tmp.
func flag(name string) string { return filepath.Join(os.TempDir(), "flag-"+name) }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// fill puts what has been saved into a text.
func (p *player) fill(text string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, value := range p.saved {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}

func (p *player) save(name, value string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.saved[name] = value
}

// call makes a request and tells what was wrong with the answer.
func (p *player) call(s steps.Step) string {
	body := []byte(p.fill(s.Body))
	if s.Fill > 0 {
		body = bytes.Repeat([]byte{' '}, s.Fill)
	}
	resp, text := p.request(s.Method, p.fill(s.Path), body, s.Header)
	if resp == nil {
		return "no answer: " + text
	}
	for name, header := range s.Save {
		p.save(name, resp.Header.Get(header))
	}
	got := strings.TrimSpace(text)
	if is := p.fill(s.Is); resp.StatusCode != s.Status || is != "" && got != is {
		return fmt.Sprintf("%d %.400s; want %d %s", resp.StatusCode, got, s.Status, is)
	}
	if has := p.fill(s.Has); !strings.Contains(got, has) {
		return fmt.Sprintf("%.400s; want %s in it", got, has)
	}
	return ""
}

func (p *player) request(method, path string, body []byte, header map[string]string) (*http.Response, string) {
	req, err := http.NewRequest(method, "http://"+api+path, bytes.NewReader(body))
	p.must(err)
	for name, value := range header {
		req.Header.Set(name, p.fill(value))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err.Error()
	}
	return resp, string(text)
}

// raw sends what may be no whole request, and no more, and returns the answer.
func (p *player) raw(text string) string {
	c, err := net.Dial("tcp", api)
	p.must(err)
	defer c.Close()
	_, err = io.WriteString(c, text)
	p.must(err)
	p.must(c.(*net.TCPConn).CloseWrite())
	got, err := io.ReadAll(c)
	p.must(err)
	return string(got)
}

func (p *player) serve() {
	const invocation = "/2018-06-01/runtime/invocation/"
	for {
		resp, event := p.request("GET", invocation+"next", nil, nil)
		if resp == nil || resp.StatusCode != 200 {
			p.say("WRONG: next: %s", event)
			os.Exit(97)
		}
		if resp, said := p.request("POST", invocation+resp.Header.Get("Lambda-Runtime-Aws-Request-Id")+"/response", []byte(event), nil); resp == nil || resp.StatusCode != 202 {
			p.say("WRONG: response: %s", said)
		}
	}
}

func (p *player) attend() {
	for {
		resp, text := p.request("GET", "/2020-01-01/extension/event/next", nil, map[string]string{"Lambda-Extension-Identifier": "{id}"})
		if resp == nil || resp.StatusCode != 200 {
			p.say("WRONG: event/next: %s", text)
			os.Exit(97)
		}
		var event struct{ EventType, ShutdownReason string }
		p.must(json.Unmarshal([]byte(text), &event))
		p.say("%s", strings.TrimSpace(event.EventType+" "+event.ShutdownReason))
		if event.EventType == "SHUTDOWN" {
			return
		}
	}
}

func (p *player) catch(raised string) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	go func() {
		<-c
		p.say("SIGTERM")
		p.must(os.WriteFile(flag(raised), nil, 0o600))
	}()
}
