package metrics

// Reading is a metric whose value is part of a T. A metric that is a counter
// must not fall while the program runs.
type Reading[T any] struct {
	Name  string
	Help  string
	Type  Type // TypeCounter or TypeGauge
	Value func(T) float64
}

// Read registers metrics that are read when they are asked for, all from the
// same T: the numbers of one page belong together. When read fails they are
// left out.
func Read[T any](r *Registry, read func() (T, error), readings ...Reading[T]) {
	r.register(&group[T]{read: read, readings: readings})
}

// CounterFunc registers a counter that is read when it is asked for.
func (r *Registry) CounterFunc(name, help string, value func() float64) {
	r.readFunc(name, help, TypeCounter, value)
}

// GaugeFunc registers a gauge that is read when it is asked for.
func (r *Registry) GaugeFunc(name, help string, value func() float64) {
	r.readFunc(name, help, TypeGauge, value)
}

func (r *Registry) readFunc(name, help string, kind Type, value func() float64) {
	Read(r, func() (float64, error) { return value(), nil },
		Reading[float64]{Name: name, Help: help, Type: kind, Value: func(v float64) float64 { return v }})
}

type group[T any] struct {
	read     func() (T, error)
	readings []Reading[T]
}

func (g *group[T]) describe() []Desc {
	all := make([]Desc, len(g.readings))
	for i, m := range g.readings {
		all[i] = m.desc()
	}
	return all
}

func (g *group[T]) collect(p *page) {
	values, err := g.read()
	if err != nil {
		return // absent, as the metrics' readers expect of what is not known
	}
	for _, m := range g.readings {
		p.add(m.desc(), appendSample(nil, m.Name, "", "", m.Value(values)))
	}
}

func (m Reading[T]) desc() Desc { return Desc{Name: m.Name, Help: m.Help, Type: m.Type} }
