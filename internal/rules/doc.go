// Package rules holds the repository to its own rules. It has no code, only
// tests: who may import whom and why (imports_test.go), which package may use
// which dependency (dependencies_test.go), one package comment per package, and
// files short enough to read (files_test.go).
//
// The rules are pure functions of a graph or of a list of files, and each is
// shown to fail on a made-up repository that breaks it; a rule that nothing can
// break would be worth nothing.
package rules
