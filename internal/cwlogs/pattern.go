package cwlogs

import (
	"regexp"
	"strings"
)

// pattern is a filter pattern for unstructured lines. The zero pattern matches
// everything.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
type pattern struct {
	all  []term // must be there
	any  []term // one of them must be there, if there are any
	none []term // must not be there
	json condition
}

// term is a text, or a regular expression.
type term struct {
	text       string
	expression *regexp.Regexp
}

func (t term) in(message string) bool {
	if t.expression != nil {
		return t.expression.MatchString(message)
	}
	return strings.Contains(message, t.text)
}

// maxPattern is the longest filter pattern, in bytes.
const maxPattern = 1024

// parsePattern reads a pattern of terms (which all must be there), "?terms" (of
// which one must), "-terms" (of which none may), quoted phrases and %regular
// expressions%; or, in braces, of conditions on a line's JSON. Patterns of
// space-delimited fields in brackets are refused.
func parsePattern(s string) (pattern, error) {
	s = strings.TrimSpace(s)
	switch {
	case len(s) > maxPattern:
		return pattern{}, badPattern()
	case strings.HasPrefix(s, "{"):
		c, err := parseCondition(s)
		return pattern{json: c}, err
	case strings.HasPrefix(s, "["):
		return pattern{}, invalid("Invalid filter pattern: lamb does not know patterns of space-delimited fields")
	}
	var p pattern
	for s != "" {
		to := &p.all
		switch s[0] {
		case '?':
			to, s = &p.any, s[1:]
		case '-':
			to, s = &p.none, s[1:]
		}
		t, rest, err := parseTerm(s)
		if err != nil {
			return pattern{}, err
		}
		*to = append(*to, t)
		s = strings.TrimLeft(rest, " \t")
	}
	return p, nil
}

// parseTerm reads one term, and gives what follows.
func parseTerm(s string) (t term, rest string, err error) {
	if s == "" {
		return term{}, "", badPattern()
	}
	switch s[0] {
	case '"':
		text, rest, ok := cutQuoted(s)
		if !ok {
			return term{}, "", badPattern()
		}
		return term{text: text}, rest, nil
	case '%':
		text, rest, ok := strings.Cut(s[1:], "%")
		expression, err := regexp.Compile(text)
		if !ok || err != nil {
			return term{}, "", badPattern()
		}
		return term{expression: expression}, rest, nil
	}
	end := strings.IndexAny(s, " \t")
	if end < 0 {
		end = len(s)
	}
	// What is not letters and digits has to be quoted on AWS; being strict
	// about it would help nobody.
	return term{text: s[:end]}, s[end:], nil
}

// cutQuoted reads a text in quotes, in which \" and \\ stand for the second
// character.
func cutQuoted(s string) (text, rest string, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), s[i+1:], true
		case c == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

func (p pattern) matches(message string) bool {
	if p.json != nil {
		return matchesJSON(p.json, message)
	}
	for _, t := range p.all {
		if !t.in(message) {
			return false
		}
	}
	for _, t := range p.none {
		if t.in(message) {
			return false
		}
	}
	if len(p.any) == 0 {
		return true
	}
	for _, t := range p.any {
		if t.in(message) {
			return true
		}
	}
	return false
}

func badPattern() error { return invalid("Invalid filter pattern") }
