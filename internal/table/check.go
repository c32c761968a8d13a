package table

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gatehouse-go/gatehouse/storage"
)

// Check walks all that the store holds for the schema and reports what is not
// as the tables would have written it: rows that do not decode or stand under a
// key that is not theirs, index entries that are missing, wrong or without a
// row, references to missing rows, and keys that belong to nothing declared. It
// returns nil, or the faults joined, each a [CorruptError] where it concerns a
// table. It is for tests and for operators; it holds the keys of all index
// entries in memory.
func (s *Schema) Check(r storage.Reader) error {
	c := &checker{known: map[string]bool{}}
	for name := range s.sequences {
		c.known[s.name+"/s/"+name] = true
	}
	for _, t := range s.tables {
		t.check(r, c)
	}
	for rec, err := range r.Ascend(s.Prefix(), storage.PrefixEnd(s.Prefix())) {
		if err != nil {
			return err
		}
		if !c.known[rec.Key] {
			c.faults = append(c.faults, fmt.Errorf("table: key %q belongs to nothing in schema %s", rec.Key, s.name))
		}
	}
	return errors.Join(c.faults...)
}

type checker struct {
	known  map[string]bool // keys that are accounted for
	faults []error
}

func (t *base) check(r storage.Reader, c *checker) {
	fault := func(index string, key Key, format string, args ...any) {
		c.faults = append(c.faults, &CorruptError{Table: t.name, Index: index, Key: key, Err: fmt.Errorf(format, args...)})
	}
	want := map[string]Key{} // entry to primary key
	for rec, err := range r.Ascend(t.prefix, storage.PrefixEnd(t.prefix)) {
		if err != nil {
			c.faults = append(c.faults, err)
			return
		}
		c.known[rec.Key] = true
		pk := Key(rec.Key[len(t.prefix):])
		row, err := t.decode(pk, rec.Value)
		if err != nil {
			c.faults = append(c.faults, err)
			continue
		}
		if own := t.key(row); own != pk {
			fault("", pk, "the row's own key is %v", own)
		}
		for _, e := range t.entries(pk, row) {
			if other, taken := want[e.key]; taken {
				fault(e.ix.name, e.of, "rows %v and %v both have it", other, pk)
			}
			want[e.key] = pk
			if e.ix.ref != nil {
				if err := e.ix.ref.check(r, e.of); err != nil {
					fault(e.ix.name, e.of, "row %v: %w", pk, err)
				}
			}
		}
	}
	for rec, err := range r.Ascend(t.indexes, storage.PrefixEnd(t.indexes)) {
		if err != nil {
			c.faults = append(c.faults, err)
			return
		}
		c.known[rec.Key] = true
		name, key, _ := strings.Cut(rec.Key[len(t.indexes):], "/")
		switch pk, ok := want[rec.Key]; {
		case !ok:
			fault(name, Key(key), "entry for row %v, which does not have it", Key(rec.Value))
		case pk != Key(rec.Value):
			fault(name, Key(key), "entry for row %v, but it is row %v's", Key(rec.Value), pk)
		}
		delete(want, rec.Key)
	}
	for key, pk := range want {
		name, key, _ := strings.Cut(key[len(t.indexes):], "/")
		fault(name, Key(key), "entry for row %v is missing", pk)
	}
}

// Reindex writes all index entries anew from the rows, and drops those of
// indexes that are no longer declared. It is run once, in a transaction of its
// own, when a release declares an index that rows in the store do not have yet;
// it fails when rows conflict in a new unique index.
func (s *Schema) Reindex(w storage.Writer) error {
	for _, t := range s.tables {
		if err := t.reindex(w); err != nil {
			return err
		}
	}
	return nil
}

func (t *base) reindex(w storage.Writer) error {
	for rec, err := range w.Ascend(t.indexes, storage.PrefixEnd(t.indexes)) {
		if err != nil {
			return err
		}
		if err := w.Delete(rec.Key); err != nil {
			return err
		}
	}
	for rec, err := range w.Ascend(t.prefix, storage.PrefixEnd(t.prefix)) {
		if err != nil {
			return err
		}
		pk := Key(rec.Key[len(t.prefix):])
		row, err := t.decode(pk, rec.Value)
		if err != nil {
			return err
		}
		for _, e := range t.entries(pk, row) {
			if holder, found, err := get(w, e.key); err != nil {
				return err
			} else if found {
				return &ConflictError{Table: t.name, Index: e.ix.name, Key: e.of, Holder: Key(holder)}
			}
			if err := w.Put(e.key, string(pk)); err != nil {
				return err
			}
		}
	}
	return nil
}
