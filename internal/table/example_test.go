package table_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

func Example() {
	type project struct {
		ID    int64
		Name  string
		Owner string
	}
	schema := table.NewSchema("example")
	ids := schema.Sequence("project")
	projects := table.New(schema, "project", func(p *project) table.Key { return table.Int(p.ID) })
	byName := projects.Unique("name", func(p *project) table.Key { return table.Str(p.Name) })
	byOwner := projects.Index("owner", func(p *project) table.Key { return table.Str(p.Owner) })

	store := memory.New(memory.Config{})
	defer store.Close()
	ctx := context.Background()
	_, err := store.Update(ctx, func(w storage.Writer) error {
		for _, name := range []string{"gate", "gatekeeper", "fence", "gate"} {
			id, err := ids.Next(w)
			if err != nil {
				return err
			}
			err = projects.Insert(w, project{ID: id, Name: name, Owner: "ann"})
			if errors.Is(err, table.ErrExists) {
				fmt.Println(err)
			} else if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	err = store.View(ctx, func(r storage.Reader) error {
		page, err := byOwner.Prefix(table.Str("ann")).Desc().
			Where(func(p *project) bool { return strings.Contains(p.Name, "gate") }).
			Page(r, table.Window{Offset: 0, Limit: 1})
		if err != nil {
			return err
		}
		fmt.Println(page.Rows, "of", page.Total)
		_, err = byName.Get(r, table.Str("door"))
		return err
	})
	fmt.Println(err)
	// Output:
	// table: project with name "gate" exists already
	// [{2 gatekeeper ann}] of 2
	// table: no project with name "door"
}

func ExampleKey() {
	k := table.Str("app") + table.Int(7)
	fmt.Println(k, k.Str(), k.Rest().Int())
	fmt.Println(table.Int(-1) < table.Int(1), table.Desc(table.Int(-1)) < table.Desc(table.Int(1)))
	// Output:
	// ("app", 7) app 7
	// true false
}

func ExamplePageOf() {
	p := table.PageOf([]string{"a", "b", "c", "d", "e"}, table.Numbered(2, 2))
	fmt.Println(p.Rows, "is page", p.Number(), "of", p.Total, "rows")
	// Output: [c d] is page 2 of 5 rows
}
