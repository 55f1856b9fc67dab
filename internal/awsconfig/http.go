package awsconfig

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// attempts is how often a request is sent that met a fault.
const attempts = 3

// do sends a request until there is an answer to read, and reads it. make makes
// the request anew each time. Every attempt has its own timeout.
func (c *Config) do(ctx context.Context, client *http.Client, timeout time.Duration, make func(context.Context) (*http.Request, error)) (status int, body []byte, err error) {
	wait := 200 * time.Millisecond
	for n := 1; ; n++ {
		status, body, err = once(ctx, client, timeout, make)
		temporary := err != nil || status == http.StatusTooManyRequests || status >= 500
		if n == attempts || !temporary || ctx.Err() != nil {
			return status, body, err
		}
		t := c.clock.NewTimer(wait)
		select {
		case <-t.C():
		case <-ctx.Done():
			t.Stop()
			return 0, nil, ctx.Err()
		}
		wait *= 2
	}
}

func once(ctx context.Context, client *http.Client, timeout time.Duration, make func(context.Context) (*http.Request, error)) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := make(ctx)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("User-Agent", "lamb")
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp.StatusCode, body, err
}

// An answerError is what a service said instead of a result, in its own words.
type answerError struct {
	status        int
	code, message string
}

func (e *answerError) Error() string {
	if e.message == "" {
		return fmt.Sprintf("%s (status %d)", firstOf(e.code, http.StatusText(e.status)), e.status)
	}
	return e.code + ": " + e.message
}

// refused makes an error of an answer in XML or JSON.
func refused(status int, body []byte) error {
	e := &answerError{status: status}
	var x struct {
		Code    string `xml:"Error>Code"`
		Message string `xml:"Error>Message"`
	}
	var j struct {
		Type    string `json:"__type"`
		Code    string `json:"code"`
		Error   string `json:"error"`
		Message string `json:"message"`
		Said    string `json:"error_description"`
	}
	if xml.Unmarshal(body, &x) == nil && x.Code != "" {
		e.code, e.message = x.Code, x.Message
	} else if json.Unmarshal(body, &j) == nil {
		e.code, e.message = firstOf(j.Type, j.Code, j.Error), firstOf(j.Message, j.Said)
	}
	const most = 500
	if len(e.message) > most {
		e.message = e.message[:most] + "…"
	}
	return e
}

// unauthorized reports whether a service did not accept who asked.
func unauthorized(err error) bool {
	var e *answerError
	return errors.As(err, &e) && e.status == http.StatusUnauthorized
}
