package awsconfig

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A setting is the value of one key.
type setting struct {
	text string
	// nested are the settings of an indented block; nil for a plain value.
	nested map[string]string
	// malformed: a line of the block is no setting.
	malformed bool
	// at is the file and line that it comes from.
	at string
}

// A section is the settings below one header, by their names in lower case.
type section map[string]setting

// named is a section with its header.
type named struct {
	name     string
	settings section
}

// defaults is the section whose settings all others of its file have too.
const defaults = "DEFAULT"

// parser reads the CLI's dialect, which is that of Python's configparser: a value
// goes on in lines that are indented more than its key, '=' and ':' both end a
// key, and only whole lines are comments.
type parser struct {
	path     string
	sections []named
	index    map[string]int

	within section // nil before the first header
	key    string  // empty between a header and the first key
	indent int     // of the line that began the key
	lines  []string
	at     string
}

// parseINI reads the sections of a file in the order of their first headers.
// Errors quote nothing: what is malformed may be a secret.
func parseINI(path string, text []byte) ([]named, error) {
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("%s: it is not UTF-8", path)
	}
	p := &parser{path: path, index: map[string]int{}}
	unified := strings.ReplaceAll(strings.ReplaceAll(strings.TrimPrefix(string(text), "\ufeff"), "\r\n", "\n"), "\r", "\n")
	n := 0
	for line := range strings.SplitSeq(unified, "\n") {
		n++
		if err := p.line(line, n); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
	}
	p.end()
	return p.result()
}

func (p *parser) line(line string, n int) error {
	text := strings.TrimFunc(line, space)
	switch {
	case text == "":
		if p.key != "" {
			p.lines = append(p.lines, "")
		}
		return nil
	case text[0] == '#' || text[0] == ';':
		return nil
	}
	indent := utf8.RuneCountInString(line[:strings.Index(line, text)])
	if p.key != "" && indent > p.indent {
		p.lines = append(p.lines, text)
		return nil
	}
	p.end()
	p.indent = indent
	if end := strings.LastIndexByte(text, ']'); text[0] == '[' && end > 1 {
		p.open(text[1:end])
		return nil
	}
	if p.within == nil {
		return fmt.Errorf("there is no section before it, such as [default]")
	}
	at := strings.IndexAny(text, "=:")
	if at <= 0 {
		return fmt.Errorf("neither a section, [name], nor a setting, name = value")
	}
	p.key = strings.ToLower(strings.TrimRightFunc(text[:at], space))
	p.lines = []string{strings.TrimLeftFunc(text[at+1:], space)}
	p.at = fmt.Sprintf("%s:%d", p.path, n)
	return nil
}

// open begins a section, or goes on with one that was there before.
func (p *parser) open(name string) {
	i, known := p.index[name]
	if !known {
		i = len(p.sections)
		p.index[name] = i
		p.sections = append(p.sections, named{name, section{}})
	}
	p.within = p.sections[i].settings
}

// end keeps the setting that the lines so far make.
func (p *parser) end() {
	if p.key == "" {
		return
	}
	s := setting{text: strings.TrimRightFunc(strings.Join(p.lines, "\n"), space), at: p.at}
	if strings.HasPrefix(s.text, "\n") {
		s.text, s.nested = "", map[string]string{}
		for _, line := range p.lines {
			key, value, ok := strings.Cut(line, "=")
			if ok {
				s.nested[strings.TrimFunc(key, space)] = strings.TrimFunc(value, space)
			}
			s.malformed = s.malformed || !ok && line != ""
		}
	}
	p.within[p.key] = s
	p.key = ""
}

// result gives every section the settings of defaults that it has not itself. A
// block that is malformed is an error if no later one takes its place.
func (p *parser) result() ([]named, error) {
	var common section
	if i, ok := p.index[defaults]; ok {
		common = p.sections[i].settings
	}
	var all []named
	for _, s := range p.sections {
		if s.name == defaults {
			continue
		}
		for key, value := range common {
			if _, has := s.settings[key]; !has {
				s.settings[key] = value
			}
		}
		for _, value := range s.settings {
			if value.malformed {
				return nil, fmt.Errorf("%s: a line of the block that begins here is no setting, name = value", value.at)
			}
		}
		all = append(all, s)
	}
	return all, nil
}

// space is what Python takes for white space.
func space(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }
