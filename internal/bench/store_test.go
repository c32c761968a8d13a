package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/dgraph-io/badger/v4"
	"github.com/hashicorp/go-memdb"
	"github.com/tidwall/buntdb"
	"go.etcd.io/bbolt"

	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

// BenchmarkStore measures stores that hold a million records of 200 bytes, with
// keys in random order. With -short it is ten thousand, which shows only that
// the benchmark works.
//
//   - get: a transaction that reads one record
//   - insert: a transaction that adds one record
//   - update-5: a transaction that overwrites five records
//   - scan-100: a transaction that walks over a hundred records
//   - read-while-writing: get, while another goroutine does update-5 all the time
func BenchmarkStore(b *testing.B) {
	for _, library := range []struct {
		name string
		open func(testing.TB, *workload) keyValues
	}{
		{"gatehouse", openGatehouse},
		{"go-memdb", openMemDB},
		{"buntdb", openBuntDB},
		{"badger", openBadger},
		{"limit-map", openMap},
		{"limit-bbolt", openBolt},
	} {
		b.Run(library.name, func(b *testing.B) {
			w := storeWorkload()
			benchmarkStore(b, library.open(b, w), w)
			runtime.GC() // the next one begins without this one's garbage
		})
	}
}

// keyValues is a store under measurement. Each method is one transaction.
type keyValues interface {
	get(key string) (value int)
	scan(from string, records int) (values int)
	put(value string, keys ...string)
	remove(keys ...string)
}

// readOnly is a store that is shown for its reading alone.
type readOnly interface{ readOnly() }

func benchmarkStore(b *testing.B, kv keyValues, w *workload) {
	get := func(b *testing.B) {
		for b.Loop() {
			if n := kv.get(w.probe()); n != len(w.value) {
				b.Fatalf("a value of %d bytes", n)
			}
		}
	}
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		get(b)
	})
	if _, ok := kv.(*goMap); !ok {
		b.Run("scan-100", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if n := kv.scan(w.probe(), 100); n > 100*len(w.value) {
					b.Fatalf("%d bytes of values", n)
				}
			}
		})
	}
	if _, ok := kv.(readOnly); ok {
		return
	}
	b.Run("update-5", func(b *testing.B) {
		b.ReportAllocs()
		var keys [5]string
		for b.Loop() {
			for i := range keys {
				keys[i] = w.probe()
			}
			kv.put(w.value, keys[:]...)
		}
	})
	b.Run("read-while-writing", func(b *testing.B) {
		var stop sync.WaitGroup
		defer stop.Wait()
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		stop.Go(func() {
			own := w.fork()
			var keys [5]string
			for ctx.Err() == nil {
				for i := range keys {
					keys[i] = own.probe()
				}
				kv.put(w.value, keys[:]...)
			}
		})
		get(b)
	})
	b.Run("insert", func(b *testing.B) {
		b.ReportAllocs()
		added := 0
		for b.Loop() {
			if added == len(w.fresh) {
				b.StopTimer()
				kv.remove(w.fresh...)
				added = 0
				b.StartTimer()
			}
			kv.put(w.value, w.fresh[added])
			added++
		}
		kv.remove(w.fresh[:added]...)
	})
}

// workload is what all stores are measured with.
type workload struct {
	keys   []string // of the records
	fresh  []string // of no record
	value  string
	probes []string // keys in another order, and in memory of their own
	next   int
}

var storeWorkload = sync.OnceValue(func() *workload {
	n := 1_000_000
	if testing.Short() {
		n = 10_000
	}
	rng := rand.New(rand.NewPCG(1, 2))
	const size = 23
	var text strings.Builder
	cut := func(n int, key func(i int) string) []string {
		text.Reset()
		for i := range n {
			text.WriteString(key(i))
		}
		all := text.String()
		text = strings.Builder{}
		keys := make([]string, n)
		for i := range keys {
			keys[i] = all[i*size : (i+1)*size]
		}
		return keys
	}
	random := func(int) string { return fmt.Sprintf("record|%016x", rng.Uint64()) }
	w := &workload{keys: cut(n, random), fresh: cut(n/4, random)}
	order := rng.Perm(n)
	w.probes = cut(n, func(i int) string { return w.keys[order[i]] })
	w.value = strings.Repeat("v", 200-size)
	return w
})

