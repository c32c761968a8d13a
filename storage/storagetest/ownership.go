package storagetest

import (
	"fmt"
	"strings"

	"github.com/gatehouse-go/gatehouse/storage"
)

// A store that hands out strings over a page or a buffer of its own, which it
// uses again later, breaks these.
var ownership = []check[storage.Records]{
	{"values outlive their transaction", "A value stays what it was after its transaction has ended.", func(t *trial[storage.Records]) {
		s := t.open()
		k := fill(t, s)
		for round := range 3 {
			for i := range k.wrote {
				put(t, s, fmt.Sprintf("key%03d", i), strings.Repeat("X", 20+round), fmt.Sprintf("other%d-%d", round, i), "Y")
			}
			_, err := s.Update(t.Context(), func(w storage.Writer) error {
				for i := range k.wrote {
					if err := w.Put(fmt.Sprintf("key%03d", i), strings.Repeat("Z", 25)); err != nil {
						return err
					}
				}
				return errOwn
			})
			wantErr(t, "Update", err, errOwn)
		}
		dump(t, s)
		k.check(t, "after later transactions")
	}},
	{"values outlive the store", "A value stays what it was after the store has been closed.", func(t *trial[storage.Records]) {
		s := t.open()
		k := fill(t, s)
		if closes(t, s) {
			k.check(t, "after Close")
		}
	}},
	{"commits of a Watch stay what they were", "Keys, values and entries are strings: what Watch yields does not change.", func(t *trial[storage.Records]) {
		s := t.open()
		for i := range 20 {
			put(t, s, fmt.Sprintf("key%03d", i), fmt.Sprintf("value%03d", i))
		}
		w := watch(t, s, 0, "")
		var k kept
		for range 20 {
			c := w.commit()
			for _, change := range c.Changes {
				k.keep(change.Key, change.Value)
			}
		}
		for i := range 20 {
			put(t, s, fmt.Sprintf("KEY%03d", i), fmt.Sprintf("VALUE%03d", i))
			w.commit()
		}
		k.check(t, "after later commits")
	}},
}

// kept holds strings as the store gave them, beside copies made at once.
type kept struct {
	wrote       int
	got, copies []string
}

func (k *kept) keep(all ...string) {
	for _, s := range all {
		k.got = append(k.got, s)
		k.copies = append(k.copies, strings.Clone(s))
	}
}

func (k *kept) check(t testingT, when string) {
	t.Helper()
	for i := range k.got {
		if k.got[i] != k.copies[i] {
			t.Fatalf("a string that was %q is %q %s", k.copies[i], k.got[i], when)
		}
	}
}

// fill writes records, reads them in every way there is, and keeps what it got.
func fill(t testingT, s storage.Records) *kept {
	t.Helper()
	k := &kept{wrote: 50}
	for i := range k.wrote {
		put(t, s, fmt.Sprintf("key%03d", i), fmt.Sprintf("value%03d of twenty", i))
	}
	read := func(r storage.Reader) error {
		for i := range k.wrote {
			value, err := r.Get(fmt.Sprintf("key%03d", i))
			if err != nil {
				return err
			}
			k.keep(value)
		}
		for rec, err := range r.Ascend("", "") {
			if err != nil {
				return err
			}
			k.keep(rec.Key, rec.Value)
		}
		for rec, err := range r.Descend("key01", "key02") {
			if err != nil {
				return err
			}
			k.keep(rec.Key, rec.Value)
		}
		return nil
	}
	view(t, s, read)
	update(t, s, func(w storage.Writer) error { return read(w) })
	k.check(t, "within its transaction")
	return k
}
