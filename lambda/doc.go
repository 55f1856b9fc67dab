// Package lambda runs functions on AWS Lambda, and on lamb.
//
//	func main() {
//		lambda.Start(func(ctx context.Context, order Order) (Receipt, error) { ... })
//	}
//
// A program that calls Start is a function of runtime provided.al2023: its
// deployment package is a zip with the program under the name bootstrap.
//
// It takes what aws-lambda-go takes, and answers with the same bytes, for less
// than half the processor time and a shorter start. A function moves over by
// changing its imports:
//
//	github.com/aws/aws-lambda-go/lambda           github.com/lambhq/lamb/lambda
//	github.com/aws/aws-lambda-go/lambda/messages  github.com/lambhq/lamb/lambda/messages
//	github.com/aws/aws-lambda-go/lambdacontext    github.com/lambhq/lamb/lambda/lambdacontext
//	github.com/aws/aws-lambda-go/lambdaurl        github.com/lambhq/lamb/lambda/lambdahttp
//	github.com/aws/aws-lambda-go/events           stays: it has only types
//
// docs/lambda.md in the repository lists the names that were kept, and what is
// different.
//
// # Panics and errors
//
// The error that a handler returns becomes the invocation's, with the name of
// its Go type; an [Error] says all of it by itself. A handler that panics has
// that reported with its stack, and the process exits.
//
// # Managed instances
//
// Where AWS_LAMBDA_MAX_CONCURRENCY is above 1, that many events are handled at
// once, each on a connection of its own. The variable _X_AMZN_TRACE_ID is left
// alone then; the context has the trace header ([lambdacontext.TraceID]).
//
// It uses the standard library only, and not net/http.
package lambda
