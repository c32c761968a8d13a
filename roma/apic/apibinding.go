package apic

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"

	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/roma/list"
	"github.com/gatehouse-go/gatehouse/storage"
)

// What throttles, signature keys and access control lists have in common (4.8,
// 4.11, 4.13): they are bound to APIs in environments, by publish ids.
//
//   - Only what is online can be bound to, and all of a call is bound or
//     nothing is: the answer has no place for failures.
//   - The document is silent on a slot that has a policy: binding the same one
//     again answers with the binding that is there, binding another replaces
//     it. A binding takes effect at once, and outlives that its API goes
//     offline, hidden until it is back.
//   - Who binds or unbinds needs the role modify in the API's application.

// PublishedAPI is an API in an environment, as the lists of what a policy is
// not bound to show it.
type PublishedAPI struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Remark    string `json:"remark,omitempty"`
	Type      int    `json:"type"` // 1 public, 2 private
	AuthType  string `json:"auth_type"`
	URI       string `json:"req_uri"`
	GroupID   string `json:"group_id"`
	GroupName string `json:"group_name"`
	PublishID string `json:"publish_id"`
	EnvID     string `json:"run_env_id"`
	EnvName   string `json:"run_env_name"`
}

// APIFilter is the filters of the lists of APIs that have a policy or have it
// not. Empty ones filter nothing.
type APIFilter struct {
	EnvID   string `query:"env_id"`
	GroupID string `query:"group_id"`
	APIID   string `query:"api_id"`
	APIName string `query:"api_name"` // a part of it, at most 255 characters
}

// Unbound is the outcome of a batch of removals, some of which may have failed.
type Unbound struct {
	Success int             `json:"success_count"`
	Failure []UnboundFailed `json:"failure"`
}

// UnboundFailed is one that failed, and why. What it was bound to is only told
// of a binding that there is.
type UnboundFailed struct {
	BindID  string     `json:"bind_id"`
	Code    fault.Code `json:"error_code"`
	Message string     `json:"error_msg"`
	APIID   string     `json:"api_id,omitempty"`
	APIName string     `json:"api_name,omitempty"`
}

// bound is a binding with what it is bound to.
type bound struct {
	*binding
	at published
}

// bindAPIs puts the policy into the slot of each of the publications and
// returns the bindings in their order, each once.
func (b bindings) bindAPIs(w storage.Writer, c Control, policy, slot string, publishIDs []string) ([]bound, error) {
	targets := make(map[string]published, len(publishIDs))
	for _, p := range publishIDs {
		if _, known := targets[p]; known {
			continue
		}
		row, err := of(c.sys).livePublication(w, c.Scope, p)
		if err != nil {
			return nil, err
		}
		if targets[p], err = c.target(w, row); err != nil {
			return nil, err
		}
	}
	rows, err := b.bind(w, c.Session, policy, slot, publishIDs)
	if err != nil {
		return nil, err
	}
	all := make([]bound, len(rows))
	for i := range rows {
		all[i] = bound{&rows[i], targets[rows[i].Target]}
	}
	return all, nil
}

// target is what a publication belongs to, for a caller who may change what is
// bound to it.
func (c Control) target(r storage.Reader, p publicationRow) (published, error) {
	api, err := of(c.sys).drafts.Load(r, c.Scope, p.API)
	if err != nil {
		return published{}, err
	}
	if _, err := c.permit(r, api.AppID, core.RoleModify); err != nil {
		return published{api: &api}, err
	}
	group, err := of(c.sys).groupRows.Load(r, c.Scope, api.GroupID)
	if err != nil {
		return published{}, err
	}
	env, err := of(c.sys).envs.Load(r, c.Scope, p.Env)
	return published{&p, &api, &group, &env}, err
}

// unbind removes the binding of a policy to an API. An id that cannot be one
// fails k.
func (b bindings) unbind(ctx context.Context, c Control, k *check.Check, id string) error {
	k.ID("id", id)
	if k.Err() != nil {
		return k.Err()
	}
	return c.Write(ctx, func(w storage.Writer) error {
		_, err := b.drop(w, c, id)
		return err
	})
}

// drop removes the binding and returns the API it was of, as far as it is known
// when that fails.
func (b bindings) drop(w storage.Writer, c Control, id string) (*apiRow, error) {
	row, err := b.Load(w, c.Scope, id)
	if err != nil {
		return nil, err
	}
	p, err := of(c.sys).pubs.Load(w, c.Scope, row.Target)
	if err != nil {
		return nil, err
	}
	at, err := c.target(w, p)
	if err != nil {
		return at.api, err
	}
	return at.api, b.Delete(w, c.Scope, id)
}

