package roma

import (
	"context"
	"regexp"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/id"
	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/roma/list"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Types of dictionaries.
const (
	SystemDictionary = "system" // the host's: can be changed, not deleted
	UserDictionary   = "user"
)

// Dictionary is an entry of a tree of words (3.3).
type Dictionary struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Remark    string    `json:"remark"`
	Code      string    `json:"code"`
	ExtendOne string    `json:"extend_one"`
	ExtendTwo string    `json:"extend_two"`
	Parent    string    `json:"parent_code"` // "" at the top
	Type      string    `json:"type"`
	Created   time.Time `json:"create_time"`
	Updated   time.Time `json:"update_time"`
}

// DictionarySpec is a new entry.
type DictionarySpec struct {
	Name      string `json:"name"`
	Remark    string `json:"remark"`
	Code      string `json:"code"`
	Order     int    `json:"order"` // small ones come first, equal ones by creation
	ExtendOne string `json:"extend_one"`
	ExtendTwo string `json:"extend_two"`
	Parent    string `json:"parent_code"`
}

// DictionaryChange is a change of an entry; what is nil stays.
type DictionaryChange struct {
	Name      *string `json:"name"`
	Remark    *string `json:"remark"`
	Order     *int    `json:"order"`
	ExtendOne *string `json:"extend_one"`
	ExtendTwo *string `json:"extend_two"`
}

// DictionaryQuery is a list of the entries under one, or at the top.
type DictionaryQuery struct {
	list.Paging
	Parent string `query:"parent_code"`
	Code   string `query:"code"` // a part of it
	Name   string `query:"name"` // a part of it
}

// DictionaryRef asks for an entry by what is given of it, to the letter.
type DictionaryRef struct {
	Name string `query:"name" json:"name"`
	Code string `query:"code" json:"code"`
}

type dictionaryRow struct {
	Scope    core.Scope
	Order    int    `json:",omitempty"`
	ParentID string `json:",omitempty"`
	Dictionary
}

type dictionaries struct {
	dicts       *core.Resource[dictionaryRow]
	dictsByCode *table.Unique[dictionaryRow]
	dictsUnder  *table.Index[dictionaryRow] // by parent

	dictsByOrder *mirror.Order[dictionaryRow] // by parent and order
	dictsOfCode  *mirror.Order[dictionaryRow]
}

func declareDictionaries(c *core.Core) dictionaries {
	x := core.Declare(c, "dictionary", "ROMA.00013011", func(d *dictionaryRow) table.Key { return d.Scope.Key(d.ID) })
	x.Unique("name", "ROMA.00013012", func(d *dictionaryRow) table.Key { return d.Scope.Key(d.Name) })
	return dictionaries{
		dicts:       x,
		dictsByCode: x.Unique("code", "ROMA.00013012", func(d *dictionaryRow) table.Key { return d.Scope.Key(d.Code) }),
		dictsUnder:  x.Belongs("parent", x.Table, func(d *dictionaryRow) table.Key { return d.Scope.OptionalKey(d.ParentID) }),
		dictsByOrder: x.Order(func(d *dictionaryRow) table.Key {
			return table.Str(d.Parent) + table.Int(d.Order) + table.Time(d.Created)
		}),
		dictsOfCode: x.Order(func(d *dictionaryRow) table.Key { return table.Str(d.Code) }),
	}
}

var (
	dictionaryName = regexp.MustCompile(`^[\p{Han}A-Za-z0-9_ ]{1,64}$`)
	dictionaryCode = regexp.MustCompile(`^[A-Za-z0-9_ ]{1,64}$`)
	extension      = regexp.MustCompile(`^[\p{Han}A-Za-z0-9_ ]*$`)
)

// check has one code for whatever is wrong. The document is silent on lengths:
// 64 for name and code, 1000 for what is longer.
func (d *Dictionary) check() error {
	c := check.Coded("ROMA.00013000")
	c.Match("name", d.Name, dictionaryName)
	c.Match("code", d.Code, dictionaryCode)
	c.AtMost("remark", d.Remark, maxAppRemark)
	c.Optional("extend_one", d.ExtendOne, extension)
	c.Optional("extend_two", d.ExtendTwo, extension)
	c.AtMost("extend_one", d.ExtendOne, maxAppRemark)
	c.AtMost("extend_two", d.ExtendTwo, maxAppRemark)
	return c.Err()
}

// CreateDictionary makes an entry of the type user (3.3.3).
func (in Instance) CreateDictionary(ctx context.Context, spec DictionarySpec) (Dictionary, error) {
	return in.addDictionary(ctx, spec, UserDictionary)
}

// AddSystemDictionary makes an entry of the type system. The document has no
// call for it: it is the host's.
func (in Instance) AddSystemDictionary(ctx context.Context, spec DictionarySpec) (Dictionary, error) {
	return in.addDictionary(ctx, spec, SystemDictionary)
}

