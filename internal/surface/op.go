package surface

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strings"
)

// None is the input of an operation that takes nothing, or the result of one
// that has nothing to say.
type None struct{}

// A Route is what is known of an operation before any request: its line in the
// route table. Hooks are given it to decide by.
type Route struct {
	Method string // GET answers HEAD too, unless it writes
	// Path is the pattern's path in the syntax of [http.ServeMux]; a trailing
	// slash stands for itself, not for everything below it.
	Path    string
	Public  bool  // Authenticate is not asked
	Writes  bool  // HEAD is refused
	Meta    any   // what [Meta] put there
	Status  int   // of success, 200 unless [Status] says otherwise
	MaxBody int64 // in bytes, 0 for the surface's own

	envelope Envelope // nil for the surface's own
}

// String returns method and path, as they are registered.
func (r *Route) String() string { return r.Method + " " + r.Path }

// An Operation is a route with the function that serves it, made by [Op].
type Operation struct {
	route   Route
	options []Option
	input   reflect.Type
	call    func(context.Context, *plan, *Config, *http.Request) (any, error)
}

// Op makes the operation that serves pattern, "METHOD /path/{wildcard}", with
// call. In is a struct whose tags say where each field comes from (see the
// package comment), Out is what the surface's [Envelope] makes the answer of; a
// [Raw] answers past it and a [With] adds status and headers. Mistakes in
// pattern or tags are reported by [New].
func Op[In, Out any](pattern string, call func(context.Context, In) (Out, error), options ...Option) Operation {
	method, path, _ := strings.Cut(pattern, " ")
	return Operation{
		route:   Route{Method: method, Path: strings.TrimLeft(path, " "), Status: http.StatusOK},
		options: options,
		input:   reflect.TypeFor[In](),
		call: func(ctx context.Context, p *plan, cfg *Config, r *http.Request) (any, error) {
			var in In
			if err := p.bind(cfg, r, reflect.ValueOf(&in).Elem()); err != nil {
				return nil, err
			}
			return call(ctx, in)
		},
	}
}

// Under puts prefix before the path of every operation and the options before
// each one's own, which therefore win.
func Under(prefix string, operations []Operation, options ...Option) []Operation {
	moved := make([]Operation, len(operations))
	for i, op := range operations {
		op.route.Path = prefix + op.route.Path
		op.options = append(options[:len(options):len(options)], op.options...)
		moved[i] = op
	}
	return moved
}

// An Option is something about a route that differs from the surface's rule.
type Option func(*Route)

// Status makes success be answered with the given status. With 204 nothing is
// written after the headers.
func Status(code int) Option { return func(r *Route) { r.Status = code } }

// Public lets the operation be called without authentication.
func Public() Option { return func(r *Route) { r.Public = true } }

// Writes is for a GET that changes something, as vendors have them: HEAD is
// refused, for it is sent, and sent again, in the belief that nothing changes.
func Writes() Option { return func(r *Route) { r.Writes = true } }

// Meta gives the hooks something to decide by: a permission, a class of
// request limits.
func Meta(v any) Option { return func(r *Route) { r.Meta = v } }

// MaxBody sets the operation's own limit on request bodies, in bytes.
func MaxBody(n int64) Option { return func(r *Route) { r.MaxBody = n } }

// Answering sets the operation's own envelope. It answers, too, where a method
// is refused on the operation's path.
func Answering(e Envelope) Option { return func(r *Route) { r.envelope = e } }

// endpoint is an operation that a surface serves.
type endpoint struct {
	surface *Surface
	route   *Route
	plan    *plan
	call    func(context.Context, *plan, *Config, *http.Request) (any, error)
}

// compile applies the options, checks the route and compiles the plan.
func (op Operation) compile(s *Surface) (*endpoint, error) {
	if op.call == nil {
		return nil, fmt.Errorf("an operation that Op did not make")
	}
	route := op.route
	for _, set := range op.options {
		set(&route)
	}
	if route.Method == "" || !strings.HasPrefix(route.Path, "/") {
		return nil, fmt.Errorf("%q is not of the form METHOD /path", route.String())
	}
	p, err := planFor(op.input, wildcards(route.Path))
	if err != nil {
		return nil, fmt.Errorf("%v: %w", &route, err)
	}
	return &endpoint{s, &route, p, op.call}, nil
}

// wildcards returns the names in braces.
func wildcards(path string) (names []string) {
	for {
		_, after, ok := strings.Cut(path, "{")
		if !ok {
			return names
		}
		name, rest, _ := strings.Cut(after, "}")
		names = append(names, strings.TrimSuffix(name, "..."))
		path = rest
	}
}
