// Package messages has the names of aws-lambda-go/lambda/messages that
// handlers use, so that they move over by changing the import. New code uses
// [lambda.Error].
package messages

import "github.com/lambhq/lamb/lambda"

// InvokeResponse_Error is an error that decides about its type and stack.
type InvokeResponse_Error = lambda.Error

// InvokeResponse_Error_StackFrame is a line of its stack.
type InvokeResponse_Error_StackFrame = lambda.StackFrame
