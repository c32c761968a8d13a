package apic

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/acl"
	"github.com/gatehouse-go/gatehouse/internal/id"
	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/roma/list"
	"github.com/gatehouse-go/gatehouse/storage"
)

// What an access control policy looks at.
const (
	ACLAddress   = "IP"
	ACLAccount   = "DOMAIN"    // names of accounts, never of hosts
	ACLAccountID = "DOMAIN_ID" // of the vendor's later SDK: needs Config.Newer
)

// Most of what a policy lists. The document is silent.
const (
	maxACLItems   = 100  // of ACLAddress and ACLAccountID
	maxACLAccount = 1024 // characters, of ACLAccount
)

// ACLSpec is what a caller says of an access control policy, all of it required.
type ACLSpec struct {
	Name   string `json:"acl_name"`    // 3 to 64 characters
	Type   string `json:"acl_type"`    // PERMIT, DENY
	Value  string `json:"acl_value"`   // items with commas between
	Entity string `json:"entity_type"` // ACLAddress, ACLAccount; cannot be changed
}

// ACL is an access control policy (4.12): who may or may not call what it is
// bound to. Its value is what the gateway judges with, without blanks.
type ACL struct {
	ID string `json:"id"`
	ACLSpec
	Updated time.Time `json:"update_time"`
}

// ListedACL is an access control policy with how many APIs online it is bound
// to.
type ListedACL struct {
	ACL
	BindNum int `json:"bind_num"`
}

// ACLQuery is a list of access control policies.
type ACLQuery struct {
	list.Paging
	ID      string       `query:"id"`
	Name    string       `query:"name"` // a part of it
	Type    string       `query:"acl_type"`
	Entity  string       `query:"entity_type"`
	Precise list.Precise `query:"precise_search"` // name
}

// DeleteACLs are the ids of policies.
type DeleteACLs struct {
	IDs []string `json:"acls"`
}

// DeletedACLs is the outcome of a batch of deletions, some of which may have
// failed.
type DeletedACLs struct {
	Success int         `json:"success_count"`
	Failure []ACLFailed `json:"failure"`
}

// ACLFailed is one that failed, and why. The name of a policy that is not there
// is not known.
type ACLFailed struct {
	ID      string     `json:"acl_id"`
	Name    string     `json:"acl_name,omitempty"`
	Code    fault.Code `json:"error_code"`
	Message string     `json:"error_msg"`
}

type aclRow struct {
	Scope    core.Scope
	Revision uint64 // how often it was written
	Created  time.Time
	ACL
}

type acls struct {
	aclRows     *core.Resource[aclRow]
	aclsByTime  *mirror.Order[aclRow] // newest first
	aclBindings bindings              // whose slot is the entity type

	aclGates derived[aclRow, *acl.Gate]
}

func declareACLs(c *core.Core, s *system) {
	x := core.Declare(c, "acl", "APIG.3006", func(r *aclRow) table.Key { return r.Scope.Key(r.ID) })
	x.Unique("name", "APIG.3206", func(r *aclRow) table.Key { return r.Scope.Key(r.Name) })
	s.aclRows = x
	s.aclsByTime = x.Order(func(r *aclRow) table.Key { return table.Desc(table.Time(r.Created)) })
	s.aclBindings = declareBindings(c, "acl_binding", "APIG.3010", x, "APIG.3447", s.pubs)
}

// settled is the policy that the caller asks for, in place of one of the
// entity type, "" for a new one.
func (in ACLSpec) settled(entity string) (ACLSpec, error) {
	k := check.Body()
	k.Name("acl_name", in.Name, 3, 64)
	k.Enum("acl_type", in.Type, acl.Permit.String(), acl.Deny.String())
	k.Enum("entity_type", in.Entity, ACLAddress, ACLAccount, ACLAccountID)
	k.Invalid("entity_type", in.Entity, entity == "" || in.Entity == entity) // the document is silent
	k.Required("acl_value", in.Value != "")
	items := acl.SplitItems(in.Value)
	in.Value = strings.Join(items, ",")
	if in.Entity == ACLAccount {
		k.Invalid("acl_value", in.Value, len(in.Value) <= maxACLAccount)
	} else {
		k.Invalid("acl_value", strconv.Itoa(len(items))+" items", len(items) <= maxACLItems)
	}
	if k.Err() != nil {
		return in, k.Err()
	}
	_, err := in.compile()
	return in, in.unparsed(err)
}

// compile is the list that the gateway judges with.
func (in ACLSpec) compile() (acl.List, error) {
	kind, err := acl.ParseKind(in.Type)
	if err != nil {
		return acl.List{}, err
	}
	subject, err := acl.ParseSubject(in.Entity)
	if err != nil {
		return acl.List{}, err
	}
	l, err := acl.ParseList(kind, subject, acl.SplitItems(in.Value))
	l.Name = in.Name
	return l, err
}

// unparsed is the fault of a value that does not compile. The document has
// codes for addresses only.
func (in ACLSpec) unparsed(err error) error {
	if err == nil {
		return nil
	}
	text, code := in.Value, fault.Code("APIG.2011")
	if e, ok := errors.AsType[*acl.ItemError](err); ok {
		text = e.Text
	}
	if in.Entity == ACLAddress {
		if code = "APIG.3306"; errors.Is(err, acl.ErrItem) {
			code = "APIG.2015"
		}
		return fault.Of(code).Naming("acl_value", text).Because(err)
	}
	return fault.Param(code, "acl_value", text).Because(err)
}

