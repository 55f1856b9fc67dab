package project

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/lambhq/lamb/internal/api"
)

// A Change is one member of a function's configuration that a deployment sets.
type Change struct {
	// Member is the API's name, "MemorySize" or "Environment.Variables.STAGE".
	Member string
	// Old is empty where there is nothing yet; both are printed as JSON.
	// Variables' values are not in them: they may be secrets.
	Old, New string
}

// Changes compares what a Create asks for with a function as it is, which is
// nil where there is none. What Create leaves out is left alone. Tags come
// under "Tags", the code under "CodeSha256" when its digest (base64) differs.
func Changes(want *api.CreateFunctionRequest, codeSHA256 string, is *api.FunctionConfiguration, tags map[string]string) ([]Change, error) {
	wanted, err := members(want)
	if err != nil {
		return nil, err
	}
	delete(wanted, "Code")
	delete(wanted, "FunctionName")
	wanted["CodeSha256"] = codeSHA256
	existing := map[string]any{}
	if is != nil {
		if existing, err = members(is); err != nil {
			return nil, err
		}
		if len(is.Layers) > 0 {
			var arns []any
			for _, l := range is.Layers {
				arns = append(arns, api.Value(l.Arn))
			}
			existing["Layers"] = arns
		}
		if tags != nil {
			existing["Tags"] = asAny(tags)
		}
	}
	return compare(nil, "", wanted, existing), nil
}

func asAny(m map[string]string) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// members are a structure's members as JSON has them.
func members(v any) (map[string]any, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var m map[string]any
	return m, json.Unmarshal(b, &m)
}

// variables are compared by name, and one that is not wanted goes: the API
// replaces all of them.
const variables = "Environment.Variables."

func compare(changes []Change, prefix string, want, is map[string]any) []Change {
	for _, k := range slices.Sorted(maps.Keys(want)) {
		w, old := want[k], is[k]
		if sub, ok := w.(map[string]any); ok {
			oldSub, _ := old.(map[string]any)
			changes = compare(changes, prefix+k+".", sub, oldSub)
			continue
		}
		if !reflect.DeepEqual(w, old) && !empty(w, old) {
			changes = append(changes, Change{Member: prefix + k, Old: show(prefix, old), New: show(prefix, w)})
		}
	}
	if prefix == variables {
		for _, k := range slices.Sorted(maps.Keys(is)) {
			if _, wanted := want[k]; !wanted {
				changes = append(changes, Change{Member: prefix + k, Old: show(prefix, is[k])})
			}
		}
	}
	return changes
}

// empty reports whether something empty is wanted where there is nothing.
func empty(want, is any) bool {
	if is != nil {
		return false
	}
	list, ok := want.([]any)
	return want == "" || ok && len(list) == 0
}

func show(prefix string, v any) string {
	switch {
	case v == nil:
		return ""
	case prefix == variables:
		return "(set)"
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
