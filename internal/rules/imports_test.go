package rules

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A layer says what a package must stay free of. It speaks of the code that
// gets built into programs, however indirectly something comes in: a package
// that reaches `server` through a helper depends on it all the same.
type layer struct {
	name    string                       // the rule in a few words
	why     string                       // what would go wrong without it
	subject func(path string) bool       // the packages of ours that it binds
	forbids func(g graph, p string) bool // what they must not reach
	tests   bool                         // also bind what the package's tests import directly
}

// our is the import path of a package given by its place in the repository.
func our(name string) string { return module + "/" + name }

// is makes a subject of exactly the named packages.
func is(names ...string) func(string) bool {
	return func(path string) bool { return slices.Contains(names, short(path)) }
}

// except makes a subject of all packages but the named ones.
func except(names ...string) func(string) bool {
	return func(path string) bool { return !slices.Contains(names, short(path)) }
}

// anyOf forbids the named packages of ours.
func anyOf(names ...string) func(graph, string) bool {
	return func(_ graph, path string) bool { return ours(path) && slices.Contains(names, short(path)) }
}

// anyOfOurs forbids every package of this repository.
func anyOfOurs(_ graph, path string) bool { return ours(path) }

// outsideStandard forbids everything that does not come with Go, ours included,
// but for the listed packages of ours.
func outsideStandard(but ...string) func(graph, string) bool {
	return func(g graph, path string) bool {
		if ours(path) {
			return !slices.Contains(but, short(path))
		}
		n, known := g[path]
		return !known || !n.standard
	}
}

// databases are the packages that speak to one.
var databases = []string{"database/sql", "modernc.org/sqlite", "github.com/jackc/pgx"}

// layers are the import rules of docs/architecture.md.
var layers = []layer{
	{
		name:    "function imports none of ours",
		why:     "it is the domain that everybody shares; an import there is an import everywhere",
		subject: is("internal/function"),
		forbids: anyOfOurs,
	},
	{
		name:    "api imports none of ours",
		why:     "wire types are used by the server, the command line and tests alike, and are generated: nothing of the product may leak into them",
		subject: is("internal/api"),
		forbids: anyOfOurs,
	},
	{
		name:    "clock imports none of ours",
		why:     "time is injected everywhere; the seam must not drag a subsystem along",
		subject: is("internal/clock"),
		forbids: anyOfOurs,
	},
	{
		name:    "execenv stays below pool, invoke and control",
		why:     "one environment owns its state and does not know who scales it, who calls it or who configures it",
		subject: is("internal/execenv"),
		forbids: anyOf("internal/pool", "internal/invoke", "internal/control"),
	},
	{
		name:    "envapi and telemetry stay below execenv",
		why:     "execenv defines the small interfaces that it needs from them; the other direction would be a cycle of ideas",
		subject: is("internal/envapi", "internal/telemetry"),
		forbids: anyOf("internal/execenv", "internal/pool", "internal/invoke", "internal/control"),
	},
	{
		name:    "a sandbox knows nothing of Lambda's control plane",
		why:     "the conformance suite must run on every implementation without building the rest",
		subject: func(path string) bool { return under(path, our("internal/sandbox")) },
		forbids: anyOf("internal/execenv", "internal/pool", "internal/invoke", "internal/control", "internal/store", "internal/server"),
	},
	{
		name:    "only cli and lambdatest reach server",
		why:     "server builds everything from one Config; who imports it imports the whole product",
		subject: except("internal/server", "internal/cli", "lambdatest", "cmd/lamb"),
		forbids: anyOf("internal/server"),
	},
	{
		name:    "only main imports cli",
		why:     "the command line is the outermost layer",
		subject: except("internal/cli", "cmd/lamb"),
		forbids: anyOf("internal/cli"),
		tests:   true,
	},
	{
		name:    "lambda uses the standard library only, without net/http",
		why:     "it is linked into other people's functions, where every module and every millisecond of start-up counts",
		subject: is("lambda", "lambda/lambdacontext"),
		forbids: func(g graph, path string) bool {
			return under(path, "net/http") || outsideStandard("lambda", "lambda/lambdacontext")(g, path)
		},
	},
	{
		name:    "extension and lambdahttp use the standard library only",
		why:     "they are linked into other people's functions and extensions",
		subject: is("extension", "lambda/lambdahttp"),
		forbids: outsideStandard("lambda", "lambda/lambdacontext", "lambda/lambdahttp", "extension"),
	},
	{
		name:    "examples use lamb from outside",
		why:     "they show what a user does, and a user has no internal packages",
		subject: func(path string) bool { return under(path, our("examples")) },
		forbids: func(_ graph, path string) bool { return under(path, our("internal")) || under(path, our("cmd")) },
		tests:   true,
	},
}

