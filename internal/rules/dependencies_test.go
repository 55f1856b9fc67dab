package rules

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A dependency is a direct requirement of go.mod with the packages that may
// import it. The list is short on purpose: every line here is code of others
// that we answer for, and needs a line in docs/dependencies.md too.
type dependency struct {
	why     string
	allowed []string // patterns of our packages
	inTests bool     // any package's tests may import it, and packages made for tests
}

// dependencies is the whole list, by module path.
var dependencies = map[string]dependency{
	"modernc.org/sqlite": {
		why:     "the embedded database; SQL has one owner",
		allowed: []string{"./internal/store", "./internal/queue", "./bench/startfloor"},
	},
	"github.com/spf13/cobra": {
		why:     "commands, flags and completion; nothing below the command line knows of flags",
		allowed: []string{"./internal/cli"},
	},
	"github.com/spf13/pflag": {
		why:     "cobra's flags: walking over them, for the variables that stand in",
		allowed: []string{"./internal/cli"},
	},
	"golang.org/x/sys": {
		why:     "system calls that the standard library does not have",
		allowed: []string{"./internal/datadir", "./internal/envapi", "./internal/sandbox/...", "./internal/server"},
		inTests: true,
	},
	"golang.org/x/sync": {
		why:     "errgroup and singleflight: goroutines with an owner",
		allowed: []string{"./internal/..."},
		inTests: true,
	},
	"github.com/BurntSushi/toml": {
		why:     "lamb.toml, the settings of a function's project",
		allowed: []string{"./internal/project"},
	},
	"github.com/fsnotify/fsnotify": {
		why:     "tells lamb dev that a file has changed",
		allowed: []string{"./internal/watch"},
	},
	"github.com/aws/aws-sdk-go-v2": {
		why:     "the signer, and the base types of the client to test against",
		allowed: []string{"./internal/awsconfig", "./examples/..."},
		inTests: true,
	},
	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream": {
		why:     "the framing of response streams",
		allowed: []string{"./internal/awsclient", "./internal/invoke"},
		inTests: true,
	},
	"github.com/aws/aws-sdk-go-v2/credentials": {
		why:     "static keys of the client to test against",
		allowed: []string{"./examples/..."},
		inTests: true,
	},
	"github.com/aws/smithy-go":                    awsSDK,
	"github.com/aws/aws-sdk-go-v2/service/lambda": awsSDK,
	"github.com/aws/aws-lambda-go": {
		why:     "real functions to run; lamb itself never links it",
		allowed: []string{"./examples/...", "./bench/goecho", "./bench/library/theirs"},
		inTests: true,
	},
	"github.com/google/go-cmp":        testsOnly("readable differences"),
	"github.com/prometheus/common":    testsOnly("reads metrics as Prometheus does"),
	"github.com/rogpeppe/go-internal": testsOnly("script tests that drive the lamb command"),
	"go.uber.org/goleak":              testsOnly("goroutines that outlive their owner"),
	"pgregory.net/rapid":              testsOnly("properties of state machines and parsers"),
}

// awsSDK is the client that we are tested against. Linking it into the product
// would test lamb's idea of the API with the same code on both ends, and costs
// every command the time to build the service's schemas.
var awsSDK = dependency{
	why:     "the client to test against",
	allowed: []string{"./examples/..."},
	inTests: true,
}

// testsOnly is a dependency that never gets into a program.
func testsOnly(why string) dependency { return dependency{why: why, inTests: true} }

// permits reports whether a package of ours may import d. What sandboxtest and
// its like import counts as a test's: a layer keeps them out of programs.
func (d dependency) permits(path string, inTest bool) bool {
	if d.inTests && (inTest || strings.HasSuffix(path, "test")) {
		return true
	}
	return matches(d.allowed, path)
}

// moduleOf is the longest listed module that a package can belong to.
func moduleOf(list map[string]dependency, path string) string {
	var best string
	for mod := range list {
		if under(path, mod) && len(mod) > len(best) {
			best = mod
		}
	}
	return best
}

// dependencyViolations are the imports that the list does not allow.
func dependencyViolations(g graph, list map[string]dependency) []string {
	var found []string
	refuse := func(n *node, target, reason string) {
		found = append(found, fmt.Sprintf("%s -> %s: %s", short(n.path), target, reason))
	}
	for _, n := range g.packages() {
		check := func(target string, inTest bool) {
			if ours(target) || !strings.Contains(target, ".") {
				return // ours or Go's own: other modules begin with a host name
			}
			mod := moduleOf(list, target)
			switch d := list[mod]; {
			case mod == "":
				refuse(n, target, "not on the list of dependencies")
			case !d.permits(n.path, inTest):
				refuse(n, target, fmt.Sprintf("allowed only in %s (%s)", d.where(), d.why))
			}
		}
		for _, target := range n.imports {
			check(target, false)
		}
		for _, target := range n.testImports {
			check(target, true)
		}
	}
	return found
}

// where names the places that may import d.
func (d dependency) where() string {
	places := d.allowed
	if d.inTests {
		places = append(slices.Clip(places), "tests")
	}
	return strings.Join(places, ", ")
}

