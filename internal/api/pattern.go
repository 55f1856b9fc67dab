package api

import (
	"regexp"
	"strings"
	"sync"
)

// A pattern is a regular expression of the model: printed as the service
// prints it, matched against the whole value, compiled when first used.
// Variables of this type are laid out by the compiler: nothing is left to do
// in a start.
type pattern struct {
	text    string
	once    sync.Once
	matches func(string) bool
}

func newPattern(text string) *pattern { return &pattern{text: text} }

// match reports whether all of s fits.
func (p *pattern) match(s string) bool {
	p.once.Do(func() { p.matches = matcher(p.text) })
	return p.matches(s)
}

// matcher compiles a pattern. Those with look-around, which Go's regexp does
// not have, are written out here.
func matcher(text string) func(string) bool {
	switch text {
	case `(?!^[0-9]+$)([a-zA-Z0-9-_]+)`, `((?!^\d+$)^[0-9a-zA-Z-_]+$)`:
		return func(s string) bool { return isWord(s) && strings.Trim(s, "0123456789") != "" }
	case `[0-9A-Za-z\.\-_]*(?<!\.)`:
		word := compile(`[0-9A-Za-z\.\-_]*`)
		return func(s string) bool { return word(s) && !strings.HasSuffix(s, ".") }
	case `(^(?!(system\x2e)))(^[_a-zA-Z0-9])([^$]*)`:
		word := compile(`[_a-zA-Z0-9][^$]*`)
		return func(s string) bool { return word(s) && !strings.HasPrefix(s, "system.") }
	}
	whole := compile(text)
	if strings.Contains(text, "(function:)?") {
		// Every form of a function's name allows the bare name, which most
		// requests have; it need not go through the regular expression.
		return func(s string) bool { return isWord(s) || whole(s) }
	}
	return whole
}

// isWord tells whether s matches [a-zA-Z0-9-_]+.
func isWord(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return s != ""
}

func compile(text string) func(string) bool {
	return regexp.MustCompile(`\A(?:` + text + `)\z`).MatchString
}
