// Command caller is a function that calls the Lambda API with the SDK, with
// the endpoint, the region and the credentials of its environment.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
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
	Stream  string          `json:"stream"`
	Code    string          `json:"code,omitempty"`
	Message string          `json:"message,omitempty"`
	Status  int             `json:"status,omitempty"`
}

func main() { lambda.Start(handle) }

func handle(ctx context.Context, t task) (outcome, error) {
	c := client.New(client.Options{
		Region:       os.Getenv("AWS_REGION"),
		BaseEndpoint: aws.String(os.Getenv("AWS_ENDPOINT_URL_LAMBDA")),
		Credentials:  keys(t.Tamper),
		Retryer:      aws.NopRetryer{},
	})
	out := outcome{PID: os.Getpid(), Stream: lambdacontext.LogStreamName}
	var err error
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

// keys are the credentials of the environment, with something wrong in them.
func keys(wrong string) aws.CredentialsProvider {
	key, secret, token := os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN")
	switch wrong {
	case "secret":
		secret = "wrong" + secret[5:]
	case "token":
		token = "wrong" + token[5:]
	case "key":
		key = key[:len(key)-4] + "AAAA"
	}
	return credentials.NewStaticCredentialsProvider(key, secret, token)
}
