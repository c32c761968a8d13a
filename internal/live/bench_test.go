package live_test

import (
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-go/gatehouse/internal/live"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

// counter is a state changed in place.
type counter struct{ n atomic.Int64 }

// count is the cheapest of configs.
func count(prefix string) live.Config[counter] {
	return live.Config[counter]{
		Prefix: prefix,
		Build:  func(storage.Reader) (*counter, error) { return &counter{}, nil },
		Apply: func(s *counter, c storage.Commit) (*counter, error) {
			s.n.Add(1)
			return s, nil
		},
	}
}

func open(b *testing.B, store storage.Records, c live.Config[counter]) *live.Follower[counter] {
	f, err := live.Follow(b.Context(), store, c)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	return f
}

// BenchmarkUpdate is one Put, in the store alone and until it is live.
func BenchmarkUpdate(b *testing.B) {
	run := func(b *testing.B, store updater) {
		b.ReportAllocs()
		n := 0
		for b.Loop() {
			n++
			mustUpdate(b, store, put("x/"+strconv.Itoa(n%1000), strconv.Itoa(n)))
		}
	}
	b.Run("store-alone", func(b *testing.B) { run(b, memory.New(memory.Config{})) })
	for _, others := range []int{0, 3} {
		b.Run(fmt.Sprintf("live/other-followers=%d", others), func(b *testing.B) {
			store := memory.New(memory.Config{})
			f := open(b, store, count("x/"))
			for range others {
				open(b, store, count("y/"))
			}
			run(b, f)
		})
	}
	b.Run("live/parallel", func(b *testing.B) {
		f := open(b, memory.New(memory.Config{}), count("x/"))
		b.ReportAllocs()
		var n atomic.Int64
		b.SetParallelism(8)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				i := n.Add(1)
				mustUpdate(b, f, put("x/"+strconv.Itoa(int(i%1000)), strconv.Itoa(int(i))))
			}
		})
	})
}

// BenchmarkCreateRule is all of it: a number from a sequence, a row with two
// indexes, encoded, committed, decoded by the follower, and live.
func BenchmarkCreateRule(b *testing.B) {
	type rule struct {
		ID              int64
		App, Channel    string
		User            uint32
		Created, Until  int64
		Privileges, Tag []string
	}
	schema := table.NewSchema("x")
	ids := schema.Sequence("rule")
	rules := table.New(schema, "rule", func(r *rule) table.Key { return table.Int(r.ID) })
	rules.Index("app", func(r *rule) table.Key { return table.Str(r.App) })
	rules.Index("until", func(r *rule) table.Key { return table.Int(r.Until) })
	c := count(schema.RowPrefix())
	c.Apply = func(s *counter, c storage.Commit) (*counter, error) {
		for ch, err := range rules.Changes(c) {
			if err != nil {
				return s, err
			}
			s.n.Store(ch.Row.ID)
		}
		return s, nil
	}
	f := open(b, memory.New(memory.Config{}), c)
	b.ReportAllocs()
	for b.Loop() {
		var id int64
		mustUpdate(b, f, func(w storage.Writer) (err error) {
			if id, err = ids.Next(w); err != nil {
				return err
			}
			return rules.Insert(w, rule{ID: id, App: "0123456789abcdef0123456789abcdef", Channel: "channel", User: 7,
				Created: id, Until: id + 3600, Privileges: []string{"join_channel"}})
		})
		if f.State().n.Load() < id {
			b.Fatal("not live")
		}
	}
}
