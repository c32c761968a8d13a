package agora

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tidwall/btree"

	"github.com/gatehouse-go/gatehouse"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/storage"
)

// tables is what a system keeps in its store. Presence is not part of it: who
// is in which channel is of the living process.
type tables struct {
	schema            *table.Schema
	accounts          *table.Table[accountRow]
	projects          *table.Table[projectRow]
	projectsByAccount *table.Index[projectRow]
	rules             *table.Table[ruleRow]
	operations        *table.Table[operationRow]
	usage             *table.Table[usageRow]

	projectNumber, ruleNumber, opNumber *table.Sequence
}

func newTables() tables {
	s := table.NewSchema("agora")
	t := tables{
		schema:   s,
		accounts: table.New(s, "accounts", func(r *accountRow) table.Key { return table.Str(r.CustomerID) }),
		projects: table.New(s, "projects", func(r *projectRow) table.Key { return table.Str(r.ID) }),
		rules:    table.New(s, "rules", func(r *ruleRow) table.Key { return ruleKey(r.AppID, r.ID) }),
		operations: table.New(s, "operations", func(r *operationRow) table.Key {
			return table.Str(r.AppID)
		}),
		usage: table.New(s, "usage", func(r *usageRow) table.Key { return usageKey(r.Project, r.Day) }),

		projectNumber: s.Sequence("project"),
		ruleNumber:    s.Sequence("rule"),
		opNumber:      s.Sequence("operation"),
	}
	t.projectsByAccount = t.projects.Index("account", func(r *projectRow) table.Key {
		return table.Str(r.Account) + table.Int(r.Number)
	})
	return t
}

// state is what a system judges with: a compiled copy of its records that one
// goroutine keeps in step with the store (see [live.Follower]) while any number
// read it without locks.
type state struct {
	accounts typedMap[string, *accountRow]
	apps     typedMap[AppID, *app]
	projects typedMap[ProjectID, *app]
	ended    endings

	// recent holds apps that were asked for before, each in the slot of its id:
	// a third of the time that apps takes.
	recent [256]atomic.Pointer[app]
}

// app is the live state of one project. It outlives the project for as long as
// records of rules do.
type app struct {
	id       AppID
	project  atomic.Pointer[projectRow] // nil: deleted
	revision atomic.Uint64              // of the last commit that changed what is judged
	rules    *ruleIndex
	presence *presence

	mu       sync.RWMutex // of all below and of who writes rules
	byID     btree.Map[RuleID, *ban]
	lastOnce operationRow // the last one-shot kick
}

// app returns the app, or nil. It may be one whose project is deleted.
func (st *state) app(id AppID) *app {
	slot := st.recentSlot(id)
	if a := slot.Load(); a != nil && a.id == id {
		return a
	}
	a, found := st.apps.Load(id)
	if found {
		slot.Store(a)
	}
	return a
}

// recentSlot is chosen by two of the id's random hex digits.
func (st *state) recentSlot(id AppID) *atomic.Pointer[app] {
	if len(id) < 2 {
		return &st.recent[0]
	}
	digit := func(c byte) byte { return c&15 + c>>6*9 }
	return &st.recent[digit(id[0])<<4|digit(id[1])&15]
}

func (a *app) ban(id RuleID) *ban {
	a.mu.RLock()
	defer a.mu.RUnlock()
	b, _ := a.byID.Get(id)
	return b
}

// bans returns all rules by id, ended ones that are not swept yet included.
func (a *app) bans() []*ban {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.byID.Values()
}

// put adds or replaces a rule and returns the one it replaced, or nil.
func (a *app) put(b *ban) (old *ban) {
	a.mu.Lock()
	defer a.mu.Unlock()
	old, _ = a.byID.Set(b.id, b)
	a.rules.put(b, old)
	return old
}

func (a *app) drop(id RuleID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if old, found := a.byID.Delete(id); found {
		a.rules.drop(old)
	}
}

// need returns the app, making it when there is none.
func (s *System) need(st *state, id AppID) *app {
	if a := st.app(id); a != nil {
		return a
	}
	a := &app{id: id, rules: newRuleIndex(), presence: s.presenceOf(id)}
	st.apps.Store(id, a)
	return a
}

// build compiles the state from a snapshot.
func (s *System) build(r storage.Reader) (*state, error) {
	st := &state{}
	for row, err := range s.tables.accounts.All().Rows(r) {
		if err != nil {
			return nil, err
		}
		st.accounts.Store(row.CustomerID, &row)
	}
	for row, err := range s.tables.projects.All().Rows(r) {
		if err != nil {
			return nil, err
		}
		a := s.need(st, row.AppID)
		a.project.Store(&row)
		st.projects.Store(row.ID, a)
		a.revision.Store(uint64(r.Position()))
	}
	for row, err := range s.tables.rules.All().Rows(r) {
		if err != nil {
			return nil, err
		}
		a := s.need(st, row.AppID)
		b := row.ban()
		a.put(b)
		st.ended.add(ending{b.until, a, b.id})
	}
	for row, err := range s.tables.operations.All().Rows(r) {
		if err != nil {
			return nil, err
		}
		if row.Once {
			s.need(st, row.AppID).lastOnce = row
		}
	}
	return st, nil
}

