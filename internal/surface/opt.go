package surface

import (
	"encoding/json"
	"reflect"
	"strings"
)

// A State tells the three states of an [Opt] apart.
type State uint8

// The states of an optional parameter.
const (
	Absent State = iota // not in the request
	Null                // given as JSON null
	Given               // given with a value
)

// Opt is a parameter whose absence, null and value are three different things,
// as in an update where an absent field stays, a null one is cleared and a
// given one is set. The zero value is absent. Opt is comparable when T is.
//
// In JSON results use the omitzero option: it leaves an absent Opt out.
type Opt[T any] struct {
	Value T // the zero value unless State is Given
	State State
}

// Some returns an Opt that is given as v.
func Some[T any](v T) Opt[T] { return Opt[T]{Value: v, State: Given} }

// Get returns the value and whether one is given.
func (o Opt[T]) Get() (T, bool) { return o.Value, o.State == Given }

// Or returns the value, or v when none is given.
func (o Opt[T]) Or(v T) T {
	if o.State == Given {
		return o.Value
	}
	return v
}

// Ptr returns a pointer to a copy of the value, nil when none is given.
func (o Opt[T]) Ptr() *T {
	if o.State != Given {
		return nil
	}
	return &o.Value
}

// IsZero reports whether o is absent.
func (o Opt[T]) IsZero() bool { return o.State == Absent }

// MarshalJSON writes the value, or null when none is given.
func (o Opt[T]) MarshalJSON() ([]byte, error) {
	if o.State != Given {
		return []byte("null"), nil
	}
	return json.Marshal(o.Value)
}

// isOpt reports whether t is an Opt of something.
func isOpt(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.PkgPath() == optPkg && strings.HasPrefix(t.Name(), "Opt[")
}

var optPkg = reflect.TypeFor[Opt[int]]().PkgPath()

// The fields of an Opt by position, for reflection.
const (
	optValue = 0
	optState = 1
)
