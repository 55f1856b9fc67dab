package cwlogs

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/lambhq/lamb/internal/function"
	"github.com/lambhq/lamb/internal/logs"
)

// Tokens of GetLogEvents say by their beginning which way they lead.
const (
	forward  = "f/"
	backward = "b/"
)

type getLogEventsInput struct {
	groupIdentity
	LogStreamName *string `json:"logStreamName"`
	StartTime     int64   `json:"startTime"` // ms since 1970, inclusive
	EndTime       int64   `json:"endTime"`   // exclusive
	NextToken     string  `json:"nextToken"`
	Limit         int     `json:"limit"`
	StartFromHead bool    `json:"startFromHead"`
}

type outputEvent struct {
	Timestamp     int64  `json:"timestamp"`
	Message       string `json:"message"`
	IngestionTime int64  `json:"ingestionTime"`
}

type getLogEventsOutput struct {
	Events            []outputEvent `json:"events"`
	NextForwardToken  string        `json:"nextForwardToken"`
	NextBackwardToken string        `json:"nextBackwardToken"`
}

func (s *Service) getLogEvents(ctx context.Context, scope function.Scope, in *getLogEventsInput) (any, error) {
	name, err := in.name(scope)
	if err != nil {
		return nil, err
	}
	switch {
	case in.LogStreamName == nil || *in.LogStreamName == "":
		return nil, invalid("1 validation error detected: Value null at 'logStreamName' failed to satisfy constraint: Member must not be null")
	case in.Limit < 0 || in.Limit > logs.MaxEvents:
		return nil, badLimit()
	}
	q := logs.Query{
		Group: key(scope, name), Streams: []string{*in.LogStreamName}, Start: in.StartTime, End: in.EndTime,
		Limit: in.Limit, Descending: !in.StartFromHead,
	}
	if in.NextToken != "" {
		var ok bool
		if q.Token, ok = strings.CutPrefix(in.NextToken, forward); ok {
			q.Descending = false
		} else if q.Token, ok = strings.CutPrefix(in.NextToken, backward); ok {
			q.Descending = true
		} else {
			return nil, badToken()
		}
	}
	if err := s.young(ctx, scope, name, &q); err != nil {
		return nil, err
	}
	if err := s.streamThere(ctx, q.Group, *in.LogStreamName); err != nil {
		return nil, err
	}
	page, err := s.cfg.Logs.Read(ctx, q)
	if err != nil {
		return nil, readError(err)
	}
	if q.Descending {
		slices.Reverse(page.Events)
	}
	out := getLogEventsOutput{Events: []outputEvent{}, NextForwardToken: forward + page.Forward, NextBackwardToken: backward + page.Backward}
	for _, e := range page.Events {
		out.Events = append(out.Events, outputEvent{e.Timestamp, e.Message, e.Ingestion})
	}
	return out, nil
}

// streamThere makes sure that a stream is there.
func (s *Service) streamThere(ctx context.Context, group logs.Group, stream string) error {
	if s.cfg.Logs == nil {
		return noStream()
	}
	page, err := s.cfg.Logs.Read(ctx, logs.Query{Group: group, Streams: []string{stream}, Limit: 1})
	if err == nil && len(page.Events) == 0 {
		return noStream()
	}
	return err
}

// young makes sure that a group is there, and leaves out what is older than its
// retention: it may still be on the disk.
func (s *Service) young(ctx context.Context, scope function.Scope, name string, q *logs.Query) error {
	g, err := s.find(ctx, scope, name)
	if err == nil && g.RetentionInDays > 0 {
		q.Start = max(q.Start, s.now().Add(-time.Duration(g.RetentionInDays)*24*time.Hour).UnixMilli())
	}
	return err
}

type filterLogEventsInput struct {
	groupIdentity
	LogStreamNames      []string `json:"logStreamNames"`
	LogStreamNamePrefix string   `json:"logStreamNamePrefix"`
	StartTime           int64    `json:"startTime"` // ms since 1970, inclusive
	EndTime             *int64   `json:"endTime"`   // inclusive
	FilterPattern       string   `json:"filterPattern"`
	NextToken           string   `json:"nextToken"`
	Limit               int      `json:"limit"`
}

type filteredEvent struct {
	LogStreamName string `json:"logStreamName"`
	Timestamp     int64  `json:"timestamp"`
	Message       string `json:"message"`
	IngestionTime int64  `json:"ingestionTime"`
	EventID       string `json:"eventId"`
}

type filterLogEventsOutput struct {
	Events             []filteredEvent `json:"events"`
	SearchedLogStreams []struct{}      `json:"searchedLogStreams"` // always empty, as on AWS
	NextToken          string          `json:"nextToken,omitempty"`
}

// maxScan is how many pages without a match one request reads; the next one
// goes on with its token.
const maxScan = 16

func (s *Service) filterLogEvents(ctx context.Context, scope function.Scope, in *filterLogEventsInput) (any, error) {
	name, err := in.name(scope)
	if err != nil {
		return nil, err
	}
	switch {
	case len(in.LogStreamNames) > 0 && in.LogStreamNamePrefix != "":
		return nil, invalid("LogStreamNamePrefix and LogStreamNames are mutually exclusive parameters.")
	case len(in.LogStreamNames) > 100:
		return nil, invalid("1 validation error detected: Value at 'logStreamNames' failed to satisfy constraint: Member must have length less than or equal to 100")
	case in.Limit < 0 || in.Limit > logs.MaxEvents:
		return nil, badLimit()
	}
	pattern, err := parsePattern(in.FilterPattern)
	if err != nil {
		return nil, err
	}
	q := logs.Query{
		Group: key(scope, name), Streams: in.LogStreamNames, StreamPrefix: in.LogStreamNamePrefix,
		Start: in.StartTime, Token: in.NextToken, Limit: in.Limit,
	}
	if in.EndTime != nil {
		q.End = *in.EndTime + 1
	}
	if err := s.young(ctx, scope, name, &q); err != nil {
		return nil, err
	}
	out := filterLogEventsOutput{Events: []filteredEvent{}, SearchedLogStreams: []struct{}{}}
	for range maxScan {
		if s.cfg.Logs == nil {
			break
		}
		page, err := s.cfg.Logs.Read(ctx, q)
		if err != nil {
			return nil, readError(err)
		}
		for _, e := range page.Events {
			if pattern.matches(e.Message) {
				out.Events = append(out.Events, filteredEvent{e.Stream, e.Timestamp, e.Message, e.Ingestion, e.Token})
			}
		}
		out.NextToken, q.Token = "", page.Forward
		if !page.More {
			break
		}
		if out.NextToken = page.Forward; len(out.Events) > 0 {
			break
		}
	}
	slices.SortStableFunc(out.Events, func(a, b filteredEvent) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
	return out, nil
}

func badLimit() error {
	return invalid("1 validation error detected: Value at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000")
}

func badToken() error { return invalid("The specified nextToken is invalid.") }

// readError words the errors of the lines' store.
func readError(err error) error {
	if errors.Is(err, logs.ErrToken) {
		return badToken()
	}
	return err
}
