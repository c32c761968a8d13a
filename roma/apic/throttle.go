package apic

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/id"
	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/roma/list"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Types of request throttling policies.
const (
	ExclusiveThrottle = 1 // each API it is bound to counts alone
	SharedThrottle    = 2 // all APIs it is bound to count together
)

// Throttle is a request throttling policy (4.7): how often what it is bound to
// may be called in a period. A limit of 0 is none.
type Throttle struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	APICalls  int       `json:"api_call_limits"`
	UserCalls int       `json:"user_call_limits,omitempty"` // of each user
	AppCalls  int       `json:"app_call_limits,omitempty"`  // of each app
	IPCalls   int       `json:"ip_call_limits,omitempty"`   // of each address
	Interval  int       `json:"time_interval"`              // the period, in units
	Unit      string    `json:"time_unit"`                  // SECOND, MINUTE, HOUR, DAY
	Type      int       `json:"type"`
	Remark    string    `json:"remark,omitempty"`
	Adaptive  string    `json:"enable_adaptive_control"` // TRUE, FALSE; without effect
	Created   time.Time `json:"create_time"`
	BindNum   int       `json:"bind_num"`                  // of APIs online
	Specials  int       `json:"is_inclu_special_throttle"` // 1 there are some, 2 none
}

// ThrottleSpec is what a caller says of a throttling policy. What is nil was
// not given.
type ThrottleSpec struct {
	Name      string `json:"name"`               // 3 to 64 characters
	APICalls  *int   `json:"api_call_limits"`    // 1 to 2147483647
	UserCalls int    `json:"user_call_limits"`   // no more than APICalls; 0 is no limit
	AppCalls  int    `json:"app_call_limits"`    // no more than UserCalls, or without it than APICalls
	IPCalls   int    `json:"ip_call_limits"`     // no more than APICalls
	Interval  *int   `json:"time_interval"`      // 1 to 2147483647
	Unit      string `json:"time_unit"`          // SECOND, MINUTE, HOUR, DAY
	Type      int    `json:"type" bind:"nozero"` // ExclusiveThrottle unless given
	Remark    string `json:"remark"`             // up to 255 characters
	Adaptive  string `json:"enable_adaptive_control"`
}

// ThrottleQuery is a list of throttling policies.
type ThrottleQuery struct {
	list.Paging
	ID      string       `query:"id"`
	Name    string       `query:"name"`           // a part of it
	Precise list.Precise `query:"precise_search"` // name
}

// throttleRow has the parts of a Throttle that are stored; the others are 0.
type throttleRow struct {
	Scope    core.Scope
	Revision uint64 // how often it was written
	Throttle
}

type throttles struct {
	throttleRows     *core.Resource[throttleRow]
	throttlesByTime  *mirror.Order[throttleRow] // newest first
	specials         *core.Resource[specialRow]
	specialsOf       *table.Index[specialRow]  // by policy and type
	specialsByTime   *mirror.Order[specialRow] // by policy, newest first
	throttleBindings bindings

	throttleRulesOf derived[throttleRow, *compiledThrottle]
	defaultRules    sync.Map // from the limit to its *ratelimit.Rules
}

func declareThrottles(c *core.Core, s *system) {
	t := &s.throttles
	x := core.Declare(c, "throttle", "APIG.3005", func(t *throttleRow) table.Key { return t.Scope.Key(t.ID) })
	x.Unique("name", "APIG.3204", func(t *throttleRow) table.Key { return t.Scope.Key(t.Name) })
	t.throttleRows = x
	t.throttlesByTime = x.Order(func(t *throttleRow) table.Key { return table.Desc(table.Time(t.Created)) })
	t.declareSpecials(c)
	t.throttleBindings = declareBindings(c, "throttle_binding", "APIG.3012", x, "APIG.3451", s.pubs)
}

var throttleUnits = map[string]time.Duration{
	"SECOND": time.Second, "MINUTE": time.Minute, "HOUR": time.Hour, "DAY": 24 * time.Hour,
}

