package postgres_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/postgres"
)

// It needs a server, so it is compiled and not run.
func ExampleOpen() {
	ctx := context.Background()
	store, err := postgres.Open(ctx, os.Getenv("DATABASE_URL"), postgres.Config{Schema: "gate"})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	position, err := store.Update(ctx, func(tx storage.Writer) error {
		return tx.Put("project|1", "first")
	})
	if err != nil {
		log.Fatal(err)
	}
	// Any store on the same schema, in any process, sees it.
	for commit, err := range store.Watch(ctx, position-1, "project|") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(commit.Changes[0].Key)
		break
	}
}
