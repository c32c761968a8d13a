package core

import (
	"context"
	"errors"

	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Resource is a table of rows of type T, its mirror in memory, and the codes
// that its calls fail with. The primary key is the scope and the id.
type Resource[T any] struct {
	Table   *table.Table[T]
	Mirror  *mirror.Mirror[T]
	core    *Core
	codes   *codes
	missing fault.Code
}

// Declare adds a resource to the core. missing is the code of a call for an id
// that is not there; its message may show the id.
func Declare[T any](c *Core, name string, missing fault.Code, key func(*T) table.Key) *Resource[T] {
	t := table.New(c.Schema, name, key)
	c.codes.missing[name] = missing
	return &Resource[T]{Table: t, Mirror: mirror.Of(&c.mirrors, t, key), core: c, codes: &c.codes, missing: missing}
}

// Unique declares that no two rows have the same key; the second gets the code.
func (x *Resource[T]) Unique(name string, taken fault.Code, key func(*T) table.Key) *table.Unique[T] {
	x.codes.taken[x.Table.Name()+"/"+name] = taken
	return x.Table.Unique(name, key)
}

// Belongs declares that every row goes with a row of parent, whose primary key
// begins the key: it cannot be without it and is deleted with it.
func (x *Resource[T]) Belongs(name string, parent table.Parent, key func(*T) table.Key) *table.Index[T] {
	return x.Table.Index(name, key).References(parent, table.Cascade)
}

// Holds declares that a row of parent, whose primary key begins the key,
// cannot be deleted while there is a row with its key: deleting it gets the
// code. A row with the zero key holds nothing.
func Holds[T, P any](x *Resource[T], name string, parent *Resource[P], inUse fault.Code, key func(*T) table.Key) *table.Index[T] {
	x.codes.held[parent.Table.Name()+"/"+x.Table.Name()+"/"+name] = inUse
	return x.Table.Index(name, key).References(parent.Table, table.Restrict)
}

// HoldsMany is [Holds] for rows that hold several rows of parent.
func HoldsMany[T, P any](x *Resource[T], name string, parent *Resource[P], inUse fault.Code, keys func(*T) []table.Key) *table.Index[T] {
	x.codes.held[parent.Table.Name()+"/"+x.Table.Name()+"/"+name] = inUse
	return x.Table.Multi(name, keys).References(parent.Table, table.Restrict)
}

// Order declares an order for lists. Its key is without the scope.
func (x *Resource[T]) Order(key func(*T) table.Key) *mirror.Order[T] { return x.Mirror.Order(key) }

// Missing is the error of a call for an id that is not there.
func (x *Resource[T]) Missing(id string) *fault.Error { return fault.NotFound(x.missing, id) }

// Get returns the row with the id, which is shared: not to be changed.
func (x *Resource[T]) Get(st *mirror.State, s Scope, id string) (*T, error) {
	row, found := x.Mirror.Get(st, s.Key(id))
	if !found {
		return nil, x.Missing(id)
	}
	return row, nil
}

// Exists fails where there is no row with the id. A call that changes something
// asks it when that is to be told before all else: the state in memory may not
// have yet what another process has written, so the store has the last word.
func (x *Resource[T]) Exists(ctx context.Context, s Scope, id string) error {
	if _, err := x.Get(x.core.State(), s, id); err == nil {
		return nil
	}
	return x.core.View(ctx, func(r storage.Reader) error {
		_, err := x.Load(r, s, id)
		return err
	})
}

// Load returns the row with the id in a transaction.
func (x *Resource[T]) Load(r storage.Reader, s Scope, id string) (T, error) {
	row, err := x.Table.Get(r, s.Key(id))
	return row, x.codes.translate(err)
}

// Insert adds a row.
func (x *Resource[T]) Insert(w storage.Writer, row T) error {
	return x.codes.translate(x.Table.Insert(w, row))
}

// Put adds a row or replaces the one with its id.
func (x *Resource[T]) Put(w storage.Writer, row T) error {
	return x.codes.translate(x.Table.Put(w, row))
}

// Change changes the row with the id by fn and returns it as it is then.
func (x *Resource[T]) Change(w storage.Writer, s Scope, id string, fn func(*T) error) (T, error) {
	row, err := x.Table.Update(w, s.Key(id), fn)
	return row, x.codes.translate(err)
}

// Delete removes the row with the id and what belongs to it.
func (x *Resource[T]) Delete(w storage.Writer, s Scope, id string) error {
	return x.codes.translate(x.Table.Delete(w, s.Key(id)))
}

// Cap refuses with the code when the instance has more rows than limit, where
// 0 is no limit. It is asked after the insertion of one row, so that a name that
// is taken is told first.
//
// It is exact: where the state in memory will do, its count is taken, and the
// transaction depends on the rows as if it had counted them. Otherwise they are
// counted.
func (x *Resource[T]) Cap(w storage.Writer, s Scope, limit int, full fault.Code) error {
	if limit <= 0 {
		return nil
	}
	if st, known := x.core.Known(w); known {
		if x.Mirror.In(st, s.Key()).Count()+1 > limit {
			return fault.Of(full)
		}
		return x.Table.Prefix(s.Key()).Depend(w)
	}
	return Cap(w, x.Table.Prefix(s.Key()), limit, full)
}

// Cap refuses with the code when a query has more rows than limit, where 0 is
// no limit.
func Cap[T any](w storage.Writer, q table.Query[T], limit int, full fault.Code) error {
	if limit <= 0 {
		return nil
	}
	n, err := q.Count(w)
	if err == nil && n > limit {
		err = fault.Of(full)
	}
	return err
}

// codes turns the errors of tables into those of the document.
type codes struct {
	missing map[string]fault.Code // by table
	taken   map[string]fault.Code // by table/index
	held    map[string]fault.Code // by table/referring table/index
}

func newCodes() codes {
	return codes{missing: map[string]fault.Code{}, taken: map[string]fault.Code{}, held: map[string]fault.Code{}}
}

func (c *codes) translate(err error) error {
	if err == nil {
		return nil
	}
	if _, ours := errors.AsType[*fault.Error](err); ours {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if e, ok := errors.AsType[*table.NotFoundError](err); ok {
		if code, known := c.missing[e.Table]; known && e.Index == "" {
			return fault.NotFound(code, e.Key.Rest().Str()).Because(err)
		}
	}
	if e, ok := errors.AsType[*table.ConflictError](err); ok {
		if code, known := c.taken[e.Table+"/"+e.Index]; known {
			return fault.Of(code).Because(err)
		}
	}
	if e, ok := errors.AsType[*table.ReferencedError](err); ok {
		if code, known := c.held[e.Table+"/"+e.By+"/"+e.Index]; known {
			return fault.Of(code).Because(err)
		}
	}
	return fault.From(err)
}

// recode gives a missing row another code than its table's.
func recode(err error, missing fault.Code, id string) error {
	if errors.Is(err, table.ErrNotFound) {
		return fault.NotFound(missing, id).Because(err)
	}
	return err
}
