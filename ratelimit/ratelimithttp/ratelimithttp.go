package ratelimithttp

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/gatehouse-go/gatehouse/address"
	"github.com/gatehouse-go/gatehouse/address/addresshttp"
	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// Judge decides about claims: [Local] of a Limiter, or a ratelimit.Shared.
type Judge interface {
	TakeEach(ctx context.Context, now time.Time, each []ratelimit.Standing, claims ...ratelimit.Claim) (ratelimit.Decision, error)
	Release(ctx context.Context, now time.Time, claims ...ratelimit.Claim) error
}

var _ Judge = ratelimit.Shared{}

// Local is a Judge that counts in this process.
func Local(l *ratelimit.Limiter) Judge { return local{l} }

type local struct{ limiter *ratelimit.Limiter }

func (l local) TakeEach(_ context.Context, now time.Time, each []ratelimit.Standing, claims ...ratelimit.Claim) (ratelimit.Decision, error) {
	return l.limiter.TakeEach(now, each, claims...), nil
}

func (l local) Release(_ context.Context, now time.Time, claims ...ratelimit.Claim) error {
	l.limiter.Release(now, claims...)
	return nil
}

// Config says what is judged and what is told. Its zero value limits nothing.
type Config struct {
	// Rules are judged together for each request, ratelimit.MaxClaims of them
	// at most.
	Rules []*ratelimit.Rules
	// RulesFor chooses the rules of a request instead, as when each route has
	// its own or rules are edited while serving.
	RulesFor func(*http.Request) []*ratelimit.Rules
	// Pipeline finds the address that a request comes from. Its zero value
	// trusts no header. A request whose client it cannot tell is refused with
	// 403 when a limit by address applies.
	Pipeline address.Pipeline
	// Call names who calls what, given the client's address. Nil is the
	// pattern of http.ServeMux that matched, when the middleware is inside the
	// mux, and the address.
	Call func(r *http.Request, client netip.Addr) ratelimit.Call
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Silent leaves out RateLimit-Policy and RateLimit.
	Silent bool
	// Legacy adds X-RateLimit-Limit, -Remaining and -Reset, of the limit that
	// the decision is about; Reset is in seconds from now.
	Legacy bool
	// Refused answers a request that may not pass; the fields are set already.
	// Nil is a line of text with [Status].
	Refused func(http.ResponseWriter, *http.Request, ratelimit.Decision)
	// Decided, if set, is told each decision before it is acted on, for logs
	// and metrics. The error is why a shared store could not be asked.
	Decided func(*http.Request, ratelimit.Decision, error)
}

// New returns the middleware. The error says what in the config contradicts
// itself.
func New(judge Judge, config Config) (func(http.Handler) http.Handler, error) {
	if judge == nil {
		return nil, errors.New("ratelimithttp: Judge is nil")
	}
	if len(config.Rules) > 0 && config.RulesFor != nil {
		return nil, errors.New("ratelimithttp: Rules and RulesFor are both set")
	}
	if err := config.Pipeline.Validate(); err != nil {
		return nil, err
	}
	if config.RulesFor == nil {
		rules := config.Rules
		config.RulesFor = func(*http.Request) []*ratelimit.Rules { return rules }
	}
	if config.Call == nil {
		config.Call = func(r *http.Request, client netip.Addr) ratelimit.Call {
			return ratelimit.Call{API: r.Pattern, Addr: client}
		}
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Refused == nil {
		config.Refused = func(w http.ResponseWriter, _ *http.Request, d ratelimit.Decision) {
			http.Error(w, http.StatusText(Status(d)), Status(d))
		}
	}
	return func(next http.Handler) http.Handler {
		return &handler{judge, config, next}
	}, nil
}

// Status is the code for a refusal: 429 when the client has called too often,
// 503 when it cannot be counted, 500 when the claims cannot be judged.
func Status(d ratelimit.Decision) int {
	switch d.Outcome {
	case ratelimit.Exceeded:
		return http.StatusTooManyRequests
	case ratelimit.Full, ratelimit.StoreDown:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

type handler struct {
	judge  Judge
	config Config
	next   http.Handler
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	client := addresshttp.Client(r, h.config.Pipeline)
	rules := h.config.RulesFor(r)
	call := h.config.Call(r, client.Addr)
	var claimRoom [ratelimit.MaxClaims]ratelimit.Claim
	claims := claimRoom[:0]
	for _, rs := range rules {
		if rs.Limits(ratelimit.Address) && !call.Addr.IsValid() {
			http.Error(w, http.StatusText(http.StatusForbidden), http.StatusForbidden)
			return
		}
		claims = rs.Claims(claims, call)
	}
	var room [ratelimit.MaxClaims]ratelimit.Standing
	each := room[:min(len(claims), len(room))]
	d, err := h.judge.TakeEach(r.Context(), h.config.Now(), each, claims...)
	if h.config.Decided != nil {
		h.config.Decided(r, d, err)
	}
	if d.Outcome == ratelimit.Within || d.Outcome == ratelimit.Exceeded {
		h.tell(w.Header(), d, claims, each)
	}
	if !d.Allowed {
		h.config.Refused(w, r, d)
		return
	}
	for i := range claims {
		if d.Outcome == ratelimit.Within && claims[i].Rule().Limit().Kind == ratelimit.Held {
			defer func() {
				// Given back even when the client has gone; if the store cannot
				// be asked now, it forgets after the limit's period.
				_ = h.judge.Release(context.WithoutCancel(r.Context()), h.config.Now(), claims...)
			}()
			break
		}
	}
	h.next.ServeHTTP(w, r)
}

// tell sets the fields.
func (h *handler) tell(header http.Header, d ratelimit.Decision, claims []ratelimit.Claim, each []ratelimit.Standing) {
	if !h.config.Silent {
		policies, limits := Fields(claims, each)
		if policies != "" {
			header.Add("RateLimit-Policy", policies)
			header.Add("RateLimit", limits)
		}
	}
	if h.config.Legacy {
		header.Set("X-RateLimit-Limit", integer(d.Max))
		header.Set("X-RateLimit-Remaining", integer(d.Left))
		header.Set("X-RateLimit-Reset", integer(seconds(d.Reset)))
	}
	switch {
	case d.Allowed || d.Retry == ratelimit.Never:
	case d.Kind == ratelimit.Held:
		// Retry is when the limit forgets holders that never release: far too
		// long for a client to wait. Any of them may release at any moment.
		header.Set("Retry-After", "1")
	default:
		header.Set("Retry-After", integer(max(seconds(d.Retry), 1)))
	}
}
