package cwlogs

import (
	"encoding/json"
	"strconv"
	"strings"
)

// A condition is what a pattern in braces says of a line that is a JSON object.
type condition func(line any) bool

// maxDepth bounds the parentheses of a pattern.
const maxDepth = 16

func matchesJSON(c condition, message string) bool {
	var line map[string]any
	if json.Unmarshal([]byte(message), &line) != nil {
		return false
	}
	return c(line)
}

// conditionParser reads
//
//	{ $.level = "ERROR" && ( $.code >= 500 || $.user NOT EXISTS ) }
//
// && binds more than ||, as AWS has it. Selectors are of names and of indices.
type conditionParser struct {
	rest  string
	depth int
}

func parseCondition(s string) (condition, error) {
	body, ok := strings.CutSuffix(strings.TrimPrefix(s, "{"), "}")
	p := &conditionParser{rest: body}
	c, parsed := p.or()
	if !ok || !parsed || strings.TrimSpace(p.rest) != "" {
		return nil, badPattern()
	}
	return c, nil
}

func (p *conditionParser) or() (condition, bool) {
	left, ok := p.and()
	for ok && p.take("||") {
		var right condition
		before := left
		if right, ok = p.and(); ok {
			left = func(line any) bool { return before(line) || right(line) }
		}
	}
	return left, ok
}

func (p *conditionParser) and() (condition, bool) {
	left, ok := p.one()
	for ok && p.take("&&") {
		var right condition
		before := left
		if right, ok = p.one(); ok {
			left = func(line any) bool { return before(line) && right(line) }
		}
	}
	return left, ok
}

func (p *conditionParser) one() (condition, bool) {
	if !p.take("(") {
		return p.comparison()
	}
	if p.depth++; p.depth > maxDepth {
		return nil, false
	}
	c, ok := p.or()
	return c, ok && p.take(")")
}

func (p *conditionParser) comparison() (condition, bool) {
	p.rest = strings.TrimLeft(p.rest, " \t")
	end := strings.IndexAny(p.rest, " \t=!<>()&|")
	if end < 0 || !strings.HasPrefix(p.rest, "$") {
		return nil, false
	}
	selector, ok := parseSelector(p.rest[:end])
	p.rest = p.rest[end:]
	if !ok {
		return nil, false
	}
	for _, word := range []struct {
		text string
		test func(v any, there bool) bool
	}{
		{"NOT EXISTS", func(_ any, there bool) bool { return !there }},
		{"IS NULL", func(v any, there bool) bool { return there && v == nil }},
		{"IS TRUE", func(v any, _ bool) bool { return v == true }},
		{"IS FALSE", func(v any, _ bool) bool { return v == false }},
	} {
		if p.take(word.text) {
			return func(line any) bool { return word.test(selector(line)) }, true
		}
	}
	for _, op := range []string{"!=", ">=", "<=", "=", ">", "<"} {
		if p.take(op) {
			wanted, ok := p.value()
			return func(line any) bool { return compare(op, wanted)(selector(line)) }, ok
		}
	}
	return nil, false
}

// take skips a word, if it is next.
func (p *conditionParser) take(word string) bool {
	rest, ok := strings.CutPrefix(strings.TrimLeft(p.rest, " \t"), word)
	if ok {
		p.rest = rest
	}
	return ok
}

// value reads what a member is compared with.
func (p *conditionParser) value() (string, bool) {
	p.rest = strings.TrimLeft(p.rest, " \t")
	if strings.HasPrefix(p.rest, `"`) {
		text, rest, ok := cutQuoted(p.rest)
		p.rest = rest
		return text, ok
	}
	end := strings.IndexAny(p.rest, " \t()&|")
	if end < 0 {
		end = len(p.rest)
	}
	text := p.rest[:end]
	p.rest = p.rest[end:]
	return text, text != ""
}

// parseSelector reads "$.a.b[0].c".
func parseSelector(s string) (func(line any) (any, bool), bool) {
	var steps []any // names and indices
	for s = s[1:]; s != ""; {
		if rest, ok := strings.CutPrefix(s, "["); ok {
			number, rest, ok := strings.Cut(rest, "]")
			i, err := strconv.Atoi(number)
			if !ok || err != nil || i < 0 {
				return nil, false
			}
			steps, s = append(steps, i), rest
			continue
		}
		rest, ok := strings.CutPrefix(s, ".")
		end := strings.IndexAny(rest, ".[")
		if end < 0 {
			end = len(rest)
		}
		if !ok || end == 0 {
			return nil, false
		}
		steps, s = append(steps, rest[:end]), rest[end:]
	}
	return func(line any) (any, bool) { return descend(line, steps) }, true
}

func descend(v any, steps []any) (any, bool) {
	for _, step := range steps {
		switch step := step.(type) {
		case string:
			object, _ := v.(map[string]any)
			member, ok := object[step]
			if !ok {
				return nil, false
			}
			v = member
		case int:
			list, _ := v.([]any)
			if step >= len(list) {
				return nil, false
			}
			v = list[step]
		}
	}
	return v, true
}

// compare compares a member with the text in a pattern: numbers as numbers,
// texts with the wildcard *.
func compare(op, wanted string) func(v any, there bool) bool {
	return func(v any, there bool) bool {
		if !there {
			return false
		}
		switch v := v.(type) {
		case float64:
			n, err := strconv.ParseFloat(wanted, 64)
			if err != nil {
				return op == "!="
			}
			switch op {
			case "=":
				return v == n
			case "!=":
				return v != n
			case ">":
				return v > n
			case ">=":
				return v >= n
			case "<":
				return v < n
			}
			return v <= n
		case string:
			return op == "=" && wild(wanted, v) || op == "!=" && !wild(wanted, v)
		case bool:
			same := strconv.FormatBool(v) == wanted
			return op == "=" && same || op == "!=" && !same
		}
		return false
	}
}

// wild compares with * for any characters.
func wild(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	s, ok := strings.CutPrefix(s, parts[0])
	last := parts[len(parts)-1]
	if !ok || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[:len(s)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		_, rest, found := strings.Cut(s, part)
		if !found {
			return false
		}
		s = rest
	}
	return true
}
