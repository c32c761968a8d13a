package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/gatehouse-go/gatehouse/agora"
	"github.com/gatehouse-go/gatehouse/milesight"
	"github.com/gatehouse-go/gatehouse/storage"
	boltstore "github.com/gatehouse-go/gatehouse/storage/bolt"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

// BenchmarkDurableBolt measures the store in a file with ten thousand records of
// 200 bytes beside bbolt used bare: transactions that read and write the same
// records, and are synced as well, without what a store is for (positions and
// what is kept for Watch, counters' arithmetic).
// The cases are those of [BenchmarkDurablePostgres].
func BenchmarkDurableBolt(b *testing.B) {
	w := boltWorkload()
	for _, library := range []struct {
		name string
		open func(testing.TB, *postgresLoad) durable
	}{
		{"gatehouse", openFile},
		{"limit-bbolt", openBareFile},
	} {
		b.Run(library.name, func(b *testing.B) { benchmarkDurable(b, library.open(b, w), w) })
	}
}

func boltWorkload() *postgresLoad {
	w := &postgresLoad{value: strings.Repeat("v", 177)}
	for i := range 10_000 {
		w.keys = append(w.keys, fmt.Sprintf("record|%016x", uint64(i+1)*0x9e3779b97f4a7c15))
	}
	return w
}

// BenchmarkPairedBolt commits in the one and in the other by turns, so that what
// else the disk does meets both, and tells by their medians how much of the bare
// rate is left.
func BenchmarkPairedBolt(b *testing.B) {
	w := boltWorkload()
	for _, n := range []int{1, 5} {
		b.Run(fmt.Sprintf("update-%d", n), func(b *testing.B) {
			pair := [2]durable{openFile(b, w), openBareFile(b, w)}
			var took [2][]time.Duration
			for b.Loop() {
				keys := make([]string, n)
				for i := range keys {
					keys[i] = w.probe()
				}
				for i, s := range pair {
					start := time.Now()
					s.put(w.value, keys...)
					took[i] = append(took[i], time.Since(start))
				}
			}
			var median [2]float64
			for i := range took {
				slices.Sort(took[i])
				median[i] = float64(took[i][len(took[i])/2])
			}
			b.ReportMetric(median[0], "ns/commit")
			b.ReportMetric(100*median[1]/median[0], "%-of-bare")
		})
	}
}

// BenchmarkOpenBolt measures how long it takes to open a system on a file: of a
// million rules of agora, of a hundred thousand grants of milesight. With -short
// it is a hundredth of that.
func BenchmarkOpenBolt(b *testing.B) {
	scale := 1
	if testing.Short() {
		scale = 100
	}
	run := func(name string, n int, fill func(storage.Store, int), open func(storage.Store) (close func() error)) {
		b.Run(fmt.Sprintf("%s-%d", name, n), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "store")
			// Made in memory, since a call for each would wait for a sync.
			made := memory.New(memory.Config{WatchCommits: 1})
			fill(made, n)
			s := openBoltFile(path)
			copyRecords(s, made)
			must(made.Close())
			must(s.Close())
			b.ResetTimer()
			for range b.N {
				s := openBoltFile(path)
				done := open(s)
				b.StopTimer()
				must(done())
				must(s.Close())
				b.StartTimer()
			}
		})
	}
	clock := func() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }
	newAgora := func(s storage.Store) *agora.System {
		sys, err := agora.New(s, agora.Config{Clock: clock})
		must(err)
		return sys
	}
	run("agora-rules", 1_000_000/scale, func(s storage.Store, n int) {
		ctx := context.Background()
		sys := newAgora(s)
		defer sys.Close()
		account, _, err := sys.CreateAccount(ctx)
		must(err)
		p, err := account.CreateProject(ctx, agora.NewProject{Name: "bench"})
		must(err)
		for i := range n {
			_, err := account.CreateRule(ctx, p.AppID, agora.NewRule{Selectors: agoraSelectors(i), Term: agora.Minutes(float64(60 + i%600))})
			must(err)
		}
	}, func(s storage.Store) func() error { return newAgora(s).Close })

	newMilesight := func(s storage.Store) *milesight.System {
		sys, err := milesight.New(s, milesight.Config{Clock: clock})
		must(err)
		return sys
	}
	run("milesight-grants", 100_000/scale, func(s storage.Store, n int) {
		ctx := context.Background()
		sys := newMilesight(s)
		defer sys.Close()
		tenant, err := sys.Tenant(milesight.DefaultTenant)
		must(err)
		for from := 0; from < n; from += 1000 {
			role, err := tenant.Host().CreateRole(ctx, fmt.Sprint("role", from), "")
			must(err)
			var all []milesight.Resource
			for i := from; i < min(from+1000, n); i++ {
				all = append(all, milesight.Resource{Type: milesight.Dashboard, ID: fmt.Sprint(i)})
			}
			must(tenant.Host().AssociateResources(ctx, role.ID, all...))
		}
	}, func(s storage.Store) func() error { return newMilesight(s).Close })
}

func openBoltFile(path string) *boltstore.Store {
	s, err := boltstore.Open(path, boltstore.Config{})
	must(err)
	return s
}

