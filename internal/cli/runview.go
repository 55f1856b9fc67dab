package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/lambhq/lamb/internal/solo"
)

// runView is what lamb run shows. It takes the function's log.
type runView struct {
	out, err    io.Writer
	colour      colours
	quiet, json bool
	// how long the phases before the first invocation took
	built, launched, init time.Duration

	mu      sync.Mutex // guards err
	results []solo.Result
}

// Line implements execenv.Logs: the log is shown as it comes.
func (v *runView) Line(_ time.Time, line []byte) {
	if v.quiet {
		return
	}
	text := strings.TrimRight(string(line), "\n")
	for _, platform := range []string{"INIT_START ", "START RequestId: ", "END RequestId: ", "REPORT RequestId: ", "INIT_REPORT ", "EXTENSION\t", "TELEMETRY\t", "LOGS\t"} {
		if strings.HasPrefix(text, platform) {
			text = v.colour.paint(dim, text)
			break
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	fmt.Fprintln(v.err, text)
}

// logger takes lamb's own warnings, for example of an interpreter of another
// version.
func (v *runView) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(v.err, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

func (v *runView) add(r solo.Result) { v.results = append(v.results, r) }

// finish prints the last answer and the picture.
func (v *runView) finish() error {
	last := v.results[len(v.results)-1]
	if v.json {
		return v.finishJSON(last)
	}
	if len(last.Payload) > 0 {
		if _, err := fmt.Fprintf(v.out, "%s\n", strings.TrimRight(string(last.Payload), "\n")); err != nil {
			return err
		}
	}
	if v.quiet {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if last.FunctionError != "" {
		fmt.Fprintln(v.err, v.colour.paint(red, "the function failed: "+last.ErrorType))
	}
	v.picture(last)
	if len(v.results) > 1 {
		fmt.Fprintln(v.err, percentiles(v.answered()))
	}
	return nil
}

// answered are the times of all invocations.
func (v *runView) answered() []time.Duration {
	all := make([]time.Duration, 0, len(v.results))
	for _, r := range v.results {
		all = append(all, r.Answered)
	}
	return all
}

// picture draws how long each phase took, one after the other.
func (v *runView) picture(last solo.Result) {
	type phase struct {
		name   string
		took   time.Duration
		colour int
	}
	phases := []phase{
		{"build", v.built, dim}, {"start", v.launched, dim}, {"init", v.init, yellow}, {"invoke", last.Answered, green},
		{"after", last.Finished - last.Answered, dim},
	}
	var total time.Duration
	for _, p := range phases {
		total += p.took
	}
	const width = 48
	at := 0
	for _, p := range phases {
		n := int(int64(width) * int64(p.took) / max(int64(total), 1))
		bar := strings.Repeat(" ", at) + v.colour.paint(p.colour, strings.Repeat("#", max(n, 1)))
		fmt.Fprintf(v.err, "%-7s|%s%s| %s\n", p.name, bar, strings.Repeat(" ", max(0, width+2-at-max(n, 1))), ms(p.took))
		at += n
	}
}

func (v *runView) finishJSON(last solo.Result) error {
	payload, err := jsonOf(last.Payload)
	if err != nil {
		return err
	}
	durations := make([]float64, 0, len(v.results))
	for _, r := range v.results {
		durations = append(durations, float64(r.Answered)/float64(time.Millisecond))
	}
	return writeJSON(v.out, struct {
		Payload       json.RawMessage `json:"payload"`
		FunctionError string          `json:"functionError,omitempty"`
		ErrorType     string          `json:"errorType,omitempty"`
		BuildMs       float64         `json:"buildMs"`
		StartMs       float64         `json:"startMs"`
		InitMs        float64         `json:"initMs"`
		InvokeMs      []float64       `json:"invokeMs"`
		// nil for one invocation
		Percentiles map[string]float64 `json:"percentilesMs,omitempty"`
	}{payload, last.FunctionError, last.ErrorType, float64(v.built) / 1e6, float64(v.launched) / 1e6, float64(v.init) / 1e6, durations, percentilesMs(v.answered())})
}
