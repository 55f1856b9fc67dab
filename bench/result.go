package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

// Result is a whole run, as it is kept in the repository.
type Result struct {
	// Time is when the run began, Seconds how long it took.
	Time    string  `json:"time"`
	Seconds float64 `json:"seconds"`
	Commit  string  `json:"commit"`
	Rounds  int     `json:"rounds"`
	// Quick runs measure nothing.
	Quick   bool    `json:"quick,omitempty"`
	Machine Machine `json:"machine"`
	Rows    []Line  `json:"rows"`
	// Missing are contests that could not be run here, with the reason.
	Missing []string `json:"missing,omitempty"`
}

// Machine is where a run took place.
type Machine struct {
	CPU    string `json:"cpu"`
	CPUs   int    `json:"cpus"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	// LoadBefore is the load average of the minute before the run: another
	// program's work.
	LoadBefore float64 `json:"loadBefore"`
}

// Line is one row of the table.
type Line struct {
	Contest string `json:"contest"`
	What    string `json:"what"`
	// Where names sandbox, cgroup and network.
	Where string `json:"where"`
	Unit  string `json:"unit"`
	// FloorWhat says what Floor is; both are missing where there is none.
	FloorWhat string  `json:"floorWhat,omitempty"`
	Floor     *Spread `json:"floor,omitempty"`
	Lamb      Spread  `json:"lamb"`
	// Ratio is Lamb's median by Floor's, Extra their difference.
	Ratio  float64 `json:"ratio,omitempty"`
	Extra  float64 `json:"extra,omitempty"`
	Target string  `json:"target,omitempty"`
	// Met is missing where there is no target.
	Met *bool `json:"met,omitempty"`
}

// Spread is a series of values: median and quartiles.
type Spread struct {
	Median float64 `json:"median"`
	Low    float64 `json:"p25"`
	High   float64 `json:"p75"`
	Count  int     `json:"count"`
}

func spread(values []float64) Spread {
	v := slices.Sorted(slices.Values(values))
	at := func(q float64) float64 { return round3(v[min(int(q*float64(len(v))), len(v)-1)]) }
	return Spread{Median: at(.5), Low: at(.25), High: at(.75), Count: len(v)}
}

// round3 keeps four significant digits or so; more would be noise in the
// repository.
func round3(v float64) float64 {
	if v == 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return 0
	}
	scale := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(v))))
	return math.Round(v*scale) / scale
}

// lines makes the rows of the table of what was measured.
func lines(contests []contest, measured []samples) []Line {
	var all []Line
	for i, c := range contests {
		for r, row := range c.rows {
			l := Line{Contest: c.name, What: row.what, Where: row.where, Unit: row.unit, Lamb: spread(measured[i].lamb[r]), Target: row.target.describe(row.unit)}
			floor := 0.0
			if c.floor != nil {
				s := spread(measured[i].floor[r])
				floor = s.Median
				l.Floor, l.FloorWhat = &s, row.floor
				l.Extra = round3(l.Lamb.Median - floor)
				if floor != 0 {
					l.Ratio = round3(l.Lamb.Median / floor)
				}
			}
			if row.target.kind != noTarget {
				met := row.target.met(floor, l.Lamb.Median)
				l.Met = &met
			}
			all = append(all, l)
		}
	}
	return all
}

// cells are a line's columns.
func (l Line) cells() []string {
	floor, ratio := "", ""
	if l.Floor != nil {
		floor = l.Floor.cell()
		ratio = fmt.Sprintf("%.2f (%+.4g)", l.Ratio, l.Extra)
	}
	met := ""
	if l.Met != nil {
		met = "missed"
		if *l.Met {
			met = "met"
		}
	}
	return []string{l.What, l.Lamb.cell(), l.Unit, floor, l.FloorWhat, ratio, l.Target, met, l.Where}
}

var columns = []string{"what", "lamb", "unit", "floor", "the floor is", "ratio (difference)", "target", "", "where"}

func (s Spread) cell() string {
	return fmt.Sprintf("%.4g (%.4g–%.4g)", s.Median, s.Low, s.High)
}

// summary says where and how a run took place.
func (r Result) summary() string {
	text := fmt.Sprintf("%s, lamb %s, %d rounds in %.0f s; %s, %d CPUs, Linux %s, %s; load average before: %.2f.",
		r.Time, r.Commit, r.Rounds, r.Seconds, r.Machine.CPU, r.Machine.CPUs, r.Machine.Kernel, r.Machine.Go, r.Machine.LoadBefore)
	if r.Quick {
		text += " QUICK: these are not measurements."
	}
	return text
}

// print writes the table for a terminal.
func (r Result) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(columns, "\t"))
	for _, l := range r.Rows {
		fmt.Fprintln(t, strings.Join(l.cells(), "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, m := range r.Missing {
		fmt.Fprintln(w, "not run:", m)
	}
	_, err := fmt.Fprintf(w, "\nMedians (quartiles). %s\n", r.summary())
	return err
}

// markdown is the table for the document.
func (r Result) markdown() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n\n", r.summary())
	all := [][]string{columns}
	for _, l := range r.Rows {
		all = append(all, l.cells())
	}
	for i, cells := range all {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
		if i == 0 {
			b.WriteString(strings.Repeat("|---", len(cells)) + "|\n")
		}
	}
	for _, m := range r.Missing {
		fmt.Fprintf(&b, "\nNot run: %s\n", m)
	}
	return b.Bytes()
}

// The names under which a result is kept in a folder.
const (
	resultFile   = "benchmarks.json"
	documentFile = "benchmarks.md"
)

// keep writes a result into a folder: as JSON, and as the table of a document
// that is there.
func (r Result) keep(folder string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, resultFile), append(text, '\n'), 0o644); err != nil {
		return err
	}
	err = r.writeDocument(filepath.Join(folder, documentFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // only the folder docs has one
	}
	return err
}

// The markers between which the table stands in the document.
const (
	beginMarker = "<!-- begin of the table that make bench writes -->"
	endMarker   = "<!-- end of the table -->"
)

// writeDocument puts the table between the markers of a document.
func (r Result) writeDocument(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, found := bytes.Cut(text, []byte(beginMarker))
	_, after, ended := bytes.Cut(rest, []byte(endMarker))
	if !found || !ended || !utf8.Valid(text) {
		return errors.New(path + " lacks the markers for the table")
	}
	var b bytes.Buffer
	b.Write(before)
	b.WriteString(beginMarker + "\n\n")
	b.Write(r.markdown())
	b.WriteString("\n" + endMarker)
	b.Write(after)
	return os.WriteFile(path, b.Bytes(), 0o644)
}
