package mirror

import (
	"iter"
	"sort"

	"github.com/gatehouse-go/gatehouse/internal/table"
)

// List is rows of one state in one order, perhaps a part of them. It is a
// value; its methods return a changed copy. The zero List is empty.
type List[T any] struct{ list list }

// Where keeps the rows for which keep returns true; several filters must all
// return true. A nil keep keeps all.
func (l List[T]) Where(keep func(*T) bool) List[T] {
	if keep != nil {
		l.list = l.list.where(func(row any) bool { return keep(row.(*T)) })
	}
	return l
}

// All yields the rows.
func (l List[T]) All() iter.Seq[*T] {
	return func(yield func(*T) bool) { l.list.all(func(row any) bool { return yield(row.(*T)) }) }
}

// First returns the first row.
func (l List[T]) First() (row *T, found bool) {
	row, found = l.list.first().(*T)
	return row, found
}

// Any reports whether there is a row.
func (l List[T]) Any() bool { return l.list.first() != nil }

// Count returns the number of rows. Without a filter it looks at no row.
func (l List[T]) Count() int { return l.list.count() }

// Page returns the part of the rows that the window shows, and their total.
// Without a filter only the rows shown are looked at.
func (l List[T]) Page(w table.Window) table.Page[*T] {
	w = table.Window{Offset: max(w.Offset, 0), Limit: max(w.Limit, 0)}
	shown, total := l.list.page(w)
	page := table.Page[*T]{Rows: make([]*T, len(shown)), Total: total, Window: w}
	for i, row := range shown {
		page.Rows[i] = row.(*T)
	}
	return page
}

// Chained is lists one after another.
type Chained[T any] []List[T]

// Chain is the rows of the lists, one list after another.
func Chain[T any](lists ...List[T]) Chained[T] { return lists }

// Page returns the part of the rows that the window shows, and their total.
func (c Chained[T]) Page(w table.Window) table.Page[*T] {
	page := table.Page[*T]{Rows: []*T{}, Window: w}
	for _, l := range c {
		part := l.Page(table.Window{Offset: w.Offset - page.Total, Limit: w.Limit - len(page.Rows)})
		page.Rows = append(page.Rows, part.Rows...)
		page.Total += part.Total
	}
	return page
}

// list is a [List] without the type of its rows.
type list struct {
	tree     *tree
	from, to string // of keys; an empty to is no bound
	keep     func(row any) bool
}

// within is the rows whose key begins with prefix.
func (l list) within(prefix table.Key) list {
	l.from, l.to = string(prefix), string(prefix.End())
	return l
}

func (l list) where(keep func(row any) bool) list {
	if before := l.keep; before != nil {
		l.keep = func(row any) bool { return before(row) && keep(row) }
	} else {
		l.keep = keep
	}
	return l
}

// all calls yield with the rows until it returns false.
func (l *list) all(yield func(row any) bool) {
	if l.tree == nil {
		return
	}
	l.tree.Ascend(l.from, func(key string, row any) bool {
		if l.to != "" && key >= l.to {
			return false
		}
		return l.keep != nil && !l.keep(row) || yield(row)
	})
}

// first returns the first row, nil when there is none.
func (l *list) first() (first any) {
	l.all(func(row any) bool {
		first = row
		return false
	})
	return first
}

func (l *list) count() (n int) {
	if l.tree == nil {
		return 0
	}
	if l.keep == nil {
		first, end := l.span()
		return end - first
	}
	l.all(func(any) bool {
		n++
		return true
	})
	return n
}

// page returns the rows that the window shows, and the total.
func (l *list) page(w table.Window) (shown []any, total int) {
	if l.tree == nil {
		return nil, 0
	}
	if l.keep == nil {
		first, end := l.span()
		total = end - first
		show := min(w.Limit, total-w.Offset)
		if show <= 0 {
			return nil, total
		}
		shown = make([]any, 0, show)
		from, _, _ := l.tree.GetAt(first + w.Offset)
		l.tree.Ascend(from, func(_ string, row any) bool {
			shown = append(shown, row)
			return len(shown) < show
		})
		return shown, total
	}
	l.all(func(row any) bool {
		if total >= w.Offset && len(shown) < w.Limit {
			shown = append(shown, row)
		}
		total++
		return true
	})
	return shown, total
}

// span is where in its tree the list begins and ends, filters aside.
func (l *list) span() (first, end int) {
	end = l.tree.Len()
	if l.from != "" {
		first = rank(l.tree, l.from)
	}
	if l.to != "" {
		end = rank(l.tree, l.to)
	}
	return first, max(first, end)
}

// rank is how many keys of the tree are less than key.
func rank(t *tree, key string) int {
	return sort.Search(t.Len(), func(i int) bool {
		at, _, _ := t.GetAt(i)
		return at >= key
	})
}