// newer refuses an entity type of the vendor's later versions, unless the host
// has it.
func (c Control) newerEntity(entity string) error {
	if entity == ACLAccountID && !of(c.sys).config.Newer {
		return fault.Of("APIG.3458").Naming("entity_type", entity)
	}
	return nil
}

// CreateACL makes an access control policy (4.12.1).
func (c Control) CreateACL(ctx context.Context, in ACLSpec) (ACL, error) {
	in, err := in.settled("")
	if err != nil {
		return ACL{}, err
	}
	now := c.Now()
	row := aclRow{c.Scope, 1, now, ACL{id.Hex(), in, now}}
	return write(ctx, c, func(w storage.Writer) (ACL, error) {
		if err := of(c.sys).aclRows.Insert(w, row); err != nil {
			return ACL{}, err
		}
		if err := of(c.sys).aclRows.Cap(w, c.Scope, of(c.sys).limit(ACLLimit), "APIG.3112"); err != nil {
			return ACL{}, err
		}
		return row.ACL, c.newerEntity(in.Entity)
	})
}

// UpdateACL changes name, type and value of a policy (4.12.2).
func (c Control) UpdateACL(ctx context.Context, id string, in ACLSpec) (ACL, error) {
	return write(ctx, c, func(w storage.Writer) (ACL, error) {
		row, err := of(c.sys).aclRows.Change(w, c.Scope, id, func(r *aclRow) error {
			next, err := in.settled(r.Entity)
			if err != nil {
				return err
			}
			r.ACLSpec, r.Updated = next, c.Now()
			r.Revision++
			return nil
		})
		return row.ACL, err
	})
}

// DeleteACL removes a policy that is not bound (4.12.3). One that is bound to
// an API which is offline now is bound.
func (c Control) DeleteACL(ctx context.Context, id string) error {
	k := check.Body()
	k.ID("id", id)
	if k.Err() != nil {
		return k.Err()
	}
	return c.Write(ctx, func(w storage.Writer) error { return of(c.sys).aclRows.Delete(w, c.Scope, id) })
}

// DeleteACLs removes policies; those that are bound or not there fail alone
// (4.12.4). The action is delete.
func (c Control) DeleteACLs(ctx context.Context, action string, in DeleteACLs) (DeletedACLs, error) {
	if err := check.Action(action, "delete"); err != nil {
		return DeletedACLs{}, err
	}
	return write(ctx, c, func(w storage.Writer) (DeletedACLs, error) {
		out := DeletedACLs{Failure: []ACLFailed{}}
		for _, id := range in.IDs {
			row, err := of(c.sys).aclRows.Load(w, c.Scope, id)
			if err == nil {
				err = of(c.sys).aclRows.Delete(w, c.Scope, id)
			}
			if err == nil {
				out.Success++
				continue
			}
			e, alone := refusal(err)
			if !alone {
				return DeletedACLs{}, err
			}
			failed := ACLFailed{id, row.Name, e.Code, e.Message}
			if e.Code == "APIG.3447" {
				failed.Message = "The Acl Strategy has already binded to APIs" // as 4.12.4 says it
			}
			out.Failure = append(out.Failure, failed)
		}
		return out, nil
	})
}

// ACL returns an access control policy (4.12.5).
func (c Control) ACL(_ context.Context, id string) (ACL, error) {
	st, err := c.Read()
	if err != nil {
		return ACL{}, err
	}
	k := check.Body()
	k.ID("id", id)
	if k.Err() != nil {
		return ACL{}, k.Err()
	}
	row, err := of(c.sys).aclRows.Get(st, c.Scope, id)
	if err != nil {
		return ACL{}, err
	}
	return row.ACL, nil
}

// ACLs lists the access control policies, the newest first (4.12.6).
func (c Control) ACLs(_ context.Context, q ACLQuery) (list.Page[ListedACL], error) {
	st, err := c.Read()
	if err != nil {
		return list.Page[ListedACL]{}, err
	}
	k := check.Body() // 4.12 and 4.13 have APIG.2011 for queries too
	window := k.PolicyPage(q.Paging)
	k.Length("name", q.Name, 0, 64)
	k.OptionalEnum("acl_type", q.Type, acl.Permit.String(), acl.Deny.String())
	k.OptionalEnum("entity_type", q.Entity, ACLAddress, ACLAccount, ACLAccountID)
	k.Precise(q.Precise, "name")
	if k.Err() != nil {
		return list.Page[ListedACL]{}, k.Err()
	}
	rows := of(c.sys).aclsByTime.In(st, c.Scope.Key())
	if whole := q.Precise.Has("name"); q.ID != "" || q.Name != "" || q.Type != "" || q.Entity != "" {
		rows = rows.Where(func(r *aclRow) bool {
			return list.Is(r.ID, q.ID) && list.Is(r.Type, q.Type) && list.Is(r.Entity, q.Entity) && list.Matches(r.Name, q.Name, whole)
		})
	}
	page := rows.Page(window)
	return list.Of(page.Rows, page.Total, func(r *aclRow) ListedACL {
		return ListedACL{r.ACL, of(c.sys).aclBindings.countAPIs(st, of(c.sys), c.Scope, r.ID)}
	}), nil
}
