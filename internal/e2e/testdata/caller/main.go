// Command caller is a function that calls the Lambda API with the SDK, as it
// finds endpoint, region and credentials in its environment.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	client "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

type task struct {
	// Do is invoke, list or delete.
	Do       string          `json:"do"`
	Function string          `json:"function"`
	Payload  json.RawMessage `json:"payload"`
	// Depth makes invoke call this function itself, so many levels deep.
	Depth int `json:"depth"`
	// Tamper changes the credentials: "secret", "token" or "key".
	Tamper string `json:"tamper"`
}

type outcome struct {
	Payload json.RawMessage `json:"payload,omitempty"`
	PID     int             `json:"pid"`
	Code    string          `json:"code,omitempty"`
	Message string          `json:"message,omitempty"`
	Status  int             `json:"status,omitempty"`
}

func main() { lambda.Start(handle) }

func handle(ctx context.Context, t task) (outcome, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return outcome{}, err
	}
	if t.Tamper != "" {
		if cfg.Credentials, err = tampered(ctx, cfg.Credentials, t.Tamper); err != nil {
			return outcome{}, err
		}
	}
	c := client.NewFromConfig(cfg, func(o *client.Options) { o.Retryer = aws.NopRetryer{} })
	out := outcome{PID: os.Getpid()}
	switch t.Do {
	case "invoke":
		out.Payload, err = invoke(ctx, c, t)
	case "list":
		_, err = c.ListFunctions(ctx, &client.ListFunctionsInput{})
	case "delete":
		_, err = c.DeleteFunction(ctx, &client.DeleteFunctionInput{FunctionName: &t.Function})
	default:
		err = fmt.Errorf("cannot do %q", t.Do)
	}
	var refused smithy.APIError
	if errors.As(err, &refused) {
		out.Code, out.Message = refused.ErrorCode(), refused.ErrorMessage()
		var resp *smithyhttp.ResponseError
		if errors.As(err, &resp) {
			out.Status = resp.HTTPStatusCode()
		}
		return out, nil
	}
	return out, err
}

func invoke(ctx context.Context, c *client.Client, t task) (json.RawMessage, error) {
	if t.Depth > 0 {
		t.Depth--
		b, err := json.Marshal(t)
		if err != nil {
			return nil, err
		}
		return call(ctx, c, os.Getenv("AWS_LAMBDA_FUNCTION_NAME"), b)
	}
	return call(ctx, c, t.Function, t.Payload)
}

func call(ctx context.Context, c *client.Client, function string, payload []byte) (json.RawMessage, error) {
	out, err := c.Invoke(ctx, &client.InvokeInput{FunctionName: &function, Payload: payload})
	if err != nil {
		return nil, err
	}
	if out.FunctionError != nil {
		return nil, fmt.Errorf("%s: %s", *out.FunctionError, out.Payload)
	}
	return out.Payload, nil
}

func tampered(ctx context.Context, p aws.CredentialsProvider, what string) (aws.CredentialsProvider, error) {
	c, err := p.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	switch what {
	case "secret":
		c.SecretAccessKey = "wrong" + c.SecretAccessKey[5:]
	case "token":
		c.SessionToken = "wrong" + c.SessionToken[5:]
	case "key":
		c.AccessKeyID = c.AccessKeyID[:len(c.AccessKeyID)-4] + "AAAA"
	}
	return credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken), nil
}
