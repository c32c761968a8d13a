package apic

import (
	"runtime"
	"sync"
	"weak"
)

// derived keeps what is computed of rows, each for as long as its row is in
// memory: a row that was changed is another row, and what belonged to the old
// one goes with it. The zero derived is empty. It is safe for concurrent use.
type derived[R, V any] struct {
	of sync.Map // from weak.Pointer[R] to V
}

// get returns what was computed of the row, if anything was.
func (d *derived[R, V]) get(row *R) (V, bool) {
	v, found := d.of.Load(weak.Make(row))
	if !found {
		var none V
		return none, false
	}
	return v.(V), true
}

// put keeps v for the row. v must not hold the row itself, which would then
// never go.
func (d *derived[R, V]) put(row *R, v V) {
	key := weak.Make(row)
	if _, known := d.of.Swap(key, v); !known {
		runtime.AddCleanup(row, func(key weak.Pointer[R]) { d.of.Delete(key) }, key)
	}
}
