package gateway

import (
	"context"
	"net"
)

// EnvironmentConn is a connection that comes from inside an execution
// environment, by a way that nobody else can take. Over it lamb accepts only
// the credentials that were minted for that environment, and only the Lambda
// API. A server made by NewServer knows such connections by their type.
type EnvironmentConn struct {
	net.Conn
	// Environment is the id of the execution environment.
	Environment string
}

type environmentKey struct{}

// environmentContext is http.Server.ConnContext.
func environmentContext(ctx context.Context, c net.Conn) context.Context {
	if e, ok := c.(EnvironmentConn); ok {
		return context.WithValue(ctx, environmentKey{}, e.Environment)
	}
	return ctx
}

// environmentOf is the environment that a request comes from, or empty.
func environmentOf(ctx context.Context) string {
	id, _ := ctx.Value(environmentKey{}).(string)
	return id
}
