package runtimes

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/lambhq/lamb/internal/pattern"
)

// identifier is a parsed runtime identifier. lang is nil for provided.*.
type identifier struct {
	text   string
	family string
	lang   *language
	series int
}

// language is what the two languages that lamb brings differ in.
type language struct {
	family  string // of runtime identifiers
	title   string // for sentences
	program string // entry point in the unpacked folder
	embed   string // folder in the embedded files
	binary  string // how the names of real interpreters begin
	oldest  int    // first series that the program runs on
	// series is the part of a version that a runtime identifier names.
	series func(version) int
	// describe names a series in a sentence.
	describe func(series int) string
	install  func(series int) string
	// fileNames matches interpreters in a bin folder; a first group with
	// digits is the series.
	fileNames func() *regexp.Regexp
	// question makes the interpreter print what parse reads.
	question []string
	managers func(home string, getenv func(string) string) []string
}

var python = &language{
	family:    "python",
	title:     "Python",
	program:   "bootstrap.py",
	embed:     "python",
	binary:    "python",
	oldest:    8,
	series:    func(v version) int { return v.minor },
	describe:  func(s int) string { return fmt.Sprintf("Python 3.%d", s) },
	install:   func(s int) string { return fmt.Sprintf("pyenv install 3.%d", s) },
	fileNames: pattern.Lazy(`^python(?:3(?:\.(\d{1,3}))?)?$`),
	// -I keeps the asker's environment and folder out of the answer. A virtual
	// environment's interpreter names the one it was made from.
	question: []string{"-I", "-c", "import sys\n" +
		"print('lamb', '%d.%d.%d' % sys.version_info[:3], getattr(sys, '_base_executable', '') or sys.executable, sys.base_prefix, sys.prefix, sep='\\n')"},
	managers: pythonManagers,
}

var nodejs = &language{
	family:    "nodejs",
	title:     "Node.js",
	program:   "bootstrap.cjs",
	embed:     "nodejs",
	binary:    "node",
	oldest:    12,
	series:    func(v version) int { return v.major },
	describe:  func(s int) string { return fmt.Sprintf("Node.js %d", s) },
	install:   func(s int) string { return fmt.Sprintf("nvm install %d", s) },
	fileNames: pattern.Lazy(`^(?:node|nodejs)(?:-?(\d{1,3}))?$`),
	question:  []string{"-e", "console.log(['lamb', process.versions.node, process.execPath, '', ''].join('\\n'))"},
	managers:  nodeManagers,
}

var (
	pythonID = pattern.Lazy(`^python3\.(\d{1,3})$`)
	nodeID   = pattern.Lazy(`^nodejs(\d{1,3})\.x$`)
)

func parseID(text string) (identifier, error) {
	switch text {
	case "provided", "provided.al2", "provided.al2023":
		return identifier{text: text, family: "provided"}, nil
	}
	if m := pythonID().FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1]) // three digits at most
		return identifier{text, python.family, python, n}, nil
	}
	if m := nodeID().FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1])
		return identifier{text, nodejs.family, nodejs, n}, nil
	}
	return identifier{}, notSupported(text)
}

func notSupported(text string) error {
	words := "lamb does not know the runtime " + strconv.Quote(text)
	for prefix, name := range map[string]string{
		"java": "a Java", "dotnet": "a .NET", "ruby": "a Ruby", "go1.x": "a go1.x",
		"python2": "a Python 2", "nodejs": "such an old Node.js",
	} {
		if strings.HasPrefix(text, prefix) {
			words = fmt.Sprintf("lamb does not bring %s runtime (%s)", name, text)
		}
	}
	return &Error{
		Runtime: text,
		Text:    words + "; use provided.al2023 with a bootstrap program in the function's code",
		Kind:    ErrNotSupported,
	}
}

// version is an interpreter's version.
type version struct{ major, minor, patch int }

func (v version) String() string { return fmt.Sprintf("%d.%d.%d", v.major, v.minor, v.patch) }

// less orders versions.
func (v version) less(w version) bool {
	if v.major != w.major {
		return v.major < w.major
	}
	if v.minor != w.minor {
		return v.minor < w.minor
	}
	return v.patch < w.patch
}

var versionText = pattern.Lazy(`(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?`)

// parseVersion finds the first version in a text such as "v20.11.1" or
// "cpython-3.12.1-linux-x86_64-gnu".
func parseVersion(text string) (version, bool) {
	m := versionText().FindStringSubmatch(text)
	if m == nil {
		return version{}, false
	}
	var v version
	v.major, _ = strconv.Atoi(m[1]) // four digits at most, or empty
	v.minor, _ = strconv.Atoi(m[2])
	v.patch, _ = strconv.Atoi(m[3])
	return v, true
}
