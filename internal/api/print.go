package api

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// printValue writes a value as the service does in its messages: [a, b] for
// lists, {k=v} for maps, Name(member=value) for structures.
func printValue(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	var b strings.Builder
	printTo(&b, reflect.ValueOf(v))
	return b.String()
}

func printTo(b *strings.Builder, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			b.WriteString("null")
			return
		}
		printTo(b, v.Elem())
	case reflect.Slice:
		b.WriteByte('[')
		for i := range v.Len() {
			if i > 0 {
				b.WriteString(", ")
			}
			printTo(b, v.Index(i))
		}
		b.WriteByte(']')
	case reflect.Map:
		printMap(b, v)
	case reflect.Struct:
		printStruct(b, v)
	default:
		fmt.Fprint(b, v.Interface())
	}
}

func printMap(b *strings.Builder, v reflect.Value) {
	values := make(map[string]reflect.Value, v.Len())
	for iter := v.MapRange(); iter.Next(); {
		values[iter.Key().String()] = iter.Value()
	}
	b.WriteByte('{')
	for i, k := range slices.Sorted(maps.Keys(values)) {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(k + "=")
		printTo(b, values[k])
	}
	b.WriteByte('}')
}

func printStruct(b *strings.Builder, v reflect.Value) {
	t := v.Type()
	b.WriteString(t.Name() + "(")
	for i := range t.NumField() {
		if i > 0 {
			b.WriteString(", ")
		}
		name := t.Field(i).Name
		b.WriteString(strings.ToLower(name[:1]) + name[1:] + "=")
		printTo(b, v.Field(i))
	}
	b.WriteByte(')')
}
