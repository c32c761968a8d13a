package storagetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/gatehouse-go/gatehouse/storage"
)

var order = []check[storage.Records]{
	{"keys are ordered bytewise", "Keys are ordered bytewise, whatever the machine's locale.", func(t *trial[storage.Records]) {
		s := t.open()
		for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(len(oddKeys)) {
			put(t, s, oddKeys[i], fmt.Sprint(i))
		}
		var want []storage.Record
		for i, key := range oddKeys {
			want = append(want, storage.Record{Key: key, Value: fmt.Sprint(i)})
		}
		wantWalks(t, s, "", "", want)
	}},
	{"bounds are half open", "Ascend and Descend yield the records with from <= key < to. An empty to is no upper bound; bounds may be any string, keys or not.", func(t *trial[storage.Records]) {
		s := t.open()
		put(t, s, "b", "1", "d", "2", "f", "3")
		for _, c := range []struct {
			from, to string
			want     []storage.Record
		}{
			{"", "", records("b", "1", "d", "2", "f", "3")},
			{"b", "f", records("b", "1", "d", "2")},
			{"b", "f\x00", records("b", "1", "d", "2", "f", "3")},
			{"b\x00", "f", records("d", "2")},
			{"a", "c", records("b", "1")},
			{"c", "e", records("d", "2")},
			{"d", "", records("d", "2", "f", "3")},
			{"", "d", records("b", "1")},
			{"", "a", nil},
			{"g", "", nil},
			{"", "\x00", nil},
			{"\xff", "", nil},
			{strings.Repeat("b", 2*storage.MaxKey), strings.Repeat("f", 2*storage.MaxKey), records("d", "2", "f", "3")},
		} {
			wantWalks(t, s, c.from, c.to, c.want)
		}
	}},
	{"an empty or inverted range is empty", "Ascend and Descend yield the records with from <= key < to.", func(t *trial[storage.Records]) {
		s := t.open()
		wantWalks(t, s, "", "", nil)
		put(t, s, "a", "1", "b", "2", "c", "3")
		for _, c := range [][2]string{{"b", "b"}, {"c", "a"}, {"b\x00", "b"}, {"c", "b"}, {"\xff", "a"}} {
			wantWalks(t, s, c[0], c[1], nil)
		}
	}},
	{"a prefix is exactly a range", "PrefixEnd returns the upper bound that, with prefix as lower bound, covers exactly the keys that start with prefix.", func(t *trial[storage.Records]) {
		s := t.open()
		var all []storage.Record
		for _, key := range oddKeys {
			put(t, s, key, "x")
			all = append(all, storage.Record{Key: key, Value: "x"})
		}
		for _, prefix := range []string{"", "a", "a|", "a\xff", "\xff", "\xff\xff", "A", "\x00", "none"} {
			want := slices.DeleteFunc(slices.Clone(all), func(r storage.Record) bool { return !strings.HasPrefix(r.Key, prefix) })
			wantWalks(t, s, prefix, storage.PrefixEnd(prefix), want)
		}
	}},
	{"random ranges agree with a sorted list", "Ascend and Descend yield the records with from <= key < to in order.", func(t *trial[storage.Records]) {
		s := t.open()
		rnd := newRand(t)
		model := map[string]string{}
		word := func() string {
			b := make([]byte, 1+rnd.IntN(4))
			for i := range b {
				b[i] = "\x00ab\xff"[rnd.IntN(4)]
			}
			return string(b)
		}
		for range 10 {
			// Chosen outside of the closure, which may run several times.
			var changes []storage.Change
			var ranges []storage.Record
			for range 20 {
				c := storage.Change{Key: word(), Value: word(), Deleted: rnd.IntN(4) == 0}
				changes = append(changes, c)
				if model[c.Key] = c.Value; c.Deleted {
					delete(model, c.Key)
				}
			}
			for range 3 {
				ranges = append(ranges, storage.Record{Key: word(), Value: word()})
			}
			update(t, s, func(w storage.Writer) error {
				for _, c := range changes {
					if err := apply(w, c); err != nil {
						return err
					}
				}
				// Ranges inside the transaction, where committed and new
				// records mix.
				for _, r := range ranges {
					got, err := gather(w.Ascend(r.Key, r.Value))
					if err != nil {
						return err
					}
					wantRecords(t, fmt.Sprintf("Ascend(%q, %q) in the transaction", r.Key, r.Value), got, modelRange(model, r.Key, r.Value))
				}
				return nil
			})
			for range 10 {
				from, to := word(), word()
				if rnd.IntN(5) == 0 {
					to = ""
				}
				wantWalks(t, s, from, to, modelRange(model, from, to))
			}
		}
	}},
	{"a walk is whole when it is long", "Ascend yields the records with from <= key < to in ascending order.", func(t *trial[storage.Records]) {
		s := t.open()
		var want []storage.Record
		var pairs []string
		for i := range 3000 {
			want = append(want, storage.Record{Key: fmt.Sprintf("%05d", i), Value: fmt.Sprint(i)})
			pairs = append(pairs, want[i].Key, want[i].Value)
		}
		put(t, s, pairs...)
		wantWalks(t, s, "", "", want)
		wantWalks(t, s, "00500", "02500", want[500:2500])
	}},
	{"a walk can be left early", "A walk ends when its loop does; its transaction goes on.", func(t *trial[storage.Records]) {
		s := t.open()
		put(t, s, "a", "1", "b", "2", "c", "3", "d", "4")
		update(t, s, func(w storage.Writer) error {
			for range 3 {
				for r, err := range w.Ascend("", "") {
					if err != nil {
						return err
					}
					if r.Key == "b" {
						break
					}
				}
				for r, err := range w.Descend("", "") {
					if err != nil {
						return err
					}
					if r.Key == "c" {
						break
					}
				}
			}
			return w.Put("e", "5")
		})
		wantWalks(t, s, "d", "", records("d", "4", "e", "5"))
	}},
	{"reads and walks nest", "A Reader is read while one of its walks is under way.", func(t *trial[storage.Records]) {
		s := t.open()
		put(t, s, "a", "1", "b", "2", "c", "3")
		var got []string
		nest := func(r storage.Reader) error {
			got = nil
			for outer, err := range r.Ascend("", "") {
				if err != nil {
					return err
				}
				value, err := r.Get(outer.Key)
				if err != nil {
					return err
				}
				for inner, err := range r.Descend("b", "") {
					if err != nil {
						return err
					}
					got = append(got, outer.Key+value+inner.Key)
				}
			}
			return nil
		}
		want := []string{"a1c", "a1b", "b2c", "b2b", "c3c", "c3b"}
		view(t, s, nest)
		if !slices.Equal(got, want) {
			t.Errorf("nested walks in View yield %q, want %q", got, want)
		}
		update(t, s, func(w storage.Writer) error { return nest(w) })
		if !slices.Equal(got, want) {
			t.Errorf("nested walks in Update yield %q, want %q", got, want)
		}
	}},
	{"the record just yielded may be deleted", "The record just yielded may be put or deleted during a walk.", func(t *trial[storage.Records]) {
		for _, down := range []bool{false, true} {
			s := t.open()
			var want []storage.Record
			for i := range 300 {
				want = append(want, storage.Record{Key: fmt.Sprintf("%03d", i), Value: "old"})
			}
			update(t, s, func(w storage.Writer) error {
				for _, r := range want {
					if err := w.Put(r.Key, r.Value); err != nil {
						return err
					}
				}
				return nil
			})
			var got []storage.Record
			update(t, s, func(w storage.Writer) error {
				got = nil
				walk := w.Ascend
				if down {
					walk = w.Descend
				}
				for r, err := range walk("", "") {
					if err != nil {
						return err
					}
					got = append(got, r)
					if len(got)%3 == 0 {
						err = w.Put(r.Key, "new")
					} else {
						err = w.Delete(r.Key)
					}
					if err != nil {
						return err
					}
				}
				return nil
			})
			if down {
				want = backward(want)
			}
			wantRecords(t, fmt.Sprintf("a walk (down: %v) that deletes and puts what it visits", down), got, want)
			var left []storage.Record
			for i, r := range want {
				if (i+1)%3 == 0 {
					left = append(left, storage.Record{Key: r.Key, Value: "new"})
				}
			}
			if down {
				left = backward(left)
			}
			all, _ := dump(t, s)
			wantRecords(t, "what is left", all, left)
		}
	}},
	{"a walk sees the writes made ahead of it", "A walk sees the writes of its transaction made before the walk reaches them.", func(t *trial[storage.Records]) {
		s := t.open()
		put(t, s, "b", "1", "d", "2", "f", "3", "h", "4")
		var up, down []storage.Record
		update(t, s, func(w storage.Writer) error {
			up, down = nil, nil
			if err := w.Put("c", "before"); err != nil {
				return err
			}
			for r, err := range w.Ascend("", "") {
				if err != nil {
					return err
				}
				if up = append(up, r); r.Key == "d" {
					for _, err := range []error{
						w.Put("a", "behind"), w.Put("e", "ahead"), w.Put("f", "changed"), w.Delete("h"), w.Put("i", "last"),
					} {
						if err != nil {
							return err
						}
					}
				}
			}
			for r, err := range w.Descend("", "") {
				if err != nil {
					return err
				}
				if down = append(down, r); r.Key == "f" {
					for _, err := range []error{w.Delete("e"), w.Put("dd", "ahead"), w.Put("g", "behind")} {
						if err != nil {
							return err
						}
					}
				}
			}
			return nil
		})
		wantRecords(t, "Ascend", up, records("b", "1", "c", "before", "d", "2", "e", "ahead", "f", "changed", "i", "last"))
		wantRecords(t, "Descend", down, records("i", "last", "f", "changed", "dd", "ahead", "d", "2", "c", "before", "b", "1", "a", "behind"))
	}},
}

