package cwlogs

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/logs"
)

// The orders of DescribeLogStreams.
const (
	byName      = "LogStreamName"
	byLastEvent = "LastEventTime"
)

type describeLogStreamsInput struct {
	groupIdentity
	LogStreamNamePrefix string `json:"logStreamNamePrefix"`
	OrderBy             string `json:"orderBy"`
	Descending          bool   `json:"descending"`
	NextToken           string `json:"nextToken"`
	Limit               int    `json:"limit"`
}

type logStream struct {
	LogStreamName       string `json:"logStreamName"`
	CreationTime        int64  `json:"creationTime"` // ms since 1970, as all times
	FirstEventTimestamp int64  `json:"firstEventTimestamp"`
	LastEventTimestamp  int64  `json:"lastEventTimestamp"`
	LastIngestionTime   int64  `json:"lastIngestionTime"`
	UploadSequenceToken string `json:"uploadSequenceToken"`
	ARN                 string `json:"arn"`
	StoredBytes         int64  `json:"storedBytes"`
}

type describeLogStreamsOutput struct {
	LogStreams []logStream `json:"logStreams"`
	NextToken  string      `json:"nextToken,omitempty"`
}

func (s *Service) describeLogStreams(ctx context.Context, scope function.Scope, in *describeLogStreamsInput) (any, error) {
	name, err := in.name(scope)
	if err != nil {
		return nil, err
	}
	switch {
	case in.OrderBy != "" && in.OrderBy != byName && in.OrderBy != byLastEvent:
		return nil, invalid(fmt.Sprintf("1 validation error detected: Value '%s' at 'orderBy' failed to satisfy constraint: "+
			"Member must satisfy enum value set: [LogStreamName, LastEventTime]", in.OrderBy))
	case in.OrderBy == byLastEvent && in.LogStreamNamePrefix != "":
		return nil, invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
	}
	after, err := parseAfter(in.NextToken)
	if err != nil {
		return nil, err
	}
	if _, err := s.find(ctx, scope, name); err != nil {
		return nil, err
	}
	out := describeLogStreamsOutput{LogStreams: []logStream{}}
	list, err := s.streams(ctx, key(scope, name), in.LogStreamNamePrefix)
	if err != nil {
		return nil, err
	}
	sortStreams(list, in.OrderBy, in.Descending)
	if after != "" {
		at := slices.IndexFunc(list, func(i logs.StreamInfo) bool { return i.Name == after })
		list = list[at+1:] // from the beginning if it is gone
	}
	if size := pageSize(in.Limit); len(list) > size {
		list = list[:size]
		out.NextToken = afterToken(list[size-1].Name)
	}
	for _, i := range list {
		out.LogStreams = append(out.LogStreams, logStream{
			LogStreamName: i.Name, CreationTime: i.First, FirstEventTimestamp: i.First, LastEventTimestamp: i.Last,
			LastIngestionTime: i.LastIngestion, UploadSequenceToken: "1",
			ARN: groupARN(scope, name) + ":log-stream:" + i.Name,
		})
	}
	return out, nil
}

func (s *Service) streams(ctx context.Context, g logs.Group, prefix string) ([]logs.StreamInfo, error) {
	if s.cfg.Logs == nil {
		return nil, nil
	}
	return s.cfg.Logs.Streams(ctx, g, prefix)
}

func sortStreams(list []logs.StreamInfo, by string, descending bool) {
	slices.SortFunc(list, func(a, b logs.StreamInfo) int {
		order := strings.Compare(a.Name, b.Name)
		if by == byLastEvent {
			order = cmp.Or(cmp.Compare(a.Last, b.Last), order)
		}
		if descending {
			return -order
		}
		return order
	})
}
