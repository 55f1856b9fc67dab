package api

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxReported bounds how many faults one answer lists.
const maxReported = 100

// A rule holds the constraints of one shape.
type rule struct {
	kind      ruleKind
	min, max  bound
	pattern   *pattern
	enum      []string
	key, elem *rule
	sensitive bool // do not print the value
}

type ruleKind int

const (
	kindLength ruleKind = iota // bounds are of the length
	kindValue                  // bounds are of the number itself
)

// A bound is a limit and how it is printed; without text there is none.
type bound struct {
	n    float64
	text string
}

// texts lists all constraints, in the service's order, as an element's are printed.
func (r *rule) texts() []string {
	var out []string
	if r.max.text != "" {
		out = append(out, r.maxText())
	}
	if r.min.text != "" {
		out = append(out, r.minText())
	}
	if r.pattern != nil {
		out = append(out, r.patternText())
	}
	if r.enum != nil {
		out = append(out, r.enumText())
	}
	if r.elem != nil {
		out = append(out, r.elemText("Member must satisfy constraint: "))
	}
	return out
}

func (r *rule) noun() string {
	if r.kind == kindValue {
		return "value"
	}
	return "length"
}

func (r *rule) maxText() string {
	return "Member must have " + r.noun() + " less than or equal to " + r.max.text
}

func (r *rule) minText() string {
	return "Member must have " + r.noun() + " greater than or equal to " + r.min.text
}

func (r *rule) patternText() string {
	return "Member must satisfy regular expression pattern: " + r.pattern.text
}

func (r *rule) enumText() string {
	return "Member must satisfy enum value set: [" + strings.Join(r.enum, ", ") + "]"
}

// elemText is the constraints of the elements in brackets. That an element is
// not null is printed last, as the service does for lists.
func (r *rule) elemText(prefix string) string {
	return prefix + "[" + strings.Join(append(r.elem.texts(), "Member must not be null"), ", ") + "]"
}

func (r *rule) tooSmall(n float64) bool { return r.min.text != "" && n < r.min.n }
func (r *rule) tooLarge(n float64) bool { return r.max.text != "" && n > r.max.n }

// fits tells whether an element of a list or a map satisfies the rule.
func (r *rule) fits(v any) bool {
	switch v := v.(type) {
	case string:
		n := float64(length(v))
		return !r.tooSmall(n) && !r.tooLarge(n) &&
			(r.pattern == nil || r.pattern.match(v)) && (r.enum == nil || slices.Contains(r.enum, v))
	case float64:
		return !r.tooSmall(v) && !r.tooLarge(v)
	case []string:
		n := float64(len(v))
		return !r.tooSmall(n) && !r.tooLarge(n) &&
			(r.elem == nil || !slices.ContainsFunc(v, func(s string) bool { return !r.elem.fits(s) }))
	}
	return true
}

// length counts as the service does, in UTF-16 units.
func length(s string) int {
	n := utf8.RuneCountInString(s)
	for i := range len(s) {
		if s[i] >= 0xF0 { // first byte of a character outside the basic plane
			n++
		}
	}
	return n
}

// A checker collects the faults of one request.
type checker struct {
	prefix string // path of the structure being checked, with a final dot
	count  int
	faults []string
}

// err is the ValidationException for what was found, or nil.
func (c *checker) err() error {
	if c.count == 0 {
		return nil
	}
	plural := ""
	if c.count > 1 {
		plural = "s"
	}
	return &ValidationException{Message: strconv.Itoa(c.count) + " validation error" + plural + " detected: " +
		strings.Join(c.faults, "; ")}
}

// add reports a fault. The value is printed only when it is needed: lists are
// long, and most requests are right.
func (c *checker) add(name, constraint string, value func() string) {
	c.count++
	if len(c.faults) < maxReported {
		c.faults = append(c.faults, "Value"+value()+" at '"+c.prefix+name+"' failed to satisfy constraint: "+constraint)
	}
}

// printed quotes a value of a member; sensitive ones are left out.
func (r *rule) printed(v any) func() string {
	return func() string {
		if r.sensitive || r.elem != nil && r.elem.sensitive {
			return ""
		}
		return " '" + printValue(v) + "'"
	}
}

func (c *checker) required(name string, present bool) {
	if !present {
		c.add(name, "Member must not be null", func() string { return " null" })
	}
}

func (c *checker) bounds(name string, n float64, r *rule, value any) {
	if r.tooLarge(n) {
		c.add(name, r.maxText(), r.printed(value))
	}
	if r.tooSmall(n) {
		c.add(name, r.minText(), r.printed(value))
	}
}

func (c *checker) str(name string, v *string, r *rule) {
	if v == nil {
		return
	}
	if r.min.text != "" || r.max.text != "" {
		if n := float64(length(*v)); r.tooLarge(n) || r.tooSmall(n) {
			c.bounds(name, n, r, *v)
		}
	}
	if r.pattern != nil && !r.pattern.match(*v) {
		c.add(name, r.patternText(), r.printed(*v))
	}
	if r.enum != nil && !slices.Contains(r.enum, *v) {
		c.add(name, r.enumText(), r.printed(*v))
	}
}

// blob checks the length; its bytes are never printed.
func (c *checker) blob(name string, v []byte, r *rule) {
	if v != nil {
		hidden := *r
		hidden.sensitive = true
		c.bounds(name, float64(len(v)), &hidden, nil)
	}
}

func checkNumber[T int | int64 | float64](c *checker, name string, v *T, r *rule) {
	if v != nil {
		c.bounds(name, float64(*v), r, *v)
	}
}

// checkLength checks how many elements there are.
func checkLength[T any](c *checker, name string, v []T, r *rule) {
	if v != nil {
		c.bounds(name, float64(len(v)), r, v)
	}
}

// checkList checks the elements too, which are not structures.
func checkList[T any](c *checker, name string, v []T, r *rule) {
	checkLength(c, name, v, r)
	if r.elem == nil {
		return
	}
	for _, e := range v {
		if !r.elem.fits(e) {
			c.add(name, r.elemText("Member must satisfy constraint: "), r.printed(v))
			return
		}
	}
}

func checkMap[T any](c *checker, name string, v map[string]T, r *rule) {
	if v == nil {
		return
	}
	c.bounds(name, float64(len(v)), r, v)
	if r.key != nil {
		for k := range v {
			if !r.key.fits(k) {
				c.add(name, "Map keys must satisfy constraint: ["+strings.Join(r.key.texts(), ", ")+"]", r.printed(v))
				break
			}
		}
	}
	if r.elem != nil {
		for _, e := range v {
			if !r.elem.fits(e) {
				c.add(name, "Map value must satisfy constraint: ["+strings.Join(r.elem.texts(), ", ")+"]", r.printed(v))
				break
			}
		}
	}
}

// checkable is implemented by the generated structures with constraints.
type checkable[T any] interface {
	*T
	check(c *checker)
}

func checkObject[T any, P checkable[T]](c *checker, name string, v *T) {
	if v == nil {
		return
	}
	outer := c.prefix
	c.prefix += name + "."
	P(v).check(c)
	c.prefix = outer
}

// checkObjects checks a list of structures; the service counts from 1.
func checkObjects[T any, P checkable[T]](c *checker, name string, list []T) {
	for i := range list {
		if len(c.faults) >= maxReported {
			return
		}
		checkObject[T, P](c, name+"."+strconv.Itoa(i+1)+".member", &list[i])
	}
}
