package awsclient

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/lambhq/lamb/internal/awsconfig"
)

// LogEvent is one event of a log group.
type LogEvent struct {
	EventID   string `json:"eventId"`
	Stream    string `json:"logStreamName"`
	Timestamp int64  `json:"timestamp"` // ms since 1970
	Message   string `json:"message"`
}

// LogFilter says which events to read.
type LogFilter struct {
	Group   string `json:"logGroupName"`
	Start   int64  `json:"startTime,omitempty"` // ms since 1970, inclusive
	End     int64  `json:"endTime,omitempty"`   // inclusive
	Pattern string `json:"filterPattern,omitempty"`
	Limit   int    `json:"limit,omitempty"`
	Token   string `json:"nextToken,omitempty"`
}

// FilterLogEvents reads a page of events, and the token of the next one; it is
// empty at the end.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
func (c *Client) FilterLogEvents(ctx context.Context, f LogFilter) (events []LogEvent, next string, err error) {
	body, err := json.Marshal(f)
	if err != nil {
		return nil, "", err
	}
	const operation = "FilterLogEvents"
	resp, err := c.send(ctx, call{
		service: awsconfig.Logs, operation: operation, method: http.MethodPost, path: "/", body: body,
		header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {"Logs_20140328." + operation}},
	})
	if err != nil {
		return nil, "", err
	}
	var out struct {
		Events    []LogEvent `json:"events"`
		NextToken string     `json:"nextToken"`
	}
	err = readJSON(resp, operation, &out)
	return out.Events, out.NextToken, err
}
