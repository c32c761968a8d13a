package apic

import (
	"context"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
)

// Debug is a test call of an API (4.3.8).
type Debug struct {
	// Mode is DEVELOPER, the draft; CONSUMER, what is online in Stage; or
	// MARKET, what is online in RELEASE.
	Mode      string              `json:"mode"`
	Scheme    string              `json:"scheme"` // HTTP, HTTPS
	Method    string              `json:"method"`
	Path      string              `json:"path"` // encoded
	Header    map[string][]string `json:"header"`
	Query     map[string][]string `json:"query"`
	Body      string              `json:"body"`       // 2097152 bytes at most
	AppKey    string              `json:"app_key"`    // of the application that signs it, with its secret
	AppSecret string              `json:"app_secret"` //
	Domain    string              `json:"domain"`     // the group's subdomain unless given
	Stage     string              `json:"stage"`      // the name of an environment, RELEASE unless given
}

// Debugged is what came of a test call: the texts of HTTP/1.1. Of a body that is
// no UTF-8 those bytes are replaced that are not.
type Debugged struct {
	Request  string `json:"request"`
	Response string `json:"response"`
	Latency  int64  `json:"latency"` // milliseconds
	// Log says stage by stage how the gateway judged the call. It is for who may
	// look at the API, and else "".
	Log string `json:"log"`
}

// Modes of test calls.
const (
	debugDraft    = "DEVELOPER"
	debugOnline   = "CONSUMER"
	debugOnMarket = "MARKET"
)

// mostDebugged is the most bytes of a test call's body, and of its answer's.
const mostDebugged = 2 << 20

// DebugAPI makes a test call of an API on the gateway's own path: it is
// authenticated, counts against limits, and reaches the API's backend, but it is
// not in the statistics. It takes write access, for a call may change what is
// behind the API.
//
// The draft is for who has the role read in the API's application; what is
// online, also for who has it in an application that is authorized there, as
// the document's buyers and consumers are. A call that is answered with an
// error has been made, and answered: the document is silent on failing backends.
// It is silent, too, on an API that is not online there (the gateway answers
// that nothing is) and on who calls an API with IAM authentication without
// credentials of its own: the caller himself. A draft takes the signature of
// every application.
//
// APIG.3458 says that no gateway of this process serves the instance.
func (c Control) DebugAPI(ctx context.Context, id string, in Debug) (Debugged, error) {
	st, err := c.Read()
	if err == nil && !c.Caller.May(iam.Write) {
		err = fault.Of(c.Denied)
	}
	if err != nil {
		return Debugged{}, err
	}
	row, err := of(c.sys).drafts.Get(st, c.Scope, id)
	if err != nil {
		return Debugged{}, err
	}
	env, err := c.checkDebug(st, &in)
	if err != nil {
		return Debugged{}, err
	}
	owner := c.sees(st, row.AppID)
	if !owner && (in.Mode == debugDraft || !c.consumes(st, id, env)) {
		return Debugged{}, fault.Of("APIG.1102")
	}
	if of(c.sys).usesVariables(st, row, env, in.Mode == debugDraft) {
		return Debugged{}, fault.Of("APIG.2030").With("an API that uses environment variables cannot be debugged")
	}
	planes := of(c.sys).dataPlanes.at(c.Scope)
	if len(planes) == 0 {
		return Debugged{}, fault.Of("APIG.3458").With("no gateway of this process serves the instance")
	}
	call := TestCall{
		APIID: id, Draft: in.Mode == debugDraft, Stage: in.Stage, Caller: c.Caller,
		HTTPS: in.Scheme == "HTTPS", Method: in.Method, Host: in.Domain, Path: in.Path,
		Header: in.Header, Query: in.Query, Body: in.Body, Key: in.AppKey, Secret: in.AppSecret, MaxBody: mostDebugged,
	}
	if call.Host == "" {
		call.Host = of(c.sys).subdomain(row.GroupID)
	}
	tested, err := planes[len(planes)-1].Test(ctx, call)
	if err != nil {
		return Debugged{}, fault.From(err)
	}
	out := Debugged{Request: tested.Request, Response: tested.Response, Latency: tested.Latency.Milliseconds()}
	if tested.Cut {
		out.Response += "[TRUNCATED]"
	}
	if owner {
		out.Log = tested.Trace
	}
	return out, nil
}

