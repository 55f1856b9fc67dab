package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// module is the path of our module; every package of ours begins with it.
const module = "github.com/lambhq/lamb"

// repository is the root of the checkout, seen from this package's folder.
const repository = "../.."

// platforms are the operating systems that lamb is built for. A file that only
// one of them compiles is held to the same rules, so the graph is their union.
var platforms = []string{"linux", "darwin"}

// node is one package, ours or a dependency's.
type node struct {
	path        string
	standard    bool     // part of Go's standard library
	imports     []string // of the code that is built into programs
	testImports []string // of the package's tests, inside and outside the package
}

// ours reports whether path is a package of this repository.
func ours(path string) bool {
	return path == module || strings.HasPrefix(path, module+"/")
}

// our is the import path of the package in a folder of the repository.
func our(folder string) string { return module + "/" + folder }

// short is the name that the rules and their messages use: "./internal/pool"
// for a package of ours, as the go command has it, the import path for others.
func short(path string) string {
	if !ours(path) {
		return path
	}
	return "." + strings.TrimPrefix(path, module)
}

// under reports whether a package is root itself or lies in a folder below it.
func under(path, root string) bool {
	return path == root || strings.HasPrefix(path, root+"/")
}

// graph is every package of the repository with all that it imports, directly
// or not, by import path.
type graph map[string]*node

// packages are our own packages in the order of their paths.
func (g graph) packages() []*node {
	var all []*node
	for _, path := range slices.Sorted(maps.Keys(g)) {
		if ours(path) {
			all = append(all, g[path])
		}
	}
	return all
}

// reach gives the packages that are built into a program which imports start,
// each with the package that brought it in (start itself has none).
func (g graph) reach(start string) map[string]string {
	from := map[string]string{start: ""}
	queue := []string{start}
	for len(queue) > 0 {
		path := queue[0]
		queue = queue[1:]
		n, known := g[path]
		if !known {
			continue
		}
		for _, next := range n.imports {
			if _, seen := from[next]; !seen {
				from[next] = path
				queue = append(queue, next)
			}
		}
	}
	return from
}

// chain spells out how target was reached, for a message that can be acted on.
func chain(from map[string]string, target string) string {
	steps := []string{short(target)}
	for at := from[target]; at != ""; at = from[at] {
		steps = append(steps, short(at))
	}
	slices.Reverse(steps)
	return strings.Join(steps, " -> ")
}

// load reads the graph of the checkout for every platform.
func load(t *testing.T) graph {
	t.Helper()
	g := graph{}
	for _, platform := range platforms {
		// CGO_ENABLED=0 is how lamb is built: it keeps runtime/cgo and the
		// cgo variants of packages out of the picture.
		cmd := exec.Command("go", "list", "-e", "-deps",
			"-json=ImportPath,Standard,Imports,TestImports,XTestImports", "./...")
		cmd.Dir = repository
		cmd.Env = append(os.Environ(), "GOOS="+platform, "CGO_ENABLED=0")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list for %s: %v\n%s", platform, err, stderr.String())
		}
		if err := g.add(out); err != nil {
			t.Fatalf("go list for %s: %v", platform, err)
		}
	}
	if len(g.packages()) < 2 {
		t.Fatalf("go list found %d packages of ours below %s", len(g.packages()), repository)
	}
	return g
}

// add merges what `go list -json` printed into g.
func (g graph) add(listing []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(listing))
	for {
		var p struct {
			ImportPath                         string
			Standard                           bool
			Imports, TestImports, XTestImports []string
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("decode: %w", err)
		}
		n := g[p.ImportPath]
		if n == nil {
			n = &node{path: p.ImportPath, standard: p.Standard}
			g[p.ImportPath] = n
		}
		n.imports = union(n.imports, p.Imports)
		n.testImports = union(n.testImports, p.TestImports, p.XTestImports)
	}
}

// union is the sorted set of all the given strings.
func union(lists ...[]string) []string {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return slices.Compact(all)
}
