package table

import (
	"fmt"
	"strconv"

	"github.com/gatehouse-go/gatehouse/storage"
)

// Schema is the set of tables and sequences that one system keeps in a store,
// all under one prefix. Systems with different names share a store and never
// see each other's rows. The layout is
//
//	NAME/r/TABLE/ + primary key          = the row
//	NAME/i/TABLE/INDEX/ + key + primary  = the primary key (a unique index has no + primary)
//	NAME/s/SEQUENCE                      = the last number given
//
// Tables, indexes, references and sequences are declared before the first use;
// after that a Schema and all it holds is safe for concurrent use.
type Schema struct {
	name      string
	tables    []*base
	byName    map[string]bool
	sequences map[string]bool
}

// NewSchema returns an empty schema. A name is lower-case letters, digits, '_',
// '-' and '.'; NewSchema panics on any other, as names are written in code.
func NewSchema(name string) *Schema {
	mustName("schema", name)
	return &Schema{name: name, byName: map[string]bool{}, sequences: map[string]bool{}}
}

// Name returns the name given to [NewSchema].
func (s *Schema) Name() string { return s.name }

// Prefix is what all keys of the schema begin with in the store.
func (s *Schema) Prefix() string { return s.name + "/" }

// RowPrefix is what the keys of all rows begin with in the store, and those of
// index entries and sequences do not: what a follower of the rows asks for.
func (s *Schema) RowPrefix() string { return s.name + "/r/" }

// Sequence declares a stored sequence of the numbers 1, 2, 3 ... It panics when
// the schema has one of the name.
func (s *Schema) Sequence(name string) *Sequence {
	mustName("sequence", name)
	if s.sequences[name] {
		panic("table: sequence " + s.name + "/" + name + " is declared twice")
	}
	s.sequences[name] = true
	return &Sequence{key: s.name + "/s/" + name}
}

func (s *Schema) add(t *base) *base {
	mustName("table", t.name)
	if s.byName[t.name] {
		panic("table: table " + s.name + "/" + t.name + " is declared twice")
	}
	s.byName[t.name] = true
	s.tables = append(s.tables, t)
	return t
}

// mustName refuses the slash above all, which ends a name in the store's keys.
func mustName(what, name string) {
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '_', c == '-', c == '.':
		default:
			panic(fmt.Sprintf("table: %s name %q has more than a-z, 0-9, '_', '-' and '.'", what, name))
		}
	}
	if name == "" {
		panic("table: empty " + what + " name")
	}
}

// Sequence gives numbers in ascending order, none twice, not even after a
// restart or when every row that had one is gone. A number taken in a
// transaction that does not commit is given again.
type Sequence struct{ key string }

// Next takes the next number; the first is 1.
func (q *Sequence) Next(w storage.Writer) (int64, error) {
	n, err := q.Last(w)
	if err != nil {
		return 0, err
	}
	n++
	return n, w.Put(q.key, strconv.FormatInt(n, 10))
}

// Last returns the number given last, 0 when none was.
func (q *Sequence) Last(r storage.Reader) (int64, error) {
	v, found, err := get(r, q.key)
	if err != nil || !found {
		return 0, err
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("table: sequence %s: %w", q.key, err)
	}
	return n, nil
}

// AtLeast raises the sequence so that the next number is above n; it never
// lowers it. It is for rows that came with their numbers.
func (q *Sequence) AtLeast(w storage.Writer, n int64) error {
	last, err := q.Last(w)
	if err != nil || last >= n {
		return err
	}
	return w.Put(q.key, strconv.FormatInt(n, 10))
}