// Names of a test call's headers and query parameters.
var (
	debugHeader = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9.-]{0,31}$`)
	debugQuery  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]{0,31}$`)
	debugHost   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,253}[A-Za-z0-9])?(:[0-9]{1,5})?$`)
)

// checkDebug checks the fields and returns the environment that is meant. What
// is wrong but the mode is APIG.2030, on which the document is silent.
func (c Control) checkDebug(st *mirror.State, in *Debug) (env string, err error) {
	k := check.Body()
	k.Invalid("mode", in.Mode, slices.Contains([]string{debugDraft, debugOnline, debugOnMarket}, in.Mode))
	if k.Err() != nil {
		return "", k.Err()
	}
	k = check.Coded("APIG.2030")
	k.Enum("scheme", in.Scheme, "HTTP", "HTTPS")
	k.Enum("method", in.Method, methods...)
	k.Invalid("method", in.Method, in.Method != "ANY")
	k.Invalid("path", in.Path, isDebugPath(in.Path))
	for _, name := range slices.Sorted(maps.Keys(in.Header)) {
		k.Invalid("header", name, debugHeader.MatchString(name) && mayDebug(name, in.Mode))
		k.Invalid("header", name, !slices.ContainsFunc(in.Header[name], hasControl))
	}
	for _, name := range slices.Sorted(maps.Keys(in.Query)) {
		k.Invalid("query", name, debugQuery.MatchString(name) && mayDebug(name, debugDraft))
	}
	if len(in.Body) > mostDebugged {
		k.Invalid("body", "more than 2097152 bytes", false)
	}
	k.Invalid("domain", in.Domain, in.Domain == "" || debugHost.MatchString(in.Domain))
	if (in.AppKey == "") != (in.AppSecret == "") {
		k.Invalid("app_secret", "not together with app_key", false) // whatever it is, it is not told
	}
	if in.Mode != debugOnline {
		in.Stage = ""
	}
	env = ReleaseID
	if in.Stage != "" {
		e, found := of(c.sys).envsByID.In(st, c.Scope.Key()).Where(func(e *environmentRow) bool { return e.Name == in.Stage }).First()
		k.Invalid("stage", in.Stage, found)
		if found {
			env = e.ID
		}
	}
	return env, k.Err()
}

// isDebugPath reports whether a text is a path as it stands in a request.
func isDebugPath(path string) bool {
	_, err := url.PathUnescape(path)
	return err == nil && strings.HasPrefix(path, "/") && check.Fits(path, 1024) && !strings.ContainsAny(path, " \t?#") && !hasControl(path)
}

// hasControl reports whether a text has what no line of a request may have.
func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f || r == utf8.RuneError })
}

// mayDebug reports whether a test call may have a header, or a query parameter,
// of the name.
func mayDebug(name, mode string) bool {
	name = strings.ToLower(name)
	switch name {
	case "x-stage":
		return false
	case "x-auth-token", "authorization":
		return mode == debugDraft
	}
	return !strings.HasPrefix(name, "x-apig-") && !strings.HasPrefix(name, "x-sdk-")
}

// consumes reports whether the caller has the role read in an application that
// may call the API in the environment.
func (c Control) consumes(st *mirror.State, api, env string) bool {
	return of(c.sys).authsBySlot.Prefix(st, c.Scope.Key(), table.Str(api)+table.Str(env)).Where(func(a *authRow) bool {
		return c.sees(st, a.App)
	}).Any()
}

// usesVariables reports whether there are environment variables in the backends
// of the draft, or of what is online in the environment.
func (s *system) usesVariables(st *mirror.State, a *apiRow, env string, draft bool) bool {
	spec := &a.APISpec
	if !draft {
		p, found := s.publicationOf(st, a.Scope, a.ID, env)
		if !found || !p.live() {
			return false
		}
		v, found := s.versionRows.Mirror.Get(st, a.Scope.Key(p.Version))
		if !found {
			return false
		}
		spec = &v.Spec
	}
	for t := range spec.targets() {
		if len(variablesIn(t.Domain)) > 0 || len(variablesIn(t.URI)) > 0 {
			return true
		}
	}
	return false
}
