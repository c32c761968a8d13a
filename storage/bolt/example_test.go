package bolt_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/bolt"
)

// What was written is there when the file is opened again, and a watcher goes on
// from where it was.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "gatehouse")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "gatehouse.db")

	store, err := bolt.Open(path, bolt.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	seen, _ := store.Update(ctx, func(tx storage.Writer) error { return tx.Put("rule|1", "allow") })
	_, _ = store.Update(ctx, func(tx storage.Writer) error { return tx.Put("rule|1", "deny") })
	_, err = bolt.Open(path, bolt.Config{})
	fmt.Println("opened twice:", err != nil)
	_ = store.Close()

	store, _ = bolt.Open(path, bolt.Config{})
	defer store.Close()
	_ = store.View(ctx, func(tx storage.Reader) error {
		rule, err := tx.Get("rule|1")
		fmt.Println("kept:", rule, err)
		return nil
	})
	for commit, err := range store.Watch(ctx, seen, "rule|") {
		fmt.Println("missed:", commit.Changes[0].Key, commit.Changes[0].Value, err)
		break
	}
	// Output:
	// opened twice: true
	// kept: deny <nil>
	// missed: rule|1 deny <nil>
}