// apply carries one commit over into the state. Readers are in the middle of it
// all the time, so the order matters: first what judges, then, with the app's
// version raised, what ends the sessions that were let in before (see
// [System.Join]).
func (s *System) apply(st *state, c storage.Commit) (*state, error) {
	for ch, err := range s.tables.accounts.Changes(c) {
		if err != nil {
			return st, err
		}
		if ch.Row != nil {
			st.accounts.Store(ch.Row.CustomerID, ch.Row)
		}
	}
	if err := s.applyProjects(st, c); err != nil {
		return st, err
	}
	return st, s.applyRules(st, c)
}

func (s *System) applyProjects(st *state, c storage.Commit) error {
	for ch, err := range s.tables.projects.Changes(c) {
		if err != nil {
			return err
		}
		if ch.Row != nil {
			a := s.need(st, ch.Row.AppID)
			s.projectPut(st, a, ch.Row, c.Position)
			continue
		}
		id := ProjectID(ch.Key.Str())
		a, known := st.projects.LoadAndDelete(id)
		if !known || a.project.Load() == nil {
			continue
		}
		old := a.project.Load()
		s.events.commit(func() bool {
			a.project.Store(nil)
			a.changed(c.Position)
			return true
		}, Event{Kind: ProjectDeleted, Time: s.now(), Project: id, AppID: a.id})
		s.evict(a, old, DeletedProject)
		s.usage.drop(id)
		s.buryIfEmpty(st, a)
	}
	return nil
}

// projectPut adds or replaces a project, tells what became of it and ends its
// sessions when it was disabled.
func (s *System) projectPut(st *state, a *app, now *projectRow, position storage.Position) {
	old := a.project.Load()
	e := Event{Kind: ProjectModified, Time: s.now(), Project: now.ID, AppID: now.AppID}
	switch {
	case old == nil:
		e.Kind = ProjectCreated
	case now.Disabled && !old.Disabled:
		e.Kind = ProjectStopped
	case !now.Disabled && old.Disabled:
		e.Kind = ProjectEnabled
	}
	s.events.commit(func() bool {
		a.project.Store(now)
		a.changed(position)
		st.projects.Store(now.ID, a)
		return true
	}, e)
	if e.Kind == ProjectStopped {
		s.evict(a, now, DisabledProject)
	}
}

func (s *System) applyRules(st *state, c storage.Commit) error {
	// The operations first, to know of a deleted record whether its rule was
	// deleted or has ended.
	operations := map[AppID]*operationRow{}
	for ch, err := range s.tables.operations.Changes(c) {
		if err != nil {
			return err
		}
		if ch.Row != nil {
			operations[ch.Row.AppID] = ch.Row
		}
	}
	last := map[AppID]uint64{} // of the sessions that a one-shot kick by PUT is about
	for ch, err := range s.tables.rules.Changes(c) {
		if err != nil {
			return err
		}
		if ch.Row != nil {
			s.rulePut(st, ch.Row, c.Position)
			continue
		}
		app, id := AppID(ch.Key.Str()), RuleID(ch.Key.Rest().Int())
		op := operations[app]
		if op != nil && op.Gone && op.Rule.ID == id {
			last[app] = s.ruleGone(st, app, id, c.Position, Event{Kind: RuleDeleted, Op: op.Op})
		} else {
			s.ruleGone(st, app, id, c.Position, Event{Kind: RuleExpired})
		}
	}
	for _, op := range operations {
		if op.Once {
			s.kickOnce(st, op, last[op.AppID])
		}
	}
	return nil
}

// changed makes joins under way look again.
func (a *app) changed(position storage.Position) {
	a.revision.Store(uint64(position))
	a.presence.version.Add(1)
}

func (s *System) rulePut(st *state, row *ruleRow, position storage.Position) {
	a, b := s.need(st, row.AppID), row.ban()
	old := a.ban(b.id)
	e := s.ruleEvent(a, b, RuleCreated)
	e.Until, e.Op = utc(b.until), b.op
	if old != nil {
		e.Kind = RuleUpdated
	}
	s.events.commit(func() bool {
		a.put(b)
		a.changed(position)
		return true
	}, e)
	if old == nil || old.until != b.until { // a change of state keeps the end
		st.ended.add(ending{b.until, a, b.id})
		if old != nil {
			st.ended.forget()
		}
	}
	if b.state == gatehouse.Enforced && s.now().UnixMilli() < b.until {
		s.kick(a, b, kickRule, 0)
	}
	if old != nil && old.state == gatehouse.Enforced {
		s.restore(a, old)
	}
}

