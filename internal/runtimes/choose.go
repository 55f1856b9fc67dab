package runtimes

import (
	"context"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
)

// choose finds the interpreter for an identifier.
func (r *Resolver) choose(ctx context.Context, id identifier) (*interpreter, error) {
	if key, path := r.configured(id); path != "" {
		return r.chooseConfigured(ctx, id, key, path)
	}
	s := search{r: r, id: id, candidates: r.candidates(id.lang), probed: map[string]*interpreter{}}
	if found := s.exact(ctx); found != nil {
		return found, nil
	}
	if found := s.nearest(ctx); found != nil {
		return found, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("looking for %s: %w", id.lang.describe(id.series), err)
	}
	return nil, &Error{
		Runtime: id.text,
		Text: fmt.Sprintf("no %s interpreter on this host: install %s (for example with `%s`) to run %s functions",
			id.lang.title, id.lang.describe(id.series), id.lang.install(id.series), id.text),
		Kind: ErrNotInstalled,
	}
}

// CheckInterpreters finds the mistakes in Options.Interpreters that can be seen
// without starting anything: keys that are no runtime of Python or Node, and
// paths at which there is no program.
func CheckInterpreters(configured map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(configured)) {
		if id, err := parseID(key); key != python.family && key != nodejs.family && (err != nil || id.lang == nil) {
			return fmt.Errorf("no interpreter can be chosen for %q, only for python, nodejs and runtimes such as python3.12 and nodejs22.x", key)
		}
		path, err := filepath.Abs(configured[key]) // a name alone is not looked for on PATH
		if err == nil {
			_, err = exec.LookPath(path)
		}
		if err != nil {
			return fmt.Errorf("the interpreter configured for %s: %w", key, err)
		}
	}
	return nil
}

// configured returns the path that Options name for an identifier, and under
// which key.
func (r *Resolver) configured(id identifier) (key, path string) {
	for _, key := range []string{id.text, id.family} {
		if path := r.opts.Interpreters[key]; path != "" {
			return key, path
		}
	}
	return "", ""
}

func (r *Resolver) chooseConfigured(ctx context.Context, id identifier, key, path string) (*interpreter, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("the interpreter configured for %s: %w", key, err)
	}
	found, err := r.probe(ctx, id.lang, abs)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("asking %s for its version: %w", abs, ctx.Err())
	}
	if err == nil && !usable(id.lang, found) {
		err = fmt.Errorf("it is version %s", found.version)
	}
	if err != nil {
		return nil, &Error{id.text, fmt.Sprintf("the interpreter configured for %s, %s, cannot be used: %v", key, path, err), ErrNotInstalled}
	}
	return found, nil
}

// search is one look through the candidates.
type search struct {
	r          *Resolver
	id         identifier
	candidates []candidate
	probed     map[string]*interpreter // nil value: cannot be used
}

// exact asks those whose name promises the series, then those whose name
// promises nothing.
func (s *search) exact(ctx context.Context) *interpreter {
	for _, series := range []int{s.id.series, unknown} {
		for _, c := range s.candidates {
			if c.series != series {
				continue
			}
			if found := s.probe(ctx, c); found != nil && s.id.lang.series(found.version) == s.id.series {
				return found
			}
		}
	}
	return nil
}

// nearest prefers the next newer series, then the next older ones.
func (s *search) nearest(ctx context.Context) *interpreter {
	type option struct {
		candidate
		distance int
	}
	var options []option
	for _, c := range s.candidates {
		if found := s.probed[c.path]; found != nil {
			c.series = s.id.lang.series(found.version)
		}
		if c.series == unknown {
			continue // it was asked, and cannot be used
		}
		distance := c.series - s.id.series
		if distance < 0 {
			distance = 1000 - distance // after every newer one
		}
		options = append(options, option{c, distance})
	}
	sort.SliceStable(options, func(i, j int) bool { return options[i].distance < options[j].distance })
	for _, o := range options {
		if found := s.probe(ctx, o.candidate); found != nil {
			return found
		}
	}
	return nil
}

// probe asks each candidate at most once in a search; nil: cannot be used.
func (s *search) probe(ctx context.Context, c candidate) *interpreter {
	if found, done := s.probed[c.path]; done {
		return found
	}
	if ctx.Err() != nil {
		return nil
	}
	found, err := s.r.probe(ctx, s.id.lang, c.path)
	if err != nil {
		// Most hosts have wrappers of versions that are not installed.
		s.r.log.Debug("interpreter passed over", "path", c.path, "err", err)
		found = nil
	} else if !usable(s.id.lang, found) {
		found = nil
	}
	s.probed[c.path] = found
	return found
}

// usable tells whether the runtime program runs on an interpreter.
func usable(lang *language, found *interpreter) bool {
	if lang == python && found.version.major != 3 {
		return false
	}
	return lang.series(found.version) >= lang.oldest
}