// wantWalks checks a range in both directions, in a View and in an Update.
func wantWalks(t testingT, s storage.Records, from, to string, want []storage.Record) {
	t.Helper()
	walk := func(where string, r storage.Reader) error {
		up, err := gather(r.Ascend(from, to))
		if err != nil {
			return err
		}
		wantRecords(t, fmt.Sprintf("Ascend(%.20q, %.20q) in %s", from, to, where), up, want)
		down, err := gather(r.Descend(from, to))
		if err != nil {
			return err
		}
		wantRecords(t, fmt.Sprintf("Descend(%.20q, %.20q) in %s", from, to, where), down, backward(want))
		return nil
	}
	view(t, s, func(r storage.Reader) error { return walk("View", r) })
	update(t, s, func(w storage.Writer) error { return walk("Update", w) })
}

// modelRange is what a walk over the model should yield.
func modelRange(model map[string]string, from, to string) []storage.Record {
	var all []storage.Record
	for key, value := range model {
		if from <= key && (to == "" || key < to) {
			all = append(all, storage.Record{Key: key, Value: value})
		}
	}
	slices.SortFunc(all, func(a, b storage.Record) int { return strings.Compare(a.Key, b.Key) })
	return all
}

// newRand returns a source of its own for a check, and prints its seed if the
// check fails.
func newRand(t testingT) *rand.Rand {
	seed := rand.Uint64()
	t.Log("seed", seed)
	return rand.New(rand.NewPCG(seed, 0))
}
