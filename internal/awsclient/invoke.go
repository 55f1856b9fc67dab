package awsclient

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"github.com/lambhq/lamb/internal/awsconfig"
)

// Invocation is what to call a function with.
type Invocation struct {
	Function, Qualifier string
	Payload             []byte
	// Type is RequestResponse, Event or DryRun; empty means the first.
	Type string
	// Tail asks for the last 4 KiB of the log.
	Tail bool
	// ClientContext is JSON; may be empty. TenantID is for functions that
	// isolate tenants.
	ClientContext, TenantID string
}

// Answer is what became of an invocation.
type Answer struct {
	Status          int
	Payload         []byte // of Invoke; a stream's went to its writer
	FunctionError   string // empty on success
	ExecutedVersion string
	Log             string // decoded
	RequestID       string
}

func (in *Invocation) call(operation, path string) call {
	h := http.Header{}
	set := func(name, value string) {
		if value != "" {
			h.Set(name, value)
		}
	}
	set("X-Amz-Invocation-Type", in.Type)
	if in.Tail {
		set("X-Amz-Log-Type", "Tail")
	}
	if in.ClientContext != "" {
		set("X-Amz-Client-Context", base64.StdEncoding.EncodeToString([]byte(in.ClientContext)))
	}
	set("X-Amz-Tenant-Id", in.TenantID)
	return call{
		service: awsconfig.Lambda, operation: operation, method: http.MethodPost, path: path, query: qualified(in.Qualifier),
		header: h, body: in.Payload, once: true,
	}
}

// Invoke calls a function and waits for its answer.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
func (c *Client) Invoke(ctx context.Context, in Invocation) (*Answer, error) {
	resp, err := c.send(ctx, in.call("Invoke", functionPath(in.Function, "/invocations")))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	a := answerOf(resp)
	if a.Log, err = decodeLog(resp.Header.Get("X-Amz-Log-Result")); err != nil {
		return nil, err
	}
	if a.Payload, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer)); err != nil {
		return nil, fmt.Errorf("Invoke: read the answer: %w", err)
	}
	return a, nil
}

func answerOf(resp *http.Response) *Answer {
	h := resp.Header
	return &Answer{
		Status: resp.StatusCode, FunctionError: h.Get("X-Amz-Function-Error"),
		ExecutedVersion: h.Get("X-Amz-Executed-Version"), RequestID: h.Get("X-Amzn-Requestid"),
	}
}

func decodeLog(text string) (string, error) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", fmt.Errorf("the log of the invocation cannot be read: %w", err)
	}
	return string(b), nil
}

// InvokeStream calls a function and writes its answer to w as it arrives.
// https://docs.aws.amazon.com/lambda/latest/api/API_InvokeWithResponseStream.html
func (c *Client) InvokeStream(ctx context.Context, in Invocation, w io.Writer) (*Answer, error) {
	path := "/2021-11-15/functions/" + url.PathEscape(in.Function) + "/response-streaming-invocations"
	resp, err := c.send(ctx, in.call("InvokeWithResponseStream", path))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	a := answerOf(resp)
	if resp.StatusCode == http.StatusNoContent { // a dry run
		return a, nil
	}
	return a, readStream(resp.Body, w, a)
}

// readStream reads events until InvokeComplete.
func readStream(r io.Reader, w io.Writer, a *Answer) error {
	dec := eventstream.NewDecoder()
	var buf []byte
	for {
		m, err := dec.Decode(r, buf)
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("the stream broke: %w", err)
		}
		buf = m.Payload[:0]
		kind := headerText(m.Headers, ":event-type")
		if headerText(m.Headers, ":message-type") == "exception" {
			return fmt.Errorf("the stream broke: %s: %s", headerText(m.Headers, ":exception-type"), m.Payload)
		}
		switch kind {
		case "PayloadChunk":
			if _, err := w.Write(m.Payload); err != nil {
				return err
			}
		case "InvokeComplete":
			return a.complete(m.Payload)
		}
	}
}

func (a *Answer) complete(payload []byte) error {
	var end struct{ ErrorCode, ErrorDetails, LogResult string }
	if err := json.Unmarshal(payload, &end); err != nil {
		return fmt.Errorf("the stream's end cannot be read: %w", err)
	}
	if end.ErrorCode != "" {
		a.FunctionError = end.ErrorCode
		a.Payload = []byte(end.ErrorDetails)
	}
	var err error
	a.Log, err = decodeLog(end.LogResult)
	return err
}

func headerText(h eventstream.Headers, name string) string {
	if v := h.Get(name); v != nil {
		return v.String()
	}
	return ""
}
