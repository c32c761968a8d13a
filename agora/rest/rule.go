package rest

import (
	"context"

	"github.com/gatehouse-go/gatehouse/agora"
	"github.com/gatehouse-go/gatehouse/internal/surface"
)

// The calls on banning rules ("Dashboard RESTful API", section 5, and "PUT
// kicking-rule").
var ruleCalls = []surface.Operation{
	surface.Op("POST /kicking-rule", createRule),
	surface.Op("GET /kicking-rule", listRules),
	surface.Op("PUT /kicking-rule", updateRule),
	surface.Op("DELETE /kicking-rule", deleteRule),
}

// term is how long a rule lasts. Amounts are kept as they are written, for
// their reading is a rule; the templates in the documents quote them.
type term struct {
	Time          surface.Opt[string] `json:"time"`
	TimeInSeconds surface.Opt[string] `json:"time_in_seconds"`
}

// parse does not look at time beside time_in_seconds, which counts whatever the
// other says ("PUT kicking-rule", request body).
func (t term) parse() (agora.Term, error) {
	if seconds, err := amount("time_in_seconds", t.TimeInSeconds); seconds != nil || err != nil {
		return agora.Term{TimeInSeconds: seconds}, err
	}
	minutes, err := amount("time", t.Time)
	return agora.Term{Time: minutes}, err
}

func amount(param string, o surface.Opt[string]) (*float64, error) {
	text, given := o.Get()
	if !given {
		return nil, nil
	}
	n, err := agora.ParseAmount(param, text)
	return &n, err
}

// selectors are whom a rule is about. Null is absent; the values "" and 0 are
// errors and no wildcards.
type selectors struct {
	CName surface.Opt[string] `json:"cname"`
	UID   surface.Opt[string] `json:"uid"` // a number, or one in quotes
	IP    surface.Opt[string] `json:"ip"`
}

func (s selectors) parse() (parsed agora.Selectors, err error) {
	if cname, given := s.CName.Get(); given {
		if err := agora.CheckChannelName(cname); err != nil {
			return parsed, err
		}
		parsed.CName = cname
	}
	if uid, given := s.UID.Get(); given {
		if parsed.UID, err = agora.ParseUID(uid); err != nil {
			return parsed, err
		}
	}
	if ip, given := s.IP.Get(); given {
		parsed.IP, err = agora.ParseIP(ip)
	}
	return parsed, err
}

type ruleID struct {
	Status string       `json:"status"`
	ID     agora.RuleID `json:"id"`
}

func createRule(ctx context.Context, in struct {
	AppID agora.AppID `json:"appid" bind:"required"`
	selectors
	term
	Privileges []string `json:"privileges"`
}) (ruleID, error) {
	new := agora.NewRule{}
	var err error
	if new.Selectors, err = in.selectors.parse(); err != nil {
		return ruleID{}, err
	}
	if new.Term, err = in.term.parse(); err != nil {
		return ruleID{}, err
	}
	if new.Privileges, err = agora.ParsePrivileges(in.Privileges); err != nil {
		return ruleID{}, err
	}
	r, err := account(ctx).CreateRule(ctx, in.AppID, new)
	return ruleID{"success", r.ID}, err
}

// rule is a rule in the list; selectors that it does not have are null.
type rule struct {
	ID         agora.RuleID `json:"id"`
	AppID      agora.AppID  `json:"appid"`
	UID        *agora.UID   `json:"uid"`
	OpID       agora.OpID   `json:"opid"`
	CName      *string      `json:"cname"`
	IP         *string      `json:"ip"`
	Privileges []string     `json:"privileges"`
	TS         string       `json:"ts"`
	CreateAt   string       `json:"createAt"`
	UpdateAt   string       `json:"updateAt"`
}

func newRule(r agora.Rule) rule {
	wire := rule{
		ID: r.ID, AppID: r.AppID, OpID: r.Op, Privileges: r.Privileges.Words(),
		TS:       r.Until.Format(agora.TimeLayout),
		CreateAt: r.Created.Format(agora.TimeLayout),
		UpdateAt: r.Updated.Format(agora.TimeLayout),
	}
	if r.UID != 0 {
		wire.UID = new(r.UID)
	}
	if r.CName != "" {
		wire.CName = new(r.CName)
	}
	if r.IP.IsValid() {
		wire.IP = new(r.IP.String())
	}
	return wire
}

type ruleList struct {
	Status string `json:"status"`
	Rules  []rule `json:"rules"`
}

func listRules(ctx context.Context, in struct {
	AppID agora.AppID `query:"appid" json:"appid" bind:"required"`
}) (ruleList, error) {
	rules, err := account(ctx).Rules(in.AppID)
	answer := ruleList{Status: "success", Rules: make([]rule, len(rules))}
	for i, r := range rules {
		answer.Rules[i] = newRule(r)
	}
	return answer, err
}

type ruleEnd struct {
	Status string `json:"status"`
	Result struct {
		ID agora.RuleID `json:"id"`
		TS string       `json:"ts"`
	} `json:"result"`
}

func updateRule(ctx context.Context, in struct {
	AppID agora.AppID  `json:"appid" bind:"required"`
	ID    agora.RuleID `json:"id" bind:"required"`
	term
}) (ruleEnd, error) {
	t, err := in.term.parse()
	if err != nil {
		return ruleEnd{}, err
	}
	r, err := account(ctx).UpdateRule(ctx, in.AppID, in.ID, t)
	answer := ruleEnd{Status: "success"}
	answer.Result.ID, answer.Result.TS = r.ID, r.Until.Format(agora.TimeLayout)
	return answer, err
}

func deleteRule(ctx context.Context, in struct {
	AppID agora.AppID  `query:"appid" json:"appid" bind:"required"`
	ID    agora.RuleID `query:"id" json:"id" bind:"required"`
}) (ruleID, error) {
	return ruleID{"success", in.ID}, account(ctx).DeleteRule(ctx, in.AppID, in.ID)
}
