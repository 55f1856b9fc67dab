// Command ours is the function of the benchmarks' library rows, by this
// repository's package lambda: theirs is the same by aws-lambda-go.
package main

import (
	"context"
	"os"

	"github.com/lambhq/lamb/lambda"
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
	switch os.Getenv("_HANDLER") {
	case "raw":
		lambda.Start(lambda.BytesFunc(func(_ context.Context, event []byte) ([]byte, error) { return event, nil }))
	case "typed":
		lambda.StartTyped(func(_ context.Context, o Order) (Order, error) { return o, nil })
	}
	lambda.Start(func(_ context.Context, o Order) (Order, error) { return o, nil })
}
