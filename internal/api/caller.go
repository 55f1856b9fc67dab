package api

import (
	"context"
	"time"
)

// Caller says on whose behalf a request runs and where.
type Caller struct {
	Partition string // "aws"
	Account   string // 12 digits
	Region    string // from the signature's credential scope
	RequestID string // UUID, also the answer's x-amzn-RequestId
	Host      string // by which the caller reached lamb, HOST or HOST:PORT
	// AccessKeyID signed the request.
	AccessKeyID string
	// Environment is the id of the execution environment whose minted
	// credentials signed the request; empty for all other callers.
	Environment string
	// Received is when the request had come, and BodyRead how long its body
	// took.
	Received time.Time
	BodyRead time.Duration
}

type callerKey struct{}

// WithCaller returns a context that carries the caller.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerFrom returns the caller of ctx, or the zero Caller when there is none.
func CallerFrom(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}