// An edge is an import that nobody but the named packages may have, tests
// included. It is about the import itself, not about what comes in indirectly:
// whoever uses store has a driver in the program, rightly.
type edge struct {
	name    string
	why     string
	target  func(path string) bool
	allowed []string
}

// edges complete the import rules of docs/architecture.md.
var edges = []edge{
	{
		name: "only store and queue speak to a database",
		why:  "SQL has one owner, or the second database never comes",
		target: func(path string) bool {
			return slices.ContainsFunc(databases, func(d string) bool { return under(path, d) })
		},
		allowed: []string{"internal/store", "internal/queue"},
	},
	{
		name:    "only server, cli and lambdatest import server",
		why:     "a test that needs the whole product drives the binary or uses lambdatest",
		target:  func(path string) bool { return path == our("internal/server") },
		allowed: []string{"internal/server", "internal/cli", "lambdatest"},
	},
}

// layerViolations are the breaches of one layer, a sentence each.
func layerViolations(g graph, l layer) []string {
	var found []string
	for _, n := range g.packages() {
		if !l.subject(n.path) {
			continue
		}
		from := g.reach(n.path)
		for _, target := range nearest(g, l, n, from) {
			found = append(found, fmt.Sprintf("%s: %s (%s)", chain(from, target), l.name, l.why))
		}
		if !l.tests {
			continue
		}
		for _, target := range n.testImports {
			if target != n.path && l.forbids(g, target) {
				found = append(found, fmt.Sprintf("%s (test) -> %s: %s (%s)", short(n.path), short(target), l.name, l.why))
			}
		}
	}
	return found
}

// nearest are the forbidden packages at which a chain of allowed ones ends:
// the import that has to go, not everything that came along behind it.
func nearest(g graph, l layer, start *node, from map[string]string) []string {
	var targets []string
	for target, by := range from {
		if target == start.path || !l.forbids(g, target) {
			continue
		}
		if by == start.path || !l.forbids(g, by) {
			targets = append(targets, target)
		}
	}
	slices.Sort(targets)
	return targets
}

// edgeViolations are the imports that an edge rule does not allow.
func edgeViolations(g graph, e edge) []string {
	var found []string
	for _, n := range g.packages() {
		if slices.Contains(e.allowed, short(n.path)) {
			continue
		}
		for _, target := range union(n.imports, n.testImports) {
			if e.target(target) {
				found = append(found, fmt.Sprintf("%s -> %s: %s (%s)", short(n.path), short(target), e.name, e.why))
			}
		}
	}
	return found
}

// TestLayers holds the checkout to the import rules.
func TestLayers(t *testing.T) {
	g := load(t)
	for _, l := range layers {
		for _, v := range layerViolations(g, l) {
			t.Error(v)
		}
	}
	for _, e := range edges {
		for _, v := range edgeViolations(g, e) {
			t.Error(v)
		}
	}
}

// world is a made-up graph: "a -> b c" makes a import b and c, "a +> b" makes
// a's tests import b. A name with a dot is a dependency's, fmt, net and database
// are Go's, all others are ours.
func world(lines ...string) graph {
	g := graph{}
	name := func(s string) string {
		if strings.Contains(s, ".") || s == "fmt" || under(s, "net") || under(s, "database") {
			return s
		}
		return our(s)
	}
	get := func(s string) *node {
		path := name(s)
		if g[path] == nil {
			g[path] = &node{path: path, standard: !strings.Contains(s, "."), dir: s}
		}
		return g[path]
	}
	for _, line := range lines {
		fields := strings.Fields(line)
		n := get(fields[0])
		if len(fields) == 1 {
			continue
		}
		for _, target := range fields[2:] {
			path := get(target).path
			if fields[1] == "+>" {
				n.testImports = append(n.testImports, path)
			} else {
				n.imports = append(n.imports, path)
			}
		}
	}
	return g
}

