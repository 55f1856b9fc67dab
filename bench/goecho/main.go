// Command goecho is the Go function of the benchmarks' headline rows: it
// answers every event with itself, by aws-lambda-go.
package main

import (
	"encoding/json"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(func(event json.RawMessage) (json.RawMessage, error) { return event, nil })
}
