package rules

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A layer says what packages must stay free of. It speaks of the code that gets
// built into programs, however indirectly something comes in: a package that
// reaches server through a helper depends on it all the same.
type layer struct {
	name     string   // the rule in a few words
	why      string   // what would go wrong without it
	packages []string // patterns of our packages that it binds
	except   []string // patterns of those that it does not
	never    []string // patterns of what they must not reach
	may      []string // patterns of what they may reach all the same
	standard []string // if not nil: all that they may reach besides the standard library
	tests    bool     // also bind what the packages' tests import directly
}

// matches tells whether a package fits one of the patterns, which are the go
// command's: "./internal/pool", "./..." for all of ours, "net/http/..." for a
// package of others with all below it.
func matches(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		if root, tree := strings.CutSuffix(pattern, "/..."); tree {
			return under(short(path), root)
		}
		return short(path) == pattern
	})
}

// binds reports whether the rule is about a package of ours.
func (l layer) binds(path string) bool {
	return matches(l.packages, path) && !matches(l.except, path)
}

// forbids reports whether the rule's packages must not reach path.
func (l layer) forbids(g graph, path string) bool {
	if matches(l.may, path) {
		return false
	}
	if matches(l.never, path) {
		return true
	}
	if l.standard == nil || matches(l.standard, path) {
		return false
	}
	n, known := g[path]
	return !known || !n.standard
}

// library are the packages that are linked into other people's functions and
// extensions, with what they share.
var library = []string{"./lambda/...", "./extension/...", "./internal/wire"}

// layers are the import rules of docs/architecture.md.
var layers = []layer{
	{
		name:     "function imports none of ours",
		why:      "it is the domain that everybody shares; an import there is an import everywhere",
		packages: []string{"./internal/function"},
		never:    []string{"./..."},
	},
	{
		name:     "api imports none of ours",
		why:      "wire types are used by the server, the command line and tests alike, and are generated: nothing of the product may leak into them",
		packages: []string{"./internal/api"},
		never:    []string{"./..."},
	},
	{
		name:     "clock imports none of ours",
		why:      "time is injected everywhere; the seam must not drag a subsystem along",
		packages: []string{"./internal/clock"},
		never:    []string{"./..."},
	},
	{
		name:     "execenv stays below pool, invoke and control",
		why:      "one environment owns its state and does not know who scales it, who calls it or who configures it",
		packages: []string{"./internal/execenv"},
		never:    []string{"./internal/pool", "./internal/invoke", "./internal/control"},
	},
	{
		name:     "envapi stays below execenv",
		why:      "execenv defines the small interfaces that it needs; the other direction would tie the hot path to the state machine",
		packages: []string{"./internal/envapi", "./internal/telemetry"},
		never:    []string{"./internal/execenv", "./internal/pool", "./internal/invoke", "./internal/control"},
	},
	{
		name:     "a sandbox knows nothing of Lambda",
		why:      "the conformance suite must run on every implementation without building the rest",
		packages: []string{"./internal/sandbox/..."},
		never:    []string{"./internal/execenv", "./internal/pool", "./internal/invoke", "./internal/control", "./internal/store", "./internal/server"},
	},
	{
		name:     "logs knows nothing of functions",
		why:      "it keeps lines by group and stream; whose they are and who reads them is for others",
		packages: []string{"./internal/logs"},
		standard: []string{"./internal/clock", "./internal/vfs", "./internal/jsonpayload"},
	},
	{
		name:     "metrics uses the standard library only",
		why:      "it counts for everybody and is in every command: what it imports, all of them start with",
		packages: []string{"./internal/metrics"},
		standard: []string{},
	},
	{
		name:     "no client of the AWS SDK in programs",
		why:      "each builds the tables of its operations before main begins, in every command's start; package config brings four of them",
		packages: []string{"./cmd/...", "./internal/awsclient", "./internal/awsconfig"},
		never:    []string{"github.com/aws/aws-sdk-go-v2/service/..."},
	},
	{
		name:     "only cli and lambdatest reach server",
		why:      "server builds everything from one Config; who imports it imports the whole product",
		packages: []string{"./..."},
		except:   []string{"./internal/server", "./internal/cli", "./lambdatest/server", "./cmd/lamb"},
		never:    []string{"./internal/server"},
	},
	{
		name:     "what is made for tests stays out of programs",
		why:      "testing registers flags and its helpers panic: neither belongs into a server",
		packages: []string{"./cmd/..."},
		never:    []string{"testing/..."},
	},
	{
		name:     "only main imports cli",
		why:      "the command line is the outermost layer",
		packages: []string{"./..."},
		except:   []string{"./internal/cli", "./cmd/lamb"},
		never:    []string{"./internal/cli"},
		tests:    true,
	},
	{
		name:     "lambda uses the standard library only, without net/http",
		why:      "it is linked into other people's functions, where every module and every millisecond of start-up counts",
		packages: []string{"./lambda", "./lambda/lambdacontext", "./lambda/runtimeapi", "./lambda/messages", "./extension"},
		never:    []string{"net/http/..."},
		standard: library,
	},
	{
		name:     "extension and lambdahttp use the standard library only",
		why:      "they are linked into other people's functions and extensions",
		packages: []string{"./extension/...", "./lambda/..."},
		standard: library,
	},
	{
		name:     "examples use lamb from outside",
		why:      "they show what a user does, and a user has no internal packages",
		packages: []string{"./examples/..."},
		never:    []string{"./internal/...", "./cmd/..."},
		may:      []string{"./internal/wire"}, // below lambda and extension
		tests:    true,
	},
	{
		name:     "bench measures the binary",
		why:      "what it imports of the product is not what users run; only sandboxes and interpreters have no API of their own",
		packages: []string{"./bench/..."},
		never:    []string{"./internal/gateway", "./internal/control", "./internal/invoke", "./internal/pool", "./internal/execenv", "./internal/envapi", "./internal/launcher", "./internal/store"},
		tests:    true,
	},
}