func (in Instance) addDictionary(ctx context.Context, spec DictionarySpec, kind string) (Dictionary, error) {
	now := in.Now()
	row := dictionaryRow{Scope: in.Scope, Order: spec.Order, Dictionary: Dictionary{
		ID: id.Hex(), Name: spec.Name, Remark: spec.Remark, Code: spec.Code, ExtendOne: spec.ExtendOne, ExtendTwo: spec.ExtendTwo,
		Parent: spec.Parent, Type: kind, Created: now, Updated: now,
	}}
	if err := row.check(); err != nil {
		return Dictionary{}, err
	}
	err := in.Write(ctx, func(w storage.Writer) error {
		if spec.Parent != "" {
			parent, err := in.sys.dictsByCode.Primary(w, in.Scope.Key(spec.Parent))
			if isNotFound(err) {
				return fault.Of("ROMA.00013013").Naming("parent_code", spec.Parent)
			}
			if err != nil {
				return err
			}
			row.ParentID = parent.Rest().Str()
		}
		return in.sys.dicts.Insert(w, row)
	})
	if err != nil {
		return Dictionary{}, err
	}
	return row.Dictionary, nil
}

// Dictionary returns an entry (3.3.4).
func (in Instance) Dictionary(_ context.Context, id string) (Dictionary, error) {
	st, err := in.Read()
	if err != nil {
		return Dictionary{}, err
	}
	row, err := in.sys.dicts.Get(st, in.Scope, id)
	if err != nil {
		return Dictionary{}, err
	}
	return row.Dictionary, nil
}

// UpdateDictionary changes an entry, also one of the type system (3.3.5).
func (in Instance) UpdateDictionary(ctx context.Context, id string, change DictionaryChange) (Dictionary, error) {
	var row dictionaryRow
	err := in.Write(ctx, func(w storage.Writer) (err error) {
		row, err = in.sys.dicts.Change(w, in.Scope, id, func(d *dictionaryRow) error {
			set(&d.Name, change.Name)
			set(&d.Remark, change.Remark)
			set(&d.Order, change.Order)
			set(&d.ExtendOne, change.ExtendOne)
			set(&d.ExtendTwo, change.ExtendTwo)
			d.Updated = in.Now()
			return d.check()
		})
		return err
	})
	return row.Dictionary, err
}

func set[T any](field *T, v *T) {
	if v != nil {
		*field = *v
	}
}

// DeleteDictionary removes an entry with all below it (3.3.6). One of the type
// system, also below, cannot be deleted; on the latter the document is silent.
func (in Instance) DeleteDictionary(ctx context.Context, id string) error {
	return in.Write(ctx, func(w storage.Writer) error {
		if _, err := in.sys.dicts.Load(w, in.Scope, id); err != nil {
			return err
		}
		if err := in.refuseSystem(w, id); err != nil {
			return err
		}
		return in.sys.dicts.Delete(w, in.Scope, id)
	})
}

// refuseSystem fails when the entry or one below it is of the type system.
func (in Instance) refuseSystem(w storage.Writer, id string) error {
	for todo := []string{id}; len(todo) > 0; todo = todo[1:] {
		row, err := in.sys.dicts.Load(w, in.Scope, todo[0])
		if err != nil {
			return err
		}
		if row.Type == SystemDictionary {
			return fault.Of("ROMA.00013014").With("%s is of the type system", row.Code)
		}
		for key, err := range in.sys.dictsUnder.Prefix(in.Scope.Key(todo[0])).Keys(w) {
			if err != nil {
				return err
			}
			todo = append(todo, key.Rest().Str())
		}
	}
	return nil
}

// Dictionaries lists the entries under one, or at the top, in their order
// (3.3.2). The document is silent on a parent that is not there:
// ROMA.00013011.
func (in Instance) Dictionaries(_ context.Context, q DictionaryQuery) (list.Page[Dictionary], error) {
	st, err := in.Read()
	if err != nil {
		return list.Page[Dictionary]{}, err
	}
	k := check.Coded("ROMA.00013000")
	window := k.CommonPage(q.Paging)
	k.Length("parent_code", q.Parent, 0, 64)
	k.Length("code", q.Code, 0, 64)
	k.Length("name", q.Name, 0, 64)
	if k.Err() != nil {
		return list.Page[Dictionary]{}, k.Err()
	}
	if q.Parent != "" && !in.sys.dictsOfCode.Prefix(st, in.Scope.Key(), table.Str(q.Parent)).Any() {
		return list.Page[Dictionary]{}, in.sys.dicts.Missing(q.Parent)
	}
	page := in.sys.dictsByOrder.Prefix(st, in.Scope.Key(), table.Str(q.Parent)).Where(func(d *dictionaryRow) bool {
		return list.Matches(d.Code, q.Code, false) && list.Matches(d.Name, q.Name, false)
	}).Page(window)
	return list.Of(page.Rows, page.Total, func(d *dictionaryRow) Dictionary { return d.Dictionary }), nil
}

// FindDictionary returns the entry with the name and the code, where "" is not
// given (3.3.1). The document is silent on neither being given: there is no
// such entry.
func (in Instance) FindDictionary(_ context.Context, ref DictionaryRef) (Dictionary, error) {
	st, err := in.Read()
	if err != nil {
		return Dictionary{}, err
	}
	if ref != (DictionaryRef{}) {
		for d := range in.sys.dicts.Mirror.In(st, in.Scope.Key()).All() {
			if list.Is(d.Name, ref.Name) && list.Is(d.Code, ref.Code) {
				return d.Dictionary, nil
			}
		}
	}
	return Dictionary{}, in.sys.dicts.Missing("")
}
