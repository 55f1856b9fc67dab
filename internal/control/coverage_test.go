package control

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lambhq/lamb/internal/api"
)

var update = flag.Bool("update", false, "write the documents that are generated")

const coverageDocument = "../../docs/api-coverage.md"

// implementedElsewhere are the operations of api.Service that another package
// brings.
var implementedElsewhere = []string{"Invoke", "InvokeWithResponseStream"}

func TestCoverageIsComplete(t *testing.T) {
	members := api.Members()
	table := implementedOperations()
	maps.Copy(table, qualifierOperations())
	for name, op := range table {
		want, ok := members[name]
		if !ok {
			t.Errorf("%s is not an operation of the API", name)
			continue
		}
		var got []string
		for _, m := range op.Members {
			got = append(got, m.Path)
			if m.Treatment == Ignored && m.Note == "" {
				t.Errorf("%s.%s has no effect, and the table does not say why", name, m.Path)
			}
		}
		slices.Sort(got)
		want = slices.Sorted(slices.Values(want))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("members of %s (-API +table):\n%s", name, diff)
		}
	}
	if got := len(Coverage()); got != len(members) {
		t.Errorf("%d operations in the table, %d in the API", got, len(members))
	}
}

// An operation counts as implemented when its method does something other
// than to answer 501.
func TestCoverageMatchesTheCode(t *testing.T) {
	for _, op := range Coverage() {
		implemented := answers(t, op.Name) || slices.Contains(implementedElsewhere, op.Name)
		if implemented != op.Implemented {
			t.Errorf("%s: the table says implemented = %v, the code %v", op.Name, op.Implemented, implemented)
		}
	}
}

// answers calls an operation with an empty request on a Control that has
// nothing to work on: one that is implemented refuses the request or panics.
func answers(t *testing.T, name string) (implemented bool) {
	t.Helper()
	defer func() {
		if recover() != nil {
			implemented = true
		}
	}()
	method := reflect.ValueOf(New(Config{})).MethodByName(name)
	if !method.IsValid() {
		t.Fatalf("%s is not a method of Control", name)
	}
	in := reflect.New(method.Type().In(1).Elem())
	results := method.Call([]reflect.Value{reflect.ValueOf(t.Context()), in})
	err, _ := results[len(results)-1].Interface().(error)
	var unimplemented *api.NotImplementedException
	return !errors.As(err, &unimplemented)
}

func TestCoverageDocument(t *testing.T) {
	want := coverageMarkdown()
	if *update {
		if err := os.WriteFile(coverageDocument, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(coverageDocument)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/api-coverage.md is out of date; run go generate ./internal/control (-want +got):\n%s", diff)
	}
}

func coverageMarkdown() string {
	var b strings.Builder
	list := Coverage()
	n := 0
	for _, op := range list {
		if op.Implemented {
			n++
		}
	}
	fmt.Fprintf(&b, `<!-- Generated from internal/control/coverage.go by go generate. Do not edit. -->

# API coverage

%d of the %d operations of the Lambda API are implemented. The others answer
501 `+"`NotImplementedException`"+` with their name.

What becomes of a request member:

- **honoured**: it does what the API says.
- **stored and echoed**: it is checked, stored and shown again, and has no other effect.
- **refused**: a request that has it fails, with the reason in words.
- **without effect**: a request may have it; the note says why that is right.

## Operations

| Operation | |
|---|---|
`, n, len(list))
	for _, op := range list {
		state := "501"
		if op.Implemented {
			state = "[implemented](#" + strings.ToLower(op.Name) + ")"
		}
		fmt.Fprintf(&b, "| %s | %s |\n", op.Name, state)
	}
	for _, op := range list {
		if op.Implemented {
			writeOperation(&b, op)
		}
	}
	return b.String()
}

func writeOperation(b *strings.Builder, op OperationCoverage) {
	fmt.Fprintf(b, "\n## %s\n", op.Name)
	if op.Note != "" {
		fmt.Fprintf(b, "\n%s\n", op.Note)
	}
	if len(op.Members) == 0 {
		b.WriteString("\nThe request has no members.\n")
		return
	}
	b.WriteString("\n| Member | | |\n|---|---|---|\n")
	for _, m := range op.Members {
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", m.Path, m.Treatment, m.Note)
	}
}
