// Package roma is ROMA Connect: instances with their integration applications
// and dictionaries, and the parts of an instance: the API gateway's control
// plane (package apic), which package gateway serves calls by. Package rest serves
// the vendor's API of both over HTTP.
//
//	users := iam.NewStatic()
//	root := iam.Principal{UserID: "u1", UserName: "root", Access: iam.Full}
//	users.AddToken("demo-token", root)
//	sys, err := roma.New(memory.New(memory.Config{}), roma.Config{Authenticator: users, Directory: users})
//	...
//	err = sys.AddInstance(ctx, "project-1", "instance-1")
//	...
//	in, err := sys.Instance(root, "project-1", "instance-1")
//	...
//	app, err := in.CreateApp(ctx, roma.AppSpec{Name: "orders"})
//	group, err := in.APIC().CreateGroup(ctx, apic.GroupSpec{Name: "orders"})
//
// Several systems may run on one store, in one process or many. Instances and
// projects are strictly apart: an id of another is not found.
package roma

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Error is the type of all errors of ROMA Connect, but for a context's.
type Error = fault.Error

// Config is what a host may set. The zero Config works.
type Config struct {
	// Clock tells the time. Nil is time.Now. It must be safe for concurrent
	// use.
	Clock func() time.Time
	// Authenticator knows the credentials that surfaces are called with. Nil
	// knows none.
	Authenticator iam.Authenticator
	// Directory knows the users whom applications can be shared with. Nil
	// knows none.
	Directory iam.Directory
	// APIC is the configuration of the API gateway.
	APIC apic.Config
	// Logger is told when the store fails behind the caller's back. Nil is
	// silent.
	Logger *slog.Logger
}

// System is all instances on one store. Safe for concurrent use.
type System struct {
	core   *core.Core
	config Config
	apic   *apic.System

	appsByTime *mirror.Order[core.App]
	dictionaries
}

// New opens a system on a store and reads its records. The store stays the
// caller's, to be closed after the system.
func New(store storage.Store, config Config) (*System, error) {
	if config.Authenticator == nil {
		config.Authenticator = iam.NewStatic()
	}
	if config.Directory == nil {
		config.Directory = iam.NewStatic()
	}
	c := core.New(store, config.Clock, config.Logger)
	s := &System{core: c, config: config, apic: apic.Attach(c, config.APIC)}
	s.appsByTime = c.Apps.Order(func(a *core.App) table.Key { return table.Time(a.Created) })
	s.dictionaries = declareDictionaries(c)
	if err := c.Start(context.Background()); err != nil {
		return nil, err
	}
	return s, nil
}

// Close stops following the store. Closing twice is allowed.
func (s *System) Close() error { return s.core.Close() }

// Snapshot is what an instance's API gateway serves now. The error is
// APIG.3030 when there is no such instance.
func (s *System) Snapshot(project, instance string) (apic.Snapshot, error) {
	return s.apic.Snapshot(project, instance)
}

// Check walks all that the store holds for the system and reports what is not
// as the system would have written it: rows without what they refer to, index
// entries without rows. It is for tests and operators.
func (s *System) Check(ctx context.Context) error {
	return s.core.View(ctx, s.core.Schema.Check)
}

// Now is the system's time.
func (s *System) Now() time.Time { return s.core.Now() }

// Authenticator is the one of the config.
func (s *System) Authenticator() iam.Authenticator { return s.config.Authenticator }

// AddInstance makes an instance of a project, with the environment RELEASE.
// The document has no call for it: it is the host's. An instance that is there
// already stays as it is.
func (s *System) AddInstance(ctx context.Context, project, instance string) error {
	if project == "" || instance == "" || len(project) > 64 || len(instance) > 64 {
		return fault.Of("ROMA.00013000").With("project %q, instance %q: ids have 1 to 64 characters", surface.Quote(project), surface.Quote(instance))
	}
	scope := core.ScopeOf(project, instance)
	return s.core.Update(ctx, func(w storage.Writer) error {
		if there, err := s.core.Instances.Table.Has(w, scope.Key()); err != nil || there {
			return err
		}
		row := core.Instance{Scope: scope, Project: project, ID: instance, Created: s.core.Now()}
		if err := s.core.Instances.Insert(w, row); err != nil {
			return err
		}
		return s.apic.Provision(w, scope)
	})
}

// DescribeInstance sets what chapter 4.1 shows of an instance.
func (s *System) DescribeInstance(ctx context.Context, project, instance string, detail apic.InstanceDetail) error {
	encoded, err := apic.EncodeDetail(detail)
	if err != nil {
		return fault.From(err)
	}
	return s.core.Update(ctx, func(w storage.Writer) error {
		_, err := s.core.Instances.Table.Update(w, core.ScopeOf(project, instance).Key(), func(i *core.Instance) error {
			i.Detail = encoded
			return nil
		})
		return err
	})
}

func isNotFound(err error) bool { return errors.Is(err, table.ErrNotFound) }

// Instance is a caller at one of the instances. Its methods are the calls of
// chapter 3; [Instance.APIC] has those of chapter 4. It is a value and safe for
// concurrent use.
type Instance struct {
	core.Session
	sys *System
}

// Instance returns the caller's view of an instance, or an error with the code
// ROMA.00014002 when the project has none of the id. A caller who is scoped to
// another project gets ROMA.4011000.
func (s *System) Instance(caller iam.Principal, project, instance string) (Instance, error) {
	if caller.ProjectID != "" && caller.ProjectID != project {
		return Instance{}, fault.Of("ROMA.4011000")
	}
	session, err := s.core.Session(caller, project, instance)
	return Instance{session, s}, err
}

// APIC is the instance's API gateway.
func (in Instance) APIC() apic.Control { return in.sys.apic.Control(in.Session) }
