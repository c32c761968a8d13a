package storagetest_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/memory"
	"github.com/gatehouse-go/gatehouse/storage/storagetest"
)

// A test of a system fails each of its writes in turn and checks that a failed
// call has changed nothing.
func ExampleFaulty() {
	ctx := context.Background()
	rename := func(s storage.Store, from, to string) error {
		_, err := s.Update(ctx, func(w storage.Writer) error {
			value, err := w.Get(from)
			if err != nil {
				return err
			}
			return errors.Join(w.Put(to, value), w.Delete(from))
		})
		return err
	}

	for n := 1; ; n++ {
		s := storagetest.Inject(memory.New(memory.Config{}))
		s.Update(ctx, func(w storage.Writer) error { return w.Put("old", "value") })
		s.FailWrite(n, errors.New("disk full"))
		err := rename(s, "old", "new")
		s.View(ctx, func(r storage.Reader) error {
			for record := range r.Ascend("", "") {
				fmt.Printf("write %d: %v, and the store has %q\n", n, err, record.Key)
			}
			return nil
		})
		if s.Pending() > 0 {
			break // there is no nth write
		}
	}
	// Output:
	// write 1: disk full, and the store has "old"
	// write 2: disk full, and the store has "old"
	// write 3: <nil>, and the store has "new"
}
