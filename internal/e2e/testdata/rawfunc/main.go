// Command rawfunc is a runtime without a library: it writes its requests to
// the Runtime API by hand, also such as no library would ever write.
package main

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

var api = os.Getenv("AWS_LAMBDA_RUNTIME_API")

func main() {
	if len(os.Args) > 1 && os.Args[1] == "swallow" { // a child with a limit of its own to meet
		swallow()
		return
	}
	if len(os.Args) > 1 { // what litter leaves
		time.Sleep(time.Hour)
	}
	switch os.Getenv("_HANDLER") {
	case "linger":
		linger()
	case "litter":
		litter()
	case "refuse": // reports an error of its init
		body := `{"errorType":"Custom.Refused","errorMessage":"not today"}`
		fmt.Fprintln(os.Stderr, say("POST", "/2018-06-01/runtime/init/error", body))
		os.Exit(1)
	case "init-noise":
		noise()
		os.Exit(3)
	case "hang":
		next()
		noise()
		time.Sleep(time.Hour)
	case "exit":
		next()
		noise()
		os.Exit(3)
	case "survive":
		for {
			id := next()
			refused := noise()
			say("POST", "/2018-06-01/runtime/invocation/"+id+"/response", fmt.Sprintf(`{"refused":%d}`, refused))
		}
	case "not-json":
		for {
			say("POST", "/2018-06-01/runtime/invocation/"+next()+"/response", "this is <no> JSON")
		}
	case "limits":
		limits()
	case "tick":
		tick()
	case "half":
		id := next()
		c := dial()
		fmt.Fprintf(c, "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{\"half", id)
		c.Close()
		os.Exit(0)
	default:
		fmt.Fprintln(os.Stderr, "unknown handler")
		os.Exit(1)
	}
}

// tick says "tick" all the time, also while no event is there.
func tick() {
	go func() {
		for range time.Tick(5 * time.Millisecond) {
			fmt.Println("tick")
		}
	}()
	for {
		say("POST", "/2018-06-01/runtime/invocation/"+next()+"/response", "1")
	}
}

// linger answers, tells the test, and asks for the next event when the test
// has answered.
func linger() {
	for {
		id := next()
		fmt.Println("working")
		say("POST", "/2018-06-01/runtime/invocation/"+id+"/response", `"answered"`)
		fmt.Println("answered, but not done")
		resp, err := http.Get(os.Getenv("HOOK"))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		resp.Body.Close()
	}
}

func dial() net.Conn {
	c, err := net.Dial("tcp", api)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(9)
	}
	return c
}

// say sends one request and returns the answer's status line.
func say(method, path, body string) string {
	c := dial()
	defer c.Close()
	fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", method, path, api, len(body), body)
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return strings.TrimSpace(line)
}

// next returns the id of the next event.
func next() string {
	id, _ := nextEvent()
	return id
}

// nextEvent returns the next event with its id.
func nextEvent() (id, event string) {
	c := dial()
	defer c.Close()
	fmt.Fprintf(c, "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: %s\r\n\r\n", api)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(8)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.Header.Get("Lambda-Runtime-Aws-Request-Id"), string(body)
}

// noise sends everything wrong that one can think of, each on a connection of
// its own, and returns how many got an answer that refuses.
func noise() (refused int) {
	random := rand.NewChaCha8([32]byte{'l', 'a', 'm', 'b'})
	bytes := make([]byte, 64<<10)
	_, _ = random.Read(bytes)
	const response = "/2018-06-01/runtime/invocation/00000000-0000-4000-8000-000000000000/response"
	for _, text := range []string{
		string(bytes),
		"\x00\x00\x00\x00",
		"\r\n\r\n\r\n",
		"GET\r\n\r\n",
		"GET / HTTP/9.9\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"GET " + strings.Repeat("/a", 1<<19) + " HTTP/1.1\r\n\r\n",
		"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X: "+strings.Repeat("y", 1000)+"\r\n", 5000) + "\r\n",
		"BREW /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
		"POST " + response + " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
		"POST " + response + " HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n{}",
		"POST " + response + " HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
		"POST " + response + " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
		"POST " + response + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}",
		"POST " + response + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
		"POST /2018-06-01/runtime/invocation/../../../etc/passwd/response HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
		"POST /2018-06-01/runtime/invocation/%00%ff/error HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	} {
		c := dial()
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		_, _ = io.WriteString(c, text) // lamb may hang up before it has read all
		_ = c.(*net.TCPConn).CloseWrite()
		answer, _ := bufio.NewReader(c).ReadString('\n')
		if strings.HasPrefix(answer, "HTTP/1.1 4") || strings.HasPrefix(answer, "HTTP/1.1 5") {
			refused++
		}
		c.Close()
	}
	return refused
}
