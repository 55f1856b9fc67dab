// Command theirs is the function of the benchmarks' library rows, by
// aws-lambda-go: ours is the same by this repository's package lambda.
package main

import (
	"context"
	"encoding/json"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
)

// Order is an event like many.
type Order struct {
	Order   string `json:"order"`
	Items   []Item `json:"items"`
	Express bool   `json:"express"`
}

// Item is a line of an Order.
type Item struct {
	SKU   string `json:"sku"`
	Count int    `json:"count"`
}

func main() {
	if os.Getenv("_HANDLER") == "raw" {
		// What it has for an event that is not to be decoded.
		lambda.Start(func(_ context.Context, event json.RawMessage) (json.RawMessage, error) { return event, nil })
	}
	lambda.Start(func(_ context.Context, o Order) (Order, error) { return o, nil })
}
