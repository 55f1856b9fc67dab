package metrics

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
)

// Type says how a metric's values are to be read.
type Type string

// The types, in the format's words.
const (
	TypeCounter   Type = "counter"
	TypeGauge     Type = "gauge"
	TypeHistogram Type = "histogram"
	TypeSummary   Type = "summary"
)

// Desc is what there is to know of a metric besides its values.
type Desc struct {
	Name   string
	Help   string
	Type   Type
	Labels []string
}

// Registry is a set of metrics. It may be used from several goroutines.
type Registry struct {
	mu      sync.Mutex
	sources []source
	names   map[string]bool
}

// source gives metrics and, when it is asked, their values.
type source interface {
	describe() []Desc
	collect(p *page)
}

// NewRegistry makes an empty Registry.
func NewRegistry() *Registry { return &Registry{names: make(map[string]bool)} }

// register takes a source whose metrics must be new.
func (r *Registry) register(s source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range s.describe() {
		if err := d.check(); err != nil {
			panic(err)
		}
		if r.names[d.Name] {
			panic(fmt.Sprintf("metrics: %s is registered already", d.Name))
		}
		r.names[d.Name] = true
	}
	r.sources = append(r.sources, s)
}

// Describe lists the registered metrics by name, also those without values.
func (r *Registry) Describe() []Desc {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []Desc
	for _, s := range r.sources {
		all = append(all, s.describe()...)
	}
	slices.SortFunc(all, func(a, b Desc) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// check refuses names that the format does not have.
func (d Desc) check() error {
	if !isName(d.Name, true) {
		return fmt.Errorf("metrics: %q is no name of a metric", d.Name)
	}
	for i, label := range d.Labels {
		if !isName(label, false) || label == "le" || label == "quantile" || slices.Contains(d.Labels[:i], label) {
			return fmt.Errorf("metrics: %s cannot have the label %q", d.Name, label)
		}
	}
	return nil
}

func isName(s string, colons bool) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || colons && c == ':'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}
