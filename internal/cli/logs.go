package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lambhq/lamb/internal/api"
	"github.com/lambhq/lamb/internal/awsclient"
)

// followEvery is how often lamb logs -f asks for new events.
const followEvery = 500 * time.Millisecond

// logsOptions are the flags of lamb logs.
type logsOptions struct {
	target targetFlags
	output outputFlag
	follow bool
	since  since
	filter string
}

func newLogs(stdout io.Writer) *cobra.Command {
	var o logsOptions
	cmd := &cobra.Command{
		Use:   "logs NAME",
		Short: "Show a function's log",
		Long:  "Show what a function of lamb or of AWS has logged, and with -f what it goes on to\nlog until Ctrl-C. --filter takes CloudWatch's filter patterns.",
		Args:  oneArgument("a function's name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.output.check(); err != nil {
				return err
			}
			c, err := o.target.open(cmd.Context())
			if err != nil {
				return err
			}
			fn, err := c.GetFunctionConfiguration(cmd.Context(), args[0], "")
			if err != nil {
				return err
			}
			group := "/aws/lambda/" + api.Value(fn.FunctionName)
			if fn.LoggingConfig != nil {
				group = first(api.Value(fn.LoggingConfig.LogGroup), group)
			}
			r := logReader{client: c, out: stdout, asJSON: o.output.json(), colour: coloursFor(stdout)}
			filter := awsclient.LogFilter{Group: group, Pattern: o.filter, Start: o.since.from(time.Now()).UnixMilli()}
			if o.follow {
				return r.follow(cmd.Context(), filter)
			}
			return r.read(cmd.Context(), &filter)
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&o.follow, "follow", "f", false, "go on until Ctrl-C")
	o.since = since{back: time.Hour}
	f.Var(&o.since, "since", "`time` to go back (90s, 10m, 1h, 2d, 1w), or to begin at (2026-01-31T12:00:00Z)")
	f.StringVar(&o.filter, "filter", "", "only events that match this `pattern`")
	o.target.add(cmd)
	o.output.add(cmd)
	cmd.ValidArgsFunction = o.target.functionNames
	return cmd
}

// logReader prints the events of a log group.
type logReader struct {
	client *awsclient.Client
	out    io.Writer
	asJSON bool
	colour colours
	// seen are the events at the latest time that was printed: the next
	// question begins there again.
	seen map[string]bool
}

// read prints all pages of a filter, and moves its start to the last event.
func (r *logReader) read(ctx context.Context, f *awsclient.LogFilter) error {
	page := *f // its pages must have the same bounds
	for {
		events, next, err := r.client.FilterLogEvents(ctx, page)
		if awsclient.IsNotFound(err) || isCode(err, "ResourceNotFoundException") {
			return nil // nothing has been logged yet
		}
		if err != nil {
			return err
		}
		for _, e := range events {
			if err := r.show(f, e); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		page.Token = next
	}
}

func isCode(err error, code string) bool {
	var e *awsclient.Error
	return errors.As(err, &e) && e.Code == code
}

// show prints an event that has not been printed.
func (r *logReader) show(f *awsclient.LogFilter, e awsclient.LogEvent) error {
	if r.seen[e.EventID] {
		return nil
	}
	if e.Timestamp > f.Start || r.seen == nil {
		f.Start, r.seen = max(f.Start, e.Timestamp), make(map[string]bool)
	}
	r.seen[e.EventID] = true
	if r.asJSON {
		return json.NewEncoder(r.out).Encode(e)
	}
	at := time.UnixMilli(e.Timestamp).Format("2006-01-02 15:04:05.000")
	_, err := fmt.Fprintf(r.out, "%s %s\n", r.colour.paint(dim, at), strings.TrimRight(e.Message, "\n"))
	return err
}

// follow reads until the context ends.
func (r *logReader) follow(ctx context.Context, f awsclient.LogFilter) error {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		if err := r.read(ctx, &f); err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
