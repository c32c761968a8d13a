package mirror

import (
	"iter"
	"sort"

	"github.com/gatehouse-go/gatehouse/internal/table"
)

// List is rows of one state in one order, perhaps a part of them. It is a
// value; its methods return a changed copy. The zero List is empty.
type List[T any] struct {
	tree     *tree
	from, to string // of keys; an empty to is no bound
	keep     func(*T) bool
}

// Where keeps the rows for which keep returns true; several filters must all
// return true. A nil keep keeps all.
func (l List[T]) Where(keep func(*T) bool) List[T] {
	if before := l.keep; before != nil && keep != nil {
		after := keep
		keep = func(row *T) bool { return before(row) && after(row) }
	} else if keep == nil {
		keep = before
	}
	l.keep = keep
	return l
}

// All yields the rows.
func (l List[T]) All() iter.Seq[*T] {
	return func(yield func(*T) bool) {
		if l.tree == nil {
			return
		}
		l.tree.Ascend(l.from, func(key string, held any) bool {
			if l.to != "" && key >= l.to {
				return false
			}
			row := held.(*T)
			return l.keep != nil && !l.keep(row) || yield(row)
		})
	}
}

// First returns the first row.
func (l List[T]) First() (row *T, found bool) {
	for row := range l.All() {
		return row, true
	}
	return nil, false
}

// Any reports whether there is a row.
func (l List[T]) Any() bool {
	_, found := l.First()
	return found
}

// span is where in its tree the list begins and ends, filters aside.
func (l List[T]) span() (first, end int) {
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

// Count returns the number of rows. Without a filter it looks at no row.
func (l List[T]) Count() (n int) {
	if l.tree == nil {
		return 0
	}
	if l.keep == nil {
		first, end := l.span()
		return end - first
	}
	for range l.All() {
		n++
	}
	return n
}

// Page returns the part of the rows that the window shows, and their total.
// Without a filter only the rows shown are looked at.
func (l List[T]) Page(w table.Window) table.Page[*T] {
	w = table.Window{Offset: max(w.Offset, 0), Limit: max(w.Limit, 0)}
	page := table.Page[*T]{Rows: []*T{}, Window: w}
	if l.tree == nil {
		return page
	}
	if l.keep == nil {
		first, end := l.span()
		page.Total = end - first
		show := min(w.Limit, page.Total-w.Offset)
		if show <= 0 {
			return page
		}
		from, _, _ := l.tree.GetAt(first + w.Offset)
		l.tree.Ascend(from, func(_ string, row any) bool {
			page.Rows = append(page.Rows, row.(*T))
			return len(page.Rows) < show
		})
		return page
	}
	for row := range l.All() {
		if page.Total >= w.Offset && len(page.Rows) < w.Limit {
			page.Rows = append(page.Rows, row)
		}
		page.Total++
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
