package gatehouse_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/milesight"
	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/thinkingdata"
)

// What an importer can reach of the generic tables, its compiler makes again:
// some hundred functions for each, in every package that imports a system. So a
// system that has many keeps them out of sight.
func TestImportersDoNotReachTables(t *testing.T) {
	for _, start := range []reflect.Type{
		reflect.TypeFor[apic.System](), reflect.TypeFor[apic.Control](), reflect.TypeFor[apic.Snapshot](),
		reflect.TypeFor[roma.System](), reflect.TypeFor[roma.Instance](),
		reflect.TypeFor[milesight.System](), reflect.TypeFor[milesight.Tenant](),
		reflect.TypeFor[thinkingdata.System](), reflect.TypeFor[thinkingdata.Caller](),
	} {
		seen := map[reflect.Type]bool{}
		reach(start, seen)
		var tables []string
		for typ := range seen {
			if strings.HasPrefix(typ.Name(), "Table[") {
				tables = append(tables, typ.Name())
			}
		}
		// An instance, its applications and its dictionaries are in sight.
		if len(seen) < 2 || len(tables) > 4 {
			t.Errorf("%v reaches %d types, and %d tables: %q", start, len(seen), len(tables), tables)
		}
	}
}

// reach adds the types that a type is made of, unexported fields included.
func reach(typ reflect.Type, seen map[reflect.Type]bool) {
	if seen[typ] {
		return
	}
	seen[typ] = true
	switch typ.Kind() {
	case reflect.Struct:
		for f := range typ.Fields() {
			reach(f.Type, seen)
		}
	case reflect.Map:
		reach(typ.Key(), seen)
		reach(typ.Elem(), seen)
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Chan:
		reach(typ.Elem(), seen)
	case reflect.Func:
		for in := range typ.Ins() {
			reach(in, seen)
		}
		for out := range typ.Outs() {
			reach(out, seen)
		}
	}
}
