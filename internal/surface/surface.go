package surface

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// Unknowns says what becomes of parameters that an operation does not have.
type Unknowns uint8

// The policies for unknown parameters.
const (
	IgnoreUnknown Unknowns = iota
	RefuseUnknown
)

// Duplicates says what becomes of a parameter that is given more than once.
type Duplicates uint8

// The policies for duplicate parameters.
const (
	RefuseDuplicates Duplicates = iota
	FirstWins
	LastWins
)

// ContentTypes says which content types a JSON body may come with. A body of
// length zero needs none.
type ContentTypes uint8

// The policies for content types.
const (
	JSONContentType    ContentTypes = iota // application/json and application/*+json, in UTF-8
	MissingContentType                     // these, and none
	AnyContentType                         // any but those of forms, where the operation takes a form
)

// Config is how one vendor's surface behaves. The zero value of every field but
// Envelope works.
type Config struct {
	Envelope Envelope // required

	MaxBody   int64 // bytes of a request body, files included; 0 is 1 MiB
	MaxParams int   // parameters of a query or form, parts of a multipart body; 0 is 256
	MaxDepth  int   // levels of objects and arrays in JSON; 0 is 64
	MaxValues int   // values in one JSON text, whatever their depth; 0 is 50,000

	Unknown        Unknowns     // members of JSON objects and parameters of forms
	UnknownQuery   Unknowns     // parameters of the query
	Duplicates     Duplicates   // members of a JSON object. Inside a json.RawMessage or an Unmarshaler nobody looks
	RepeatedParams Duplicates   // query, form and header parameters that are no lists
	Lenient        Lenient      // liberties in values
	ContentType    ContentTypes // of JSON bodies
	NullRefused    bool         // JSON null is an error unless the field is a pointer, an Opt, an any; otherwise it is absence
	EmptyIsAbsent  bool         // an empty query, form or header parameter counts as absent
	EitherSlash    bool         // every path is served with and without a trailing slash; otherwise as the pattern has it

	// Authenticate is asked before anything of the body is read. The request
	// goes on with the context it returns; its error goes to the envelope.
	// A hook that must see the body reads it with [ReadBody]. Nil admits all.
	Authenticate func(r *http.Request, route *Route) (context.Context, error)
	// RequestID gives each request the id that the function [RequestID] then
	// returns. Nil gives none.
	RequestID func(r *http.Request) string
	// Observe is told of each request after its answer. It is called on the
	// request's goroutine and must not panic.
	Observe func(Observation)
	// Logger is told of panics and of answers of 500 and above. Nil is silent.
	Logger *slog.Logger
}

// An Observation is one request, served.
type Observation struct {
	Request   *http.Request
	Route     *Route // nil when no operation was found
	RequestID string
	Status    int   // as sent, 0 if the connection was broken off before
	Bytes     int64 // of the answer's body
	Duration  time.Duration
	Err       error // what was answered with a failure; nil for success
}

func (c *Config) policy() policy {
	return policy{c.Lenient, c.Unknown, c.Duplicates, c.NullRefused}
}

// A Surface serves the operations of one vendor's API. It is an immutable
// [http.Handler] and safe for concurrent use. It answers every request with the
// vendor's envelope, those that no operation takes included; it never redirects.
type Surface struct {
	cfg    Config
	mux    *http.ServeMux
	routes []*Route
}

// New returns the surface with the given operations. All that is wrong with the
// configuration, the patterns and the inputs' tags is reported in one error.
func New(cfg Config, operations ...Operation) (*Surface, error) {
	if cfg.Envelope == nil {
		return nil, errors.New("surface: no envelope")
	}
	setDefault(&cfg.MaxBody, 1<<20)
	setDefault(&cfg.MaxParams, 256)
	setDefault(&cfg.MaxDepth, 64)
	setDefault(&cfg.MaxValues, 50_000)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Surface{cfg: cfg, mux: http.NewServeMux()}
	var errs []error
	for _, op := range operations {
		e, err := op.compile(s)
		if err == nil {
			err = s.register(e)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("surface: %w", err))
			continue
		}
		s.routes = append(s.routes, e.route)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return s, nil
}

// Must returns s, and panics if err is not nil. It is for route tables that are
// part of the program, where an error of [New] is a mistake in the source:
// surface.Must(surface.New(cfg, table...)).
func Must(s *Surface, err error) *Surface {
	if err != nil {
		panic(err)
	}
	return s
}

