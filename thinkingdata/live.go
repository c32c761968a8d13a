package thinkingdata

import (
	"strconv"

	"github.com/tidwall/btree"

	"github.com/gatehouse-go/gatehouse/internal/secret"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/rbac"
	"github.com/gatehouse-go/gatehouse/storage"
)

// What the engine is told. Whatever is judged is a question to it:
//
//   - A user is a subject. In the domain of each project he holds his role
//     there and his groups. Project 0 is a domain like others, which everybody
//     is in.
//   - A supervisor holds the super-role root in the whole company, a locked
//     user is frozen.
//   - Every project role inherits inProject, which grants to view the shares
//     with all members: whoever may is a member.
//   - The sharing blacklist is the role hidden, which grants to be hidden from
//     those shares. A direct entry is to hold it, in one project or the whole
//     company; to blacklist a group is to let its role inherit hidden.
//   - An asset is a resource. Its owner and the users it is shared with hold
//     personal roles with a grant on it; groups and roles that it is shared
//     with have theirs.
//   - A token is a subject, too, which holds corporate in the whole company or
//     ofProject in one project; those grant the calls.
var (
	root      = rbac.Company.Role("root")
	inProject = rbac.Company.Role("in project")
	hidden    = rbac.Company.Role("hidden")
	corporate = rbac.Company.Role("corporate token")
	ofProject = rbac.Company.Role("project token")

	// supervising is granted to no role, so only a super-role has it, and
	// asked for in the whole company only supervisors do.
	supervising = rbac.Do("supervise")

	allShares     = rbac.Resource{Kind: "shares", ID: "all"}
	viewAllShares = rbac.On("view", allShares)
	beHidden      = rbac.On("hide", allShares)
)

// host is the subject of who asks in process, as if with a corporate token.
const host rbac.Subject = "host"

func groupRole(id GroupID) rbac.Role {
	return rbac.Company.Role("group/" + strconv.FormatInt(int64(id), 10))
}

func personalRole(id UserID) rbac.Role {
	return rbac.Company.Role("user/" + strconv.FormatInt(int64(id), 10))
}

// domainOf is where roles of a project are held.
func domainOf(id ProjectID) rbac.Domain { return rbac.Domain(strconv.FormatInt(int64(id), 10)) }

func subjectOf(id UserID) rbac.Subject {
	return rbac.Subject("user/" + strconv.FormatInt(int64(id), 10))
}

// state is what a system judges with: the engine's rules, and what leads to the
// questions. It is immutable but for the engine, of which a state keeps the
// snapshot that belongs to it.
type state struct {
	engine   *rbac.Engine
	acl      *rbac.Snapshot
	projects *btree.Map[ProjectID, rbac.Domain]
	users    *btree.Map[UserID, *user] // who is not deleted
	byLogin  *btree.Map[string, *user]
	groups   *btree.Map[GroupID, *groupRow]
	assets   *btree.Map[AssetID, *asset]
	members  *btree.Map[table.Key, RoleName]
	roles    *btree.Map[table.Key, *roleRow]
	tokens   *btree.Map[uint64, *token]    // by the head of the digest
	scopes   *btree.Map[ProjectID, *token] // the same by scope
	sessions *btree.Map[uint64, *session]  // by the head of the digest

	ended []UserID // whose sessions the last commit ended
}

// user is a user as he is judged.
type user struct {
	userRow
	subject rbac.Subject
}

type asset struct {
	assetRow
	own, view, browse rbac.Permission
}

type token struct {
	tokenRow
	digest  secret.Digest
	subject rbac.Subject
	scope   rbac.Domain
}

type session struct {
	sessionRow
	digest secret.Digest
}

func newState() *state {
	return &state{
		projects: new(btree.Map[ProjectID, rbac.Domain]),
		users:    new(btree.Map[UserID, *user]),
		byLogin:  new(btree.Map[string, *user]),
		groups:   new(btree.Map[GroupID, *groupRow]),
		assets:   new(btree.Map[AssetID, *asset]),
		members:  new(btree.Map[table.Key, RoleName]),
		roles:    new(btree.Map[table.Key, *roleRow]),
		tokens:   new(btree.Map[uint64, *token]),
		scopes:   new(btree.Map[ProjectID, *token]),
		sessions: new(btree.Map[uint64, *session]),
	}
}

// next is a copy to be changed. Only the follower's goroutine makes one.
func (st *state) next() *state {
	return &state{
		engine:   st.engine,
		projects: st.projects.Copy(),
		users:    st.users.Copy(),
		byLogin:  st.byLogin.Copy(),
		groups:   st.groups.Copy(),
		assets:   st.assets.Copy(),
		members:  st.members.Copy(),
		roles:    st.roles.Copy(),
		tokens:   st.tokens.Copy(),
		scopes:   st.scopes.Copy(),
		sessions: st.sessions.Copy(),
	}
}

