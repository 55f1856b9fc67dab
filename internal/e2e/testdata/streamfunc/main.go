// Command streamfunc is a function on aws-lambda-go that streams what its event
// says. Its handler setting is the form of its response: "reader" or "url".
package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

// A step is what is done in its turn, in the order of the members.
type step struct {
	// Ask is a URL to get before: whoever answers it sets the pace.
	Ask    string `json:"ask"`
	Write  string `json:"write"`
	Repeat int    `json:"repeat"` // of Write; in one piece unless Bytewise
	// Bytewise writes every byte on its own.
	Bytewise bool   `json:"bytewise"`
	Error    string `json:"error"` // ends the stream
	Exit     *int   `json:"exit"`  // ends the process
	Kill     bool   `json:"kill"`  // does so, too, by SIGKILL
	Forever  bool   `json:"forever"`
}

type script struct {
	Steps []step `json:"steps"`
	Fail  string `json:"fail"` // instead of a response
}

func main() {
	switch os.Getenv("_HANDLER") {
	case "reader":
		lambda.Start(func(s script) (io.Reader, error) {
			if s.Fail != "" {
				return nil, errors.New(s.Fail)
			}
			return play(s.Steps), nil
		})
	case "url":
		lambda.Start(respond)
	}
}

// respond streams the lines of its request's body as server-sent events, each
// when the URL in the header x-ask lets it.
func respond(r events.LambdaFunctionURLRequest) (*events.LambdaFunctionURLStreamingResponse, error) {
	var steps []step
	for line := range strings.Lines(r.Body) {
		steps = append(steps, step{Ask: r.Headers["x-ask"], Write: "data: " + strings.TrimSpace(line) + "\n\n"})
	}
	return &events.LambdaFunctionURLStreamingResponse{
		StatusCode: http.StatusAccepted,
		Headers:    map[string]string{"Content-Type": "text/event-stream", "X-Method": r.RequestContext.HTTP.Method},
		Cookies:    []string{"a=1; Path=/", "b=2"},
		Body:       play(steps),
	}, nil
}

func play(steps []step) io.Reader {
	r, w := io.Pipe()
	go func() {
		for _, s := range steps {
			if err := do(w, s); err != nil {
				w.CloseWithError(err)
				return
			}
		}
		w.Close()
	}()
	return r
}

func do(w io.Writer, s step) error {
	if s.Ask != "" {
		resp, err := http.Get(s.Ask)
		if err != nil {
			return err
		}
		resp.Body.Close()
	}
	text := strings.Repeat(s.Write, max(1, s.Repeat))
	for len(text) > 0 {
		n := len(text)
		if s.Bytewise {
			n = 1
		}
		if _, err := io.WriteString(w, text[:n]); err != nil {
			return err
		}
		text = text[n:]
	}
	switch {
	case s.Error != "":
		return errors.New(s.Error)
	case s.Exit != nil:
		fmt.Println("exiting")
		os.Exit(*s.Exit)
	case s.Kill:
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case s.Forever:
		select {}
	}
	return nil
}
