package main

import (
	"fmt"
	"strings"
)

func (b *builder) opView(op *OpModel) *opView {
	v := &opView{
		Name: op.Name, Method: op.Method, URI: op.URI, Status: op.Status, MaxBody: defaultMaxBody,
		Input: goName(op.Input), In: b.structs[op.Input], Errors: op.Errors,
	}
	if op.Output != "" {
		v.Output, v.Out = goName(op.Output), b.structs[op.Output]
	}
	if s := statusOverrides[op.Name]; s != 0 {
		v.Status = s
	}
	if n := maxBodies[op.Name]; n != 0 {
		v.MaxBody = n
	}
	path, query, _ := strings.Cut(op.URI, "?")
	v.QueryKey, v.QueryValue, _ = strings.Cut(query, "=")
	for _, seg := range strings.Split(strings.TrimPrefix(path, "/"), "/") {
		if strings.HasPrefix(seg, "{") {
			seg = ""
		}
		v.Segments = append(v.Segments, seg)
	}
	for _, f := range v.In.Fields {
		v.ReadsBody = v.ReadsBody || f.Where == "" || f.Where == "payload"
	}
	v.Members = b.memberPaths(op.Input, "")
	return v
}

// memberPaths lists the members that hold values: "Code.ZipFile",
// "FileSystemConfigs[].Arn", "Environment.Variables".
func (b *builder) memberPaths(name, prefix string) []string {
	var out []string
	for _, mem := range b.model.shape(name).Members {
		path := prefix + mem.Name
		s := b.model.shape(mem.Shape)
		switch {
		case s.Kind == KindStructure:
			out = append(out, b.memberPaths(mem.Shape, path+".")...)
		case s.Kind == KindList && b.model.shape(s.Elem).Kind == KindStructure:
			out = append(out, b.memberPaths(s.Elem, path+"[].")...)
		default:
			out = append(out, path)
		}
	}
	return out
}

// BodyFields are the members that are JSON members of the body.
func (s *structView) BodyFields() []*fieldView { return s.where("") }

// PathFields are the members in the path; likewise the ones that follow.
func (s *structView) PathFields() []*fieldView { return s.where("uri") }

// QueryFields are the members in the query.
func (s *structView) QueryFields() []*fieldView { return s.where("query") }

// HeaderFields are the members in headers.
func (s *structView) HeaderFields() []*fieldView { return s.where("header") }

// StatusField is the member that is the HTTP status, or nil.
func (s *structView) StatusField() *fieldView { return first(s.where("status")) }

// PayloadField is the member that is the whole body, or nil.
func (s *structView) PayloadField() *fieldView { return first(s.where("payload")) }

// Checked are the members with constraints, in the order of their checks.
func (s *structView) Checked() []*fieldView {
	var early, late []*fieldView
	for _, f := range s.Fields {
		switch {
		case f.Check == "":
		case firstMembers[f.Name]:
			early = append(early, f)
		default:
			late = append(late, f)
		}
	}
	return append(early, late...)
}

func (s *structView) where(place string) []*fieldView {
	var out []*fieldView
	for _, f := range s.Fields {
		if f.Where == place {
			out = append(out, f)
		}
	}
	return out
}

func first(fs []*fieldView) *fieldView {
	if len(fs) == 0 {
		return nil
	}
	return fs[0]
}

// SegmentList prints the segments as a Go literal.
func (o *opView) SegmentList() string {
	quoted := make([]string, len(o.Segments))
	for i, s := range o.Segments {
		quoted[i] = fmt.Sprintf("%q", s)
	}
	return "[]string{" + strings.Join(quoted, ", ") + "}"
}

// Outputs are the structures that operations answer with, each once.
func (v *view) Outputs() []*structView {
	var out []*structView
	for _, s := range v.Structs {
		for _, op := range v.Ops {
			if op.Out == s {
				out = append(out, s)
				break
			}
		}
	}
	return out
}

// JSONBody tells whether the answer's body is the structure itself. One that
// has members, none of them in the body, has no body.
func (s *structView) JSONBody() bool {
	return s.PayloadField() == nil && (len(s.BodyFields()) > 0 || len(s.Fields) == 0)
}