// probe returns the next key to look for. The keys lie one after another in
// memory, so that what is measured is the store's cache misses and not ours.
func (w *workload) probe() string {
	if w.next++; w.next == len(w.probes) {
		w.next = 0
	}
	return w.probes[w.next]
}

// fork returns the same workload for another goroutine, elsewhere in the probes.
func (w *workload) fork() *workload {
	f := *w
	f.next = (w.next + len(w.probes)/2) % len(w.probes)
	return &f
}

// load fills a store with its own copies of the records.
func (w *workload) load(put func(key, value string)) {
	for _, key := range w.keys {
		put(strings.Clone(key), strings.Clone(w.value))
	}
}

// must panics: no store has a reason to fail here.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

type gatehouse struct{ *memory.Store }

func openGatehouse(b testing.TB, w *workload) keyValues {
	s := memory.New(memory.Config{})
	b.Cleanup(func() { must(s.Close()) })
	_, err := s.Update(b.Context(), func(tx storage.Writer) error {
		w.load(func(key, value string) { must(tx.Put(key, value)) })
		return nil
	})
	must(err)
	return gatehouse{s}
}

func (s gatehouse) get(key string) (n int) {
	must(s.View(context.Background(), func(tx storage.Reader) error {
		value, err := tx.Get(key)
		n = len(value)
		return err
	}))
	return n
}

func (s gatehouse) scan(from string, records int) (n int) {
	must(s.View(context.Background(), func(tx storage.Reader) error {
		for r, err := range tx.Ascend(from, "") {
			if err != nil {
				return err
			}
			n += len(r.Value)
			if records--; records == 0 {
				break
			}
		}
		return nil
	}))
	return n
}

