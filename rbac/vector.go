package rbac

// A vector is an immutable array of any length: a tree of pages, of which a
// change copies those on the way to one element and shares the rest with the
// vector before. Elements that were never set are zero.
//
// Within a transaction a page is copied once: it carries the number of the
// edit that made it, and is written in place by the same edit.
type vector[T any] struct {
	tops []*top[T]
}

type (
	top[T any] struct {
		edit uint64
		mids [fan]*mid[T]
	}
	mid[T any] struct {
		edit   uint64
		leaves [fan]*leaf[T]
	}
	leaf[T any] struct {
		edit uint64
		data [leafLen]T
	}
)

const (
	leafBits = 3
	leafLen  = 1 << leafBits
	fanBits  = 5
	fan      = 1 << fanBits
)

// at returns the element, or nil when it was never set. It is not to be
// written to.
func (v *vector[T]) at(i uint32) *T {
	n := i >> (leafBits + 2*fanBits)
	if int(n) >= len(v.tops) {
		return nil
	}
	t := v.tops[n]
	if t == nil {
		return nil
	}
	m := t.mids[i>>(leafBits+fanBits)%fan]
	if m == nil {
		return nil
	}
	l := m.leaves[i>>leafBits%fan]
	if l == nil {
		return nil
	}
	return &l.data[i%leafLen]
}

// edit returns the element for writing, in pages that belong to the edit.
// Edits are numbered from 1.
func (v *vector[T]) edit(edit uint64, i uint32) *T {
	n := int(i >> (leafBits + 2*fanBits))
	if n >= len(v.tops) || v.tops[n] == nil || v.tops[n].edit != edit {
		tops := make([]*top[T], max(n+1, len(v.tops)))
		copy(tops, v.tops)
		t := new(top[T])
		if tops[n] != nil {
			*t = *tops[n]
		}
		t.edit = edit
		tops[n], v.tops = t, tops
	}
	m := &v.tops[n].mids[i>>(leafBits+fanBits)%fan]
	switch {
	case *m == nil:
		*m = &mid[T]{edit: edit}
	case (*m).edit != edit:
		c := **m
		c.edit, *m = edit, &c
	}
	l := &(*m).leaves[i>>leafBits%fan]
	switch {
	case *l == nil:
		*l = &leaf[T]{edit: edit}
	case (*l).edit != edit:
		c := **l
		c.edit, *l = edit, &c
	}
	return &(*l).data[i%leafLen]
}

// all yields the elements of pages that were ever set, with their indexes.
func (v *vector[T]) all(yield func(uint32, *T) bool) {
	for a, t := range v.tops {
		if t == nil {
			continue
		}
		for b, m := range t.mids {
			if m == nil {
				continue
			}
			for c, l := range m.leaves {
				if l == nil {
					continue
				}
				first := uint32((a<<fanBits|b)<<fanBits|c) << leafBits
				for i := range l.data {
					if !yield(first+uint32(i), &l.data[i]) {
						return
					}
				}
			}
		}
	}
}
