package execenv

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	interopRow = regexp.MustCompile("^\\| `([A-Za-z.]+)` \\| (?:`([A-Za-z.]+)`|–) \\| (.*) \\|$")
	goName     = regexp.MustCompile("`([a-z]+\\.[A-Z][A-Za-z.]+)`")
)

// TestInterop: docs/interop.md has every name of AWS's package once, in order,
// says what has its place or why nothing does, and names nothing of ours that
// there is not.
func TestInterop(t *testing.T) {
	list, err := os.ReadFile("testdata/interop-names.txt")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../../docs/interop.md")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(string(list))
	var got []string
	ours := make(map[string]map[string]bool) // by package
	for line := range strings.SplitSeq(string(doc), "\n") {
		row := interopRow.FindStringSubmatch(line)
		if row == nil {
			if strings.HasPrefix(line, "| `") && !strings.HasPrefix(line, "| `interop`") {
				t.Errorf("not a row: %s", line)
			}
			continue
		}
		got = append(got, row[1])
		if row[2] == "" && strings.TrimSpace(row[3]) == "" {
			t.Errorf("%s: neither a name of ours nor a reason", row[1])
		}
		for _, name := range goName.FindAllStringSubmatch(line, -1) {
			pkg, ident, _ := strings.Cut(name[1], ".")
			if pkg == "time" { // the only one that is not ours
				continue
			}
			if ours[pkg] == nil {
				ours[pkg] = exported(t, filepath.Join("..", pkg))
			}
			if !ours[pkg][ident] {
				t.Errorf("%s: there is no %s", row[1], name[1])
			}
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the table has %d names, the list %d, or the order differs", len(got), len(want))
	}
}

// exported are the exported names of the package in a folder: "Name", and
// "Type.Member" for fields and methods.
func exported(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", dir, len(files), err)
	}
	names := make(map[string]bool)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			addNames(names, decl)
		}
	}
	return names
}

func addNames(names map[string]bool, decl ast.Decl) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		name := d.Name.Name
		if d.Recv != nil {
			name = receiver(d.Recv.List[0].Type) + "." + name
		}
		names[name] = true
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.ValueSpec:
				for _, n := range s.Names {
					names[n.Name] = true
				}
			case *ast.TypeSpec:
				names[s.Name.Name] = true
				addMembers(names, s)
			}
		}
	}
}

func addMembers(names map[string]bool, s *ast.TypeSpec) {
	var members *ast.FieldList
	switch typ := s.Type.(type) {
	case *ast.StructType:
		members = typ.Fields
	case *ast.InterfaceType:
		members = typ.Methods
	default:
		return
	}
	for _, field := range members.List {
		for _, n := range field.Names {
			names[s.Name.Name+"."+n.Name] = true
		}
	}
}

func receiver(e ast.Expr) string {
	if star, ok := e.(*ast.StarExpr); ok {
		e = star.X
	}
	if ident, ok := e.(*ast.Ident); ok {
		return ident.Name
	}
	return ""
}
