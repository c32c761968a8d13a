package storage_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

var errTaken = errors.New("the name is taken")

// A name that nobody else has, and a limit of three calls a minute, on any store.
func ExampleStore() {
	ctx := context.Background()
	var store storage.Store = memory.New(memory.Config{})
	defer store.Close()
	for _, id := range []string{"7", "8"} {
		_, err := store.Update(ctx, func(w storage.Writer) error {
			if _, err := w.Get("name|ann"); !errors.Is(err, storage.ErrNotFound) {
				return cmp.Or(err, errTaken)
			}
			return w.Put("name|ann", id)
		})
		fmt.Println(id, err)
	}
	now := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	for range 4 {
		taken, err := store.Take(ctx, now, storage.Counter{Key: "calls|7", Limit: 3, Cost: 1, Period: time.Minute})
		fmt.Println(taken.OK, err)
	}
	// Output:
	// 7 <nil>
	// 8 the name is taken
	// true <nil>
	// true <nil>
	// true <nil>
	// false <nil>
}