// An edge is an import that nobody but the named packages may have, tests
// included. It is about the import itself, not about what comes in indirectly:
// whoever uses store has a driver in the program, rightly.
type edge struct {
	name    string
	why     string
	never   []string // patterns of what is imported
	allowed []string // patterns of our packages that may
}

// edges complete the import rules of docs/architecture.md.
var edges = []edge{
	{
		name:    "only store and queue speak to a database",
		why:     "SQL has one owner, or the second database never comes",
		never:   []string{"database/sql/...", "modernc.org/sqlite/...", "github.com/jackc/pgx/..."},
		allowed: []string{"./internal/store", "./internal/queue", "./bench/startfloor"}, // the last only links it
	},
	{
		name:    "only server, cli and lambdatest import server",
		why:     "a test that needs the whole product drives the binary or uses lambdatest",
		never:   []string{"./internal/server"},
		allowed: []string{"./internal/server", "./internal/cli", "./lambdatest/server"},
	},
}

// planned are packages that the rules know before they are there. Every other
// name must exist, so that no rule goes blind when a package is renamed.
var planned = []string{
	"./internal/queue", "github.com/jackc/pgx/...",
}

// layerViolations are the breaches of one layer, a sentence each.
func layerViolations(g graph, l layer) []string {
	var found []string
	for _, n := range g.packages() {
		if !l.binds(n.path) {
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
		if matches(e.allowed, n.path) {
			continue
		}
		for _, target := range union(n.imports, n.testImports) {
			if matches(e.never, target) {
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

// unknown are the names in the rules that no package of the graph fits.
func unknown(g graph, layers []layer, edges []edge, list map[string]dependency) []string {
	var names []string
	for _, l := range layers {
		names = slices.Concat(names, l.packages, l.except, l.never, l.standard)
	}
	for _, e := range edges {
		names = slices.Concat(names, e.never, e.allowed)
	}
	for _, d := range list {
		names = slices.Concat(names, d.allowed)
	}
	return slices.DeleteFunc(union(names), func(name string) bool {
		for path := range g {
			if matches([]string{name}, path) {
				return true
			}
		}
		return slices.Contains(planned, name)
	})
}

// TestNames finds rules that speak of packages which do not exist.
func TestNames(t *testing.T) {
	for _, name := range unknown(load(t), layers, edges, dependencies) {
		t.Errorf("a rule names %s, which no package fits", name)
	}
	g := world("internal/pool -> net/http")
	got := unknown(g, []layer{{packages: []string{"./...", "./internal/poll"}, never: []string{"net/...", "./internal/queue"}}},
		[]edge{{allowed: []string{"./internal/pool", "./internal/pool/sub"}}},
		map[string]dependency{"example.com/a": {allowed: []string{"./internal/..."}}, "example.com/b": {allowed: []string{"./examples/..."}}})
	if want := []string{"./examples/...", "./internal/poll", "./internal/pool/sub"}; !slices.Equal(got, want) {
		t.Errorf("unknown names = %q, want %q", got, want)
	}
}

// world is a made-up graph: "a -> b c" makes a import b and c, "a +> b" makes
// a's tests import b. A name with a dot is a dependency's, fmt, testing, net and
// database are Go's, all others are ours.
func world(lines ...string) graph {
	g := graph{}
	name := func(s string) string {
		if strings.Contains(s, ".") || s == "fmt" || s == "testing" || under(s, "net") || under(s, "database") {
			return s
		}
		return our(s)
	}
	get := func(s string) *node {
		path := name(s)
		if g[path] == nil {
			g[path] = &node{path: path, standard: !strings.Contains(s, ".")}
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
		"envapi stays below execenv":                              {"internal/telemetry -> internal/execenv"},
		"a sandbox knows nothing of Lambda":                       {"internal/sandbox/native -> internal/control"},
		"logs knows nothing of functions":                         {"internal/logs -> github.com/x/y internal/clock"},
		"metrics uses the standard library only":                  {"internal/metrics -> github.com/x/y"},
		"no client of the AWS SDK in programs":                    {"internal/awsconfig -> github.com/aws/aws-sdk-go-v2/config", "github.com/aws/aws-sdk-go-v2/config -> github.com/aws/aws-sdk-go-v2/service/sso"},
		"only cli and lambdatest reach server":                    {"internal/pool -> internal/server"},
		"what is made for tests stays out of programs":            {"cmd/lamb -> internal/sandbox/sandboxtest", "internal/sandbox/sandboxtest -> testing"},
		"only main imports cli":                                   {"internal/pool +> internal/cli"},
		"lambda uses the standard library only, without net/http": {"lambda -> net/http"},
		"extension and lambdahttp use the standard library only":  {"extension -> github.com/x/y", "github.com/x/y -> fmt"},
		"examples use lamb from outside":                          {"examples/hello -> internal/function"},
		"bench measures the binary":                               {"bench -> internal/pool"},
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
		"lambdatest/server -> internal/server",
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
		packages: []string{"./internal/execenv"},
		never:    []string{"./internal/pool", "./internal/control"},
	})
	if len(got) != 1 || !strings.HasPrefix(got[0], "./internal/execenv -> ./internal/helper -> ./internal/pool: ") {
		t.Errorf("violations = %q, want one, naming the whole chain up to the first forbidden package", got)
	}
}