func (s gatehouse) put(value string, keys ...string) {
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

func (s gatehouse) remove(keys ...string) {
	_, err := s.Update(context.Background(), func(tx storage.Writer) error {
		for _, key := range keys {
			if err := tx.Delete(key); err != nil {
				return err
			}
		}
		return nil
	})
	must(err)
}

type memDB struct{ *memdb.MemDB }

type memRecord struct{ key, value string }

// memKey indexes records by their key, without the reflection that the library's
// own indexes use.
type memKey struct{}

func (memKey) FromArgs(args ...any) ([]byte, error) { return append([]byte(args[0].(string)), 0), nil }

func (memKey) FromObject(o any) (bool, []byte, error) {
	return true, append([]byte(o.(*memRecord).key), 0), nil
}

func openMemDB(_ testing.TB, w *workload) keyValues {
	db, err := memdb.NewMemDB(&memdb.DBSchema{Tables: map[string]*memdb.TableSchema{
		"record": {Name: "record", Indexes: map[string]*memdb.IndexSchema{
			"id": {Name: "id", Unique: true, Indexer: memKey{}},
		}},
	}})
	must(err)
	tx := db.Txn(true)
	w.load(func(key, value string) { must(tx.Insert("record", &memRecord{key, value})) })
	tx.Commit()
	return memDB{db}
}

func (s memDB) get(key string) int {
	tx := s.Txn(false)
	defer tx.Abort()
	o, err := tx.First("record", "id", key)
	must(err)
	return len(o.(*memRecord).value)
}

func (s memDB) scan(from string, records int) (n int) {
	tx := s.Txn(false)
	defer tx.Abort()
	it, err := tx.LowerBound("record", "id", from)
	must(err)
	for o := it.Next(); o != nil && records > 0; o = it.Next() {
		n += len(o.(*memRecord).value)
		records--
	}
	return n
}

func (s memDB) put(value string, keys ...string) {
	tx := s.Txn(true)
	for _, key := range keys {
		must(tx.Insert("record", &memRecord{key, value}))
	}
	tx.Commit()
}

func (s memDB) remove(keys ...string) {
	tx := s.Txn(true)
	for _, key := range keys {
		must(tx.Delete("record", &memRecord{key: key}))
	}
	tx.Commit()
}

type buntDB struct{ *buntdb.DB }

func openBuntDB(b testing.TB, w *workload) keyValues {
	db, err := buntdb.Open(":memory:")
	must(err)
	b.Cleanup(func() { must(db.Close()) })
	must(db.Update(func(tx *buntdb.Tx) error {
		w.load(func(key, value string) {
			_, _, err := tx.Set(key, value, nil)
			must(err)
		})
		return nil
	}))
	return buntDB{db}
}

func (s buntDB) get(key string) (n int) {
	must(s.View(func(tx *buntdb.Tx) error {
		value, err := tx.Get(key)
		n = len(value)
		return err
	}))
	return n
}

func (s buntDB) scan(from string, records int) (n int) {
	must(s.View(func(tx *buntdb.Tx) error {
		return tx.AscendGreaterOrEqual("", from, func(_, value string) bool {
			n += len(value)
			records--
			return records > 0
		})
	}))
	return n
}

func (s buntDB) put(value string, keys ...string) {
	must(s.Update(func(tx *buntdb.Tx) error {
		for _, key := range keys {
			if _, _, err := tx.Set(key, value, nil); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (s buntDB) remove(keys ...string) {
	must(s.Update(func(tx *buntdb.Tx) error {
		for _, key := range keys {
			if _, err := tx.Delete(key); err != nil && !errors.Is(err, buntdb.ErrNotFound) {
				return err
			}
		}
		return nil
	}))
}

type badgerDB struct{ *badger.DB }

func openBadger(b testing.TB, w *workload) keyValues {
	db, err := badger.Open(badger.DefaultOptions("").WithInMemory(true).WithLogger(nil))
	must(err)
	b.Cleanup(func() { must(db.Close()) })
	batch := db.NewWriteBatch()
	w.load(func(key, value string) { must(batch.Set([]byte(key), []byte(value))) })
	must(batch.Flush())
	return badgerDB{db}
}

func (s badgerDB) get(key string) (n int) {
	must(s.View(func(tx *badger.Txn) error {
		item, err := tx.Get([]byte(key))
		if err != nil {
			return err
		}
		return item.Value(func(value []byte) error {
			n = len(value)
			return nil
		})
	}))
	return n
}

func (s badgerDB) scan(from string, records int) (n int) {
	must(s.View(func(tx *badger.Txn) error {
		it := tx.NewIterator(badger.IteratorOptions{PrefetchValues: true, PrefetchSize: records})
		defer it.Close()
		for it.Seek([]byte(from)); it.Valid() && records > 0; it.Next() {
			if err := it.Item().Value(func(value []byte) error {
				n += len(value)
				return nil
			}); err != nil {
				return err
			}
			records--
		}
		return nil
	}))
	return n
}

func (s badgerDB) put(value string, keys ...string) {
	must(s.Update(func(tx *badger.Txn) error {
		for _, key := range keys {
			if err := tx.Set([]byte(key), []byte(value)); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (s badgerDB) remove(keys ...string) {
	batch := s.NewWriteBatch()
	for _, key := range keys {
		must(batch.Delete([]byte(key)))
	}
	must(batch.Flush())
}

// goMap is a plain map: no order, no transactions, no concurrent use.
type goMap struct {
	keyValues
	m map[string]string
}

func openMap(_ testing.TB, w *workload) keyValues {
	m := make(map[string]string)
	w.load(func(key, value string) { m[key] = value })
	return &goMap{m: m}
}

func (s *goMap) get(key string) int { return len(s.m[key]) }
func (s *goMap) readOnly()          {}

// bolt is a file, read through the page cache: it writes with the disk's speed,
// so only its reading is shown.
type bolt struct {
	keyValues
	*bbolt.DB
}

var boltBucket = []byte("record")

func openBolt(b testing.TB, w *workload) keyValues {
	dir, err := os.MkdirTemp("", "bench")
	must(err)
	db, err := bbolt.Open(filepath.Join(dir, "bolt"), 0o600, &bbolt.Options{NoSync: true})
	must(err)
	b.Cleanup(func() {
		must(db.Close())
		must(os.RemoveAll(dir))
	})
	must(db.Update(func(tx *bbolt.Tx) error {
		bucket, err := tx.CreateBucket(boltBucket)
		must(err)
		w.load(func(key, value string) { must(bucket.Put([]byte(key), []byte(value))) })
		return nil
	}))
	return &bolt{DB: db}
}

func (s *bolt) readOnly() {}

func (s *bolt) get(key string) (n int) {
	must(s.View(func(tx *bbolt.Tx) error {
		n = len(tx.Bucket(boltBucket).Get([]byte(key)))
		return nil
	}))
	return n
}

func (s *bolt) scan(from string, records int) (n int) {
	must(s.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(boltBucket).Cursor()
		for k, v := c.Seek([]byte(from)); k != nil && records > 0; k, v = c.Next() {
			n += len(v)
			records--
		}
		return nil
	}))
	return n
}