// TestLayersFail breaks every rule once, so that none is an empty sentence.
func TestLayersFail(t *testing.T) {
	broken := map[string][]string{
		"function imports none of ours":                           {"internal/function -> fmt internal/clock"},
		"api imports none of ours":                                {"internal/api -> internal/function"},
		"clock imports none of ours":                              {"internal/clock -> internal/function"},
		"execenv stays below pool, invoke and control":            {"internal/execenv -> internal/helper", "internal/helper -> internal/pool"},
		"envapi and telemetry stay below execenv":                 {"internal/telemetry -> internal/execenv"},
		"a sandbox knows nothing of Lambda's control plane":       {"internal/sandbox/native -> internal/control"},
		"only cli and lambdatest reach server":                    {"internal/pool -> internal/server"},
		"only main imports cli":                                   {"internal/pool +> internal/cli"},
		"lambda uses the standard library only, without net/http": {"lambda -> net/http"},
		"extension and lambdahttp use the standard library only":  {"extension -> github.com/x/y", "github.com/x/y -> fmt"},
		"examples use lamb from outside":                          {"examples/hello -> internal/function"},
		"only store and queue speak to a database":                {"internal/control -> modernc.org/sqlite"},
		"only server, cli and lambdatest import server":           {"internal/pool +> internal/server"},
	}
	check := func(name string, violations func(graph) []string) {
		t.Helper()
		lines, ok := broken[name]
		if !ok {
			t.Errorf("no made-up graph breaks the rule %q", name)
			return
		}
		if got := violations(world(lines...)); len(got) != 1 {
			t.Errorf("rule %q on %q: %d violations, want exactly 1: %q", name, lines, len(got), got)
		}
		delete(broken, name)
	}
	for _, l := range layers {
		check(l.name, func(g graph) []string { return layerViolations(g, l) })
	}
	for _, e := range edges {
		check(e.name, func(g graph) []string { return edgeViolations(g, e) })
	}
	for name := range broken {
		t.Errorf("the graph made for %q belongs to no rule", name)
	}
}

// TestLayersPass shows that the rules leave alone what they should.
func TestLayersPass(t *testing.T) {
	g := world(
		"cmd/lamb -> internal/cli",
		"internal/cli -> internal/server github.com/aws/sdk",
		"internal/server -> internal/store internal/pool internal/control",
		"internal/store -> modernc.org/sqlite internal/function",
		"internal/pool -> internal/execenv",
		"internal/execenv -> internal/envapi internal/sandbox internal/clock",
		"internal/execenv +> internal/pool", // a test may look up, code may not
		"internal/sandbox/native -> internal/sandbox",
		"lambda -> fmt net lambda/lambdacontext",
		"lambda/lambdahttp -> net/http lambda",
		"lambdatest -> internal/server",
		"examples/hello -> lambda github.com/x/y",
	)
	for _, l := range layers {
		for _, v := range layerViolations(g, l) {
			t.Errorf("wrongly refused: %s", v)
		}
	}
	for _, e := range edges {
		for _, v := range edgeViolations(g, e) {
			t.Errorf("wrongly refused: %s", v)
		}
	}
}

// TestLayerMessage shows the way, not only the two ends.
func TestLayerMessage(t *testing.T) {
	g := world("internal/execenv -> internal/helper", "internal/helper -> internal/pool", "internal/pool -> internal/control")
	got := layerViolations(g, layer{
		subject: is("internal/execenv"),
		forbids: anyOf("internal/pool", "internal/control"),
	})
	if len(got) != 1 || !strings.HasPrefix(got[0], "internal/execenv -> internal/helper -> internal/pool: ") {
		t.Errorf("violations = %q, want one, naming the whole chain up to the first forbidden package", got)
	}
}