// unbindAll removes the bindings of policies to APIs; one that is not there, or
// no more, or that the caller may not remove, fails alone.
func (b bindings) unbindAll(ctx context.Context, c Control, action string, ids []string) (Unbound, error) {
	if err := check.Action(action, "delete"); err != nil {
		return Unbound{}, err
	}
	return write(ctx, c, func(w storage.Writer) (Unbound, error) {
		out := Unbound{Failure: []UnboundFailed{}}
		for _, id := range ids {
			api, err := b.drop(w, c, id)
			if err == nil {
				out.Success++
				continue
			}
			e, alone := refusal(err)
			if !alone {
				return Unbound{}, err
			}
			failed := UnboundFailed{BindID: id, Code: e.Code, Message: e.Message}
			if api != nil {
				failed.APIID, failed.APIName = api.ID, api.Name
			}
			out.Failure = append(out.Failure, failed)
		}
		return out, nil
	})
}

// refusal is the fault of an item of a batch, unless it is one of the system,
// with which the whole fails.
func refusal(err error) (*fault.Error, bool) {
	e, ours := errors.AsType[*fault.Error](err)
	return e, ours && e.Code != "APIG.9999"
}

// publishedFilter is what a list of bindings asks for.
func (f APIFilter) published() publishedFilter {
	return publishedFilter{EnvID: f.EnvID, GroupID: f.GroupID, APIID: f.APIID, APIName: f.APIName}
}

// passing tells the publications that are online, pass the filter, and belong
// to what the caller may look at.
func (c Control) passing(st *mirror.State, f publishedFilter) func(*publicationRow) bool {
	hidden := c.hides(st)
	return func(p *publicationRow) bool {
		if !p.live() || !list.Is(p.Env, f.EnvID) || !list.Is(p.API, f.APIID) {
			return false
		}
		if f.GroupID == "" && f.APIName == "" && hidden == nil {
			return true
		}
		api, found := of(c.sys).drafts.Mirror.Get(st, c.Scope.Key(p.API))
		return found && f.passes(api) && (hidden == nil || !hidden(api.AppID))
	}
}

// place is a publication, and what is bound there or nil.
type place struct {
	*publicationRow
	bound *binding
}

// walk is a walk over places, and how many there are; where that is negative
// they must be counted.
type walk struct {
	all   iter.Seq[place]
	total int
}

// places cuts the part that the window shows out of a walk. Only what is shown
// is looked up.
func places[T any](c Control, st *mirror.State, rows walk, w table.Window, show func(*binding, published) T) list.Page[T] {
	one := func(p place) T {
		at, _ := of(c.sys).join(st, p.publicationRow, publishedFilter{})
		return show(p.bound, at)
	}
	if rows.total >= 0 {
		return list.Page[T]{Rows: slice(rows.all, w, one), Total: rows.total}
	}
	shown, total := page(rows.all, w, one)
	return list.Page[T]{Rows: shown, Total: total}
}

// placesWith yields where a policy is bound, the newest binding first.
func (b bindings) placesWith(c Control, st *mirror.State, policy string, f publishedFilter) walk {
	passes, total := c.passing(st, f), -1
	if f == (publishedFilter{}) && c.hides(st) == nil {
		total = b.countAPIs(st, of(c.sys), c.Scope, policy)
	}
	return walk{func(yield func(place) bool) {
		for row := range b.byPolicy.Prefix(st, c.Scope.Key(), table.Str(policy)).All() {
			p, found := of(c.sys).pubs.Mirror.Get(st, c.Scope.Key(row.Target))
			if found && passes(p) && !yield(place{p, row}) {
				return
			}
		}
	}, total}
}

// placesWithout yields where a policy is not bound, what was published last
// first. What is bound there is left to [bindings.of].
func (b bindings) placesWithout(c Control, st *mirror.State, policy string, f publishedFilter) walk {
	passes, total := c.passing(st, f), -1
	has := map[string]bool{}
	for row := range b.byPolicy.Prefix(st, c.Scope.Key(), table.Str(policy)).All() {
		has[row.Target] = true
	}
	rows := of(c.sys).pubsByTime.In(st, c.Scope.Key())
	switch {
	case f.APIID != "" || f.APIName != "" || f.GroupID != "":
		return walk{c.publishedOf(st, f, has), total}
	case f.EnvID != "":
		rows = of(c.sys).pubsByEnv.Prefix(st, c.Scope.Key(), table.Str(f.EnvID))
	case c.hides(st) == nil:
		total = rows.Count() - b.countAPIs(st, of(c.sys), c.Scope, policy)
	}
	return walk{func(yield func(place) bool) {
		for p := range rows.All() {
			if !has[p.ID] && passes(p) && !yield(place{p, nil}) {
				return
			}
		}
	}, total}
}

