package table_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

// device is a row as systems have them: about 200 bytes of JSON.
type device struct {
	ID, Name, Owner string
	Created         time.Time
	Note            string
}

type devices struct {
	store   *memory.Store
	table   *table.Table[device]
	byName  *table.Unique[device]
	byOwner *table.Index[device]
}

// fill makes a table of n devices of 100 owners, with two indexes.
func fill(b *testing.B, n int) *devices {
	s := table.NewSchema("bench")
	d := &devices{store: memory.New(memory.Config{})}
	d.table = table.New(s, "device", func(d *device) table.Key { return table.Str(d.ID) })
	d.byName = d.table.Unique("name", func(d *device) table.Key { return table.Str(d.Name) })
	d.byOwner = d.table.Index("owner", func(d *device) table.Key { return table.Str(d.Owner) + table.Desc(table.Time(d.Created)) })
	b.Cleanup(func() { d.store.Close() })
	for from := 0; from < n; from += 1000 {
		_, err := d.store.Update(b.Context(), func(w storage.Writer) error {
			for i := from; i < min(from+1000, n); i++ {
				if err := d.table.Insert(w, d.row(i)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return d
}

func (d *devices) row(i int) device {
	return device{
		ID: fmt.Sprintf("%032x", uint64(i)*0x9e3779b97f4a7c15), Name: fmt.Sprintf("device %d", i),
		Owner: fmt.Sprintf("owner %d", i%100), Created: time.Unix(int64(i), 0).UTC(), Note: strings.Repeat("n", 60),
	}
}

func BenchmarkTable(b *testing.B) {
	const n = 100_000
	d := fill(b, n)
	must := func(b *testing.B, err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	next := n
	for _, bench := range []struct {
		name string
		do   func(b *testing.B, w storage.Writer) error
	}{
		{"insert", func(b *testing.B, w storage.Writer) error { next++; return d.table.Insert(w, d.row(next)) }},
		{"update", func(b *testing.B, w storage.Writer) error {
			_, err := d.table.Update(w, table.Str(d.row(rand.IntN(n)).ID), func(row *device) error {
				row.Name += "'"
				return nil
			})
			return err
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err := d.store.Update(b.Context(), func(w storage.Writer) error { return bench.do(b, w) })
				must(b, err)
			}
		})
	}
	owner := table.Str("owner 7")
	for _, bench := range []struct {
		name string
		do   func(r storage.Reader) error
	}{
		{"get", func(r storage.Reader) error { _, err := d.table.Get(r, table.Str(d.row(rand.IntN(n)).ID)); return err }},
		{"get-unique", func(r storage.Reader) error { _, err := d.byName.Get(r, table.Str(d.row(n/2).Name)); return err }},
		{"first-of-index", func(r storage.Reader) error { _, err := d.byOwner.Prefix(owner).First(r); return err }},
		{"count-index-1000", func(r storage.Reader) error { _, err := d.byOwner.Prefix(owner).Count(r); return err }},
		{"page-10-of-1000", func(r storage.Reader) error {
			_, err := d.byOwner.Prefix(owner).Page(r, table.Window{Offset: 100, Limit: 10})
			return err
		}},
		{"page-10-of-1000-filtered", func(r storage.Reader) error {
			_, err := d.byOwner.Prefix(owner).Where(func(row *device) bool { return strings.Contains(row.Name, "9") }).
				Page(r, table.Window{Limit: 10})
			return err
		}},
		{"page-10-of-100000", func(r storage.Reader) error { _, err := d.table.All().Page(r, table.Window{Limit: 10}); return err }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				must(b, d.store.View(b.Context(), bench.do))
			}
		})
	}
}
