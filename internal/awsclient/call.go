package awsclient

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/lambhq/lamb/internal/awsconfig"
)

// Error is what a service answered instead of a result.
type Error struct {
	Status  int
	Code    string // "ResourceNotFoundException"
	Message string
	// Operation is what was asked for, "CreateFunction".
	Operation string
}

func (e *Error) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("%s: %s (status %d)", e.Operation, e.Code, e.Status)
	}
	return fmt.Sprintf("%s: %s: %s", e.Operation, e.Code, e.Message)
}

// IsNotFound reports whether a service said that something does not exist.
func IsNotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Status == http.StatusNotFound || e.Code == "NoSuchEntity")
}

// maxAnswer bounds the answers that are read whole: no operation's is larger.
const maxAnswer = 8 << 20

// A call is one request to a service.
type call struct {
	service   awsconfig.Service
	operation string
	method    string
	path      string // encoded
	query     url.Values
	header    http.Header
	body      []byte
	// once: it must not be sent twice.
	once bool
}

// attempts is how often a call is sent that was throttled or met a fault.
const attempts = 4

// send sends a call until it has an answer that is worth reading; the caller
// closes its body. Errors of the service are *Error.
func (c *Client) send(ctx context.Context, r call) (*http.Response, error) {
	wait := 200 * time.Millisecond
	for n := 1; ; n++ {
		resp, err := c.sendOnce(ctx, r)
		if n == attempts || r.once || !temporary(err) || ctx.Err() != nil {
			return resp, err
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil, ctx.Err()
		}
		wait *= 2
	}
}

// temporary reports whether an error may be gone the next time.
func temporary(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	return e.Status == http.StatusTooManyRequests || e.Status >= 500 && e.Status != http.StatusNotImplemented ||
		strings.HasPrefix(e.Code, "Throttling")
}

func (c *Client) sendOnce(ctx context.Context, r call) (*http.Response, error) {
	base, region, err := c.endpoint(r.service)
	if err != nil {
		return nil, err
	}
	target := base + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	for k, v := range r.header {
		req.Header[k] = v
	}
	req.Header.Set("User-Agent", "lamb")
	if err := c.sign(ctx, req, r, region); err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if ctx.Err() != nil && err != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.operation, err)
	}
	if resp.StatusCode >= 300 {
		return nil, readError(resp, r.operation)
	}
	return resp, nil
}

func (c *Client) sign(ctx context.Context, req *http.Request, r call, region string) error {
	creds, err := c.creds(ctx)
	if err != nil {
		return fmt.Errorf("no AWS credentials: %w", err)
	}
	sum := sha256.Sum256(r.body)
	return creds.Sign(ctx, req, hex.EncodeToString(sum[:]), r.service.SigningName(), region, time.Now())
}

// readError reads an error in JSON or XML and closes the answer.
func readError(resp *http.Response, operation string) error {
	defer resp.Body.Close()
	e := &Error{Status: resp.StatusCode, Operation: operation}
	e.Code, _, _ = strings.Cut(resp.Header.Get("X-Amzn-Errortype"), ":")
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	if bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) {
		code, message := readXMLError(body)
		e.Code, e.Message = firstOf(code, e.Code, http.StatusText(e.Status)), message
		return e
	}
	var said struct {
		Type     string `json:"__type"`
		Code     string `json:"code"`
		Message  string `json:"Message"`
		Message2 string `json:"message"`
	}
	if json.Unmarshal(body, &said) == nil {
		e.Message = firstOf(said.Message, said.Message2)
		if i := strings.LastIndexByte(said.Type, '#'); i >= 0 {
			said.Type = said.Type[i+1:]
		}
		e.Code = firstOf(e.Code, said.Type, said.Code)
	}
	e.Code = firstOf(e.Code, http.StatusText(e.Status))
	return e
}

func firstOf(given ...string) string {
	for _, s := range given {
		if s != "" {
			return s
		}
	}
	return ""
}

// readJSON reads an answer into out, which may be nil, and closes it.
func readJSON(resp *http.Response, operation string, out any) error {
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err == nil && out != nil && len(body) > 0 {
		err = json.Unmarshal(body, out)
	}
	if err != nil {
		return fmt.Errorf("%s: read the answer: %w", operation, err)
	}
	return nil
}
