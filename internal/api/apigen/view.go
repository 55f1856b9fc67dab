package main

import (
	"fmt"
	"sort"
	"strings"
)

// view is what the templates see: the model with Go names, in printing order,
// after the overrides.
type view struct {
	Version string
	Structs []*structView
	Enums   []*enumView
	Ops     []*opView
	Errors  []*errorView
	Rules   []*ruleView
}

type structView struct {
	Name     string
	Doc      string
	Fields   []*fieldView
	Decode   bool // is part of a request body
	Validate bool // has constraints
	Uploads  bool // holds uploads, itself or below
}

type fieldView struct {
	Name     string // in Go
	JSON     string
	Camel    string // as validation messages write it
	Type     string
	Where    string
	Wire     string
	Required bool
	Label    int    // index of the path label, for Where "uri"
	Setter   string // kind of value, as the request and checker methods are named
	Decode   string // expression that reads the member from JSON
	Check    string // statement that validates the member, or empty
	Upload   bool   // is an *Upload
	Closes   bool   // holds uploads below
	Doc      string
}

type opView struct {
	Name, Method  string
	URI           string
	Segments      []string // a label is empty
	QueryKey      string   // a literal that the query must hold, or empty
	QueryValue    string
	Status        int
	MaxBody       int64
	Input, Output string
	In, Out       *structView
	Errors        []string
	Members       []string // paths of the request's members
	ReadsBody     bool
}

type enumView struct {
	Name   string
	Values []enumValue
}

type enumValue struct{ Go, Text string }

type errorView struct {
	Name, Short, Doc string
	Status           int
	Type             string // "User", "Service", or empty for none
	Key              string // "message" or "Message"
	Extra            []*fieldView
}

type ruleView struct {
	Name, Literal string
}

type builder struct {
	model   *Model
	view    *view
	inputs  map[string]bool // shapes reachable from requests
	structs map[string]*structView
	rules   map[string]bool
	labels  map[string][]string // input shape: labels of its path
	roles   map[string][]string
}

func newView(m *Model) (*view, error) {
	b := &builder{
		model: m, view: &view{Version: m.Version}, structs: map[string]*structView{},
		rules: map[string]bool{}, labels: map[string][]string{}, roles: map[string][]string{},
	}
	var inputs, all []string
	for _, op := range m.Operations {
		if b.labels[op.Input] != nil {
			return nil, fmt.Errorf("%s is the input of two operations", op.Input)
		}
		b.labels[op.Input] = append([]string{}, pathLabels(op.URI)...)
		b.roles[op.Input] = append(b.roles[op.Input], "input of "+op.Name)
		inputs = append(inputs, op.Input)
		all = append(all, op.Input)
		if op.Output != "" {
			b.roles[op.Output] = append(b.roles[op.Output], "output of "+op.Name)
			all = append(all, op.Output)
		}
	}
	b.inputs = m.reach(inputs...)
	used := m.reach(all...)
	for _, name := range m.names() {
		s := m.shape(name)
		switch {
		case s.Kind == KindStructure && used[name] && !s.EventStream:
			b.view.Structs = append(b.view.Structs, b.structView(s))
		case s.Kind == KindError:
			b.view.Errors = append(b.view.Errors, b.errorView(s))
		case len(s.Enum) > 0:
			b.view.Enums = append(b.view.Enums, enumOf(s))
		}
	}
	b.extraErrors()
	sort.Slice(b.view.Structs, func(i, j int) bool { return b.view.Structs[i].Name < b.view.Structs[j].Name })
	sort.Slice(b.view.Rules, func(i, j int) bool { return b.view.Rules[i].Name < b.view.Rules[j].Name })
	for _, op := range m.Operations {
		b.view.Ops = append(b.view.Ops, b.opView(op))
	}
	return b.view, b.checkNames()
}

