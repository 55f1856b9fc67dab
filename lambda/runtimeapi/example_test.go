package runtimeapi

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
)

// A stream that fails says so in its trailer: the caller has what was written.
func ExampleStream_Fail() {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Println(string(body), err, r.Trailer.Get("Lambda-Runtime-Function-Error-Type"))
		w.WriteHeader(http.StatusAccepted)
	}))
	defer s.Close()
	client := &Client{Endpoint: strings.TrimPrefix(s.URL, "http://")}
	defer client.Close()

	stream, err := client.PostStream(&Invocation{RequestID: []byte("id")}, "text/plain", Announced)
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := stream.Write([]byte("one, ")); err != nil {
		fmt.Println(err)
	}
	if err := stream.Fail(&Failure{Type: "Function.Lost", Body: []byte(`{"errorMessage":"lost count"}`)}); err != nil {
		fmt.Println(err)
	}
	// Output: one,  <nil> Function.Lost
}

// A stream that breaks off is no answer.
func ExampleStream_Abort() {
	done := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		defer close(done)
		body, err := io.ReadAll(r.Body)
		fmt.Println(string(body), err)
	}))
	defer s.Close()
	client := &Client{Endpoint: strings.TrimPrefix(s.URL, "http://")}
	defer client.Close()

	stream, err := client.PostStream(&Invocation{RequestID: []byte("id")}, "text/plain", Unannounced)
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := stream.Write([]byte("one, ")); err != nil {
		fmt.Println(err)
	}
	stream.Abort()
	<-done
	// Output: one,  unexpected EOF
}

// Stop ends a Next that waits, from another goroutine.
func ExampleClient_Stop() {
	waits := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(waits)
		<-r.Context().Done()
	}))
	defer s.Close()
	client := &Client{Endpoint: strings.TrimPrefix(s.URL, "http://")}
	defer client.Close()

	go func() {
		<-waits
		client.Stop()
	}()
	var inv Invocation
	fmt.Println(errors.Is(client.Next(&inv), ErrStopped))
	// Output: true
}

// An Error has what the service answered, or why it could not be asked.
func ExampleError() {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		fmt.Fprint(w, `{"errorMessage":"Exceeded maximum allowed payload size (6291556 bytes).","errorType":"RequestEntityTooLarge"}`)
	}))
	defer s.Close()
	client := &Client{Endpoint: strings.TrimPrefix(s.URL, "http://")}
	defer client.Close()

	err := client.PostResponse(&Invocation{RequestID: []byte("id")}, "application/json", []byte("{}"))
	if refused, ok := errors.AsType[*Error](err); ok && refused.Status == http.StatusRequestEntityTooLarge {
		fmt.Println(refused.Operation, refused.Type)
	}
	lost := &Error{Operation: "next", Err: io.ErrUnexpectedEOF}
	fmt.Println(errors.Is(lost, io.ErrUnexpectedEOF), lost.Error())
	// Output:
	// response RequestEntityTooLarge
	// true Runtime API, next: unexpected EOF
}
