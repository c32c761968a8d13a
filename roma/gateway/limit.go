package gateway

import (
	"strconv"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/ratelimit/ratelimithttp"
)

// mostClaims is how many limits there are for a call at most: a throttling
// policy's by API, user, application and address, and the client's quota.
const mostClaims = 5

// metered is what the limits said of a call.
type metered struct {
	decision ratelimit.Decision
	claims   [mostClaims]ratelimit.Claim
	each     [mostClaims]ratelimit.Standing
	count    int // of both
	quota    int // which of them is the quota, or -1
}

// meter is the stage of the limits (02, 3): the throttling policy and the
// client's quota are taken from as one, so that a call that one of them refuses
// is charged to neither.
func (c *call) meter() *refusal {
	m := &c.metered
	who := ratelimit.Call{User: c.caller.AccountID, App: c.caller.appID(), Addr: c.client}
	throttle := c.live.attachments(c.route).throttle
	who.API = throttle.Counter
	claims := throttle.Rules.Claims(m.claims[:0], who)
	m.quota = -1
	var q *quota
	var rules *ratelimit.Rules
	var begins bool
	if c.caller.terms != nil && c.caller.terms.quota != nil {
		q, m.quota = c.caller.terms.quota, len(claims)
		if rules, begins = q.begin(c.now); rules == nil {
			return c.refuse(Failed)
		}
		claims = rules.Claims(claims, who)
	}
	m.count = len(claims)
	if begins {
		c.takeFirst(q, claims, who)
	} else {
		c.ask(claims, c.dry)
	}
	if c.trace != nil {
		for _, s := range m.each[:m.count] {
			c.note("%v", s)
		}
	}
	d := &m.decision
	if d.Allowed {
		return nil
	}
	switch {
	case d.Outcome != ratelimit.Exceeded:
		if d.Outcome == ratelimit.Unjudged {
			return c.refuse(Failed)
		}
		return c.refuse(Unavailable)
	case d.Claim == m.quota:
		c.refusef(QuotaSpent, "The quota of the client has been used up: limit:%d,time:%s", d.Max, period(m.claims[d.Claim]))
	default:
		c.refusef(Throttled, "The throttling threshold has been reached: policy %s over ratelimit,limit:%d,time:%s",
			dimensions[d.Scope], d.Max, period(m.claims[d.Claim]))
	}
	c.refused.Retry = d.Retry
	return &c.refused
}

// ask takes all the claims as one, or only looks at what they would get.
func (c *call) ask(claims []ratelimit.Claim, look bool) {
	m, each := &c.metered, c.metered.each[:len(claims)]
	var err error
	switch {
	case c.g.limiter != nil && look:
		m.decision = c.g.limiter.PeekEach(c.now, each, claims...)
	case c.g.limiter != nil:
		m.decision = c.g.limiter.TakeEach(c.now, each, claims...)
	case look:
		m.decision, err = c.g.shared.PeekEach(c.r.Context(), c.now, each, claims...)
	default:
		m.decision, err = c.g.shared.TakeEach(c.r.Context(), c.now, each, claims...)
	}
	if err != nil && c.r.Context().Err() == nil {
		c.g.log.Error("gateway: limits cannot be asked", "outcome", m.decision.Outcome.String(), "error", err)
	}
}

var dimensions = [...]string{ratelimit.API: "api", ratelimit.User: "user", ratelimit.App: "app", ratelimit.Address: "ip"}

// limitHeaders are the headers that tell how a limit stands, by its scope. The
// document shows that of the API, and not that of an API without a policy.
var limitHeaders = [...]string{
	ratelimit.API: "X-Apig-Ratelimit-Api", ratelimit.User: "X-Apig-Ratelimit-User",
	ratelimit.App: "X-Apig-Ratelimit-App", ratelimit.Address: "X-Apig-Ratelimit-Ip",
}

const (
	unboundHeader = "X-Apig-Ratelimit-Api-Allenv"
	quotaHeader   = "X-Apig-Ratelimit-Quota"
)

// tellLimits sets the headers that tell how the limits of the call stand, and
// when it was refused by them the RateLimit fields.
func (c *call) tellLimits(h map[string][]string) {
	m := &c.metered
	if m.count == 0 {
		return
	}
	var text [48 * mostClaims]byte
	var ends [mostClaims]int
	b := text[:0]
	for i := range m.count {
		s := &m.each[i]
		b = append(b, "remain:"...)
		b = strconv.AppendInt(b, s.Left, 10)
		b = append(b, ",limit:"...)
		b = strconv.AppendInt(b, s.Max, 10)
		b = append(b, ",time:"...)
		b = appendPeriod(b, m.claims[i].Rule().Limit().Period)
		ends[i] = len(b)
	}
	all, values, start := string(b), make([]string, m.count), 0
	for i := range m.count {
		name := limitHeaders[m.each[i].Scope%ratelimit.Scope(len(limitHeaders))]
		switch {
		case i == m.quota:
			name = quotaHeader
		case c.live.attachments(c.route).throttle.Throttle == "":
			name = unboundHeader
		}
		values[i], start = all[start:ends[i]], ends[i]
		h[name] = values[i : i+1 : i+1]
	}
	if !m.decision.Allowed {
		policies, limits := ratelimithttp.Fields(m.claims[:m.count], m.each[:m.count])
		if policies != "" {
			h["Ratelimit-Policy"], h["Ratelimit"] = []string{policies}, []string{limits}
		}
	}
}

func period(c ratelimit.Claim) string {
	return string(appendPeriod(nil, c.Rule().Limit().Period))
}

var units = []struct {
	length time.Duration
	name   string
}{{24 * time.Hour, " day"}, {time.Hour, " hour"}, {time.Minute, " minute"}, {time.Second, " second"}}

// appendPeriod appends a period as the document shows it: 1 minute.
func appendPeriod(b []byte, d time.Duration) []byte {
	for _, u := range units {
		if d%u.length == 0 {
			return append(strconv.AppendInt(b, int64(d/u.length), 10), u.name...)
		}
	}
	return append(b, d.String()...)
}
