package cli

import (
	"errors"
	"strconv"
	"time"
)

// since is --since: so long ago, or a time.
type since struct {
	back time.Duration
	at   time.Time // zero: back counts
	text string
}

// from is the time that is meant.
func (s *since) from(now time.Time) time.Time {
	if !s.at.IsZero() {
		return s.at
	}
	return now.Add(-s.back)
}

// The units that time.ParseDuration has not.
const (
	day  = 24 * time.Hour
	week = 7 * day
)

// Set implements pflag.Value.
func (s *since) Set(text string) error {
	*s = since{text: text}
	var err error
	if s.at, err = time.Parse(time.RFC3339, text); err == nil {
		return nil
	}
	if s.back, err = time.ParseDuration(text); err == nil && s.back >= 0 {
		return nil
	}
	if n := len(text) - 1; n > 0 {
		unit := map[byte]time.Duration{'d': day, 'w': week}[text[n]]
		if count, err := strconv.ParseUint(text[:n], 10, 16); err == nil && unit > 0 {
			s.back = time.Duration(count) * unit
			return nil
		}
	}
	return errors.New("use 90s, 10m, 1h, 2d or 1w, or a time such as 2026-01-31T12:00:00Z")
}

// String implements pflag.Value.
func (s *since) String() string {
	if s.text == "" && s.back > 0 {
		return s.back.String()
	}
	return s.text
}

// Type implements pflag.Value.
func (s *since) Type() string { return "time" }
