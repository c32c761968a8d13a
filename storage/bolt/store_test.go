package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/gatehouse-go/gatehouse/storage"
)

func TestAFileHasOneOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s, err := Open(path, Config{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(path, Config{})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), path) {
		t.Errorf("opened twice: %v, want ErrLocked with the path", err)
	}
	go func() { time.Sleep(20 * time.Millisecond); s.Close() }()
	again, err := Open(path, Config{Wait: time.Minute})
	if err != nil {
		t.Fatalf("a store that waits for the file: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNoStoreIsRefused(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	raw := func(name string, fill func(*bbolt.Tx) error) string {
		path := filepath.Join(dir, name)
		db, err := bbolt.Open(path, 0o600, nil)
		if err == nil {
			err = errors.Join(db.Update(fill), db.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, path := range map[string]string{
		"text": write("text", []byte(strings.Repeat("not a database\n", 5000))),
		"another's": raw("another", func(tx *bbolt.Tx) error {
			_, err := tx.CreateBucket([]byte("its own"))
			return err
		}),
		"a later version": raw("later", func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucket(about)
			return errors.Join(err, b.Put(formatKey, []byte("2")))
		}),
	} {
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path, Config{}); !errors.Is(err, ErrNotAStore) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want ErrNotAStore with the path", name, err)
		}
		if after, err := os.ReadFile(path); err != nil || name == "text" && !bytes.Equal(before, after) {
			t.Errorf("%s: changed by being refused, %v", name, err)
		}
	}
	if _, err := Open(filepath.Join(dir, "no", "directory"), Config{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("in a directory that is missing: %v", err)
	}
	empty, err := Open(write("empty", nil), Config{})
	if err != nil {
		t.Errorf("an empty file: %v", err)
	} else if err := empty.Close(); err != nil {
		t.Error(err)
	}
}

func TestManyOpenOneNewFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "store")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			s, err := Open(path, Config{Wait: time.Minute})
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			update(t, s, put(fmt.Sprint(i), "here"))
		})
	}
	all.Wait()
	s, err := Open(path, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 8 {
		if value(t, s, fmt.Sprint(i)) != "here" {
			t.Errorf("what the store %d wrote is lost", i)
		}
	}
	if left, _ := filepath.Glob(path + ".new-*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has the mode %v, %v", info.Mode(), err)
	}
}

func TestWriteToIsAStore(t *testing.T) {
	s := setup(t, Config{})
	p := update(t, s, put("a", "1"))
	var copied bytes.Buffer
	n, err := s.WriteTo(&copied)
	if err != nil || n != int64(copied.Len()) {
		t.Fatalf("WriteTo = %d, %v of %d bytes", n, err, copied.Len())
	}
	update(t, s, put("a", "2"))
	path := filepath.Join(t.TempDir(), "copy")
	if err := os.WriteFile(path, copied.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Open(path, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := value(t, c, "a"); got != "1" {
		t.Errorf("a is %q in the copy, want what it was", got)
	}
	if next := update(t, c, put("a", "3")); next != p+1 {
		t.Errorf("the copy goes on at %d, want %d", next, p+1)
	}
	s.Close()
	if _, err := s.WriteTo(&copied); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("WriteTo after Close: %v", err)
	}
}

// A View may last while the file grows many times over, and others begin.
func TestNobodyWaitsForAView(t *testing.T) {
	s := setup(t, Config{})
	update(t, s, put("a", "1"))
	err := s.View(t.Context(), func(tx storage.Reader) error {
		for i := range 20 {
			update(t, s, put(fmt.Sprint(i), strings.Repeat("x", 1<<20)))
			if got := value(t, s, fmt.Sprint(i)); len(got) != 1<<20 {
				t.Errorf("a View beside the first reads %d bytes", len(got))
			}
		}
		got, err := tx.Get("a")
		if got != "1" || tx.Position() != 1 {
			t.Errorf("the first reads %q at %d", got, tx.Position())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestTrimFreesInParts(t *testing.T) {
	s := setup(t, Config{})
	ctx := t.Context()
	many := make([]storage.Entry, 2*trimBatch+10)
	for _, topic := range []string{"a", "aa", "b"} {
		if _, err := s.Append(ctx, topic, many...); err != nil {
			t.Fatal(err)
		}
	}
	// As if it had been interrupted after the first part.
	plain := s.commit
	commits, interrupted := 0, errors.New("interrupted")
	s.commit = func(tx *bbolt.Tx) error {
		if commits++; commits > 1 {
			return errors.Join(interrupted, tx.Rollback())
		}
		return plain(tx)
	}
	last := storage.Offset(len(many))
	if err := s.Trim(ctx, "aa", last); !errors.Is(err, interrupted) {
		t.Fatal(err)
	}
	s.commit = plain
	count := func(topic string) (n int) {
		_ = s.db.View(func(tx *bbolt.Tx) error {
			start := entryKey(topic, 0)
			c := tx.Bucket(entries).Cursor()
			for k, _ := c.Seek(start); bytes.HasPrefix(k, start[:len(start)-8]); k, _ = c.Next() {
				n++
			}
			return nil
		})
		return n
	}
	if first, next, err := s.Bounds(ctx, "aa"); first != last || next != last+1 || err != nil {
		t.Errorf("Bounds = %d, %d, %v after the first part", first, next, err)
	}
	if n := count("aa"); n != len(many)-trimBatch {
		t.Errorf("%d entries are in the file after the first part", n)
	}
	if at, err := s.Seek(ctx, "aa", time.Time{}.Add(-time.Hour)); at != last || err != nil {
		t.Errorf("Seek = %d, %v", at, err)
	}
	if err := s.Trim(ctx, "aa", 0); err != nil {
		t.Fatal(err)
	}
	if n := count("aa"); n != 1 {
		t.Errorf("%d entries are in the file after the next Trim, want 1", n)
	}
	if a, b := count("a"), count("b"); a != len(many) || b != len(many) {
		t.Errorf("%d and %d entries are left in the other topics", a, b)
	}
}

func TestReadIsOvertakenByTrim(t *testing.T) {
	s := setup(t, Config{})
	if _, err := s.Append(t.Context(), "a", make([]storage.Entry, 3*patience)...); err != nil {
		t.Fatal(err)
	}
	n := 0
	var last error
	for e, err := range s.Read(t.Context(), "a", 0) {
		if last = err; err != nil {
			break
		}
		if n++; e.Offset != storage.Offset(n) {
			t.Fatalf("entry %v, want offset %d", e, n)
		}
		if n == 1 {
			if err := s.Trim(t.Context(), "a", 2*patience); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n != patience || !errors.Is(last, storage.ErrTrimmed) {
		t.Errorf("%d entries and %v, want one batch and ErrTrimmed", n, last)
	}
}

func TestCountersThatAreOverGo(t *testing.T) {
	s := setup(t, Config{})
	at := time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC)
	take := func(key string, at time.Time) {
		t.Helper()
		c := storage.Counter{Key: key, Limit: 100, Period: time.Minute, Cost: 1}
		if taken, err := s.Take(t.Context(), at, c); err != nil || !taken.OK {
			t.Fatal(taken, err)
		}
	}
	for i := range 30 {
		take(fmt.Sprint(i), at)
	}
	for i := range 40 {
		take("live", at.Add(time.Hour+time.Duration(i)))
	}
	var left []string
	err := s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(counters).ForEach(func(k, _ []byte) error {
			left = append(left, string(k))
			return nil
		})
	})
	if err != nil || len(left) != 1 || left[0] != "live" {
		t.Errorf("left are %q, %v, want only the live one", left, err)
	}
}
