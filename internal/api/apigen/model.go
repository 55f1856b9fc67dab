package main

import (
	"fmt"
	"sort"
)

// A Model is what the generator knows of the service: operations and shapes.
// Its text form (see format.go) is kept in the repository.
type Model struct {
	Version    string // the service's API version, "2015-03-31"
	Operations []*OpModel
	Shapes     map[string]*Shape
}

// An OpModel is one operation of the service.
type OpModel struct {
	Name   string
	Method string
	URI    string // with {labels}, and query literals after "?"
	Status int
	Input  string   // always present
	Output string   // empty when the operation answers nothing
	Errors []string // in alphabetical order
}

// A Kind is the type of a shape.
type Kind string

// The kinds of shape. A KindError is a structure that is thrown.
const (
	KindStructure Kind = "structure"
	KindError     Kind = "error"
	KindList      Kind = "list"
	KindMap       Kind = "map"
	KindString    Kind = "string"
	KindInteger   Kind = "integer"
	KindLong      Kind = "long"
	KindDouble    Kind = "double"
	KindBoolean   Kind = "boolean"
	KindBlob      Kind = "blob"
	KindTimestamp Kind = "timestamp"
)

// A Shape is one named type of the model. Which fields are used depends on
// its kind.
type Shape struct {
	Name    string
	Kind    Kind
	Members []*Member // structure, error: in declared order
	Elem    string    // list: the element; map: the value
	Key     string    // map
	Min     string    // a decimal number, or empty
	Max     string
	Pattern string
	Enum    []string

	Status      int  // error: its HTTP status
	Fault       bool // error: the service's, not the caller's
	EventStream bool // structure
	Sensitive   bool // never print its value
}

// A Member is one member of a structure.
type Member struct {
	Name     string
	Shape    string
	Required bool
	// Where it is carried: "" (a JSON member), "uri", "query", "header",
	// "status" or "payload" (it is the body).
	Where string
	Wire  string // the name there; empty when it is Name
}

// WireName is the name of the member on the wire.
func (m *Member) WireName() string {
	if m.Wire != "" {
		return m.Wire
	}
	return m.Name
}

func (s *Shape) isStruct() bool { return s.Kind == KindStructure || s.Kind == KindError }

// shape returns the shape of that name; the model has been checked, so it exists.
func (m *Model) shape(name string) *Shape { return m.Shapes[name] }

// names lists the shapes in alphabetical order.
func (m *Model) names() []string {
	out := make([]string, 0, len(m.Shapes))
	for n := range m.Shapes {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}

// check reports the first reference to a shape that is not there.
func (m *Model) check() error {
	ref := func(from, to string) error {
		if m.Shapes[to] == nil {
			return fmt.Errorf("%s refers to shape %q, which does not exist", from, to)
		}
		return nil
	}
	for _, op := range m.Operations {
		names := append([]string{op.Input}, op.Errors...)
		if op.Output != "" {
			names = append(names, op.Output)
		}
		for _, n := range names {
			if err := ref("operation "+op.Name, n); err != nil {
				return err
			}
		}
	}
	for _, name := range m.names() {
		s := m.Shapes[name]
		for _, mem := range s.Members {
			if err := ref(name+"."+mem.Name, mem.Shape); err != nil {
				return err
			}
		}
		for _, n := range []string{s.Elem, s.Key} {
			if n == "" {
				continue
			}
			if err := ref(name, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// reach returns the names of the shapes that can be reached from the roots.
func (m *Model) reach(roots ...string) map[string]bool {
	seen := make(map[string]bool)
	var walk func(string)
	walk = func(name string) {
		if name == "" || seen[name] {
			return
		}
		seen[name] = true
		s := m.shape(name)
		for _, mem := range s.Members {
			walk(mem.Shape)
		}
		walk(s.Elem)
		walk(s.Key)
	}
	for _, r := range roots {
		walk(r)
	}
	return seen
}
