package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

const childStub = "LAMB_TEST_STUB"

// TestMain is the stub where it is told to.
func TestMain(m *testing.M) {
	if os.Getenv(childStub) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// answer is how a function of the test answers an event.
type answer func(url, id string, event []byte) (*http.Request, error)

func plain(url, id string, event []byte) (*http.Request, error) {
	return http.NewRequest("POST", url+id+"/response", strings.NewReader(string(event)))
}

// chunked has a body of unknown length, in pieces, and a trailer.
func chunked(url, id string, event []byte) (*http.Request, error) {
	half := len(event) / 2
	r, err := http.NewRequest("POST", url+id+"/response", io.MultiReader(strings.NewReader(string(event[:half])), strings.NewReader(string(event[half:]))))
	r.Trailer = http.Header{"Lambda-Runtime-Function-Error-Type": nil}
	return r, err
}

func changed(url, id string, event []byte) (*http.Request, error) {
	return plain(url, id, append([]byte("x"), event[1:]...))
}

func short(url, id string, event []byte) (*http.Request, error) {
	return chunked(url, id, event[1:])
}

func another(url, id string, event []byte) (*http.Request, error) {
	return plain(url, strings.Repeat("0", len(id)), event)
}

// unasked asks for an event instead of answering the last.
func unasked(url, _ string, _ []byte) (*http.Request, error) {
	return http.NewRequest("GET", url+"next", nil)
}

// function asks for events and answers them until something fails. It says
// every request id.
func function(url string, how answer, ids chan<- string) error {
	client := http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for {
		res, err := client.Get(url + "next")
		if err != nil {
			return err
		}
		event, err := io.ReadAll(res.Body)
		if err != nil {
			return err
		}
		id := res.Header.Get("Lambda-Runtime-Aws-Request-Id")
		ids <- id
		r, err := how(url, id, event)
		if err != nil {
			return err
		}
		if res, err = client.Do(r); err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != 202 {
			return fmt.Errorf("status %d, %v", res.StatusCode, err)
		}
	}
}

// TestStub serves functions that speak HTTP by net/http, and finds those that
// do not answer as they should.
func TestStub(t *testing.T) {
	large := strings.Repeat("0123456789", 100_000)
	for name, c := range map[string]struct {
		how   answer
		event string
		want  string // in the error, if there has to be one
	}{
		"plain":         {plain, "event", ""},
		"large":         {plain, large, ""},
		"chunked":       {chunked, "event", ""},
		"large chunks":  {chunked, large, ""},
		"another body":  {changed, "event", "answers"},
		"a short body":  {short, "aaaaa", "where 1 are missing"},
		"another id":    {another, "event", "asks"},
		"next and next": {unasked, "event", "asks"},
	} {
		t.Run(name, func(t *testing.T) {
			const functions, events = 2, 6
			// A process of its own, as it is meant to be: its calls hold up a
			// collector.
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), childStub+"=1")
			var failure strings.Builder
			cmd.Stderr = &failure
			orders, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			said, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewReader(said)
			address, err := lines.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			ids := make(chan string, events)
			for range functions {
				go func() {
					_ = function("http://"+strings.TrimSpace(address)+"/2018-06-01/runtime/invocation/", c.how, ids) // the stub hangs up
				}()
			}
			for _, order := range []string{fmt.Sprintf("event %d\n%s", len(c.event), c.event), fmt.Sprintf("accept %d\n", functions), fmt.Sprintf("serve %d\n", events), "accept 0\n"} {
				if _, err := io.WriteString(orders, order); err != nil {
					break // the stub says why
				}
				if _, err := lines.ReadString('\n'); err != nil {
					break
				}
			}
			orders.Close()
			err = cmd.Wait()
			if (err != nil) != (c.want != "") || !strings.Contains(failure.String(), c.want) {
				t.Fatalf("ends with %v, %q; want %q", err, failure.String(), c.want)
			}
			if c.want != "" {
				return
			}
			seen := map[string]int{}
			for range events {
				seen[<-ids]++
			}
			if len(seen) != events {
				t.Errorf("request ids %v", seen)
			}
		})
	}
}