// settled is the policy that the caller asks for, with the defaults of what he
// left out. The document caps api_call_limits at the instance's 200 calls a
// second and shows 800 in its own sample; there is no cap.
func (in ThrottleSpec) settled() (Throttle, error) {
	if in.Type == 0 {
		in.Type = ExclusiveThrottle // the document is silent
	}
	if in.Adaptive == "" {
		in.Adaptive = "FALSE"
	}
	c := check.Body()
	c.Name("name", in.Name, 3, 64)
	api := c.Given("api_call_limits", in.APICalls, 1, math.MaxInt32)
	interval := c.Given("time_interval", in.Interval, 1, math.MaxInt32)
	c.Enum("time_unit", in.Unit, "SECOND", "MINUTE", "HOUR", "DAY")
	c.Choice("type", int64(in.Type), ExclusiveThrottle, SharedThrottle)
	c.Bounds("user_call_limits", int64(in.UserCalls), 0, int64(api))
	c.Bounds("ip_call_limits", int64(in.IPCalls), 0, int64(api))
	most := in.UserCalls
	if most == 0 {
		most = api // the document is silent
	}
	c.Bounds("app_call_limits", int64(in.AppCalls), 0, int64(most))
	c.Length("remark", in.Remark, 0, 255)
	c.Enum("enable_adaptive_control", in.Adaptive, "TRUE", "FALSE")
	return Throttle{
		Name: in.Name, APICalls: api, UserCalls: in.UserCalls, AppCalls: in.AppCalls, IPCalls: in.IPCalls,
		Interval: interval, Unit: in.Unit, Type: in.Type, Remark: in.Remark, Adaptive: in.Adaptive,
	}, c.Err()
}

// CreateThrottle makes a throttling policy (4.7.1).
func (c Control) CreateThrottle(ctx context.Context, in ThrottleSpec) (Throttle, error) {
	row := throttleRow{Scope: c.Scope, Revision: 1}
	var err error
	if row.Throttle, err = in.settled(); err != nil {
		return Throttle{}, err
	}
	row.ID, row.Created = id.Hex(), c.Now()
	err = c.Write(ctx, func(w storage.Writer) error {
		if err := of(c.sys).throttleRows.Insert(w, row); err != nil {
			return err
		}
		return of(c.sys).throttleRows.Cap(w, c.Scope, of(c.sys).limit(ThrottleLimit), "APIG.3107")
	})
	if err != nil {
		return Throttle{}, err
	}
	return c.showThrottle(c.State(), &row), nil
}

// UpdateThrottle replaces a throttling policy (4.7.2): what is left out is
// cleared. The counts of the running period go on, unless the period or the
// type is another.
func (c Control) UpdateThrottle(ctx context.Context, id string, in ThrottleSpec) (Throttle, error) {
	row, err := write(ctx, c, func(w storage.Writer) (throttleRow, error) {
		return of(c.sys).throttleRows.Change(w, c.Scope, id, func(t *throttleRow) error {
			next, err := in.settled()
			if err != nil {
				return err
			}
			next.ID, next.Created = t.ID, t.Created
			t.Throttle = next
			t.Revision++
			return nil
		})
	})
	if err != nil {
		return Throttle{}, err
	}
	return c.showThrottle(c.State(), &row), nil
}

// DeleteThrottle removes a throttling policy that is not bound, with its
// specials (4.7.3). One that is bound to an API which is offline now is bound.
func (c Control) DeleteThrottle(ctx context.Context, id string) error {
	return c.Write(ctx, func(w storage.Writer) error { return of(c.sys).throttleRows.Delete(w, c.Scope, id) })
}

// Throttle returns a throttling policy (4.7.5).
func (c Control) Throttle(_ context.Context, id string) (Throttle, error) {
	st, err := c.Read()
	if err != nil {
		return Throttle{}, err
	}
	row, err := of(c.sys).throttleRows.Get(st, c.Scope, id)
	if err != nil {
		return Throttle{}, err
	}
	return c.showThrottle(st, row), nil
}

// Throttles lists the throttling policies, the newest first (4.7.4).
func (c Control) Throttles(_ context.Context, q ThrottleQuery) (list.Page[Throttle], error) {
	st, err := c.Read()
	if err != nil {
		return list.Page[Throttle]{}, err
	}
	k := check.Query()
	window := k.PolicyPage(q.Paging)
	k.Length("name", q.Name, 0, 64)
	k.Precise(q.Precise, "name")
	if k.Err() != nil {
		return list.Page[Throttle]{}, k.Err()
	}
	rows := of(c.sys).throttlesByTime.In(st, c.Scope.Key())
	if whole := q.Precise.Has("name"); q.ID != "" || q.Name != "" {
		rows = rows.Where(func(t *throttleRow) bool { return list.Is(t.ID, q.ID) && list.Matches(t.Name, q.Name, whole) })
	}
	page := rows.Page(window)
	return list.Of(page.Rows, page.Total, func(t *throttleRow) Throttle { return c.showThrottle(st, t) }), nil
}

func (c Control) showThrottle(st *mirror.State, row *throttleRow) Throttle {
	t := row.Throttle
	t.BindNum = of(c.sys).throttleBindings.countAPIs(st, of(c.sys), c.Scope, t.ID)
	t.Specials = yesNo(of(c.sys).specialsByTime.Prefix(st, c.Scope.Key(), table.Str(t.ID)).Any())
	return t
}
