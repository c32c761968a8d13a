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
	node
}

// References declares that every key of the index begins with the primary key
// of a row of parent, its own table included: a binding of an API in an
// environment, indexed by (api, environment), refers to the API. A row that
// refers to a missing one is refused with a [NotFoundError] of the parent's
// table, and deleting the parent's row does what action says. A row outside the
// index refers to nothing. It panics when the index refers to a table already.
func (ix *Index[T]) References(parent Parent, action Action) *Index[T] {
	if ix.ref != nil {
		panic(fmt.Sprintf("table: index %s.%s refers to two tables", ix.t.name, ix.name))
	}
	ix.ref = &reference{parent: parent, child: ix.t, index: ix.name, prefix: ix.prefix, action: action}
	parent.addReference(ix.ref)
	return ix
}

// node is a table whatever its row type.
type node interface {
	tableName() string
	Has(r storage.Reader, key Key) (bool, error)
	references() []*reference
	addReference(*reference)
	remove(w storage.Writer, pk Key) error
	check(r storage.Reader, c *checker)
	reindex(w storage.Writer) error
}

type reference struct {
	parent, child node
	index, prefix string
	action        Action
}

// check finds the parent's row for a key of the index. All primary keys of a
// table have the same number of parts, so at most one beginning of the key is
// a parent's.
func (ref *reference) check(r storage.Reader, key Key) error {
	first := Key("")
	for rest := key; rest != ""; {
		part, next := rest.cut()
		if part == "" {
			break
		}
		pk := key[:len(key)-len(next)]
		if first == "" {
			first = pk
		}
		found, err := ref.parent.Has(r, pk)
		if err != nil || found {
			return err
		}
		rest = next
	}
	return &NotFoundError{Table: ref.parent.tableName(), Key: first}
}

// holders yields the primary keys of the rows that refer to the parent's row.
func (ref *reference) holders(r storage.Reader, pk Key) iter.Seq2[Key, error] {
	return func(yield func(Key, error) bool) {
		from := ref.prefix + string(pk)
		for rec, err := range r.Ascend(from, storage.PrefixEnd(from)) {
			if !yield(Key(rec.Value), err) || err != nil {
				return
			}
		}
	}
}

// doomed is a row that is to be deleted.
type doomed struct {
	t  node
	pk Key
}

// deleteAll deletes the rows of t with what refers to them by Cascade. It plans
// the whole before the first write, so that a refusal leaves nothing behind, and
// so that a row that goes as well restricts nothing.
func deleteAll(w storage.Writer, t node, keys []Key) error {
	if len(t.references()) == 0 {
		for _, pk := range keys {
			if err := t.remove(w, pk); err != nil {
				return err
			}
		}
		return nil
	}
	var plan []doomed
	seen := map[doomed]bool{}
	add := func(t node, pk Key) {
		if d := (doomed{t, pk}); !seen[d] {
			seen[d] = true
			plan = append(plan, d)
		}
	}
	for _, pk := range keys {
		add(t, pk)
	}
	for i := 0; i < len(plan); i++ {
		for _, ref := range plan[i].t.references() {
			if ref.action != Cascade {
				continue
			}
			for pk, err := range ref.holders(w, plan[i].pk) {
				if err != nil {
					return err
				}
				add(ref.child, pk)
			}
		}
	}
	for _, d := range plan {
		for _, ref := range d.t.references() {
			if ref.action != Restrict {
				continue
			}
			for pk, err := range ref.holders(w, d.pk) {
				if err != nil {
					return err
				}
				if !seen[doomed{ref.child, pk}] {
					return &ReferencedError{Table: d.t.tableName(), Key: d.pk,
						By: ref.child.tableName(), Index: ref.index, ByKey: pk}
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