func setDefault[T int | int64](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// register adds the endpoint to the mux, whose panics over bad and conflicting
// patterns become errors.
func (s *Surface) register(e *endpoint) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v: %v", e.route, p)
		}
	}()
	path := e.route.Path
	bare := strings.TrimSuffix(path, "/")
	slash := bare + "/{$}"
	switch {
	case strings.HasSuffix(path, "...}") || strings.HasSuffix(path, "{$}"):
		s.mux.Handle(e.route.Method+" "+path, e)
	case bare == "":
		s.mux.Handle(e.route.Method+" "+slash, e)
	case s.cfg.EitherSlash:
		s.mux.Handle(e.route.Method+" "+bare, e)
		s.mux.Handle(e.route.Method+" "+slash, e)
	case bare == path:
		s.mux.Handle(e.route.Method+" "+bare, e)
	default:
		s.mux.Handle(e.route.Method+" "+slash, e)
	}
	return nil
}

// Routes returns the route table in the order of registration. The routes are
// not to be changed.
func (s *Surface) Routes() []*Route { return append([]*Route(nil), s.routes...) }

// exchangeKey is the key under which a request's context has its exchange.
type exchangeKey struct{}

// RequestID returns the id that the surface's RequestID hook gave to the
// request of ctx, "" if there is none.
func RequestID(ctx context.Context) string {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return x.id
	}
	return ""
}

// An exchange is one request on its way to its answer. It stands between the
// mux and the client: until an endpoint is reached, what the mux writes, its
// plain-text 404 and 405 and its redirects to cleaned paths, is kept back, and
// the vendor's envelope is sent in its place.
type exchange struct {
	w       http.ResponseWriter
	id      string
	route   *Route // nil until an endpoint is reached
	sibling *Route // of the same path, where the method is refused
	scratch http.Header
	refused int // the mux's own status
	status  int // as sent
	bytes   int64
	err     error
}

// Header implements [http.ResponseWriter].
func (x *exchange) Header() http.Header {
	if x.route != nil {
		return x.w.Header()
	}
	if x.scratch == nil {
		x.scratch = http.Header{}
	}
	return x.scratch
}

// WriteHeader implements [http.ResponseWriter].
func (x *exchange) WriteHeader(status int) {
	switch {
	case x.route == nil:
		x.refused = status
	case x.status == 0:
		if status >= 200 {
			x.status = status
		}
		x.w.WriteHeader(status)
	}
}

// Write implements [http.ResponseWriter].
func (x *exchange) Write(p []byte) (int, error) {
	if x.route == nil {
		return len(p), nil
	}
	if x.status == 0 {
		x.WriteHeader(http.StatusOK)
	}
	n, err := x.w.Write(p)
	x.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController find the server's writer.
func (x *exchange) Unwrap() http.ResponseWriter { return x.w }

// unrouted is the route of requests that no operation takes, while they are
// answered.
var unrouted = new(Route)

// ServeHTTP implements [http.Handler].
func (s *Surface) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{w: w}
	start := time.Now()
	r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	if s.cfg.Observe != nil {
		defer func() {
			route := x.route
			if route == unrouted {
				route = nil
			}
			s.cfg.Observe(Observation{r, route, x.id, x.status, x.bytes, time.Since(start), x.err})
		}()
	}
	defer s.recover(x, r)
	if s.cfg.RequestID != nil {
		x.id = s.cfg.RequestID(r)
	}
	s.mux.ServeHTTP(x, r)
	if x.route == nil {
		s.unrouted(x, r)
	}
}

// unrouted answers a request that no operation takes.
func (s *Surface) unrouted(x *exchange, r *http.Request) {
	x.route = unrouted
	if x.refused != http.StatusMethodNotAllowed {
		s.fail(x, r, &RouteError{Status: http.StatusNotFound, Method: Quote(r.Method), Path: Quote(r.URL.Path)})
		return
	}
	allow := x.scratch.Get("Allow")
	methods := strings.Split(allow, ", ")
	x.sibling = s.sibling(r, methods[0])
	if x.sibling != nil && x.sibling.Writes {
		methods = slices.DeleteFunc(methods, func(m string) bool { return m == http.MethodHead })
	}
	if r.Method == http.MethodOptions {
		x.Header().Set("Allow", strings.Join(append(methods, http.MethodOptions), ", "))
		x.WriteHeader(http.StatusNoContent)
		return
	}
	s.refuseMethod(x, r, methods)
}

