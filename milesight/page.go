package milesight

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
)

// DefaultPageSize is how many rows a page has unless it is asked for more.
const DefaultPageSize = 10

// PageRequest says which part of a list to show, and in which order. The zero
// value is the first page of [DefaultPageSize], newest first.
type PageRequest struct {
	Number int // from 1
	Size   int
	// Sorts are the columns to sort by, the first one first. Rows that they
	// call equal stay newest first.
	Sorts []Sort
}

// Sort is a column to sort by, by its name on the wire: created_at.
type Sort struct {
	Property string
	Desc     bool
}

// NewPageRequest checks what a client asked for, so that a 0 is refused, which
// in a PageRequest is the default.
func NewPageRequest(size, number int) (PageRequest, error) {
	if size < 1 {
		return PageRequest{}, invalid("page_size", strconv.Itoa(size), "is less than 1")
	}
	if number < 1 {
		return PageRequest{}, invalid("page_number", strconv.Itoa(number), "is less than 1")
	}
	return PageRequest{Number: number, Size: size}, nil
}

// ParseSort reads a sort as clients send it. Without a direction it ascends; the
// document is silent.
func ParseSort(property, direction string) (Sort, error) {
	switch strings.ToUpper(direction) {
	case "", "ASC":
		return Sort{property, false}, nil
	case "DESC":
		return Sort{property, true}, nil
	}
	return Sort{}, invalid("direction", direction, "is not ASC or DESC")
}

// orDefault is p with the defaults for what is zero.
func (p PageRequest) orDefault() (PageRequest, error) {
	checked, err := NewPageRequest(cmp.Or(p.Size, DefaultPageSize), cmp.Or(p.Number, 1))
	checked.Sorts = p.Sorts
	return checked, err
}

// Page is the rows that a [PageRequest] shows of a longer list. A page past the
// end is empty and has the true total; the server is at odds with itself there.
type Page[T any] struct {
	Content []T // never nil
	Total   int // of the whole list
	Number  int
	Size    int
}

// columns are what rows of a list can be sorted by.
type columns[T any] map[string]func(a, b T) int

// by is the order of a column that has the given value.
func by[T any, V cmp.Ordered](value func(T) V) func(a, b T) int {
	return func(a, b T) int { return cmp.Compare(value(a), value(b)) }
}

// adapt is the columns of what rows lead to.
func adapt[T, U any](c columns[U], lead func(T) U) columns[T] {
	adapted := columns[T]{}
	for name, compare := range c {
		adapted[name] = func(a, b T) int { return compare(lead(a), lead(b)) }
	}
	return adapted
}

// pageOf shows a part of the rows, each as show makes it.
func pageOf[T, U any](rows mirror.List[T], p PageRequest, sortable columns[*T], show func(*T) U) (Page[U], error) {
	p, err := p.orDefault()
	if err != nil {
		return Page[U]{}, err
	}
	w := table.Numbered(p.Number, p.Size)
	found := table.Page[*T]{}
	if len(p.Sorts) == 0 {
		found = rows.Page(w)
	} else {
		order, err := sortable.order(p.Sorts)
		if err != nil {
			return Page[U]{}, err
		}
		found = table.PageOf(slices.SortedStableFunc(rows.All(), order), w)
	}
	shown := table.MapPage(found, show)
	return Page[U]{Content: shown.Rows, Total: shown.Total, Number: p.Number, Size: p.Size}, nil
}

func (c columns[T]) order(sorts []Sort) (func(a, b T) int, error) {
	var orders []func(a, b T) int
	for _, s := range sorts {
		compare, known := c[s.Property]
		if !known {
			return nil, invalid("property", s.Property, "is not a column to sort by")
		}
		if s.Desc {
			ascending := compare
			compare = func(a, b T) int { return ascending(b, a) }
		}
		orders = append(orders, compare)
	}
	return func(a, b T) int {
		for _, compare := range orders {
			if n := compare(a, b); n != 0 {
				return n
			}
		}
		return 0
	}, nil
}

// matcher finds a keyword in texts, whatever the case. A blank one is in every
// text.
type matcher string

func newMatcher(keyword string) matcher { return matcher(strings.ToLower(strings.TrimSpace(keyword))) }

func (m matcher) in(texts ...string) bool {
	return m == "" || slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(strings.ToLower(s), string(m)) })
}
