package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// The text form has one fact a line, so that the difference between two
// models reads as a changelog of the service:
//
//	service 2015-03-31
//	operation Invoke POST /2015-03-31/functions/{FunctionName}/invocations 200 InvocationRequest InvocationResponse
//	  error ServiceException
//	structure AliasRoutingConfiguration
//	  AdditionalVersionWeights AdditionalVersionWeights
//	error ServiceException 500 fault
//	  Type String
//	string Alias min=1 max=128
//	  pattern (?!^[0-9]+$)([a-zA-Z0-9-_]+)
//	string LogType
//	  enum None
//	  enum Tail
//	list LayerList LayerVersionArn
//	map Tags TagKey TagValue
//
// A member line is its name, its shape, and any of "required", "uri",
// "query", "header", "status" and "payload", the first three with "=name"
// when the name on the wire is another one. Lines that begin with # are
// comments.

const modelHeader = `# The API of AWS Lambda as lamb's generator reads it.
# Written by "go run ./internal/api/apigen -import MODEL.json"; see apigen/format.go.
`

// WriteModel prints the text form.
func WriteModel(w io.Writer, m *Model) error {
	var b bytes.Buffer
	b.WriteString(modelHeader)
	fmt.Fprintf(&b, "service %s\n\n", m.Version)
	for _, op := range m.Operations {
		output := op.Output
		if output == "" {
			output = "-"
		}
		fmt.Fprintf(&b, "operation %s %s %s %d %s %s\n", op.Name, op.Method, op.URI, op.Status, op.Input, output)
		for _, e := range op.Errors {
			fmt.Fprintf(&b, "  error %s\n", e)
		}
	}
	for _, name := range m.names() {
		b.WriteByte('\n')
		writeShape(&b, m.Shapes[name])
	}
	_, err := w.Write(b.Bytes())
	return err
}

func writeShape(b *bytes.Buffer, s *Shape) {
	fmt.Fprintf(b, "%s %s", s.Kind, s.Name)
	switch s.Kind {
	case KindList:
		fmt.Fprintf(b, " %s", s.Elem)
	case KindMap:
		fmt.Fprintf(b, " %s %s", s.Key, s.Elem)
	case KindError:
		fmt.Fprintf(b, " %d", s.Status)
	}
	for _, opt := range []struct {
		on   bool
		text string
	}{
		{s.Fault, "fault"},
		{s.EventStream, "eventstream"},
		{s.Sensitive, "sensitive"},
		{s.Min != "", "min=" + s.Min},
		{s.Max != "", "max=" + s.Max},
	} {
		if opt.on {
			b.WriteString(" " + opt.text)
		}
	}
	b.WriteByte('\n')
	if s.Pattern != "" {
		fmt.Fprintf(b, "  pattern %s\n", s.Pattern)
	}
	for _, v := range s.Enum {
		fmt.Fprintf(b, "  enum %s\n", v)
	}
	for _, mem := range s.Members {
		fmt.Fprintf(b, "  %s %s", mem.Name, mem.Shape)
		if mem.Required {
			b.WriteString(" required")
		}
		if mem.Where != "" {
			b.WriteString(" " + mem.Where)
			if mem.Wire != "" {
				b.WriteString("=" + mem.Wire)
			}
		}
		b.WriteByte('\n')
	}
}

// ReadModel parses the text form and checks its references.
func ReadModel(r io.Reader) (*Model, error) {
	p := modelParser{model: &Model{Shapes: make(map[string]*Shape)}}
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		p.line++
		text := sc.Text()
		if strings.TrimSpace(text) == "" || strings.HasPrefix(text, "#") {
			continue
		}
		parse := p.top
		if strings.HasPrefix(text, "  ") {
			parse, text = p.detail, text[2:]
		}
		if err := parse(text); err != nil {
			return nil, fmt.Errorf("line %d: %w", p.line, err)
		}
	}
	if err := sc.Err(); err != nil {
		return nil, err
	}
	return p.model, p.model.check()
}

