package milesight

import (
	"github.com/tidwall/btree"

	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/secret"
	"github.com/gatehouse-go/gatehouse/rbac"
	"github.com/gatehouse-go/gatehouse/storage"
)

// state is what a system lists and judges with: the rows as of one commit, and
// the engine's rules that follow from them. It is immutable but for the engine,
// of which a state keeps the snapshot that belongs to it.
type state struct {
	rows     *mirror.State
	engine   *rbac.Engine
	acl      *rbac.Snapshot
	users    *btree.Map[UserID, *user]
	sessions *btree.Map[uint64, *session] // by the head of the access token's hash
}

// user is a user as he is judged.
type user struct {
	*userRow
	subject rbac.Subject
}

// session is a log-in as it is judged.
type session struct {
	*sessionRow
	access  secret.Digest
	subject rbac.Subject
}

// edit is one step of a state: the state in the making, the rows before it, and
// the change of its rules.
type edit struct {
	*state
	sys *System
	was *mirror.State // nil at first
	tx  *rbac.Tx
}

// feed carries the rows of one table over into a state.
type feed interface {
	build(edit)
	apply(edit, storage.Commit)
}

// feedOf gives carry each row that changed: as it was and as it is, nil for
// none.
type feedOf[T any] struct {
	rows  *mirror.Mirror[T]
	carry func(e edit, was, is *T)
}

func (f feedOf[T]) build(e edit) {
	for row := range f.rows.Rows(e.rows) {
		f.carry(e, nil, row)
	}
}

func (f feedOf[T]) apply(e edit, c storage.Commit) {
	for was, is := range f.rows.Changes(c, e.was, e.rows) {
		f.carry(e, was, is)
	}
}

// newFeeds returns the feeds in such an order that what a row refers to was
// carried before it.
func (s *System) newFeeds() []feed {
	m := &of(s).mirrors
	return []feed{
		feedOf[tenantRow]{m.tenants, edit.tenant},
		feedOf[roleRow]{m.roles, edit.role},
		feedOf[userRow]{m.users, edit.user},
		feedOf[userRoleRow]{m.userRoles, edit.userRole},
		feedOf[roleMenuRow]{m.roleMenus, edit.roleMenu},
		feedOf[resourceRow]{m.resources, edit.resource},
		feedOf[grantRow]{m.grants, edit.grant},
		feedOf[sessionRow]{m.sessions, edit.session},
	}
}

// build compiles a state from a snapshot.
func (s *System) build(r storage.Reader) (*state, error) {
	rows, err := of(s).mirrors.set.Build(r)
	if err != nil {
		return nil, err
	}
	st := &state{
		rows: rows, engine: rbac.New(),
		users: new(btree.Map[UserID, *user]), sessions: new(btree.Map[uint64, *session]),
	}
	return st, s.change(st, nil, func(e edit) {
		e.begin()
		for _, f := range of(s).feeds {
			f.build(e)
		}
	})
}

// apply carries one commit over into a new state.
func (s *System) apply(st *state, c storage.Commit) (*state, error) {
	rows, err := of(s).mirrors.set.Apply(st.rows, c)
	if err != nil {
		return nil, err
	}
	next := &state{rows: rows, engine: st.engine, users: st.users.Copy(), sessions: st.sessions.Copy()}
	return next, s.change(next, st.rows, func(e edit) {
		for _, f := range of(s).feeds {
			f.apply(e, c)
		}
	})
}

// change makes one step. An operation on the rules that fails dooms it, so its
// error comes from here.
func (s *System) change(st *state, was *mirror.State, fn func(edit)) error {
	_, err := st.engine.Change(func(tx *rbac.Tx) error {
		fn(edit{st, s, was, tx})
		return nil
	})
	st.acl = st.engine.Snapshot()
	return err
}

func (e edit) session(was, is *sessionRow) {
	if was != nil {
		access := digest(was.Access)
		e.sessions.Delete(access.Head())
	}
	if is != nil {
		access := digest(is.Access)
		e.sessions.Set(access.Head(), &session{is, access, subjectOf(is.User)})
	}
}
