package table

import "math"

// Window is the part of a list that a caller wants to see: Limit rows after the
// first Offset. Negative values count as 0, so the zero Window shows no row;
// the total is counted all the same.
type Window struct {
	Offset, Limit int
}

// Everything is the Window that shows all rows.
var Everything = Window{Limit: math.MaxInt}

// Numbered is the Window of a page by its number, the first being 1, and its
// size. A number below 1 counts as 1; one so large that its rows cannot be
// counted is past the end of any list.
func Numbered(number, size int) Window {
	number, size = max(number, 1)-1, max(size, 0)
	if size > 0 && number > math.MaxInt/size {
		return Window{Offset: math.MaxInt, Limit: size}
	}
	return Window{Offset: number * size, Limit: size}
}

func (w Window) clamp() Window {
	return Window{Offset: max(w.Offset, 0), Limit: max(w.Limit, 0)}
}

// Page is the rows that a [Window] shows of a longer list.
type Page[T any] struct {
	Rows   []T // never nil
	Total  int // rows in the whole list
	Window     // what was asked for, with negative values as 0
}

// Number is the number of the page when the list is cut into pages of the
// window's limit, the first being 1.
func (p Page[T]) Number() int {
	if p.Limit <= 0 {
		return 1
	}
	return p.Offset/p.Limit + 1
}

// PageOf is the part of rows that the window shows. The page shares memory with
// rows.
func PageOf[T any](rows []T, w Window) Page[T] {
	w = w.clamp()
	p := Page[T]{Rows: []T{}, Total: len(rows), Window: w}
	if w.Offset < len(rows) {
		rest := rows[w.Offset:]
		n := min(w.Limit, len(rest))
		p.Rows = rest[:n:n]
	}
	return p
}

// MapPage is the page with every row turned into what a surface shows.
func MapPage[T, U any](p Page[T], f func(T) U) Page[U] {
	rows := make([]U, len(p.Rows))
	for i, row := range p.Rows {
		rows[i] = f(row)
	}
	return Page[U]{Rows: rows, Total: p.Total, Window: p.Window}
}
