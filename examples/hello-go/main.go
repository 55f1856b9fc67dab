// Command hello-go is a Lambda function on Go, written as for AWS: the same zip
// runs there and here.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"runtime"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// event is what the caller sends: {"name": "..."}.
type event struct {
	Name string `json:"name"`
}

// greeting is what the caller gets back.
type greeting struct {
	Message     string `json:"message"`
	Function    string `json:"function"`
	RequestID   string `json:"requestId"`
	Runtime     string `json:"runtime"`
	RemainingMS int64  `json:"remainingMs"`
}

func hello(ctx context.Context, e event) (greeting, error) {
	if e.Name == "" {
		e.Name = "world"
	}
	call, ok := lambdacontext.FromContext(ctx)
	if !ok {
		return greeting{}, fmt.Errorf("no Lambda context: was this started outside of Lambda?")
	}
	deadline, _ := ctx.Deadline()

	log.Printf("greeting %s from process %d", e.Name, os.Getpid())
	return greeting{
		Message:     fmt.Sprintf("Hello, %s!", e.Name),
		Function:    lambdacontext.FunctionName,
		RequestID:   call.AwsRequestID,
		Runtime:     runtime.Version(),
		RemainingMS: time.Until(deadline).Milliseconds(),
	}, nil
}

func main() {
	lambda.Start(hello)
}