// edit is one step of a state: the state in the making and the change of its
// rules.
type edit struct {
	*state
	tx        *rbac.Tx
	catalogue *catalogue
}

// feed carries the rows of one table over into a state.
type feed interface {
	build(edit, storage.Reader) error
	apply(edit, storage.Commit) error
}

type feedOf[T any] struct {
	table *table.Table[T]
	// carry is given a row as it is now, or nil and the key of one that was
	// deleted.
	carry func(edit, table.Key, *T)
}

func (f feedOf[T]) build(e edit, r storage.Reader) error {
	for row, err := range f.table.All().Rows(r) {
		if err != nil {
			return err
		}
		f.carry(e, "", &row)
	}
	return nil
}

func (f feedOf[T]) apply(e edit, c storage.Commit) error {
	for ch, err := range f.table.Changes(c) {
		if err != nil {
			return err
		}
		f.carry(e, ch.Key, ch.Row)
	}
	return nil
}

// feeds are in such an order that what a row refers to was carried before it.
func (t *tables) feeds() []feed {
	return []feed{
		feedOf[projectRow]{t.projects, edit.project},
		feedOf[userRow]{t.users, edit.user},
		feedOf[roleRow]{t.roles, edit.role},
		feedOf[memberRow]{t.members, edit.member},
		feedOf[groupMemberRow]{t.groupMembers, edit.groupMemberGone},
		feedOf[groupRow]{t.groups, edit.group},
		feedOf[groupMemberRow]{t.groupMembers, edit.groupMember},
		feedOf[blackRow]{t.blacks, edit.black},
		feedOf[assetRow]{t.assets, edit.asset},
		feedOf[shareRow]{t.shares, edit.share},
		feedOf[tokenRow]{t.tokens, edit.token},
		feedOf[sessionRow]{t.sessions, edit.session},
	}
}

// build compiles a state from a snapshot.
func (s *System) build(r storage.Reader) (*state, error) {
	st := newState()
	st.engine = rbac.New()
	return st, s.change(st, func(e edit) error {
		s.catalogue.found(e.tx)
		for _, f := range of(s).tables.feeds() {
			if err := f.build(e, r); err != nil {
				return err
			}
		}
		return nil
	})
}

