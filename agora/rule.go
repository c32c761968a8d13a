package agora

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"time"

	"github.com/gatehouse-go/gatehouse"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/storage"
)

// RuleID numbers the rules of a store, one-shot kicks included. It grows and is
// never given twice.
type RuleID int64

// OpID numbers the operations on rules, for the audit. It grows, too.
type OpID int64

// Rule is one banning rule. Times are in UTC and whole milliseconds.
type Rule struct {
	ID    RuleID
	AppID AppID
	Selectors
	Privileges Privileges
	State      gatehouse.State
	// Op is the operation that created or last changed the rule ("opid").
	Op OpID
	// Until is the end of its effect ("ts"): at that time it bars nobody.
	Until            time.Time
	Created, Updated time.Time
}

// String reads `rule 1953 (uid 1) until 2018-01-09T07:23:06.000Z`.
func (r Rule) String() string {
	return Match{ID: r.ID, Selectors: r.Selectors, Until: r.Until}.String()
}

// TimeLayout is how the API writes the times of rules. The document's sample
// shows local times with this Z; they are UTC here.
const TimeLayout = "2006-01-02T15:04:05.000Z"

// NewRule says what rule to create. At least one selector is required.
type NewRule struct {
	Selectors
	// Term is how long it lasts; the zero Term is one hour, [Once] kicks
	// without a ban.
	Term Term
	// Privileges are what it takes away; 0 is the default, [JoinChannel].
	Privileges Privileges
	// State is not the vendor's: a Shadow rule is reported and bars nobody.
	State gatehouse.State
}

// ruleRow is a rule as it is stored. Times are Unix milliseconds.
type ruleRow struct {
	AppID      AppID           `json:"app_id"`
	ID         RuleID          `json:"id"`
	Op         OpID            `json:"op"`
	CName      string          `json:"cname,omitempty"`
	UID        UID             `json:"uid,omitempty"`
	IP         netip.Addr      `json:"ip,omitzero"`
	Privileges Privileges      `json:"privileges"`
	State      gatehouse.State `json:"state,omitzero"`
	Until      int64           `json:"until"`
	Created    int64           `json:"created"`
	Updated    int64           `json:"updated"`
}

func ruleKey(app AppID, id RuleID) table.Key { return table.Str(app) + table.Int(id) }

// operationRow is the last operation on an app's rules that a rule's own record
// does not tell: that members were kicked once, or that a rule was deleted
// before it ended. Each replaces the one before; it is there to go through the
// stream of commits, so that every system on the store does the same.
type operationRow struct {
	AppID AppID   `json:"app_id"`
	Op    OpID    `json:"op"`
	At    int64   `json:"at"`
	Rule  ruleRow `json:"rule"`
	Once  bool    `json:"once,omitempty"` // kick the rule's matches
	Gone  bool    `json:"gone,omitempty"` // the rule's record was deleted
}

// CreateRule creates a banning rule (POST kicking-rule). When it returns, no
// join that starts afterwards gets past the rule and members it matches have
// been put offline, or have stopped publishing. A term of zero length does that
// once: the answer has a fresh id that is not listed and cannot be changed, on
// which the document is silent.
func (a *Account) CreateRule(ctx context.Context, app AppID, n NewRule) (Rule, error) {
	live, err := a.app(app)
	if err != nil {
		return Rule{}, err
	}
	selectors, err := n.Selectors.check()
	if err != nil {
		return Rule{}, err
	}
	term, err := n.Term.Duration()
	if err != nil {
		return Rule{}, err
	}
	if n.Privileges == 0 {
		n.Privileges = JoinChannel
	}
	if n.Privileges&^allPrivileges != 0 {
		return Rule{}, invalid("privileges", strconv.Itoa(int(n.Privileges)), "not join_channel, publish_audio or publish_video")
	}
	if !n.State.IsValid() {
		return Rule{}, invalid("state", n.State.String(), "not enforced, shadow or off")
	}
	now := a.sys.now().UnixMilli()
	row := ruleRow{
		AppID: app, CName: selectors.CName, UID: selectors.UID, IP: selectors.IP,
		Privileges: n.Privileges, State: n.State,
		Until: now + term.Milliseconds(), Created: now, Updated: now,
	}
	err = a.sys.changeRules(ctx, live, func(w storage.Writer, op OpID) error {
		id, err := a.sys.tables.ruleNumber.Next(w)
		if err != nil {
			return err
		}
		row.ID, row.Op = RuleID(id), op
		if term == 0 {
			return a.sys.tables.operations.Put(w, operationRow{AppID: app, Op: op, At: now, Rule: row, Once: true})
		}
		return a.sys.tables.rules.Insert(w, row)
	})
	if err != nil {
		return Rule{}, err
	}
	return row.rule(), nil
}

// Rules returns the app's rules that have not ended, by id (GET kicking-rule).
// The document is silent on the order.
func (a *Account) Rules(app AppID) ([]Rule, error) {
	live, err := a.app(app)
	if err != nil {
		return nil, err
	}
	now := a.sys.now().UnixMilli()
	rules := []Rule{}
	for _, b := range live.bans() {
		if now < b.until {
			rules = append(rules, b.rule(app))
		}
	}
	return rules, nil
}

