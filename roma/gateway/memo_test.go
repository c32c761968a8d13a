package gateway

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
)

func TestMemoReturnsWhatWasPutFirst(t *testing.T) {
	var m memo[int]
	if v, found := m.get("a"); found {
		t.Errorf("an empty memo has %d", v)
	}
	for i := range 1000 {
		if got := m.put(strconv.Itoa(i), i); got != i {
			t.Fatalf("put(%d) = %d", i, got)
		}
	}
	if got := m.put("7", 8); got != 7 {
		t.Errorf("put of what is there = %d, want 7", got)
	}
	for i := range 1000 {
		if got, found := m.get(strconv.Itoa(i)); got != i || !found {
			t.Fatalf("get(%d) = %d, %v", i, got, found)
		}
	}
	if v, found := m.get("1000"); found {
		t.Errorf("get of what was never put = %d", v)
	}
}

// Whatever is read while others put is what somebody put, and once read it
// stays.
func TestMemoIsReadWhileItGrows(t *testing.T) {
	var m memo[*string]
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 2000 {
				name := fmt.Sprint(i % 500)
				v := m.put(name, new(name))
				if got, found := m.get(name); !found || got != v || *got != name {
					t.Errorf("get(%s) = %v, %v after put returned %v", name, got, found, v)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestMemoReadsWithoutAllocation(t *testing.T) {
	var m memo[int]
	m.put("a", 1)
	if n := testing.AllocsPerRun(100, func() { m.get("a"); m.get("b") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