// TestDependencies holds every import of other people's code to the list.
func TestDependencies(t *testing.T) {
	for _, v := range dependencyViolations(load(t), dependencies) {
		t.Error(v)
	}
}

// TestDependenciesFail shows each way in which an import can be refused.
func TestDependenciesFail(t *testing.T) {
	list := map[string]dependency{
		"example.com/lib":     {why: "a reason", allowed: []string{"./internal/store"}},
		"example.com/lib/sub": {why: "a reason", allowed: []string{"./internal/tree/..."}, inTests: true},
	}
	for _, c := range []struct {
		name, line string
		want       int
	}{
		{"allowed package", "internal/store -> example.com/lib/a", 0},
		{"other package", "internal/pool -> example.com/lib/a", 1},
		{"a test is not excused", "internal/pool +> example.com/lib/a", 1},
		{"the longer module decides", "internal/store -> example.com/lib/sub/a", 1},
		{"below an allowed folder", "internal/tree/leaf -> example.com/lib/sub", 0},
		{"beside an allowed folder", "internal/treetop -> example.com/lib/sub", 1},
		{"in a package for tests", "internal/pool/pooltest -> example.com/lib/sub", 0},
		{"that must be on the list, too", "internal/pool/pooltest -> example.com/lib", 1},
		{"allowed in tests", "internal/pool +> example.com/lib/sub", 0},
		{"not listed", "internal/pool -> example.com/library", 1},
		{"not listed, in a test", "internal/pool +> example.org/x", 1},
		{"ours and Go's", "internal/pool -> internal/clock fmt net", 0},
	} {
		if got := dependencyViolations(world(c.line), list); len(got) != c.want {
			t.Errorf("%s: %q gives %d violations, want %d: %q", c.name, c.line, len(got), c.want, got)
		}
	}
}

// modFile is the part of go.mod that the rules speak of.
type modFile struct {
	Require []struct {
		Path     string
		Indirect bool
	}
	Replace []struct {
		Old struct{ Path string }
	}
}

// direct are the modules that go.mod requires because we import them.
func (m modFile) direct() []string {
	var direct []string
	for _, r := range m.Require {
		if !r.Indirect {
			direct = append(direct, r.Path)
		}
	}
	slices.Sort(direct)
	return direct
}

// modFileViolations compares go.mod with the list of dependencies and with
// the document that explains them.
func modFileViolations(m modFile, list map[string]dependency, document string) []string {
	var found []string
	listed := slices.Sorted(maps.Keys(list))
	for _, mod := range m.direct() {
		if !slices.Contains(listed, mod) {
			found = append(found, fmt.Sprintf("go.mod requires %s, which is not on the list of dependencies", mod))
		}
		if !strings.Contains(document, "`"+mod+"`") {
			found = append(found, fmt.Sprintf("docs/dependencies.md does not explain `%s`", mod))
		}
	}
	for _, mod := range listed {
		if !slices.Contains(m.direct(), mod) {
			found = append(found, fmt.Sprintf("%s is on the list of dependencies, but go.mod does not require it", mod))
		}
	}
	for _, r := range m.Replace {
		found = append(found, fmt.Sprintf("go.mod replaces %s: `go install %s/cmd/lamb@latest` refuses that", r.Old.Path, module))
	}
	return found
}

// TestModFile reads go.mod.
func TestModFile(t *testing.T) {
	cmd := exec.Command("go", "mod", "edit", "-json")
	cmd.Dir = repository
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go mod edit -json: %v", err)
	}
	var m modFile
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatal(err)
	}
	if len(m.direct()) == 0 {
		t.Fatal("go.mod requires nothing directly")
	}
	document, err := os.ReadFile(filepath.Join(repository, "docs", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range modFileViolations(m, dependencies, string(document)) {
		t.Error(v)
	}
}

// TestModFileFail breaks each of its rules once.
func TestModFileFail(t *testing.T) {
	parse := func(text string) modFile {
		var m modFile
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	const good = `{"Require":[{"Path":"example.com/a"},{"Path":"example.com/b","Indirect":true}]`
	list := map[string]dependency{"example.com/a": {}}
	for _, c := range []struct {
		name, mod, document string
		list                map[string]dependency
		want                string
	}{
		{"good", good + `}`, "`example.com/a`", list, ""},
		{"not listed", good + `}`, "`example.com/a`", nil, "go.mod requires example.com/a, which is not on the list of dependencies"},
		{"not explained", good + `}`, "example.com/ab", list, "docs/dependencies.md does not explain `example.com/a`"},
		{"not required", `{}`, "", list, "example.com/a is on the list of dependencies, but go.mod does not require it"},
		{"replaced", good + `,"Replace":[{"Old":{"Path":"example.com/b"}}]}`, "`example.com/a`", list, "go.mod replaces example.com/b: `go install github.com/lambhq/lamb/cmd/lamb@latest` refuses that"},
	} {
		got := strings.Join(modFileViolations(parse(c.mod), c.list, c.document), "\n")
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
