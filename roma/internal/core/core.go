// Package core is what the parts of a ROMA Connect instance stand on: one
// store with one schema, one state in memory that follows it, the instances,
// the integration applications with their roles, and the calls of a caller at
// an instance.
//
// A part declares its resources before the core is started:
//
//	envs := core.Declare(c, "env", "APIG.3003", func(e *envRow) table.Key { return e.Scope.Key(e.ID) })
//	envs.Unique("name", "APIG.3205", func(e *envRow) table.Key { return e.Scope.Key(e.Name) })
//	byTime := envs.Order(func(e *envRow) table.Key { return table.Time(e.Created) })
//
// and works with them in a [Session]: reads come from the state, writes are
// transactions of the store and return when the state has them. What a
// transaction fails with is turned into the document's code by what was
// declared: a missing row, a name that is taken, a row that is in use.
package core

import (
	"context"
	"log/slog"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/live"
	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Core is one system on one store. Safe for concurrent use once started.
type Core struct {
	Store  storage.Store
	Schema *table.Schema
	Logger *slog.Logger

	Instances *Resource[Instance]
	Apps      *Resource[App]

	clock    func() time.Time
	mirrors  mirror.Set
	codes    codes
	follower *live.Follower[mirror.State]
}

// New returns a core that is not started yet. A nil clock is time.Now, a nil
// logger is silent.
func New(store storage.Store, clock func() time.Time, logger *slog.Logger) *Core {
	if clock == nil {
		clock = time.Now
	}
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	c := &Core{Store: store, Schema: table.NewSchema("roma"), Logger: logger, clock: clock, codes: newCodes()}
	c.Instances = declareInstances(c)
	c.Apps = declareApps(c)
	return c
}

// Start reads the store. No resource can be declared any more.
func (c *Core) Start(ctx context.Context) error {
	var err error
	c.follower, err = c.mirrors.Follow(ctx, c.Store, c.Schema.RowPrefix(), c.Logger)
	return fault.From(err)
}

// Close ends the following of the store, which stays the caller's.
func (c *Core) Close() error { return c.follower.Close() }

// Now is the clock's time, in UTC and without its monotonic part.
func (c *Core) Now() time.Time { return c.clock().UTC().Round(0) }

// State is all rows as of now.
func (c *Core) State() *mirror.State { return c.follower.State() }

// Known returns the state in memory where it is the very snapshot that the
// transaction reads. A transaction that goes by it must depend on the rows that it
// looked at there, as [storage.Depend] has it: another process may be changing
// them. False is returned where the state is of another moment; then the
// transaction has to read.
func (c *Core) Known(w storage.Writer) (*mirror.State, bool) {
	followed := c.follower.Position()
	st := c.State()
	return st, st.Position <= w.Position() && w.Position() <= followed
}

// Wait returns when the state has reached the position.
func (c *Core) Wait(ctx context.Context, p storage.Position) error { return c.follower.Wait(ctx, p) }

// Update runs a transaction and returns when the state has it. Errors of
// tables become those of the document.
func (c *Core) Update(ctx context.Context, fn func(storage.Writer) error) error {
	_, err := c.follower.Update(ctx, fn)
	return c.codes.translate(err)
}

// View reads one snapshot of the store.
func (c *Core) View(ctx context.Context, fn func(storage.Reader) error) error {
	return c.codes.translate(c.Store.View(ctx, fn))
}

// Scope is the instance that a row belongs to: the first part of every key, so
// that an id of another instance, or of another project, is not found.
type Scope string

// ScopeOf is the scope of an instance of a project.
func ScopeOf(project, instance string) Scope { return Scope(project + "/" + instance) }

// Key is the scope with the parts of a key that belongs to it.
func (s Scope) Key(parts ...string) table.Key {
	var buf [160]byte // keys are looked up by on every path: most fit
	b := table.AppendStr(buf[:0], string(s))
	for _, p := range parts {
		b = table.AppendStr(b, p)
	}
	return table.Key(b)
}

// Keys are the keys of the rows with the ids.
func (s Scope) Keys(ids []string) []table.Key {
	keys := make([]table.Key, len(ids))
	for i, id := range ids {
		keys[i] = s.Key(id)
	}
	return keys
}

// OptionalKey is the key of the row with the id, and no key without an id.
func (s Scope) OptionalKey(id string) table.Key {
	if id == "" {
		return ""
	}
	return s.Key(id)
}

// Session is a caller at an instance. It is a value and safe for concurrent
// use.
type Session struct {
	*Core
	Scope      Scope
	ProjectID  string
	InstanceID string
	Caller     iam.Principal
	Denied     fault.Code // for a caller without the access a call needs
}

// Read returns the state for a call that changes nothing.
func (s Session) Read() (*mirror.State, error) {
	if !s.Caller.May(iam.Read) {
		return nil, fault.Of(s.Denied)
	}
	return s.State(), nil
}

// Write runs the transaction of a call that changes something. It may run fn
// several times.
func (s Session) Write(ctx context.Context, fn func(storage.Writer) error) error {
	if !s.Caller.May(iam.Write) {
		return fault.Of(s.Denied)
	}
	return s.Update(ctx, fn)
}
