package main

import (
	"strings"
	"unicode"
)

// goName is the Go name of a shape.
func goName(shape string) string {
	if n := goNames[shape]; n != "" {
		return n
	}
	return shape
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// lowerFirst is how the service writes a member in a validation message:
// only the first letter changes, also in kMSKeyArn.
func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// constSuffix makes the part of a constant's name that stands for an enum
// value: SNAKE_CASE and dotted values become CamelCase, others keep their
// spelling.
func constSuffix(value string) string {
	var b strings.Builder
	shout := value == strings.ToUpper(value) && strings.ContainsFunc(value, unicode.IsUpper)
	for _, word := range strings.FieldsFunc(value, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) {
		if shout {
			word = strings.ToLower(word)
		}
		b.WriteString(upperFirst(word))
	}
	return b.String()
}

// pathLabels lists the {labels} of a URI in order.
func pathLabels(uri string) []string {
	var out []string
	path, _, _ := strings.Cut(uri, "?")
	for _, seg := range strings.Split(strings.TrimPrefix(path, "/"), "/") {
		if strings.HasPrefix(seg, "{") {
			out = append(out, strings.Trim(seg, "{}"))
		}
	}
	return out
}
