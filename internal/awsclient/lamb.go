package awsclient

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/lambhq/lamb/internal/awsconfig"
)

// An Environment is what a lamb says of one of its execution environments.
type Environment struct {
	ID          string  `json:"id"`
	FunctionARN string  `json:"functionArn"`
	Phase       string  `json:"phase"`
	Frozen      bool    `json:"frozen"`
	RequestID   string  `json:"requestId"`
	Invocations int     `json:"invocations"`
	InitMs      float64 `json:"initDurationMs"`
	MemoryMB    int     `json:"memorySizeMB"`
	MaxMemory   int64   `json:"maxMemoryUsedBytes"`
}

// ErrNotLamb: only a lamb knows this.
var ErrNotLamb = errors.New("only a lamb has execution environments to show, and the target is none: see --target")

// Environments asks a lamb for its environments; raw is its whole answer.
func (c *Client) Environments(ctx context.Context) (all []Environment, raw json.RawMessage, err error) {
	if !c.Lamb {
		return nil, nil, ErrNotLamb
	}
	const operation = "environments"
	resp, err := c.send(ctx, call{service: awsconfig.Lambda, operation: operation, method: http.MethodGet, path: "/_lamb/environments"})
	if err != nil {
		return nil, nil, err
	}
	if err := readJSON(resp, operation, &raw); err != nil {
		return nil, nil, err
	}
	var out struct {
		Environments []Environment `json:"environments"`
	}
	err = json.Unmarshal(raw, &out)
	return out.Environments, raw, err
}
