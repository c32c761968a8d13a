package emulator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/agora"
	"github.com/gatehouse-go/gatehouse/internal/surface"
)

// The emulator's own calls. They ask for no credentials: who reaches the
// emulator may do with it what tests do.

const controlPrefix = "/_emulator/"

func isControl(path string) bool { return strings.HasPrefix(path, controlPrefix) }

func (e *Emulator) control() http.Handler {
	return surface.Must(surface.New(surface.Config{
		Envelope:    controlEnvelope{},
		MaxBody:     1 << 20,
		EitherSlash: true,
		Lenient:     surface.LenientAll,
		ContentType: surface.AnyContentType, // curl -d says it sends a form
		Unknown:     surface.RefuseUnknown,
		Logger:      e.config.Logger,
	}, surface.Under("/_emulator", []surface.Operation{
		surface.Op("GET /clock", e.readClock),
		surface.Op("POST /clock", e.turnClock),
		surface.Op("POST /reset", e.reset),
		surface.Op("POST /agora/join", e.join),
		surface.Op("POST /agora/leave", e.leave),
		surface.Op("GET /thinkingdata/can-see", e.canSee),
	})...))
}

type controlEnvelope struct{}

func (controlEnvelope) Success(_ *http.Request, status int, result any) surface.Reply {
	if result == (surface.None{}) {
		result = struct{}{}
	}
	return surface.Reply{Status: status, Body: result}
}

func (controlEnvelope) Failure(_ *http.Request, err error) surface.Reply {
	status, message := surface.StatusOf(err), err.Error()
	switch e := err.(type) {
	case *agora.Error:
		status = e.Status
	case *surface.BindError, *surface.RouteError, *clockError:
		if status == http.StatusInternalServerError {
			status = http.StatusBadRequest
		}
	}
	return surface.Reply{Status: status, Body: map[string]string{"message": message}}
}

type instant struct {
	Now string `json:"now"`
}

func newInstant(t time.Time) instant { return instant{t.UTC().Format(time.RFC3339Nano)} }

func (e *Emulator) readClock(context.Context, surface.None) (instant, error) {
	return newInstant(e.clock.now()), nil
}

// clockError is for a clock that was to be turned back or out of its range.
type clockError struct{ seconds float64 }

func (e *clockError) Error() string {
	return fmt.Sprintf("advance_seconds: %v is not between 0 and %v, or turns the clock by more than %v in all",
		e.seconds, maxAdvance.Seconds(), maxAhead.Seconds())
}

// maxAdvance is the most the clock is turned by one call: ten years.
const maxAdvance = 10 * 366 * 24 * time.Hour

func (e *Emulator) turnClock(_ context.Context, in struct {
	Seconds float64 `json:"advance_seconds" bind:"required"`
}) (instant, error) {
	if !(in.Seconds >= 0 && in.Seconds <= maxAdvance.Seconds()) {
		return instant{}, &clockError{in.Seconds}
	}
	now, ok := e.clock.advance(time.Duration(in.Seconds * float64(time.Second)))
	if !ok {
		return instant{}, &clockError{in.Seconds}
	}
	return newInstant(now), nil
}

func (e *Emulator) reset(ctx context.Context, _ surface.None) (surface.None, error) {
	return surface.None{}, e.Reset(ctx)
}

// member is a user in a channel, as the emulator shows it.
type member struct {
	AppID agora.AppID `json:"appid"`
	CName string      `json:"cname"`
	UID   agora.UID   `json:"uid"`
	IP    string      `json:"ip,omitempty"`
	Mode  agora.Mode  `json:"mode"`
	Role  agora.Role  `json:"role"`
	Join  int64       `json:"join"` // Unix seconds
}

// decision is why a join was refused, as the emulator shows it.
type decision struct {
	Allowed bool         `json:"allowed"`
	Reason  agora.Reason `json:"reason"`
	Code    int          `json:"code,omitempty"` // the vendor's, where it has one
	Rule    *ruleMatch   `json:"rule,omitempty"`
	Message string       `json:"message"`
}

type ruleMatch struct {
	ID    agora.RuleID `json:"id"`
	CName string       `json:"cname,omitempty"`
	UID   agora.UID    `json:"uid,omitempty"`
	IP    string       `json:"ip,omitempty"`
	Until string       `json:"until"`
}

func newDecision(d agora.Decision) decision {
	wire := decision{Allowed: d.Allowed, Reason: d.Reason, Code: d.Reason.Code(), Message: d.String()}
	if d.Rule.ID != 0 {
		s := d.Rule.Selectors
		wire.Rule = &ruleMatch{d.Rule.ID, s.CName, s.UID, text(s.IP), d.Rule.Until.Format(agora.TimeLayout)}
	}
	return wire
}

// text is the address, "" for none.
func text(ip netip.Addr) string {
	if !ip.IsValid() {
		return ""
	}
	return ip.String()
}

func (e *Emulator) join(ctx context.Context, in struct {
	AppID agora.AppID `json:"appid" bind:"required"`
	CName string      `json:"cname" bind:"required"`
	UID   agora.UID   `json:"uid"`
	IP    string      `json:"ip"`
	Mode  agora.Mode  `json:"mode"`
	Role  agora.Role  `json:"role"`
	Token string      `json:"token" bind:"secret"`
}) (surface.With[any], error) {
	request := agora.JoinRequest{
		AppID: in.AppID, CName: in.CName, UID: in.UID, Mode: in.Mode, Role: in.Role, Token: in.Token,
	}
	if in.IP != "" {
		ip, err := agora.ParseIP(in.IP)
		if err != nil {
			return surface.With[any]{}, err
		}
		request.IP = ip
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	a, err := e.systems.agora.Join(ctx, request)
	if refused, ok := errors.AsType[*agora.Error](err); ok && refused.Decision != (agora.Decision{}) {
		return surface.With[any]{Status: http.StatusForbidden, Value: newDecision(refused.Decision)}, nil
	}
	if err != nil {
		return surface.With[any]{}, err
	}
	m := a.Member
	return surface.With[any]{Value: member{m.AppID, m.CName, m.UID, text(m.IP), m.Mode, m.Role, m.Joined.Unix()}}, nil
}

// leave answers 200 for a user who is not there as well: a test that cleans up
// need not know who was kicked meanwhile.
func (e *Emulator) leave(ctx context.Context, in struct {
	AppID agora.AppID `json:"appid" bind:"required"`
	CName string      `json:"cname" bind:"required"`
	UID   agora.UID   `json:"uid" bind:"required"`
}) (struct {
	Left bool `json:"left"`
}, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	var answer struct {
		Left bool `json:"left"`
	}
	err := e.systems.agora.Leave(ctx, in.AppID, in.CName, in.UID)
	answer.Left = err == nil
	if errors.Is(err, agora.ErrNotInChannel) {
		err = nil
	}
	return answer, err
}