func (s *Surface) refuseMethod(x *exchange, r *http.Request, allowed []string) {
	x.Header().Set("Allow", strings.Join(allowed, ", "))
	s.fail(x, r, &RouteError{http.StatusMethodNotAllowed, Quote(r.Method), Quote(r.URL.Path), allowed})
}

// sibling returns the route that takes the request's path with the method.
func (s *Surface) sibling(r *http.Request, method string) *Route {
	other := r.WithContext(r.Context())
	other.Method = method
	h, _ := s.mux.Handler(other)
	if e, ok := h.(*endpoint); ok {
		return e.route
	}
	return nil
}

// ServeHTTP serves a request that the mux has brought here.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x, s := w.(*exchange), e.surface
	if e.route.Writes && r.Method == http.MethodHead {
		x.route, x.sibling = unrouted, e.route
		s.refuseMethod(x, r, []string{e.route.Method})
		return
	}
	x.route = e.route
	limit := s.cfg.MaxBody
	if e.route.MaxBody > 0 {
		limit = e.route.MaxBody
	}
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = http.MaxBytesReader(x.w, r.Body, limit)
	}
	if s.cfg.Authenticate != nil && !e.route.Public {
		ctx, err := s.cfg.Authenticate(r, e.route)
		if err != nil {
			s.fail(x, r, err)
			return
		}
		if ctx != nil && ctx != r.Context() {
			r = r.WithContext(ctx)
		}
	}
	if r.ContentLength > limit && e.plan.body != noBody {
		// Said before it is sent, when the client waits for 100 Continue.
		s.fail(x, r, bodyError(&http.MaxBytesError{Limit: limit}))
		return
	}
	result, err := e.call(r.Context(), e.plan, &s.cfg, r)
	if err == nil {
		err = s.succeed(x, r, result)
	}
	if err != nil {
		s.fail(x, r, err)
	}
}

func (s *Surface) envelope(x *exchange) Envelope {
	for _, route := range []*Route{x.route, x.sibling} {
		if route != nil && route.envelope != nil {
			return route.envelope
		}
	}
	return s.cfg.Envelope
}

// succeed writes a result. Its error means that nothing was written yet.
func (s *Surface) succeed(x *exchange, r *http.Request, result any) error {
	if a, ok := result.(Answer); ok {
		err := a.WriteAnswer(x, r)
		if err != nil && x.status != 0 {
			x.err = err
			panic(http.ErrAbortHandler)
		}
		return err
	}
	status, header := x.route.Status, http.Header(nil)
	if a, ok := result.(withParts); ok {
		var own int
		if own, header, result = a.parts(); own != 0 {
			status = own
		}
	}
	addHeader(x, header)
	if err := s.envelope(x).Success(r, status, result).write(x, r); err != nil {
		return &internalError{err}
	}
	return nil
}

// fail answers with an error.
func (s *Surface) fail(x *exchange, r *http.Request, err error) {
	x.err = err
	reply := s.envelope(x).Failure(r, err)
	if reply.Status >= 500 {
		cause := err
		if internal, ok := errors.AsType[*internalError](err); ok {
			cause = internal.cause
		}
		s.cfg.Logger.LogAttrs(r.Context(), slog.LevelError, "request failed",
			slog.String("route", x.route.String()), slog.String("request_id", x.id), slog.Int("status", reply.Status), slog.Any("error", cause))
	}
	if err := reply.write(x, r); err != nil {
		panic(err)
	}
}

// recover, deferred, answers a panic as [ErrInternal], or breaks the connection
// off when an answer has begun.
func (s *Surface) recover(x *exchange, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler {
		panic(p)
	}
	if x.route == nil {
		x.route = unrouted
	}
	s.cfg.Logger.LogAttrs(r.Context(), slog.LevelError, "panic",
		slog.String("route", x.route.String()), slog.String("request_id", x.id), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
	err := &internalError{fmt.Errorf("panic: %v", p)}
	x.err = err
	if x.status != 0 {
		panic(http.ErrAbortHandler)
	}
	defer func() {
		// The envelope itself may be what panics.
		if recover() != nil {
			x.WriteHeader(http.StatusInternalServerError)
		}
	}()
	s.fail(x, r, err)
}
