package table

import (
	"fmt"
	"iter"

	"github.com/gatehouse-go/gatehouse/storage"
)

// Action is what becomes of a row when the row it refers to is deleted.
type Action uint8

const (
	// Restrict refuses to delete a row that others refer to.
	Restrict Action = iota
	// Cascade deletes the rows that refer to it as well.
	Cascade
)

// Parent is a table that another's rows refer to: a [Table] of any row type.
type Parent interface {
	node() *base
}

// References declares that every key of the index begins with the primary key
// of a row of parent, its own table included: a binding of an API in an
// environment, indexed by (api, environment), refers to the API. A row that
// refers to a missing one is refused with a [NotFoundError] of the parent's
// table, and deleting the parent's row does what action says. A row outside the
// index refers to nothing. It panics when the index refers to a table already.
func (ix *Index[T]) References(parent Parent, action Action) *Index[T] {
	ix.index.refer(parent.node(), action)
	return ix
}

func (ix *index) refer(parent *base, action Action) {
	if ix.ref != nil {
		panic(fmt.Sprintf("table: index %s.%s refers to two tables", ix.t.name, ix.name))
	}
	ix.ref = &reference{parent: parent, index: ix, action: action}
	parent.refs = append(parent.refs, ix.ref)
}

type reference struct {
	parent *base
	index  *index // of the child
	action Action
}

// check finds the parent's row for a key of the index.
func (ref *reference) check(r storage.Reader, key Key) error {
	pk := key.first(ref.parent.parts)
	found, err := ref.parent.has(r, pk)
	if err == nil && !found {
		err = &NotFoundError{Table: ref.parent.name, Key: pk}
	}
	return err
}

// holders yields the primary keys of the rows that refer to the parent's row.
func (ref *reference) holders(r storage.Reader, pk Key) iter.Seq2[Key, error] {
	return func(yield func(Key, error) bool) {
		from := ref.index.prefix + string(pk)
		for rec, err := range r.Ascend(from, storage.PrefixEnd(from)) {
			if !yield(Key(rec.Value), err) || err != nil {
				return
			}
		}
	}
}

// doomed is a row that is to be deleted.
type doomed struct {
	t  *base
	pk Key
}

// deleteAll deletes the rows of t with what refers to them by Cascade. It plans
// the whole before the first write, so that a refusal leaves nothing behind, and
// so that a row that goes as well restricts nothing.
func deleteAll(w storage.Writer, t *base, keys []Key) error {
	if len(t.refs) == 0 {
		for _, pk := range keys {
			if err := t.remove(w, pk); err != nil {
				return err
			}
		}
		return nil
	}
	var plan []doomed
	seen := map[doomed]bool{}
	add := func(t *base, pk Key) {
		if d := (doomed{t, pk}); !seen[d] {
			seen[d] = true
			plan = append(plan, d)
		}
	}
	for _, pk := range keys {
		add(t, pk)
	}
	for i := 0; i < len(plan); i++ {
		for _, ref := range plan[i].t.refs {
			if ref.action != Cascade {
				continue
			}
			for pk, err := range ref.holders(w, plan[i].pk) {
				if err != nil {
					return err
				}
				add(ref.index.t, pk)
			}
		}
	}
	for _, d := range plan {
		for _, ref := range d.t.refs {
			if ref.action != Restrict {
				continue
			}
			for pk, err := range ref.holders(w, d.pk) {
				if err != nil {
					return err
				}
				if !seen[doomed{ref.index.t, pk}] {
					return &ReferencedError{Table: d.t.name, Key: d.pk,
						By: ref.index.t.name, Index: ref.index.name, ByKey: pk}
				}
			}
		}
	}
	for _, d := range plan {
		if err := d.t.remove(w, d.pk); err != nil {
			return err
		}
	}
	return nil
}