// apply carries one commit over into a new state.
func (s *System) apply(st *state, c storage.Commit) (*state, error) {
	next := st.next()
	err := s.change(next, func(e edit) error {
		for _, f := range of(s).tables.feeds() {
			if err := f.apply(e, c); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		s.sessionsEnded(next.ended)
	}
	return next, err
}

// change makes one step, and from then on it is judged by. Operations on the
// rules that fail doom it, so their errors come from here.
func (s *System) change(st *state, fn func(edit) error) error {
	_, err := st.engine.Change(func(tx *rbac.Tx) error { return fn(edit{st, tx, s.catalogue}) })
	if err != nil {
		return err
	}
	st.acl = st.engine.Snapshot()
	s.judged.Store(st)
	return nil
}

// rebuilt tells of the users whose end was missed while the store was.
func (s *System) rebuilt(before, now *state) {
	var ended []UserID
	before.users.Scan(func(id UserID, was *user) bool {
		if is, there := now.users.Get(id); was.Status == Normal && (!there || is.Status != Normal) {
			ended = append(ended, id)
		}
		return true
	})
	s.sessionsEnded(ended)
}

func (s *System) sessionsEnded(ids []UserID) {
	if s.config.Hooks.SessionsEnded == nil {
		return
	}
	for _, id := range ids {
		s.config.Hooks.SessionsEnded(id)
	}
}

// found tells the engine what is so on every store.
func (c *catalogue) found(tx *rbac.Tx) {
	tx.SetBase(c.base(Analyst))
	tx.SetBase(c.base(Member))
	tx.Define(root, rbac.RoleSpec{Super: true})
	tx.Define(inProject, rbac.RoleSpec{})
	tx.Grant(rbac.Grant{Role: inProject, Permission: viewAllShares})
	tx.Define(hidden, rbac.RoleSpec{})
	tx.Grant(rbac.Grant{Role: hidden, Permission: beHidden})
	for name, functions := range c.presets {
		base := ""
		if BaseRole(name).IsValid() {
			base = name
		}
		role := rbac.Company.Role(name)
		tx.Define(role, rbac.RoleSpec{Base: base})
		tx.Inherit(role, inProject)
		for _, id := range functions {
			tx.Grant(rbac.Grant{Role: role, Permission: rbac.Do(functionName(id))})
		}
	}
	tx.Define(corporate, rbac.RoleSpec{})
	tx.Define(ofProject, rbac.RoleSpec{})
	tx.Inherit(corporate, ofProject)
	for _, op := range corporateOnly {
		tx.Grant(rbac.Grant{Role: corporate, Permission: rbac.Do(op.function())})
	}
	for _, op := range anyToken {
		tx.Grant(rbac.Grant{Role: ofProject, Permission: rbac.Do(op.function())})
	}
	tx.Assign(rbac.Assignment{Subject: host, Role: corporate})
}

func (e edit) project(_ table.Key, row *projectRow) {
	if row != nil {
		e.projects.Set(row.ID, domainOf(row.ID))
	}
}

func (e edit) user(_ table.Key, row *userRow) {
	if row == nil {
		return // tombstones stay
	}
	old, known := e.users.Get(row.ID)
	if known && old.Status == Normal && row.Status != Normal {
		e.ended = append(e.ended, row.ID)
	}
	subject := subjectOf(row.ID)
	if row.Status == Invalid {
		e.users.Delete(row.ID)
		// The name may be somebody else's by now.
		if of, found := e.byLogin.Get(row.LoginName); found && of.ID == row.ID {
			e.byLogin.Delete(row.LoginName)
		}
		e.tx.RemoveSubject(subject)
		e.tx.RemoveRole(personalRole(row.ID))
		return
	}
	u := &user{*row, subject}
	e.users.Set(row.ID, u)
	e.byLogin.Set(row.LoginName, u)
	e.tx.Assign(rbac.Assignment{Subject: subject, Role: inProject, Domain: domainOf(CompanyScope)})
	if row.Supervisor {
		e.tx.Assign(rbac.Assignment{Subject: subject, Role: root})
	} else {
		e.tx.Unassign(subject, root, rbac.Company)
	}
	if row.Status == Locked {
		e.tx.Freeze(subject)
	} else {
		e.tx.Unfreeze(subject)
	}
}

// roleRef is the engine's name of a project's role. A preset is one role for
// all projects.
func roleRef(p ProjectID, name RoleName) rbac.Role {
	if name.preset() {
		return rbac.Company.Role(string(name))
	}
	return domainOf(p).Role(string(name))
}

func (e edit) role(key table.Key, row *roleRow) {
	if row == nil {
		old, known := e.roles.Delete(key)
		if known && !old.Preset {
			e.tx.RemoveRole(roleRef(old.Project, old.Name))
		}
		return
	}
	old, known := e.roles.Set(roleKey(row.Project, row.Name), row)
	if row.Preset {
		return
	}
	ref := roleRef(row.Project, row.Name)
	e.tx.Define(ref, rbac.RoleSpec{Base: string(row.Base)})
	e.tx.Inherit(ref, inProject)
	if known {
		for _, id := range old.Functions {
			e.tx.Revoke(ref, rbac.Do(functionName(id)))
		}
	}
	for _, id := range row.Functions {
		e.tx.Grant(rbac.Grant{Role: ref, Permission: rbac.Do(functionName(id))})
	}
}

func (e edit) member(key table.Key, row *memberRow) {
	if row != nil {
		key = pair(row.Project, row.User)
	}
	p, u := ProjectID(key.Int()), UserID(key.Rest().Int())
	if old, had := e.members.Delete(key); had {
		e.tx.Unassign(subjectOf(u), roleRef(p, old), domainOf(p))
	}
	if row != nil {
		e.members.Set(key, row.Role)
		e.tx.Assign(rbac.Assignment{Subject: subjectOf(u), Role: roleRef(p, row.Role), Domain: domainOf(p)})
	}
}

// reach is where a group counts: those of the company scope everywhere.
func (r *groupRow) reach() rbac.Domain {
	if r.Project == CompanyScope {
		return rbac.Company
	}
	return domainOf(r.Project)
}

func (e edit) group(key table.Key, row *groupRow) {
	if row == nil {
		id := GroupID(key.Int())
		e.groups.Delete(id)
		e.tx.RemoveRole(groupRole(id))
		return
	}
	e.groups.Set(row.ID, row)
	e.tx.Define(groupRole(row.ID), rbac.RoleSpec{})
	if row.Black {
		e.tx.Inherit(groupRole(row.ID), hidden)
	} else {
		e.tx.Disinherit(groupRole(row.ID), hidden)
	}
}

// groupMemberGone comes before the groups, while a deleted one is still known.
func (e edit) groupMemberGone(key table.Key, row *groupMemberRow) {
	if row != nil {
		return
	}
	id, u := GroupID(key.Int()), UserID(key.Rest().Int())
	if g, known := e.groups.Get(id); known {
		e.tx.Unassign(subjectOf(u), groupRole(id), g.reach())
	}
}

func (e edit) groupMember(_ table.Key, row *groupMemberRow) {
	if row == nil {
		return
	}
	if g, known := e.groups.Get(row.Group); known {
		e.tx.Assign(rbac.Assignment{Subject: subjectOf(row.User), Role: groupRole(row.Group), Domain: g.reach()})
	}
}

func (e edit) black(key table.Key, row *blackRow) {
	if row != nil {
		key = pair(row.User, row.Project)
	}
	u, p := UserID(key.Int()), ProjectID(key.Rest().Int())
	in := rbac.Company
	if p != CompanyScope {
		in = domainOf(p)
	}
	if row == nil {
		e.tx.Unassign(subjectOf(u), hidden, in)
		return
	}
	e.tx.Assign(rbac.Assignment{Subject: subjectOf(u), Role: hidden, Domain: in})
}

// personal is the role of one user, made when it is first needed.
func (e edit) personal(u UserID) rbac.Role {
	r := personalRole(u)
	e.tx.Define(r, rbac.RoleSpec{})
	e.tx.Assign(rbac.Assignment{Subject: subjectOf(u), Role: r})
	return r
}

func assetResource(id AssetID) rbac.Resource {
	return rbac.Resource{Kind: "asset", ID: strconv.FormatInt(int64(id), 10)}
}

// The three ways to an asset: as its owner, by a share that names the user, a
// group or a role, and by one with all members, which the blacklist bars.
func (id AssetID) owned() rbac.Permission   { return rbac.On("own", assetResource(id)) }
func (id AssetID) viewed() rbac.Permission  { return rbac.On("view", assetResource(id)) }
func (id AssetID) browsed() rbac.Permission { return rbac.On("browse", assetResource(id)) }

func (e edit) asset(key table.Key, row *assetRow) {
	if row == nil {
		id := AssetID(key.Int())
		e.assets.Delete(id)
		e.tx.RemoveResource(assetResource(id))
		return
	}
	a := &asset{*row, row.ID.owned(), row.ID.viewed(), row.ID.browsed()}
	if old, known := e.assets.Set(row.ID, a); known && old.Owner != row.Owner {
		e.tx.Revoke(personalRole(old.Owner), a.own)
	}
	e.tx.Grant(rbac.Grant{Role: e.personal(row.Owner), Permission: a.own})
}

func (e edit) share(key table.Key, row *shareRow) {
	gone := row == nil
	if gone {
		row = shareOf(key)
	}
	g := rbac.Grant{Permission: row.Asset.viewed()}
	switch {
	case row.User != 0 && gone:
		g.Role = personalRole(row.User)
	case row.User != 0:
		g.Role = e.personal(row.User)
	case row.Group != 0:
		g.Role = groupRole(row.Group)
	case row.Role != "":
		g.Role = roleRef(row.Project, row.Role)
	default:
		g.Role, g.Permission = inProject, row.Asset.browsed()
	}
	if gone {
		e.tx.Revoke(g.Role, g.Permission)
		return
	}
	e.tx.Grant(g)
}

func (e edit) token(key table.Key, row *tokenRow) {
	if row != nil {
		key = table.Int(row.Project)
	}
	if old, had := e.scopes.Delete(ProjectID(key.Int())); had {
		e.tokens.Delete(old.digest.Head())
		e.tx.RemoveSubject(old.subject)
	}
	if row == nil {
		return
	}
	digest := digestOf(row.Hash)
	head := digest.Head()
	// A token is a subject of its own, so that a Caller ends with it.
	tok := &token{*row, digest, rbac.Subject("token/" + strconv.FormatUint(head, 16)), rbac.Company}
	role := corporate
	if row.Project != corporateScope {
		tok.scope, role = domainOf(row.Project), ofProject
	}
	e.scopes.Set(row.Project, tok)
	e.tokens.Set(head, tok)
	e.tx.Assign(rbac.Assignment{Subject: tok.subject, Role: role, Domain: tok.scope})
}

func (e edit) session(key table.Key, row *sessionRow) {
	if row == nil {
		digest := digestOf([]byte(key.Str()))
		e.sessions.Delete(digest.Head())
		return
	}
	digest := digestOf(row.Hash)
	e.sessions.Set(digest.Head(), &session{*row, digest})
}

func digestOf(hash []byte) (d secret.Digest) {
	copy(d[:], hash)
	return d
}
