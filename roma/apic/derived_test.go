package apic

import (
	"runtime"
	"testing"
)

// What was computed of a row is kept while the row is, and not longer.
func TestDerivedGoesWithItsRow(t *testing.T) {
	type row struct{ name string }
	var d derived[row, int]
	kept := &row{"kept"}
	d.put(kept, 1)
	for i := range 100 {
		d.put(&row{"gone"}, i)
	}
	entries := func() (n int) {
		d.of.Range(func(any, any) bool { n++; return true })
		return n
	}
	for range 100 { // cleanups run some time after a collection
		runtime.GC()
		runtime.Gosched()
		if entries() <= 2 { // the last row may still be on the stack
			break
		}
	}
	if n := entries(); n > 2 {
		t.Errorf("%d entries are left of one row", n)
	}
	if v, found := d.get(kept); !found || v != 1 {
		t.Errorf("get = %d, %v", v, found)
	}
	runtime.KeepAlive(kept)
}