type modelParser struct {
	model *Model
	line  int
	op    *OpModel // what the indented lines belong to: one of the two
	shape *Shape
}

func (p *modelParser) top(text string) error {
	f := strings.Fields(text)
	p.op, p.shape = nil, nil
	switch f[0] {
	case "service":
		if len(f) != 2 {
			return fmt.Errorf("want: service VERSION")
		}
		p.model.Version = f[1]
		return nil
	case "operation":
		return p.operation(f)
	}
	return p.shapeLine(f)
}

func (p *modelParser) operation(f []string) error {
	if len(f) != 7 {
		return fmt.Errorf("want: operation NAME METHOD URI STATUS INPUT OUTPUT")
	}
	status, err := strconv.Atoi(f[4])
	if err != nil {
		return err
	}
	p.op = &OpModel{Name: f[1], Method: f[2], URI: f[3], Status: status, Input: f[5], Output: f[6]}
	if p.op.Output == "-" {
		p.op.Output = ""
	}
	p.model.Operations = append(p.model.Operations, p.op)
	return nil
}

func (p *modelParser) shapeLine(f []string) error {
	if len(f) < 2 {
		return fmt.Errorf("a shape needs a name")
	}
	s := &Shape{Kind: Kind(f[0]), Name: f[1]}
	rest := f[2:]
	take := func() (string, error) {
		if len(rest) == 0 {
			return "", fmt.Errorf("%s %s: a word is missing", s.Kind, s.Name)
		}
		word := rest[0]
		rest = rest[1:]
		return word, nil
	}
	var err error
	switch s.Kind {
	case KindList:
		s.Elem, err = take()
	case KindMap:
		if s.Key, err = take(); err == nil {
			s.Elem, err = take()
		}
	case KindError:
		var status string
		if status, err = take(); err == nil {
			s.Status, err = strconv.Atoi(status)
		}
	case KindStructure, KindString, KindInteger, KindLong, KindDouble, KindBoolean, KindBlob, KindTimestamp:
	default:
		err = fmt.Errorf("unknown kind %q", f[0])
	}
	if err != nil {
		return err
	}
	for _, opt := range rest {
		name, value, _ := strings.Cut(opt, "=")
		switch name {
		case "fault":
			s.Fault = true
		case "eventstream":
			s.EventStream = true
		case "sensitive":
			s.Sensitive = true
		case "min":
			s.Min = value
		case "max":
			s.Max = value
		default:
			return fmt.Errorf("unknown option %q", opt)
		}
	}
	if p.model.Shapes[s.Name] != nil {
		return fmt.Errorf("shape %s is there twice", s.Name)
	}
	p.model.Shapes[s.Name] = s
	p.shape = s
	return nil
}

func (p *modelParser) detail(text string) error {
	word, rest, _ := strings.Cut(text, " ")
	switch {
	case p.op != nil && word == "error":
		p.op.Errors = append(p.op.Errors, rest)
	case p.shape == nil:
		return fmt.Errorf("an indented line without a shape or operation before it")
	case p.shape.isStruct():
		return p.member(strings.Fields(text))
	case word == "pattern":
		p.shape.Pattern = rest // verbatim: it may hold spaces
	case word == "enum":
		p.shape.Enum = append(p.shape.Enum, rest)
	default:
		return fmt.Errorf("unexpected %q", text)
	}
	return nil
}

func (p *modelParser) member(f []string) error {
	if len(f) < 2 {
		return fmt.Errorf("want: NAME SHAPE [required] [place]")
	}
	mem := &Member{Name: f[0], Shape: f[1]}
	for _, opt := range f[2:] {
		name, value, _ := strings.Cut(opt, "=")
		switch name {
		case "required":
			mem.Required = true
		case "uri", "query", "header", "status", "payload":
			mem.Where, mem.Wire = name, value
		default:
			return fmt.Errorf("unknown option %q", opt)
		}
	}
	p.shape.Members = append(p.shape.Members, mem)
	return nil
}
