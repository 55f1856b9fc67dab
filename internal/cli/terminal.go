package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// terminal reports whether w is a terminal that understands colours.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// colours paints text for a terminal; the zero value leaves it as it is.
type colours struct{ on bool }

// coloursFor is what w understands. https://no-color.org
func coloursFor(w io.Writer) colours {
	return colours{on: terminal(w) && os.Getenv("NO_COLOR") == ""}
}

// The colours by their numbers in the terminal's palette.
const (
	red    = 31
	green  = 32
	yellow = 33
	dim    = 90
)

func (c colours) paint(colour int, text string) string {
	if !c.on || text == "" {
		return text
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", colour, text)
}

// outputFlag is --output.
type outputFlag struct{ format string }

func (o *outputFlag) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.format, "output", "table", "`format` of the result: table or json")
	choices(cmd, "output", "table", "json")
}

func (o *outputFlag) check() error {
	if o.format != "table" && o.format != "json" {
		return usageError{fmt.Errorf("--output %q: use table or json", o.format)}
	}
	return nil
}

// json reports whether JSON was asked for.
func (o *outputFlag) json() bool { return o.format == "json" }

// writeJSON writes a value for a program to read.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// jsonOf is an answer as JSON: itself, a string where it is something else, and
// null where there is none.
func jsonOf(payload []byte) (json.RawMessage, error) {
	switch {
	case len(payload) == 0:
		return json.RawMessage("null"), nil
	case json.Valid(payload):
		return payload, nil
	}
	return json.Marshal(string(payload))
}

// table writes rows in columns; the first row are the headings.
func table(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(t, strings.TrimRight(strings.Join(row, "\t"), "\t"))
	}
	return t.Flush()
}

// progress shows on a terminal how far long work is; elsewhere it is silent.
type progress struct {
	w     io.Writer
	on    bool
	what  string
	total int64

	mu    sync.Mutex
	shown time.Time
	drawn bool
}

func newProgress(w io.Writer, what string, total int64) *progress {
	return &progress{w: w, on: terminal(w), what: what, total: total, shown: time.Now()}
}

// at says how much is done.
func (p *progress) at(done int64) {
	if !p.on {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.shown) >= 100*time.Millisecond { // short work shows nothing
		p.shown, p.drawn = now, true
		fmt.Fprintf(p.w, "\r%s %3d%%", p.what, done*100/max(p.total, 1))
	}
}

// until is at for work that ends with a context.
func (p *progress) until(ctx context.Context) func(done int64) error {
	return func(done int64) error {
		p.at(done)
		return ctx.Err()
	}
}

// end removes the line.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drawn {
		fmt.Fprintf(p.w, "\r%s\r", strings.Repeat(" ", len(p.what)+5))
	}
}

// bytesText is a size for people.
func bytesText(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
}