// copyRecords copies all records, some thousand in a transaction.
func copyRecords(to, from storage.Records) {
	ctx := context.Background()
	must(from.View(ctx, func(r storage.Reader) error {
		var all []storage.Record
		for rec, err := range r.Ascend("", "") {
			must(err)
			all = append(all, rec)
		}
		for part := range slices.Chunk(all, 20_000) {
			_, err := to.Update(ctx, func(w storage.Writer) error {
				for _, rec := range part {
					if err := w.Put(rec.Key, rec.Value); err != nil {
						return err
					}
				}
				return nil
			})
			must(err)
		}
		return nil
	}))
}

// fileStore is ours under measurement.
type fileStore struct{ storage.Store }

func openFile(b testing.TB, w *postgresLoad) durable {
	s := openBoltFile(filepath.Join(b.TempDir(), "store"))
	b.Cleanup(func() { must(s.Close()) })
	fileStore{s}.put(w.value, w.keys...)
	return fileStore{s}
}

func (s fileStore) get(key string) (n int) {
	must(s.View(context.Background(), func(tx storage.Reader) error {
		value, err := tx.Get(key)
		n = len(value)
		return err
	}))
	return n
}

func (s fileStore) scan(from string, records int) (n int) {
	must(s.View(context.Background(), func(tx storage.Reader) error {
		for rec, err := range tx.Ascend(from, "") {
			if err != nil {
				return err
			}
			n += len(rec.Value)
			if records--; records == 0 {
				break
			}
		}
		return nil
	}))
	return n
}

func (s fileStore) put(value string, keys ...string) {
	_, err := s.Update(context.Background(), func(tx storage.Writer) error {
		for _, key := range keys {
			if err := tx.Put(key, value); err != nil {
				return err
			}
		}
		return nil
	})
	must(err)
}

func (s fileStore) replace(key, value string) {
	_, err := s.Update(context.Background(), func(tx storage.Writer) error {
		if _, err := tx.Get(key); err != nil {
			return err
		}
		return tx.Put(key, value)
	})
	must(err)
}

func (s fileStore) append(data string) {
	_, err := s.Append(context.Background(), "topic", storage.Entry{Time: time.Now(), Data: data})
	must(err)
}

func (s fileStore) take(keys ...string) {
	counters := make([]storage.Counter, len(keys))
	for i, key := range keys {
		counters[i] = storage.Counter{Key: key, Limit: 1 << 40, Period: time.Hour, Cost: 1}
	}
	taken, err := s.Take(context.Background(), time.Time{}, counters...)
	must(err)
	if !taken.OK {
		panic(taken)
	}
}

// bareFile is bbolt, used as its README shows: what is read is copied, since it
// is the file's own memory until the transaction ends.
type bareFile struct{ *bbolt.DB }

var kept storage.Record // so that the copies are made

var bareLog, bareTopics, bareCounters = []byte("log"), []byte("topics"), []byte("counters")

func openBareFile(b testing.TB, w *postgresLoad) durable {
	db, err := bbolt.Open(filepath.Join(b.TempDir(), "bare"), 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType, InitialMmapSize: 1 << 30})
	must(err)
	b.Cleanup(func() { must(db.Close()) })
	must(db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{boltBucket, bareLog, bareTopics, bareCounters} {
			_, err := tx.CreateBucket(name)
			must(err)
		}
		return nil
	}))
	s := bareFile{db}
	s.put(w.value, slices.Sorted(slices.Values(w.keys))...)
	return s
}

func (s bareFile) get(key string) (n int) {
	must(s.View(func(tx *bbolt.Tx) error {
		kept.Value = string(tx.Bucket(boltBucket).Get([]byte(key)))
		n = len(kept.Value)
		return nil
	}))
	return n
}

func (s bareFile) scan(from string, records int) (n int) {
	must(s.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(boltBucket).Cursor()
		for k, v := c.Seek([]byte(from)); k != nil && records > 0; k, v = c.Next() {
			kept = storage.Record{Key: string(k), Value: string(v)}
			n += len(kept.Value)
			records--
		}
		return nil
	}))
	return n
}

func (s bareFile) put(value string, keys ...string) {
	must(s.Update(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(boltBucket)
		for _, key := range keys {
			if err := bucket.Put([]byte(key), []byte(value)); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (s bareFile) replace(key, value string) {
	must(s.Update(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(boltBucket)
		if bucket.Get([]byte(key)) == nil {
			return fmt.Errorf("no %q", key)
		}
		return bucket.Put([]byte(key), []byte(value))
	}))
}

// append adds an entry and notes how many there are.
func (s bareFile) append(data string) {
	must(s.Update(func(tx *bbolt.Tx) error {
		var next uint64
		if v := tx.Bucket(bareTopics).Get([]byte("topic")); v != nil {
			next = binary.BigEndian.Uint64(v)
		}
		key := binary.BigEndian.AppendUint64([]byte("topic"), next)
		if err := tx.Bucket(bareLog).Put(key, []byte(data)); err != nil {
			return err
		}
		return tx.Bucket(bareTopics).Put([]byte("topic"), binary.BigEndian.AppendUint64(nil, next+1))
	}))
}

// take reads and writes as much as a count needs.
func (s bareFile) take(keys ...string) {
	must(s.Update(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(bareCounters)
		for _, key := range keys {
			v := append([]byte(nil), bucket.Get([]byte(key))...)
			if len(v) < 24 {
				v = make([]byte, 24)
			}
			v[0]++
			if err := bucket.Put([]byte(key), v); err != nil {
				return err
			}
		}
		return nil
	}))
}
