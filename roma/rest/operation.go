package rest

import (
	"context"
	"net/http"

	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/list"
)

// The shapes that nearly all operations have. What follows the pattern is a
// method expression of [apic.Control] or [roma.Instance], so that an operation
// is a line:
//
//	create("POST /envs", apic.Control.CreateEnvironment),

// here is the caller at the instance in the path, as the kind of receiver that
// a shape's function has.
func here[R any](ctx context.Context) (r R) {
	switch to := any(&r).(type) {
	case *apic.Control:
		*to = gateway(ctx)
	case *roma.Instance:
		*to = instance(ctx)
	}
	return r
}

// created is the answer 201.
var created = surface.Status(http.StatusCreated)

type body[In any] struct {
	Body In `body:"json" bind:"required"`
}

// call takes a body and answers 200 unless told otherwise.
func call[R, In, Out any](pattern string, f func(R, context.Context, In) (Out, error), options ...surface.Option) surface.Operation {
	return surface.Op(pattern, func(ctx context.Context, in body[In]) (Out, error) { return f(here[R](ctx), ctx, in.Body) }, options...)
}

// create is call with the answer 201.
func create[R, In, Out any](pattern string, f func(R, context.Context, In) (Out, error)) surface.Operation {
	return call(pattern, f, created)
}

// ask is call without an answer but 204.
func ask[R, In any](pattern string, f func(R, context.Context, In) error) surface.Operation {
	return surface.Op(pattern, func(ctx context.Context, in body[In]) (surface.None, error) {
		return surface.None{}, f(here[R](ctx), ctx, in.Body)
	}, surface.Status(http.StatusNoContent))
}

// batch takes the query parameter action and a body.
func batch[R, In, Out any](pattern string, f func(R, context.Context, string, In) (Out, error)) surface.Operation {
	return surface.Op(pattern, func(ctx context.Context, in struct {
		Action string `query:"action"`
		Body   In     `body:"json" bind:"required"`
	}) (Out, error) {
		return f(here[R](ctx), ctx, in.Action, in.Body)
	})
}

// find takes parameters from wherever the tags of Q say, several ids of the path
// among them, and answers with something that is no page of a list.
func find[R, Q, Out any](pattern string, f func(R, context.Context, Q) (Out, error), options ...surface.Option) surface.Operation {
	return surface.Op(pattern, func(ctx context.Context, q Q) (Out, error) { return f(here[R](ctx), ctx, q) }, options...)
}

type byID struct {
	ID string `path:"id"`
}

type edit[In any] struct {
	ID   string `path:"id"`
	Body In     `body:"json" bind:"required"`
}

// get takes the {id} in the path.
func get[R, Out any](pattern string, f func(R, context.Context, string) (Out, error), options ...surface.Option) surface.Operation {
	return surface.Op(pattern, func(ctx context.Context, in byID) (Out, error) { return f(here[R](ctx), ctx, in.ID) }, options...)
}

// update takes the {id} in the path and a body.
func update[R, In, Out any](pattern string, f func(R, context.Context, string, In) (Out, error), options ...surface.Option) surface.Operation {
	return surface.Op(pattern, func(ctx context.Context, in edit[In]) (Out, error) {
		return f(here[R](ctx), ctx, in.ID, in.Body)
	}, options...)
}

// remove takes the {id} in the path and answers 204.
func remove[R any](pattern string, f func(R, context.Context, string) error, options ...surface.Option) surface.Operation {
	return surface.Op(pattern, func(ctx context.Context, in byID) (surface.None, error) {
		return surface.None{}, f(here[R](ctx), ctx, in.ID)
	}, append(options, surface.Status(http.StatusNoContent))...)
}

// drop is find without an answer but 204.
func drop[R, Q any](pattern string, f func(R, context.Context, Q) error) surface.Operation {
	return surface.Op(pattern, func(ctx context.Context, q Q) (surface.None, error) {
		return surface.None{}, f(here[R](ctx), ctx, q)
	}, surface.Status(http.StatusNoContent))
}

// page answers a list, whose query may have the {id} in the path too: its rows under a name, how many they are, and how many
// there are in all.
func page[R, Q, T any](pattern, name string, f func(R, context.Context, Q) (list.Page[T], error), options ...surface.Option) surface.Operation {
	return surface.Op(pattern, func(ctx context.Context, q Q) (map[string]any, error) {
		p, err := f(here[R](ctx), ctx, q)
		return paged(name, p), err
	}, options...)
}

// paged is a page as it is answered.
func paged[T any](name string, p list.Page[T]) map[string]any {
	return map[string]any{name: p.Rows, "size": len(p.Rows), "total": p.Total}
}
