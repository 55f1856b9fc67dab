package api

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Value returns what p points to, or the zero value for nil.
func Value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// Time is a timestamp of the API: a JSON number, the seconds since 1970 with
// at most three decimals.
type Time struct{ time.Time }

// NewTime wraps a time; its precision on the wire is a millisecond.
func NewTime(t time.Time) *Time { return &Time{t} }

// MarshalJSON prints epoch seconds.
func (t Time) MarshalJSON() ([]byte, error) {
	ms := t.UnixMilli()
	if ms%1000 == 0 {
		return strconv.AppendInt(nil, ms/1000, 10), nil
	}
	return strconv.AppendFloat(nil, float64(ms)/1000, 'f', 3, 64), nil
}

// UnmarshalJSON reads epoch seconds.
func (t *Time) UnmarshalJSON(data []byte) error {
	f, err := strconv.ParseFloat(string(data), 64)
	if err != nil {
		return err
	}
	*t, err = epoch(f)
	return err
}

// epoch converts seconds; it refuses years that no calendar prints.
func epoch(seconds float64) (Time, error) {
	const year9999 = 253402300800
	if math.IsNaN(seconds) || seconds < -year9999 || seconds >= year9999 {
		return Time{}, fmt.Errorf("%v is out of range for a timestamp", seconds)
	}
	return Time{time.UnixMilli(int64(math.Round(seconds * 1000))).UTC()}, nil
}
