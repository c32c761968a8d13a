package storagetest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gatehouse-go/gatehouse/storage"
)

// oddKeys are keys that a store gets wrong when it thinks of them as text: in
// bytewise order, no two alike.
var oddKeys = []string{
	"\x00", "\x00\x00", "\x00\x01", "\x01", "\n", " ", "  ", "%", "'", "*", "-1", ".", "/", "0", "00", "1", "10", "2",
	"A", "AB", "Z", "\\", "_", "a", "a\x00", "a\x00b", "a ", "a/", "aB", "ab", "a|", "a|b", "a}", "a\xff", "a\xffb", "b",
	"e\u0301", "z", "|", "~", "\u0080", "\u00c9", "\u00df", "\u00e9", "\u0131", "\u212a", "\ufeff", "\U0001f6aa",
	"\xfe", "\xff", "\xff\x00", "\xff\xff",
}

var basics = []check[storage.Records]{
	{"a value put is read back", "Get returns the value of key.", func(t *trial[storage.Records]) {
		s := t.open()
		put(t, s, "a", "1", "b", "2")
		wantValue(t, s, "a", "1")
		wantValue(t, s, "b", "2")
		put(t, s, "a", "3")
		wantValue(t, s, "a", "3")
		wantValue(t, s, "b", "2")
	}},
	{"a missing key is ErrNotFound", "Get returns the value of key, or ErrNotFound.", func(t *trial[storage.Records]) {
		s := t.open()
		put(t, s, "b", "1")
		missing := func(what string, r storage.Reader) {
			for _, key := range []string{"a", "b\x00", "c", "B", " b"} {
				value, err := r.Get(key)
				wantErr(t, fmt.Sprintf("%s: Get(%q)", what, key), err, storage.ErrNotFound)
				if value != "" {
					t.Errorf("%s: Get(%q) = %q beside its error, want nothing", what, key, value)
				}
			}
		}
		view(t, s, func(r storage.Reader) error { missing("View", r); return nil })
		update(t, s, func(w storage.Writer) error { missing("Update", w); return nil })
	}},
	{"a deleted key is gone", "Delete removes key. A key that holds no record is no error.", func(t *trial[storage.Records]) {
		s := t.open()
		put(t, s, "a", "1", "b", "2")
		remove(t, s, "a")
		remove(t, s, "a", "a", "never")
		wantNothing(t, s, "a", "never")
		wantValue(t, s, "b", "2")
		put(t, s, "a", "again")
		wantValue(t, s, "a", "again")
	}},
	{"an empty value is a value", "Empty values are values.", func(t *trial[storage.Records]) {
		s := t.open()
		put(t, s, "a", "")
		wantValue(t, s, "a", "")
		all, _ := dump(t, s)
		wantRecords(t, "Ascend", all, records("a", ""))
	}},
	{"any byte is allowed in keys and values", "Any byte value is allowed, 0x00 and invalid UTF-8 included.", func(t *trial[storage.Records]) {
		s := t.open()
		var pairs []string
		for _, key := range oddKeys {
			pairs = append(pairs, key, "<"+key+">")
		}
		put(t, s, pairs...)
		for _, key := range oddKeys {
			wantValue(t, s, key, "<"+key+">")
		}
		remove(t, s, "a\x00")
		wantNothing(t, s, "a\x00")
		wantValue(t, s, "a", "<a>")
		wantValue(t, s, "a\x00b", "<a\x00b>")
	}},
	{"an empty key is ErrBadKey", "Keys have at least one byte; ErrBadKey is returned for an empty key.", func(t *trial[storage.Records]) {
		s := t.open()
		update(t, s, func(w storage.Writer) error {
			wantErr(t, `Put("")`, w.Put("", "x"), storage.ErrBadKey)
			wantErr(t, `Delete("")`, w.Delete(""), storage.ErrBadKey)
			if _, err := w.Get(""); !errors.Is(err, storage.ErrBadKey) && !errors.Is(err, storage.ErrNotFound) {
				t.Errorf(`Get(""): error %v, want ErrBadKey or ErrNotFound`, err)
			}
			return nil
		})
		if all, _ := dump(t, s); len(all) != 0 {
			t.Errorf("the store holds %.80q, want nothing", all)
		}
	}},
	{"the limits of size hold", "A longer key or value is refused with ErrTooLarge before anything is written.", func(t *trial[storage.Records]) {
		s := t.open()
		key, value := strings.Repeat("k", storage.MaxKey), strings.Repeat("v", storage.MaxValue)
		put(t, s, key, "long key", "long value", value)
		wantValue(t, s, key, "long key")
		if got, _ := lookup(t, s, "long value"); got != value {
			t.Errorf("a value of %d bytes came back as %d others", len(value), len(got))
		}
		_, err := s.Update(t.Context(), func(w storage.Writer) error {
			wantErr(t, "Delete of a key too long", w.Delete(key+"k"), storage.ErrTooLarge)
			wantErr(t, "Put of a value too long", w.Put("b", value+"v"), storage.ErrTooLarge)
			if err := w.Put("c", "3"); err != nil {
				return err
			}
			return w.Put(key+"k", "x")
		})
		wantErr(t, "Update that puts a key too long", err, storage.ErrTooLarge)
		wantNothing(t, s, "b", "c")
	}},
	{"positions grow with every change", "A Position grows with every commit that changes something; a Reader's is that of the last commit in the snapshot.", func(t *trial[storage.Records]) {
		s := t.open()
		var last storage.Position
		for i := range 20 {
			p := put(t, s, "a", fmt.Sprint(i), fmt.Sprint(i), "")
			if p <= last {
				t.Fatalf("commit %d is at position %d, the one before at %d", i, p, last)
			}
			last = p
			if _, seen := dump(t, s); seen != p {
				t.Fatalf("the snapshot after the commit at %d has position %d", p, seen)
			}
		}
	}},
	{"an Update without changes keeps the position", "When fn changed nothing the Position is that of the snapshot it read.", func(t *trial[storage.Records]) {
		s := t.open()
		p := put(t, s, "a", "1")
		var read storage.Position
		got := update(t, s, func(w storage.Writer) error {
			read = w.Position()
			_, err := w.Get("a")
			return err
		})
		if got != p || read != p {
			t.Errorf("Update without a write returns position %d and read at %d, want %d", got, read, p)
		}
		// Whether a deletion of nothing is a change is the store's choice; what
		// it returns and what it then shows must agree.
		got = remove(t, s, "never")
		if _, now := dump(t, s); now != got {
			t.Errorf("after a deletion of nothing at position %d the snapshot has %d", got, now)
		}
	}},
	{"many records in one transaction", "Update commits what fn wrote.", func(t *trial[storage.Records]) {
		s := t.open()
		var pairs []string
		for i := range 2000 {
			pairs = append(pairs, fmt.Sprintf("key%06d", i*7919%2000), fmt.Sprint(i))
		}
		put(t, s, pairs...)
		all, _ := dump(t, s)
		if len(all) != 2000 {
			t.Fatalf("Ascend yields %d records, want 2000", len(all))
		}
		for i := 0; i < len(pairs); i += 2 * 97 {
			wantValue(t, s, pairs[i], pairs[i+1])
		}
	}},
}
