package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"
)

// A contest is one floor and one way of lamb's to do the same, run one after
// the other in every round. It gives one or more rows of the table.
type contest struct {
	name string
	// floor and lamb each return a value per row; floor is nil where lamb is
	// held to a figure only.
	floor, lamb contender
	rows        []row
	// most is in how many rounds it takes part, if not in all, nor in that
	// which warms up: it takes long.
	most int
	// pairs is how often both run in a round; 1 when zero.
	pairs int
}

// A contender measures once. Any error voids the whole run: what fails is not
// fast.
type contender func(ctx context.Context) ([]float64, error)

// A row is one line of the table.
type row struct {
	what   string // of lamb
	floor  string // what lamb is compared with
	unit   string
	target target
	where  string // sandbox, cgroup and network; empty means those of the run
}

// A target is what a row is to reach; the zero target is none.
type target struct {
	kind  targetKind
	limit float64
	extra float64 // of ratioMax: what may be added, in the row's unit
}

type targetKind int

const (
	noTarget  targetKind = iota
	ratioMax             // lamb ≤ limit × floor + extra
	ratioMin             // lamb ≥ limit × floor
	extraMax             // lamb ≤ floor + limit
	figureMax            // lamb ≤ limit
)

// met tells whether medians reach the target.
func (t target) met(floor, lamb float64) bool {
	switch t.kind {
	case ratioMax:
		return lamb <= t.limit*floor+t.extra
	case ratioMin:
		return lamb >= t.limit*floor
	case extraMax:
		return lamb <= floor+t.limit
	case figureMax:
		return lamb <= t.limit
	}
	return true
}

// describe is the target in words.
func (t target) describe(unit string) string {
	switch t.kind {
	case ratioMax:
		if t.extra != 0 {
			return fmt.Sprintf("≤ %g × floor + %g %s", t.limit, t.extra, unit)
		}
		return fmt.Sprintf("≤ %g × floor", t.limit)
	case ratioMin:
		return fmt.Sprintf("≥ %g × floor", t.limit)
	case extraMax:
		return fmt.Sprintf("≤ floor + %g %s", t.limit, unit)
	case figureMax:
		return fmt.Sprintf("≤ %g %s", t.limit, unit)
	}
	return ""
}

// samples are what a contest has measured: per row, all of a contender's values.
type samples struct {
	floor, lamb [][]float64
}

// play runs all contests in rounds. One more round comes first and does not
// count: it fills caches and starts what is then warm. Who begins alternates,
// so that neither always runs in the other's wake.
func play(ctx context.Context, contests []contest, rounds int, progress io.Writer) ([]samples, error) {
	all := make([]samples, len(contests))
	for i, c := range contests {
		all[i] = samples{floor: make([][]float64, len(c.rows)), lamb: make([][]float64, len(c.rows))}
	}
	for round := range rounds + 1 {
		fmt.Fprintf(progress, "%s round %d of %d\n", time.Now().Format(time.TimeOnly), round, rounds)
		for i, c := range contests {
			if c.most > 0 && (round == 0 || round > c.most) {
				continue
			}
			if round <= 1 {
				fmt.Fprintf(progress, "%s: %s\n", time.Now().Format(time.TimeOnly), c.name)
			}
			floor, lamb, err := c.round(ctx, round%2 == 0)
			if err != nil {
				return nil, fmt.Errorf("void: %s: %w", c.name, err)
			}
			if round == 0 {
				continue
			}
			for r := range c.rows {
				all[i].floor[r] = append(all[i].floor[r], floor[r]...)
				all[i].lamb[r] = append(all[i].lamb[r], lamb[r]...)
			}
		}
	}
	return all, nil
}

// round runs a contest's pairs; the results are per row.
func (c contest) round(ctx context.Context, lambFirst bool) (floor, lamb [][]float64, err error) {
	floor, lamb = make([][]float64, len(c.rows)), make([][]float64, len(c.rows))
	for range max(1, c.pairs) {
		sides := []struct {
			name string
			run  contender
			into [][]float64
		}{{"floor", c.floor, floor}, {"lamb", c.lamb, lamb}}
		if lambFirst {
			slices.Reverse(sides)
		}
		for _, s := range sides {
			if s.run == nil {
				continue
			}
			values, err := s.run(ctx)
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", s.name, err)
			}
			if len(values) != len(c.rows) {
				return nil, nil, fmt.Errorf("%s: %d values for %d rows", s.name, len(values), len(c.rows))
			}
			for r, v := range values {
				s.into[r] = append(s.into[r], v)
			}
		}
	}
	return floor, lamb, nil
}
