// Package list is what all lists of ROMA Connect have in common: the part of a
// list a caller asks for, the filters, and the page that is answered.
package list

import "strings"

// Paging is the part of a list that a caller asks for. The zero Paging is the
// first page, of the list's usual size: 10 rows in chapter 3 of the document,
// 20 in chapter 4.
type Paging struct {
	Offset int  `query:"offset"` // rows to leave out; a negative one counts as 0 in chapter 4
	Limit  *int `query:"limit"`  // rows to show, 1 to 500; nil is the usual size
}

// Show is the Paging of limit rows after the first offset.
func Show(offset, limit int) Paging { return Paging{offset, &limit} }

// Page is a part of a list.
type Page[T any] struct {
	Rows  []T // never nil
	Total int // rows in the whole list
}

// Of is the page with rows turned into what a caller sees.
func Of[R, T any](rows []R, total int, show func(R) T) Page[T] {
	p := Page[T]{Rows: make([]T, len(rows)), Total: total}
	for i, row := range rows {
		p.Rows[i] = show(row)
	}
	return p
}

// Precise is a precise_search parameter: the names, with commas between, of
// the filters that match the whole text and not a part of it.
type Precise string

// Names yields the names.
func (p Precise) Names(yield func(string) bool) {
	if p == "" {
		return
	}
	for s := range strings.SplitSeq(string(p), ",") {
		if !yield(strings.TrimSpace(s)) {
			return
		}
	}
}

// Has reports whether the filter of the name is one of them.
func (p Precise) Has(name string) bool {
	for s := range p.Names {
		if s == name {
			return true
		}
	}
	return false
}

// Matches reports whether a text passes a filter: none is given, or the text
// contains it, or with whole is it. Case counts.
func Matches(text, filter string, whole bool) bool {
	return filter == "" || text == filter || !whole && strings.Contains(text, filter)
}

// Is reports whether a value is what a filter asks for, if it asks for any.
func Is[T comparable](value, filter T) bool {
	var none T
	return filter == none || value == filter
}