func (b *builder) structView(s *Shape) *structView {
	v := &structView{
		Name: goName(s.Name), Doc: b.structDoc(s), Decode: b.inputs[s.Name],
		Validate: b.inputs[s.Name] && (b.labels[s.Name] != nil || b.constrained(s.Name)),
	}
	b.structs[s.Name] = v
	for _, mem := range s.Members {
		f := b.fieldView(s, mem)
		v.Uploads = v.Uploads || f.Upload || f.Closes
		v.Fields = append(v.Fields, f)
	}
	return v
}

func (b *builder) structDoc(s *Shape) string {
	if roles := b.roles[s.Name]; len(roles) > 0 {
		last := len(roles) - 1
		text := roles[last]
		if last > 0 {
			text = strings.Join(roles[:last], ", the ") + " and the " + text
		}
		return "is the " + text + "."
	}
	if s.Name != goName(s.Name) {
		return "is the model's structure " + s.Name + "."
	}
	return "is a structure of the model."
}

func (b *builder) fieldView(s *Shape, mem *Member) *fieldView {
	shape := b.model.shape(mem.Shape)
	f := &fieldView{
		Name: upperFirst(mem.Name), JSON: mem.Name, Camel: lowerFirst(mem.Name), Where: mem.Where, Wire: mem.WireName(),
		Required: mem.Required, Type: b.goType(mem.Shape), Setter: setter(shape),
		Upload: uploads[s.Name+"."+mem.Name],
		Closes: shape.Kind == KindStructure && b.holdsUpload(mem.Shape),
	}
	for i, label := range b.labels[s.Name] {
		if mem.Where == "uri" && label == f.Wire {
			f.Label = i
		}
	}
	f.Decode = b.decodeExpr(f, shape)
	switch {
	case f.Upload:
		f.Type = "*Upload"
		f.Decode = "d.upload(&v." + f.Name + ")"
	case shape.EventStream:
		f.Type, f.Setter = "io.Reader", "stream"
	}
	if b.inputs[s.Name] {
		f.Check = b.checkStmt(s, mem, f, shape)
	}
	f.Doc = b.fieldDoc(mem, shape)
	return f
}

func (b *builder) holdsUpload(name string) bool {
	for _, mem := range b.model.shape(name).Members {
		if uploads[name+"."+mem.Name] {
			return true
		}
		if b.model.shape(mem.Shape).Kind == KindStructure && b.holdsUpload(mem.Shape) {
			return true
		}
	}
	return false
}

func (b *builder) fieldDoc(mem *Member, s *Shape) string {
	var parts []string
	if mem.Required {
		parts = append(parts, "required")
	}
	switch mem.Where {
	case "uri":
		parts = append(parts, "in the path")
	case "query":
		parts = append(parts, "query parameter "+mem.WireName())
	case "header":
		parts = append(parts, "header "+mem.WireName())
	case "status":
		parts = append(parts, "the HTTP status; nil for the operation's own")
	case "payload":
		parts = append(parts, "the whole body")
	}
	switch {
	case len(s.Enum) > 0:
		parts = append(parts, "one of the "+s.Name+" constants")
	case s.Kind == KindTimestamp && mem.Where == "":
		parts = append(parts, "epoch seconds")
	case s.Name == "Timestamp" || s.Name == "Date" && s.Kind == KindString:
		parts = append(parts, "YYYY-MM-DDThh:mm:ss.sss+0000")
	}
	return strings.Join(parts, "; ")
}

// goType is the Go type of a member of that shape: absent is nil.
func (b *builder) goType(name string) string {
	s := b.model.shape(name)
	switch s.Kind {
	case KindList, KindMap, KindBlob:
		return b.elemType(name)
	}
	return "*" + b.elemType(name)
}