// UpdateRule gives a rule a new term, counted from now (PUT kicking-rule). With
// a term of zero length the members it matches are kicked once and the rule is
// gone; the answer's Until is now.
func (a *Account) UpdateRule(ctx context.Context, app AppID, id RuleID, t Term) (Rule, error) {
	live, err := a.app(app)
	if err != nil {
		return Rule{}, err
	}
	term, err := t.Duration()
	if err != nil {
		return Rule{}, err
	}
	now := a.sys.now().UnixMilli()
	var row ruleRow
	err = a.sys.changeRules(ctx, live, func(w storage.Writer, op OpID) error {
		row, err = a.sys.activeRule(w, app, id, now)
		if err != nil {
			return err
		}
		row.Until, row.Updated, row.Op = now+term.Milliseconds(), now, op
		if term > 0 {
			return a.sys.tables.rules.Put(w, row)
		}
		return a.sys.endRule(w, operationRow{AppID: app, Op: op, At: now, Rule: row, Once: true, Gone: true})
	})
	if err != nil {
		return Rule{}, err
	}
	return row.rule(), nil
}

// SetRuleState enforces a rule, makes it a shadow or turns it off; its end
// stays. Once enforced it is as just created. The vendor has no such call.
func (a *Account) SetRuleState(ctx context.Context, app AppID, id RuleID, state gatehouse.State) (Rule, error) {
	live, err := a.app(app)
	if err != nil {
		return Rule{}, err
	}
	if !state.IsValid() {
		return Rule{}, invalid("state", state.String(), "not enforced, shadow or off")
	}
	now := a.sys.now().UnixMilli()
	var row ruleRow
	err = a.sys.changeRules(ctx, live, func(w storage.Writer, op OpID) error {
		row, err = a.sys.activeRule(w, app, id, now)
		if err != nil {
			return err
		}
		row.State, row.Updated, row.Op = state, now, op
		return a.sys.tables.rules.Put(w, row)
	})
	if err != nil {
		return Rule{}, err
	}
	return row.rule(), nil
}

// DeleteRule removes a rule at once (DELETE kicking-rule). Nobody is put back
// into a channel by it.
func (a *Account) DeleteRule(ctx context.Context, app AppID, id RuleID) error {
	live, err := a.app(app)
	if err != nil {
		return err
	}
	now := a.sys.now().UnixMilli()
	return a.sys.changeRules(ctx, live, func(w storage.Writer, op OpID) error {
		row, err := a.sys.activeRule(w, app, id, now)
		if err != nil {
			return err
		}
		return a.sys.endRule(w, operationRow{AppID: app, Op: op, At: now, Rule: row, Gone: true})
	})
}

// app returns the live state of the account's app. Whose app it is comes first:
// a caller learns nothing about other parameters otherwise. The documents are
// silent on an App ID that is none.
func (a *Account) app(id AppID) (*app, error) {
	if !id.isHex32() {
		return nil, newError(InvalidArgument, "invalid appid", "appid", string(id))
	}
	if live := a.sys.state().app(id); live != nil {
		if p := live.project.Load(); p != nil && p.Account == a.id {
			return live, nil
		}
	}
	return nil, newError(Unauthorized, "unauthorized", "appid", string(id))
}

// changeRules runs one operation on the rules of an app, in one transaction
// with the removal of a few rules that have ended.
func (s *System) changeRules(ctx context.Context, live *app, fn func(storage.Writer, OpID) error) error {
	p := live.project.Load()
	if p == nil {
		return newError(Unauthorized, "unauthorized", "appid", string(live.id))
	}
	ended := s.state().ended.take(s.now().UnixMilli(), sweepAtOnce)
	err := s.update(ctx, func(w storage.Writer) error {
		// The project may have been deleted since it was looked up.
		if exists, err := s.tables.projects.Has(w, table.Str(p.ID)); err != nil {
			return err
		} else if !exists {
			return newError(Unauthorized, "unauthorized", "appid", string(live.id))
		}
		op, err := s.tables.opNumber.Next(w)
		if err != nil {
			return err
		}
		if err := fn(w, OpID(op)); err != nil {
			return err
		}
		_, err = s.sweep(w, ended)
		return err
	})
	if err != nil {
		s.state().ended.putBack(ended)
	}
	return err
}

// activeRule returns a rule that has not ended. One that has is as good as
// deleted, on which the document is silent.
func (s *System) activeRule(r storage.Reader, app AppID, id RuleID, now int64) (ruleRow, error) {
	row, err := s.tables.rules.Get(r, ruleKey(app, id))
	if errors.Is(err, table.ErrNotFound) || err == nil && now >= row.Until {
		return ruleRow{}, ruleNotFound(id)
	}
	return row, err
}

func (s *System) endRule(w storage.Writer, op operationRow) error {
	if err := s.tables.rules.Delete(w, ruleKey(op.AppID, op.Rule.ID)); err != nil {
		return err
	}
	return s.tables.operations.Put(w, op)
}

func (r *ruleRow) ban() *ban {
	return newBan(newSubject(r.CName, r.UID, r.IP), ban{
		id: r.ID, op: r.Op, until: r.Until, created: r.Created, updated: r.Updated,
		privileges: r.Privileges, state: r.State,
	})
}

func (r *ruleRow) rule() Rule { return r.ban().rule(r.AppID) }

func (b *ban) rule(app AppID) Rule {
	return Rule{
		ID: b.id, AppID: app, Selectors: b.selectors(), Privileges: b.privileges, State: b.state, Op: b.op,
		Until: utc(b.until), Created: utc(b.created), Updated: utc(b.updated),
	}
}

func utc(milli int64) time.Time { return time.UnixMilli(milli).UTC() }