// ruleGone removes a rule that was deleted or has ended, and returns the last
// session that entered before.
func (s *System) ruleGone(st *state, id AppID, rule RuleID, position storage.Position, e Event) (last uint64) {
	a := st.app(id)
	if a == nil {
		return 0
	}
	b := a.ban(rule)
	if b == nil {
		return 0
	}
	var told []Event // nothing of a deleted project's
	if a.project.Load() != nil {
		of := s.ruleEvent(a, b, e.Kind)
		of.Op = e.Op
		told = append(told, of)
	}
	s.events.commit(func() bool {
		last = a.presence.entered.Load()
		a.drop(rule)
		a.changed(position)
		return true
	}, told...)
	st.ended.forget()
	if told != nil {
		s.restore(a, b)
	}
	s.buryIfEmpty(st, a)
	return last
}

// kickOnce does a one-shot kick: a POST with a term of zero length, or a PUT
// that has removed its rule when the last session had entered.
func (s *System) kickOnce(st *state, op *operationRow, last uint64) {
	a := st.app(op.AppID)
	if a == nil || a.project.Load() == nil {
		return
	}
	a.mu.Lock()
	a.lastOnce = *op
	a.mu.Unlock()
	b := op.Rule.ban()
	b.op = op.Op
	if !op.Gone {
		e := s.ruleEvent(a, b, RuleCreated)
		e.Until, e.Op = utc(b.until), b.op
		s.events.commit(func() bool {
			last = a.presence.entered.Load()
			return true
		}, e)
	}
	if b.state == gatehouse.Enforced {
		s.kick(a, b, kickOnce, last)
	}
}

func (s *System) ruleEvent(a *app, b *ban, kind EventKind) Event {
	e := Event{
		Kind: kind, Time: s.now(), AppID: a.id, Rule: b.id, Privileges: b.privileges,
		CName: b.cname, UID: b.uid, IP: b.selectors().IP,
	}
	if p := a.project.Load(); p != nil {
		e.Project = p.ID
	}
	return e
}

// buryIfEmpty forgets a deleted project of which no rule's record is left.
func (s *System) buryIfEmpty(st *state, a *app) {
	a.mu.RLock()
	empty := a.byID.Len() == 0
	a.mu.RUnlock()
	if empty && a.project.Load() == nil {
		st.apps.Delete(a.id)
		// Who has just read apps may put it back; its project stays deleted.
		st.recentSlot(a.id).CompareAndSwap(a, nil)
		s.forgetPresence(a.id)
	}
}

// rebuilt brings the sessions in line with a state that was built anew because
// commits were missed: what these would have ended ends now. Of the one-shot
// kicks missed for an app the last is made up for; the records do not tell of
// others.
func (s *System) rebuilt(before, now *state) {
	for id, a := range before.apps.Range {
		old := a.project.Load()
		if old == nil {
			continue
		}
		next := now.app(id)
		a.presence.version.Add(1)
		if next == nil || next.project.Load() == nil {
			s.evict(a, old, DeletedProject)
			s.usage.drop(old.ID)
			continue
		}
		p := next.project.Load()
		if p.Disabled {
			s.evict(next, p, DisabledProject)
			continue
		}
		at := s.now().UnixMilli()
		for _, b := range next.bans() {
			if b.state == gatehouse.Enforced && at < b.until {
				s.kick(next, b, kickRule, 0)
			}
		}
		if once := next.lastOnce; once.Op > a.lastOnce.Op && once.Rule.State == gatehouse.Enforced {
			s.kick(next, once.Rule.ban(), kickMissed, 0)
		}
		for _, b := range slices.Backward(a.bans()) {
			s.restore(next, b)
		}
	}
}

// typedMap is a sync.Map of one type: written by the follower, read by all
// without a lock.
type typedMap[K comparable, V any] struct{ m sync.Map }

func (m *typedMap[K, V]) Load(k K) (v V, found bool) {
	x, found := m.m.Load(k)
	if found {
		v = x.(V)
	}
	return v, found
}

func (m *typedMap[K, V]) Store(k K, v V) { m.m.Store(k, v) }

func (m *typedMap[K, V]) Delete(k K) { m.m.Delete(k) }

func (m *typedMap[K, V]) LoadAndDelete(k K) (v V, found bool) {
	x, found := m.m.LoadAndDelete(k)
	if found {
		v = x.(V)
	}
	return v, found
}

// Range yields the entries in no order.
func (m *typedMap[K, V]) Range(yield func(K, V) bool) {
	m.m.Range(func(k, v any) bool { return yield(k.(K), v.(V)) })
}