// elemType is the Go type of an element of that shape.
func (b *builder) elemType(name string) string {
	s := b.model.shape(name)
	switch s.Kind {
	case KindString:
		return "string"
	case KindInteger:
		return "int"
	case KindLong:
		return "int64"
	case KindDouble:
		return "float64"
	case KindBoolean:
		return "bool"
	case KindBlob:
		return "[]byte"
	case KindTimestamp:
		return "Time"
	case KindList:
		return "[]" + b.elemType(s.Elem)
	case KindMap:
		return "map[string]" + b.elemType(s.Elem)
	}
	return goName(name)
}

func setter(s *Shape) string {
	switch s.Kind {
	case KindList:
		return "strings" // the only kind of list outside bodies
	case KindStructure:
		return "object"
	}
	return string(s.Kind)
}

func (b *builder) decodeExpr(f *fieldView, s *Shape) string {
	switch s.Kind {
	case KindList:
		return fmt.Sprintf("readList(d, &v.%s, %s)", f.Name, b.elemDecoder(s.Elem))
	case KindMap:
		return fmt.Sprintf("readMap(d, &v.%s, %s)", f.Name, b.elemDecoder(s.Elem))
	case KindStructure:
		return fmt.Sprintf("readObject(d, &v.%s)", f.Name)
	}
	// A kind that no request of the model has in its JSON has no method there
	// (long, blob): a newer model that has one does not compile until it is written.
	return fmt.Sprintf("readScalar(d, &v.%s, (*jsonReader).%s)", f.Name, s.Kind)
}

// elemDecoder is the function that reads one element.
func (b *builder) elemDecoder(name string) string {
	s := b.model.shape(name)
	switch s.Kind {
	case KindStructure:
		return "objectElem[" + goName(name) + "]"
	case KindList:
		return "listElem(" + b.elemDecoder(s.Elem) + ")"
	}
	return "scalarElem((*jsonReader)." + string(s.Kind) + ")"
}

func (b *builder) errorView(s *Shape) *errorView {
	e := &errorView{
		Name: s.Name, Short: strings.TrimSuffix(s.Name, "Exception"), Status: s.Status, Type: "User", Key: "Message",
		Doc: fmt.Sprintf("is answered with status %d.", s.Status),
	}
	if s.Fault {
		e.Type = "Service"
	}
	for _, mem := range s.Members {
		switch mem.Name {
		case "message", "Message":
			e.Key = mem.Name
		case "Type":
		default:
			e.Extra = append(e.Extra, &fieldView{
				Name: upperFirst(mem.Name), JSON: mem.Name, Where: mem.Where, Wire: mem.WireName(),
			})
		}
	}
	return e
}

func (b *builder) extraErrors() {
	for _, x := range extraErrors {
		b.view.Errors = append(b.view.Errors, &errorView{
			Name: x.Name, Short: strings.TrimSuffix(x.Name, "Exception"), Status: x.Status, Key: x.Key, Doc: x.Doc,
		})
	}
	sort.Slice(b.view.Errors, func(i, j int) bool { return b.view.Errors[i].Name < b.view.Errors[j].Name })
}

func enumOf(s *Shape) *enumView {
	e := &enumView{Name: s.Name}
	for _, v := range s.Enum {
		e.Values = append(e.Values, enumValue{Go: s.Name + constSuffix(v), Text: v})
	}
	return e
}

// checkNames refuses two declarations of one name.
func (b *builder) checkNames() error {
	seen := map[string]string{}
	add := func(name, what string) error {
		if old := seen[name]; old != "" {
			return fmt.Errorf("%s is both %s and %s: add it to goNames", name, old, what)
		}
		seen[name] = what
		return nil
	}
	for _, s := range b.view.Structs {
		if err := add(s.Name, "a structure"); err != nil {
			return err
		}
	}
	for _, e := range b.view.Errors {
		if err := add(e.Name, "an error"); err != nil {
			return err
		}
		if err := add("New"+e.Short, "an error's constructor"); err != nil {
			return err
		}
	}
	for _, e := range b.view.Enums {
		for _, v := range e.Values {
			if err := add(v.Go, "an enum value of "+e.Name); err != nil {
				return err
			}
		}
	}
	return nil
}
