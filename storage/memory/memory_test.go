package memory_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/memory"
	"github.com/gatehouse-go/gatehouse/storage/storagetest"
)

func TestStore(t *testing.T) {
	storagetest.Run(t, func(t *testing.T) storage.Store {
		return memory.New(memory.Config{})
	})
}

func Example() {
	ctx := context.Background()
	store := memory.New(memory.Config{})
	defer store.Close()

	position, err := store.Update(ctx, func(tx storage.Writer) error {
		if _, err := tx.Get("project|1"); !errors.Is(err, storage.ErrNotFound) {
			return errors.New("there already")
		}
		return errors.Join(tx.Put("project|1", "one"), tx.Put("project|2", "two"))
	})
	fmt.Println(position, err)

	err = store.View(ctx, func(tx storage.Reader) error {
		for record, err := range tx.Ascend("project|", storage.PrefixEnd("project|")) {
			if err != nil {
				return err
			}
			fmt.Println(record.Key, record.Value)
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// 1 <nil>
	// project|1 one
	// project|2 two
	// <nil>
}

// A follower reads a snapshot and then what changes after it, and begins anew
// when it is too late for that.
func ExampleStore_Watch() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	store := memory.New(memory.Config{})
	_, _ = store.Update(ctx, func(tx storage.Writer) error { return tx.Put("rule|1", "deny") })

	var from storage.Position
	_ = store.View(ctx, func(tx storage.Reader) error {
		from = tx.Position()
		rule, err := tx.Get("rule|1")
		fmt.Println("snapshot:", rule, err)
		return nil
	})
	_, _ = store.Update(ctx, func(tx storage.Writer) error { return tx.Delete("rule|1") })
	for commit, err := range store.Watch(ctx, from, "rule|") {
		if err != nil {
			fmt.Println(err) // storage.ErrLagged: read a snapshot again
			break
		}
		fmt.Println("change:", commit.Changes[0].Key, commit.Changes[0].Deleted)
		cancel()
	}
	// Output:
	// snapshot: deny <nil>
	// change: rule|1 true
	// context canceled
}

func ExampleStore_Append() {
	ctx := context.Background()
	store := memory.New(memory.Config{})
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for i := range 3 {
		_, _ = store.Append(ctx, "audit", storage.Entry{
			Time: noon.Add(time.Duration(i) * time.Hour),
			Data: fmt.Sprintf("call %d", i+1),
		})
	}
	from, _ := store.Seek(ctx, "audit", noon.Add(time.Minute))
	for entry, err := range store.Read(ctx, "audit", from) {
		fmt.Println(entry.Offset, entry.Time.Format(time.TimeOnly), entry.Data, err)
	}
	// Output:
	// 2 13:00:00 call 2 <nil>
	// 3 14:00:00 call 3 <nil>
}