// publishedOf is [Control.passing] by way of the APIs, of which there are fewer
// than publications: it yields the publications of those that pass, without some,
// what was published last first.
func (c Control) publishedOf(st *mirror.State, f publishedFilter, without map[string]bool) iter.Seq[place] {
	apis := of(c.sys).apisByTime.In(st, c.Scope.Key())
	switch {
	case f.APIID != "":
		apis = of(c.sys).drafts.Mirror.Prefix(st, c.Scope.Key(f.APIID))
	case f.GroupID != "":
		apis = of(c.sys).apisOfGroup.Prefix(st, c.Scope.Key(), table.Str(f.GroupID))
	}
	scope, hidden := c.Scope.Key(), c.hides(st)
	var all []place
	for api := range apis.Where(f.passes).All() {
		if hidden != nil && hidden(api.AppID) {
			continue
		}
		for p := range of(c.sys).pubsByAPI.Prefix(st, scope, table.Str(api.ID)).All() {
			if p.live() && list.Is(p.Env, f.EnvID) && !without[p.ID] {
				all = append(all, place{p, nil})
			}
		}
	}
	slices.SortFunc(all, func(x, y place) int {
		return cmp.Or(y.Published.Compare(x.Published), strings.Compare(x.ID, y.ID))
	})
	return slices.Values(all)
}

// boundTo is the bindings of an API that the caller may look at, where it is
// online, the newest first.
func (b bindings) boundTo(c Control, st *mirror.State, f publishedFilter) []bound {
	var all []bound
	for p := range of(c.sys).pubsByAPI.Prefix(st, c.Scope.Key(), table.Str(f.APIID)).All() {
		at, ok := of(c.sys).join(st, p, f)
		if !ok {
			continue
		}
		for row := range b.byTarget.Prefix(st, c.Scope.Key(), table.Str(p.ID)).All() {
			all = append(all, bound{row, at})
		}
	}
	slices.SortStableFunc(all, func(x, y bound) int { return y.Time.Compare(x.Time) })
	return all
}

// countAPIs is how many APIs that are online a policy is bound to: bind_num. It
// is all but those that are offline, of which there are few as a rule.
func (b bindings) countAPIs(st *mirror.State, s *system, scope core.Scope, policy string) int {
	bound := b.byPolicy.Prefix(st, scope.Key(), table.Str(policy))
	offline := s.pubsOffline.In(st, scope.Key())
	n := bound.Count()
	if n <= offline.Count() {
		return bound.Where(func(row *binding) bool {
			p, found := s.pubs.Mirror.Get(st, scope.Key(row.Target))
			return found && p.live()
		}).Count()
	}
	for p := range offline.All() {
		for row := range b.byTarget.Prefix(st, scope.Key(), table.Str(p.ID)).All() {
			if row.Policy == policy {
				n--
			}
		}
	}
	return n
}

// showPublished is a publication as the lists of APIs show it.
func showPublished(at published) PublishedAPI {
	return PublishedAPI{
		ID: at.api.ID, Name: at.api.Name, Remark: at.api.Remark, Type: at.api.Type, AuthType: at.api.AuthType, URI: at.api.URI,
		GroupID: at.group.ID, GroupName: at.group.Name, PublishID: at.ID, EnvID: at.env.ID, EnvName: at.env.Name,
	}
}

// readAPI returns the state for a list about an API that the caller may look
// at, after the checks of what he asks for.
func (c Control) readAPI(k *check.Check, id string) (*mirror.State, error) {
	if _, err := c.Read(); err != nil {
		return nil, err
	}
	if k.Err() != nil {
		return nil, k.Err()
	}
	st, _, err := c.seenAPI(id)
	return st, err
}

// cut is the part of the rows that the window shows.
func cut[T any](rows []T, w table.Window) list.Page[T] {
	shown := rows[min(w.Offset, len(rows)):]
	return list.Of(shown[:min(w.Limit, len(shown))], len(rows), func(row T) T { return row })
}

// policyList is a list of the APIs that have a policy or have it not, after its
// checks.
type policyList[P any] struct {
	st     *mirror.State
	window table.Window
	policy *P
}

// readPolicy checks what a caller asks for who wants such a list. k says by
// which code a wrong value is refused.
func readPolicy[P any](c Control, k *check.Check, policies *core.Resource[P], param, id string, p list.Paging, f APIFilter) (l policyList[P], err error) {
	if l.st, err = c.Read(); err != nil {
		return l, err
	}
	k.ID(param, id)
	l.window = k.PolicyPage(p)
	k.Length("api_name", f.APIName, 0, 255)
	if k.Err() != nil {
		return l, k.Err()
	}
	l.policy, err = policies.Get(l.st, c.Scope, id)
	return l, err
}
