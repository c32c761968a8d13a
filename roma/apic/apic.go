// Package apic is the control plane of a ROMA Connect instance's API gateway
// (chapter 4 of the document): groups, APIs with their versions, environments,
// and the policies that are bound to what is published.
//
// A system is opened by package roma; a caller at one of its instances works
// through a [Control]:
//
//	sys, err := roma.New(memory.New(memory.Config{}), roma.Config{})
//	...
//	in, err := sys.Instance(caller, projectID, instanceID)
//	...
//	gw := in.APIC()
//	group, err := gw.CreateGroup(ctx, apic.GroupSpec{Name: "orders"})
//	api, err := gw.CreateAPI(ctx, apic.APISpec{GroupID: group.ID, ...})
//	pub, err := gw.Publish(ctx, apic.Publish{Action: apic.Online, APIID: api.ID, EnvID: apic.ReleaseID})
//
// Types carry the document's own names of their fields as JSON tags: what a
// call takes and returns is what goes over the wire. All errors are of type
// *fault.Error, or a context's.
package apic

import (
	"context"
	"log/slog"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Config is what a host may set. The zero Config works.
type Config struct {
	// Limits are how many resources there may be, by the names of 4.24; what is
	// not named has the document's default.
	Limits Limits
	// Features tells which of the features that no call can set there are:
	// gateway_responses, sign_basic, multi_auth, app_config, green_tunnel. One
	// that is not named is there.
	Features map[FeatureName]bool
	// Resolvers look up what lies outside the instance.
	Resolvers Resolvers
	// DomainSuffix is what follows <group id>.apic. in the subdomain of a
	// group; "" is "gatehouse.local".
	DomainSuffix string
	// Strict refuses what the document's own samples violate: a V1 group's API
	// without roma_app_id, and spaces in the names of backend policies.
	Strict bool
	// KeepStatistics is how long the calls of a minute are kept, for 4.21; 0 is
	// 72 hours. An API with calls in every minute takes about 100 bytes of the
	// store for each.
	KeepStatistics time.Duration
	// Zone is the zone of the times that 4.21 takes and shows without one, and
	// of its hours and days; nil is UTC+8, the document's.
	Zone *time.Location
	// Newer accepts what the vendor's later SDK has and the document has not:
	// access control by account ids, signature keys of the type aes.
	Newer bool
}

// System is the gateways of all instances of one store. Safe for concurrent
// use. It is opened, and closed, by package roma.
type System struct {
	// It holds a *system, as any, so that a package that imports this one need
	// not know of the tables: the compiler makes all methods of every generic
	// type that an importer can reach, again in each, and of these it made
	// fifteen thousand. For the same reason no method of an exported type has one
	// of them in its signature.
	chapters any
}

// of returns what a System is. It is not to be inlined into importers.
//
//go:noinline
func of(s *System) *system { return s.chapters.(*system) }

// system is all chapters, on one core.
type system struct {
	core   *core.Core
	config Config
	logger *slog.Logger

	// One line for each chapter.
	environments
	groups
	apis
	publications
	versions
	variables
	domains
	certificates
	vpcChannels
	clients
	appCodes
	appACLs
	quotas
	auths
	throttles
	signs
	acls
	features
	tags
	appConfigs

	order *table.Sequence

	dataPlanes dataPlanes
	trims      trims
}

// Number is the place of a row in the order of creation, for rows that show no
// time.
type Number struct{ Order int64 }

// next gives a row its number.
func (s *system) next(w storage.Writer, n *Number) (err error) {
	n.Order, err = s.order.Next(w)
	return err
}

// Attach declares the tables of the gateway. It is for package roma, which
// starts the core afterwards.
func Attach(c *core.Core, config Config) *System {
	s := &system{core: c, config: config, logger: c.Logger, order: c.Schema.Sequence("apic")}
	s.environments = declareEnvironments(c)
	s.groups = declareGroups(c)
	s.vpcChannels = declareChannels(c)
	s.apis = declareAPIs(c, s)
	s.publications = declarePublications(c, s)
	s.versions = declareVersions(c, s)
	s.variables = declareVariables(c, s)
	s.domains = declareDomains(c, s)
	s.certificates = declareCertificates(c, s)
	declareThrottles(c, s)
	s.signs = declareSigns(c, s)
	declareACLs(c, s)
	s.features = declareFeatures(c)
	s.tags = declareTags(s)
	s.appConfigs = declareAppConfigs(c)
	s.clients = declareClients(c)
	s.appCodes = declareAppCodes(c)
	s.appACLs = declareAppACLs(c)
	s.quotas = declareQuotas(c)
	s.auths = declareAuths(c, s)
	return &System{s}
}

// Provision writes what a new instance starts with. It is for package roma.
func (s *System) Provision(w storage.Writer, scope core.Scope) error {
	if err := of(s).provisionEnvironments(w, scope); err != nil {
		return err
	}
	return of(s).provisionFeatures(w, scope)
}

// Control is a caller at an instance's gateway. Its methods are the calls of
// chapter 4. It is a value and safe for concurrent use.
type Control struct {
	core.Session
	sys *System
}

// Control returns the gateway of a session's instance.
func (s *System) Control(session core.Session) Control {
	session.Denied = "APIG.1005"
	return Control{session, s}
}

// Caller is who calls.
func (c Control) Principal() iam.Principal { return c.Caller }

// write is [core.Session.Write] for a call that answers with a T.
func write[T any](ctx context.Context, c Control, fn func(storage.Writer) (T, error)) (T, error) {
	var result T
	err := c.Write(ctx, func(w storage.Writer) (err error) {
		result, err = fn(w)
		return err
	})
	if err != nil {
		var none T
		return none, err
	}
	return result, nil
}

// orFault returns err, or the fault of the code when there is none.
func orFault(err error, code fault.Code) error {
	if err != nil {
		return err
	}
	return fault.Of(code)
}

// permit returns the application when the caller has the role in it. An app
// that is not there is APIG.3004, one without the role APIG.1141. An empty id
// is no application, and fine.
func (c Control) permit(r storage.Reader, appID string, role core.Role) (core.App, error) {
	if appID == "" {
		return core.App{}, nil
	}
	return c.App(r, appID, role, "APIG.3004", "APIG.1141")
}

// hides returns what tells the applications that the caller has no role in,
// nil when there is nothing to hide from him.
func (c Control) hides(st *mirror.State) func(appID string) bool {
	if c.Caller.May(iam.Admin) {
		return nil
	}
	return func(appID string) bool { return !c.sees(st, appID) }
}

// sees reports whether the caller may look at what belongs to an application.
// What belongs to none is everybody's.
func (c Control) sees(st *mirror.State, appID string) bool {
	if appID == "" || c.Caller.May(iam.Admin) {
		return true
	}
	app, found := c.Apps.Mirror.Get(st, c.Scope.Key(appID))
	return found && app.Grants(c.Caller, core.RoleRead)
}
