package bolt

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/gatehouse-go/gatehouse/storage"
)

// from returns the first position that Watch yields after the given one, or its
// error.
func from(t *testing.T, s *Store, after storage.Position) (storage.Position, error) {
	t.Helper()
	for c, err := range s.Watch(t.Context(), after, "") {
		return c.Position, err
	}
	t.Fatal("Watch ended")
	return 0, nil
}

// oldest returns the oldest position one can watch from.
func oldest(t *testing.T, s *Store) (p storage.Position) {
	t.Helper()
	err := s.db.View(func(tx *bbolt.Tx) error {
		p = storage.Position(tx.Bucket(changes).Sequence())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWatchKeepsAsManyCommitsAsItShould(t *testing.T) {
	const most = 32
	s := setup(t, Config{WatchCommits: most})
	for i := range storage.Position(200) {
		now := update(t, s, put("a", fmt.Sprint(i)))
		floor := oldest(t, s)
		if kept := now - floor; now > most && (kept < most || kept > most+most/16+1) {
			t.Fatalf("%d commits are kept at %d, want %d or a few more", kept, now, most)
		}
		if floor > 0 {
			if _, err := from(t, s, floor-1); !errors.Is(err, storage.ErrLagged) {
				t.Fatalf("Watch(%d): %v, want ErrLagged", floor-1, err)
			}
		}
		if p, err := from(t, s, floor); err != nil || p != floor+1 {
			t.Fatalf("Watch(%d) begins at %d, %v", floor, p, err)
		}
	}
}

func TestWatchKeepsNoMoreBytesThanItShould(t *testing.T) {
	s := setup(t, Config{WatchBytes: 10_000})
	text := strings.Repeat("x", 900)
	for range 30 {
		now := update(t, s, put("a", text))
		if floor := oldest(t, s); now-floor > 11 || now > 11 && now-floor < 9 {
			t.Fatalf("%d commits of 900 bytes are kept at %d", now-floor, now)
		}
	}
	now := update(t, s, put("a", strings.Repeat("x", 20_000)))
	if _, err := from(t, s, now-1); !errors.Is(err, storage.ErrLagged) {
		t.Errorf("a commit larger than all that is kept is not said to be missing: %v", err)
	}
	next := update(t, s, put("a", "small"))
	if p, err := from(t, s, now); err != nil || p != next {
		t.Errorf("after it Watch(%d) begins at %d, %v", now, p, err)
	}
	// A larger bound after a restart begins from what is there.
	path := s.db.Path()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if p, err := from(t, s, now); err != nil || p != next {
		t.Errorf("after a restart Watch(%d) begins at %d, %v", now, p, err)
	}
}

func TestWatchReadsManyCommits(t *testing.T) {
	s := setup(t, Config{})
	const commits = 3*batchCommits + 7
	for i := range commits {
		update(t, s, put([]string{"a", "b"}[i%2], fmt.Sprint(i)))
	}
	n := 0
	for c, err := range s.Watch(t.Context(), 0, "b") {
		if err != nil || c.Changes[0].Value != fmt.Sprint(2*n+1) {
			t.Fatalf("commit %d of b is %v, %v", n, c, err)
		}
		if n++; n == commits/2 {
			break
		}
	}
}

func TestChangesCodec(t *testing.T) {
	all := []storage.Change{
		{Key: "a", Value: ""}, {Key: "b", Deleted: true}, {Key: "ba", Value: "1"}, {Key: "bb", Deleted: true},
		{Key: strings.Repeat("k", storage.MaxKey), Value: strings.Repeat("v", 70_000)}, {Key: "\xff\x00", Value: "\x00"},
	}
	data := encodeChanges(77, all)
	if got := bytesBefore(data); got != 77 {
		t.Errorf("%d bytes before, want 77", got)
	}
	for prefix, want := range map[string][]storage.Change{"": all, "b": all[1:4], "ba": all[2:3], "c": nil, "\xff": all[5:]} {
		if got, err := decodeChanges(data, prefix); err != nil || !slices.Equal(got, want) {
			t.Errorf("under %q: %.60v, %v", prefix, got, err)
		}
	}
}

func FuzzChangesCodec(f *testing.F) {
	f.Add(encodeChanges(1, []storage.Change{{Key: "a", Value: "x"}, {Key: "b", Deleted: true}}), "a")
	f.Add([]byte("123456789\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), "")
	f.Fuzz(func(t *testing.T, data []byte, prefix string) {
		list, err := decodeChanges(data, prefix)
		if err != nil || prefix != "" {
			return
		}
		again, err := decodeChanges(encodeChanges(0, list), "")
		if err != nil || !reflect.DeepEqual(again, list) {
			t.Fatalf("%v comes back as %v, %v", list, again, err)
		}
	})
}

// Transactions of one group walk over pages that those before them have emptied.
func TestWalksOverEmptiedPages(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	s := setup(t, Config{})
	model := map[string]string{}
	fill := func(tx storage.Writer) error {
		for i := range 3000 {
			key := fmt.Sprintf("%05d", i)
			model[key] = strings.Repeat("v", 50)
			if err := tx.Put(key, model[key]); err != nil {
				return err
			}
		}
		return nil
	}
	for range 20 {
		var others []func(storage.Writer) error
		for range 4 {
			first := rnd.IntN(3000)
			count := rnd.IntN(1500)
			others = append(others, func(tx storage.Writer) error {
				for i := first; i < first+count; i++ {
					key := fmt.Sprintf("%05d", i)
					delete(model, key)
					if err := tx.Delete(key); err != nil {
						return err
					}
				}
				return nil
			}, func(tx storage.Writer) error { // in the same transaction of the file
				for range 4 {
					from, to := fmt.Sprintf("%05d", rnd.IntN(3000)), fmt.Sprintf("%05d", rnd.IntN(3000))
					if rnd.IntN(3) == 0 {
						from, to = "", ""
					}
					var want, up, down []string
					for key := range model {
						if key >= from && (to == "" || key < to) {
							want = append(want, key)
						}
					}
					slices.Sort(want)
					for rec, err := range tx.Ascend(from, to) {
						if err != nil {
							return err
						}
						up = append(up, rec.Key)
					}
					for rec, err := range tx.Descend(from, to) {
						if err != nil {
							return err
						}
						down = append(down, rec.Key)
					}
					slices.Reverse(down)
					if !slices.Equal(up, want) || !slices.Equal(down, want) {
						return fmt.Errorf("[%s, %s): %d records upwards, %d downwards, want %d", from, to, len(up), len(down), len(want))
					}
				}
				return nil
			})
		}
		errs, commits := crowd(t, s, fill, others...)
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if commits != 2 {
			t.Fatalf("%d commits, want the walks in the group of the deletions", commits)
		}
	}
}
