package table

import (
	"iter"
	"slices"

	"github.com/gatehouse-go/gatehouse/storage"
)

// scan is a [Query] without the type of its rows, as base is a [Table].
type scan struct {
	t        *base
	ix       *index // nil: by primary key
	from, to string
	desc     bool
	where    []func(row any) bool
	cmp      func(a, b any) int
}

// records yields the records in the range: rows, or the entries of the index.
func (s *scan) records(r storage.Reader) iter.Seq2[storage.Record, error] {
	if s.desc {
		return r.Descend(s.from, s.to)
	}
	return r.Ascend(s.from, s.to)
}

func (s *scan) row(r storage.Reader, rec storage.Record) (any, error) {
	if s.ix == nil {
		return s.t.decode(Key(rec.Key[len(s.t.prefix):]), rec.Value)
	}
	return s.ix.row(r, Key(rec.Key[len(s.ix.prefix):]), Key(rec.Value))
}

func (s *scan) keep(row any) bool {
	for _, keep := range s.where {
		if !keep(row) {
			return false
		}
	}
	return true
}

// rows calls yield with the rows until it returns false, or once with an error.
func (s *scan) rows(r storage.Reader, yield func(row any, err error) bool) {
	if s.cmp == nil {
		s.walk(r, yield)
		return
	}
	rows, err := s.sorted(r)
	if err != nil {
		yield(nil, err)
		return
	}
	for _, row := range rows {
		if !yield(row, nil) {
			return
		}
	}
}

// walk is rows in the order of the range.
func (s *scan) walk(r storage.Reader, yield func(row any, err error) bool) {
	for rec, err := range s.records(r) {
		var row any
		if err == nil {
			row, err = s.row(r, rec)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		if s.keep(row) && !yield(row, nil) {
			return
		}
	}
}

func (s *scan) sorted(r storage.Reader) (rows []any, err error) {
	s.walk(r, func(row any, fault error) bool {
		rows, err = append(rows, row), fault
		return true
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(rows, s.cmp)
	return rows, nil
}

// keys calls yield with the primary keys of the rows, in the order of the range.
func (s *scan) keys(r storage.Reader, yield func(pk Key, err error) bool) {
	for rec, err := range s.records(r) {
		if err != nil {
			yield("", err)
			return
		}
		if len(s.where) > 0 {
			row, err := s.row(r, rec)
			if err != nil {
				yield("", err)
				return
			}
			if !s.keep(row) {
				continue
			}
		}
		pk := Key(rec.Value)
		if s.ix == nil {
			pk = Key(rec.Key[len(s.t.prefix):])
		}
		if !yield(pk, nil) {
			return
		}
	}
}

func (s *scan) first(r storage.Reader) (first any, err error) {
	s.rows(r, func(row any, fault error) bool {
		first, err = row, fault
		return false
	})
	if first != nil || err != nil {
		return first, err
	}
	if s.ix != nil {
		return nil, &NotFoundError{Table: s.t.name, Index: s.ix.name, Key: Key(s.from[len(s.ix.prefix):])}
	}
	return nil, &NotFoundError{Table: s.t.name, Key: Key(s.from[len(s.t.prefix):])}
}

func (s *scan) any(r storage.Reader) (found bool, err error) {
	s.keys(r, func(_ Key, fault error) bool {
		found, err = fault == nil, fault
		return false
	})
	return found, err
}

func (s *scan) count(r storage.Reader) (n int, err error) {
	s.keys(r, func(_ Key, fault error) bool {
		n, err = n+1, fault
		return true
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// page returns the rows that the window shows, and the total.
func (s *scan) page(r storage.Reader, w Window) (rows []any, total int, err error) {
	shown := func() bool { return total >= w.Offset && total-w.Offset < w.Limit }
	if s.cmp == nil && len(s.where) == 0 { // what is not shown is not decoded
		for rec, err := range s.records(r) {
			if err != nil {
				return nil, 0, err
			}
			if shown() {
				row, err := s.row(r, rec)
				if err != nil {
					return nil, 0, err
				}
				rows = append(rows, row)
			}
			total++
		}
		return rows, total, nil
	}
	s.rows(r, func(row any, fault error) bool {
		if err = fault; err == nil && shown() {
			rows = append(rows, row)
		}
		total++
		return true
	})
	return rows, total, err
}

func (s *scan) delete(w storage.Writer) (int, error) {
	// The keys are collected first: one row's end may take later ones along.
	var keys []Key
	var err error
	s.keys(w, func(pk Key, fault error) bool {
		keys, err = append(keys, pk), fault
		return true
	})
	if err != nil {
		return 0, err
	}
	if s.ix != nil && !s.ix.unique { // a row may stand there twice
		slices.Sort(keys)
		keys = slices.Compact(keys)
	}
	if len(keys) == 0 {
		return 0, nil
	}
	if err := deleteAll(w, s.t, keys); err != nil {
		return 0, err
	}
	return len(keys), nil
}
