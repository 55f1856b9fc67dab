package main

import (
	"fmt"
	"strings"
)

// constrained tells whether a value of that shape can break a constraint.
func (b *builder) constrained(name string) bool {
	s := b.model.shape(name)
	if b.minOf(s) != "" || b.maxOf(s) != "" || b.patternOf(s) != "" || len(b.enumOf(s)) > 0 {
		return true
	}
	for _, mem := range s.Members {
		if mem.Required || b.constrained(mem.Shape) {
			return true
		}
	}
	return s.Elem != "" && b.constrained(s.Elem) || s.Key != "" && b.constrained(s.Key)
}

// minOf is the shape's minimum, or empty when it is a length of 0, which
// nothing can break. Such a minimum is still part of the rule, because the
// service lists it among an element's constraints.
func (b *builder) minOf(s *Shape) string {
	if s.Min == "0" && s.Kind != KindInteger && s.Kind != KindLong {
		return ""
	}
	return s.Min
}

func (b *builder) maxOf(s *Shape) string {
	if m := maxOverrides[s.Name]; m != "" {
		return m
	}
	return s.Max
}

func (b *builder) patternOf(s *Shape) string {
	if p := patternOverrides[s.Name]; p != "" {
		return p
	}
	return s.Pattern
}

func (b *builder) enumOf(s *Shape) []string {
	if unenforced[s.Name] {
		return nil
	}
	if e := enumOverrides[s.Name]; e != nil {
		return e
	}
	return s.Enum
}

// checkStmt is the statement that validates a member, or empty. It makes the
// rules that it refers to.
func (b *builder) checkStmt(owner *Shape, mem *Member, f *fieldView, s *Shape) string {
	var out []string
	// A path label is always there: the route would not have matched.
	if mem.Required && mem.Where != "uri" {
		out = append(out, fmt.Sprintf("c.required(%q, v.%s != nil)", f.Camel, f.Name))
	}
	if !b.constrained(mem.Shape) || f.Upload {
		return strings.Join(out, "\n")
	}
	rule := b.memberRule(owner, mem, s)
	value := fmt.Sprintf("%q, v.%s, %s", f.Camel, f.Name, rule)
	switch {
	case s.Kind == KindStructure:
		out = append(out, fmt.Sprintf("checkObject(c, %q, v.%s)", f.Camel, f.Name))
	case s.Kind == KindList && b.model.shape(s.Elem).Kind == KindStructure:
		out = append(out, fmt.Sprintf("checkLength(c, %s)", value))
		if b.constrained(s.Elem) {
			out = append(out, fmt.Sprintf("checkObjects(c, %q, v.%s)", f.Camel, f.Name))
		}
	case s.Kind == KindList:
		out = append(out, fmt.Sprintf("checkList(c, %s)", value))
	case s.Kind == KindMap:
		out = append(out, fmt.Sprintf("checkMap(c, %s)", value))
	case s.Kind == KindString:
		out = append(out, fmt.Sprintf("c.str(%s)", value))
	case s.Kind == KindBlob:
		out = append(out, fmt.Sprintf("c.blob(%s)", value))
	default:
		out = append(out, fmt.Sprintf("checkNumber(c, %s)", value))
	}
	return strings.Join(out, "\n")
}

func (b *builder) memberRule(owner *Shape, mem *Member, s *Shape) string {
	if s.Kind == KindStructure {
		return ""
	}
	limit := memberMaxOverrides[owner.Name+"."+mem.Name]
	if limit == "" {
		return b.rule(s.Name)
	}
	special := *s
	special.Name += "Max" + limit
	special.Pattern, special.Max = b.patternOf(s), limit
	b.addRule(&special)
	return "&rule" + special.Name
}

// rule returns the expression for a shape's rule and declares it.
func (b *builder) rule(name string) string {
	s := b.model.shape(name)
	if s.Kind == KindStructure {
		return "nil"
	}
	b.addRule(s)
	return "&rule" + name
}

func (b *builder) addRule(s *Shape) {
	if b.rules[s.Name] {
		return
	}
	b.rules[s.Name] = true
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	add("kind: %s", map[Kind]string{
		KindString: "kindLength", KindBlob: "kindLength", KindList: "kindLength", KindMap: "kindLength",
	}[s.Kind])
	if parts[0] == "kind: " {
		parts[0] = "kind: kindValue"
	}
	for _, bound := range []struct{ field, text string }{{"min", s.Min}, {"max", b.maxOf(s)}} {
		if bound.text != "" {
			add("%s: bound{%s, %q}", bound.field, bound.text, bound.text)
		}
	}
	if p := b.patternOf(s); p != "" {
		add("pattern: newPattern(`%s`)", p)
	}
	if e := b.enumOf(s); len(e) > 0 {
		add("enum: []string{%s}", quoteAll(e))
	}
	if s.Sensitive {
		add("sensitive: true")
	}
	if s.Key != "" && b.constrained(s.Key) {
		add("key: %s", b.rule(s.Key))
	}
	if s.Elem != "" && b.model.shape(s.Elem).Kind != KindStructure && b.constrained(s.Elem) {
		add("elem: %s", b.rule(s.Elem))
	}
	b.view.Rules = append(b.view.Rules, &ruleView{Name: s.Name, Literal: "rule{" + strings.Join(parts, ", ") + "}"})
}

func quoteAll(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = fmt.Sprintf("%q", w)
	}
	return strings.Join(out, ", ")
}
