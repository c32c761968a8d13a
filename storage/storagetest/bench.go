package storagetest

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
)

// Load is the size of what [Bench] works on.
type Load struct {
	// Records is how many records the store holds, and how many counters there
	// are; 0 means 10,000.
	Records int
	// Value is the length of a value and of a log entry in bytes; 0 means 200.
	Value int
}

// Bench measures a store on a load, by one client unless the name says
// otherwise:
//
//   - get: one View that reads one random record
//   - scan-100: one View that walks 100 records from a random key
//   - read-while-writing: get, while another client commits without a pause;
//     writes/op tells how many of its commits fitted in
//   - update-5: one Update that changes five random records
//   - insert: one Update that adds a record
//   - log-append: one entry appended to one topic
//   - counters-take: one Take of three random counters, on the store's clock
//
// At most one Load is given. What is opened is closed again. The cases run in this order on one store, so the
// reads find it at its stated size.
func Bench(b *testing.B, open func(testing.TB) storage.Store, load ...Load) {
	l, s := oneLoad(b, load), opened(b, open)
	benchRecords(b, s, l)
	benchLog(b, s, l)
	benchCounters(b, s, l)
}

// BenchRecords measures the cases of [storage.Records] alone.
func BenchRecords(b *testing.B, open func(testing.TB) storage.Records, load ...Load) {
	benchRecords(b, opened(b, open), oneLoad(b, load))
}

// BenchLog measures the cases of [storage.Log] alone.
func BenchLog(b *testing.B, open func(testing.TB) storage.Log, load ...Load) {
	benchLog(b, opened(b, open), oneLoad(b, load))
}

// BenchCounters measures the cases of [storage.Counters] alone.
func BenchCounters(b *testing.B, open func(testing.TB) storage.Counters, load ...Load) {
	benchCounters(b, opened(b, open), oneLoad(b, load))
}

// opened opens a store that is closed with the benchmark.
func opened[S any](b *testing.B, open func(testing.TB) S) S {
	s := open(b)
	if c, ok := any(s).(io.Closer); ok {
		b.Cleanup(func() { c.Close() })
	}
	return s
}

func oneLoad(b *testing.B, load []Load) Load {
	b.Helper()
	if len(load) > 1 {
		b.Fatalf("storagetest: %d Loads given, want at most one", len(load))
	}
	var l Load
	if len(load) == 1 {
		l = load[0]
	}
	if l.Records <= 0 {
		l.Records = 10_000
	}
	if l.Value <= 0 {
		l.Value = 200
	}
	return l
}

// benchKey is the ith key; keys that follow each other are far apart.
func benchKey(i int) string { return fmt.Sprintf("record|%016x", uint64(i+1)*0x9e3779b97f4a7c15) }

func benchRecords(b *testing.B, s storage.Records, l Load) {
	ctx := b.Context()
	value := strings.Repeat("v", l.Value)
	keys := make([]string, l.Records)
	for i := range keys {
		keys[i] = benchKey(i)
	}
	const batch = 1000
	for i := 0; i < len(keys); i += batch {
		mustUpdate(b, s, func(w storage.Writer) error {
			for _, key := range keys[i:min(i+batch, len(keys))] {
				if err := w.Put(key, value); err != nil {
					return err
				}
			}
			return nil
		})
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	get := func(b *testing.B) {
		key := keys[rnd.IntN(len(keys))]
		err := s.View(ctx, func(r storage.Reader) error {
			_, err := r.Get(key)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}

	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			get(b)
		}
	})
	b.Run("scan-100", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			from, n := keys[rnd.IntN(len(keys))], 0
			err := s.View(ctx, func(r storage.Reader) error {
				n = 0
				for _, err := range r.Ascend(from, "") {
					if err != nil {
						return err
					}
					if n++; n == 100 {
						break
					}
				}
				return nil
			})
			if err != nil || n == 0 {
				b.Fatalf("%d records, %v", n, err)
			}
		}
	})
	b.Run("read-while-writing", func(b *testing.B) {
		ctx, stop := context.WithCancel(ctx)
		var writer sync.WaitGroup
		writes := 0
		writer.Go(func() {
			rnd := rand.New(rand.NewPCG(3, 4))
			for ctx.Err() == nil {
				key := keys[rnd.IntN(len(keys))]
				if _, err := s.Update(ctx, func(w storage.Writer) error { return w.Put(key, value) }); err == nil {
					writes++
				} else if ctx.Err() == nil {
					b.Error(err)
					return
				}
			}
		})
		for b.Loop() {
			get(b)
		}
		stop()
		writer.Wait()
		b.ReportMetric(float64(writes)/float64(b.N), "writes/op")
	})
	b.Run("update-5", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var picked [5]string
			for i := range picked {
				picked[i] = keys[rnd.IntN(len(keys))]
			}
			mustUpdate(b, s, func(w storage.Writer) error {
				for _, key := range picked {
					if err := w.Put(key, value); err != nil {
						return err
					}
				}
				return nil
			})
		}
	})
	next := l.Records
	b.Run("insert", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			key := benchKey(next)
			next++
			mustUpdate(b, s, func(w storage.Writer) error { return w.Put(key, value) })
		}
	})
}

func mustUpdate(b *testing.B, s storage.Records, fn func(storage.Writer) error) {
	if _, err := s.Update(b.Context(), fn); err != nil {
		b.Helper()
		b.Fatal(err)
	}
}

func benchLog(b *testing.B, s storage.Log, l Load) {
	data := strings.Repeat("v", l.Value)
	b.Run("log-append", func(b *testing.B) {
		b.ReportAllocs()
		at := noon
		for b.Loop() {
			at = at.Add(time.Millisecond)
			if _, err := s.Append(b.Context(), "topic", storage.Entry{Time: at, Data: data}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func benchCounters(b *testing.B, s storage.Counters, l Load) {
	b.Run("counters-take", func(b *testing.B) {
		b.ReportAllocs()
		rnd := rand.New(rand.NewPCG(1, 2))
		counters := []storage.Counter{{Kind: storage.Fixed}, {Kind: storage.Sliding}, {Kind: storage.Bucket}}
		keys := make([][]string, len(counters))
		for i := range counters {
			counters[i].Limit, counters[i].Period, counters[i].Cost = 1<<40, time.Hour, 1
			for j := range (l.Records + len(counters) - 1) / len(counters) {
				keys[i] = append(keys[i], fmt.Sprint("counter|", i, "|", j))
			}
		}
		for b.Loop() {
			for i := range counters {
				counters[i].Key = keys[i][rnd.IntN(len(keys[i]))]
			}
			if taken, err := s.Take(b.Context(), time.Time{}, counters...); err != nil || !taken.OK {
				b.Fatal(taken, err)
			}
		}
	})
}
