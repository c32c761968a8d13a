package bench

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/casbin/casbin/v3"
	"github.com/casbin/casbin/v3/model"
	cedar "github.com/cedar-policy/cedar-go"
	"github.com/gatehouse-go/gatehouse/rbac"
	"github.com/mikespook/gorbac"
)

// BenchmarkRBACCheck asks whether a user may do something, of rules of several
// shapes and in questions drawn from all users; each shape with questions that
// are allowed ("-allow") and questions that are denied ("-deny"), on one
// goroutine and ("-parallel") on all processors.
//
//   - large: 100,000 users with one role each of 10,000, which grant 10,000
//     permissions on 1,000 resources: Casbin's own large case
//   - five-deep: 1,000 users of 100 chains of roles; the role at the end of the
//     chain has the permission
//   - tenants: 1,000 tenants of 100 users and 10 roles
//   - container: 100 integrations of 10 devices of 10 entities; a role may
//     view an integration, and the question is of an entity
//
// Casbin's cached enforcer is here for questions that repeat; with questions
// from all users it seldom has them. The case large-repeated is 64 of the
// questions, over and over. gorbac knows neither users nor containers:
// a user is a role whose parents are his, and a container is asked for after
// its contents. Cedar's policies are one, with the roles in the attributes of
// its entities: with a policy a grant it evaluates each.
func BenchmarkRBACCheck(b *testing.B) {
	for _, library := range rbacLibraries {
		b.Run(library.name, func(b *testing.B) {
			for _, shape := range rbacShapes() {
				load := sync.OnceValue(func() asker { return library.load(shape) })
				for _, part := range []struct {
					name      string
					questions []question
					want      bool
				}{{"allow", shape.allow, true}, {"deny", shape.deny, false}, {"repeated", shape.allow[:64], true}} {
					if part.name == "repeated" && shape.name != "large" {
						continue
					}
					ask := sync.OnceValue(func() func(i int) bool { return load().prepare(part.questions) })
					b.Run(shape.name+"-"+part.name, func(b *testing.B) {
						ask := ask()
						for i := range min(64, len(part.questions)) { // what may be remembered is
							ask(i)
						}
						runtime.GC()
						b.ReportAllocs()
						b.ResetTimer()
						for i := 0; b.Loop(); i++ {
							if ask(i%len(part.questions)) != part.want {
								b.Fatal("wrong answer")
							}
						}
					})
					b.Run(shape.name+"-"+part.name+"-parallel", func(b *testing.B) {
						if library.single {
							b.Skip("not safe for concurrent use")
						}
						ask := ask()
						var start atomic.Int64
						runtime.GC()
						b.ReportAllocs()
						b.ResetTimer()
						b.RunParallel(func(pb *testing.PB) {
							for i := int(start.Add(1_000_003)); pb.Next(); i++ {
								if ask(i%len(part.questions)) != part.want {
									b.Error("wrong answer")
								}
							}
						})
					})
				}
			}
		})
	}
}

// BenchmarkRBACChange gives a user of the large case one more role and takes it
// away again, and asks in between and after whether that is seen.
func BenchmarkRBACChange(b *testing.B) {
	for _, library := range rbacLibraries {
		b.Run(library.name+"/link", func(b *testing.B) {
			rules := library.load(rbacUsers(rbacSize()))
			if rules.link == nil {
				b.Skip("rules cannot be changed")
			}
			link, unlink := rules.link, rules.unlink
			last := min(10_000, rbacSize()) - 1
			role := fmt.Sprintf("role-%d", last)
			ask := rules.prepare([]question{{user: "user-777", action: "read", resource: fmt.Sprintf("data-%d", last/10)}})
			link("user-777", role)
			if !ask(0) {
				b.Fatal("a link is not seen")
			}
			unlink("user-777", role)
			if ask(0) {
				b.Fatal("a link taken away is seen")
			}
			users := make([]string, 1<<10)
			for i := range users {
				users[i] = fmt.Sprintf("user-%d", i*97%rbacSize())
			}
			runtime.GC()
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; b.Loop(); i++ {
				link(users[i%len(users)], role)
				unlink(users[i%len(users)], role)
			}
		})
	}
}

// BenchmarkRBACFilter reduces a list of 1,000 entities to those that a user of
// the container case may view.
func BenchmarkRBACFilter(b *testing.B) {
	shape := rbacContainer()
	r := rand.New(rand.NewPCG(1, 2))
	var list []question
	for range 1000 {
		list = append(list, question{user: "user-17", action: "view", kind: "entity", resource: fmt.Sprintf("e-%d", r.IntN(10_000))})
	}
	for _, library := range rbacLibraries {
		b.Run(library.name+"/1000", func(b *testing.B) {
			rules := library.load(shape)
			filter := rules.filter
			if filter == nil {
				filter = func(list []question) func() int {
					ask := rules.prepare(list)
					return func() (n int) {
						for i := range list {
							if ask(i) {
								n++
							}
						}
						return n
					}
				}
			}
			run := filter(list)
			b.ReportAllocs()
			for b.Loop() {
				if n := run(); n == 0 || n > 50 {
					b.Fatalf("%d of 1,000 are his", n)
				}
			}
		})
	}
}

// BenchmarkRBACLoad loads assignments, one a user, in one transaction where
// there are such, and reports what the heap has grown by for each.
func BenchmarkRBACLoad(b *testing.B) {
	for _, n := range []int{rbacSize(), 10 * rbacSize()} {
		shape := rbacUsers(n)
		for _, library := range rbacLibraries {
			if n > rbacSize() && library.slow {
				continue
			}
			b.Run(fmt.Sprintf("%s/%d", library.name, n), func(b *testing.B) {
				var grown float64
				for b.Loop() {
					b.StopTimer()
					before := heap()
					b.StartTimer()
					rules := library.load(shape)
					b.StopTimer()
					grown = float64(int64(heap())-int64(before)) / float64(n)
					runtime.KeepAlive(rules)
					b.StartTimer()
				}
				b.ReportMetric(grown, "B/assignment")
			})
		}
	}
}

// A shape is rules, and questions about them.
type shape struct {
	name     string
	links    []roleLink
	inherits [][2]string // heir, inherited
	grants   []roleGrant
	places   []placement
	allow    []question
	deny     []question
}

type roleLink struct{ user, role, tenant string }
type roleGrant struct{ role, tenant, action, kind, resource string }
type placement struct{ kind, resource, inKind, in string }
type question struct{ user, tenant, action, kind, resource string }

func rbacShapes() []*shape {
	return []*shape{rbacLarge(), rbacFiveDeep(), rbacTenants(), rbacContainer()}
}

// rbacSize is how many users the large case has.
func rbacSize() int {
	if testing.Short() {
		return 1000
	}
	return 100_000
}

func rbacUsers(n int) *shape {
	s := &shape{name: "large"}
	roles := min(10_000, n)
	for i := range roles {
		s.grants = append(s.grants, roleGrant{fmt.Sprintf("role-%d", i), "", "read", "", fmt.Sprintf("data-%d", i/10)})
	}
	for i := range n {
		s.links = append(s.links, roleLink{fmt.Sprintf("user-%d", i), fmt.Sprintf("role-%d", i/10%roles), ""})
	}
	return s
}

var rbacLarge = sync.OnceValue(func() *shape {
	n := rbacSize()
	s := rbacUsers(n)
	s.ask(n, func(i, other int) (allow, deny question) {
		user := fmt.Sprintf("user-%d", i)
		return question{user, "", "read", "", fmt.Sprintf("data-%d", i/100)},
			question{user, "", "read", "", fmt.Sprintf("data-%d", (i/100+1+other%999)%1000)}
	})
	return s
})

var rbacFiveDeep = sync.OnceValue(func() *shape {
	s := &shape{name: "five-deep"}
	for c := range 100 {
		for d := range 4 {
			s.inherits = append(s.inherits, [2]string{fmt.Sprintf("role-%d-%d", c, d), fmt.Sprintf("role-%d-%d", c, d+1)})
		}
		s.grants = append(s.grants, roleGrant{fmt.Sprintf("role-%d-4", c), "", "read", "", fmt.Sprintf("data-%d", c)})
	}
	for i := range 1000 {
		s.links = append(s.links, roleLink{fmt.Sprintf("user-%d", i), fmt.Sprintf("role-%d-0", i%100), ""})
	}
	s.ask(1000, func(i, other int) (allow, deny question) {
		user := fmt.Sprintf("user-%d", i)
		return question{user, "", "read", "", fmt.Sprintf("data-%d", i%100)},
			question{user, "", "read", "", fmt.Sprintf("data-%d", (i+1+other%99)%100)}
	})
	return s
})

var rbacTenants = sync.OnceValue(func() *shape {
	s := &shape{name: "tenants"}
	tenants := 1000
	if testing.Short() {
		tenants = 100
	}
	for t := range tenants {
		tenant := fmt.Sprintf("tenant-%d", t)
		for r := range 10 {
			s.grants = append(s.grants, roleGrant{fmt.Sprintf("role-%d", r), tenant, "read", "", fmt.Sprintf("data-%d-%d", t, r)})
		}
		for u := range 100 {
			s.links = append(s.links, roleLink{fmt.Sprintf("user-%d", t*100+u), fmt.Sprintf("role-%d", u%10), tenant})
		}
	}
	s.ask(tenants*100, func(i, other int) (allow, deny question) {
		user, t := fmt.Sprintf("user-%d", i), i/100
		allow = question{user, fmt.Sprintf("tenant-%d", t), "read", "", fmt.Sprintf("data-%d-%d", t, i%10)}
		deny = allow
		if other%2 == 0 { // another's data, or one's own in another tenant
			deny.resource = fmt.Sprintf("data-%d-%d", t, (i+1+other%9)%10)
		} else {
			deny.tenant = fmt.Sprintf("tenant-%d", (t+1+other%(tenants-1))%tenants)
		}
		return allow, deny
	})
	return s
})

var rbacContainer = sync.OnceValue(func() *shape {
	s := &shape{name: "container"}
	for i := range 100 {
		s.grants = append(s.grants, roleGrant{fmt.Sprintf("role-%d", i), "", "view", "integration", fmt.Sprintf("i-%d", i)})
	}
	for i := range 1000 {
		s.places = append(s.places, placement{"device", fmt.Sprintf("d-%d", i), "integration", fmt.Sprintf("i-%d", i/10)})
		s.links = append(s.links, roleLink{fmt.Sprintf("user-%d", i), fmt.Sprintf("role-%d", i%100), ""})
	}
	for i := range 10_000 {
		s.places = append(s.places, placement{"entity", fmt.Sprintf("e-%d", i), "device", fmt.Sprintf("d-%d", i/10)})
	}
	s.ask(1000, func(i, other int) (allow, deny question) {
		user := fmt.Sprintf("user-%d", i)
		return question{user, "", "view", "entity", fmt.Sprintf("e-%d", i%100*100+other%100)},
			question{user, "", "view", "entity", fmt.Sprintf("e-%d", (i%100*100+100+other%9900)%10_000)}
	})
	return s
})

// ask draws questions from all users. The strings are each question's own, as
// those of a request are.
func (s *shape) ask(users int, draw func(i, other int) (allow, deny question)) {
	r := rand.New(rand.NewPCG(7, 11))
	n := 1 << 17
	if testing.Short() {
		n = 1 << 12
	}
	for range n {
		allow, deny := draw(r.IntN(users), int(r.Uint32()))
		s.allow, s.deny = append(s.allow, allow), append(s.deny, deny)
	}
}

// An asker is rules as a library has them. prepare turns questions into the
// library's own form and returns what asks them by their index.
type asker struct {
	prepare      func([]question) func(i int) bool
	link, unlink func(user, role string)
	filter       func([]question) func() int
}

type rbacLibrary struct {
	name   string
	single bool // not safe for concurrent use
	slow   bool
	load   func(*shape) asker
}

var rbacLibraries = []rbacLibrary{
	{"gatehouse", false, false, loadGatehouse},
	{"casbin", true, true, func(s *shape) asker {
		e := sure(casbin.NewEnforcer(casbinModel(s)))
		return loadCasbin(s, e, e.Enforce, e.BatchEnforce)
	}},
	{"casbin-cached", true, true, func(s *shape) asker {
		e := sure(casbin.NewCachedEnforcer(casbinModel(s)))
		rules := loadCasbin(s, e, e.Enforce, nil)
		// Its cache would go on giving the answers of before.
		link, unlink := rules.link, rules.unlink
		rules.link = func(user, role string) { link(user, role); e.InvalidateCache() }
		rules.unlink = func(user, role string) { unlink(user, role); e.InvalidateCache() }
		return rules
	}},
	{"casbin-synced", false, true, func(s *shape) asker {
		e := sure(casbin.NewSyncedEnforcer(casbinModel(s)))
		return loadCasbin(s, e, e.Enforce, e.BatchEnforce)
	}},
	{"cedar-go", true, true, loadCedar},
	{"gorbac", false, true, loadGorbac},
	{"limit-map", true, false, loadMaps},
	{"limit-closure", true, true, loadClosure},
}

func sure[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func loadGatehouse(s *shape) asker {
	e := rbac.New()
	sure(e.Change(func(tx *rbac.Tx) error {
		known := map[rbac.Role]bool{}
		define := func(tenant, name string) rbac.Role {
			r := rbac.Domain(tenant).Role(name)
			if !known[r] {
				known[r] = true
				tx.Define(r, rbac.RoleSpec{})
			}
			return r
		}
		for _, x := range s.grants {
			tx.Grant(rbac.Grant{Role: define(x.tenant, x.role),
				Permission: rbac.On(rbac.Action(x.action), rbac.Resource{Kind: x.kind, ID: x.resource})})
		}
		for _, x := range s.inherits {
			tx.Inherit(define("", x[0]), define("", x[1]))
		}
		for _, x := range s.places {
			tx.Place(rbac.Resource{Kind: x.kind, ID: x.resource}, rbac.Resource{Kind: x.inKind, ID: x.in})
		}
		for _, x := range s.links {
			tx.Assign(rbac.Assignment{Subject: rbac.Subject(x.user), Role: rbac.Domain(x.tenant).Role(x.role)})
		}
		return nil
	}))
	now := time.Now()
	translate := func(x question) rbac.Question {
		return rbac.Question{Subject: rbac.Subject(x.user), Domain: rbac.Domain(x.tenant),
			Permission: rbac.On(rbac.Action(x.action), rbac.Resource{Kind: x.kind, ID: x.resource})}
	}
	return asker{
		prepare: func(list []question) func(int) bool {
			questions := make([]rbac.Question, len(list))
			for i, x := range list {
				questions[i] = translate(x)
			}
			return func(i int) bool { return e.Check(now, questions[i]).Allowed }
		},
		link: func(user, role string) {
			sure(e.Change(func(tx *rbac.Tx) error {
				return tx.Assign(rbac.Assignment{Subject: rbac.Subject(user), Role: rbac.Company.Role(role)})
			}))
		},
		unlink: func(user, role string) {
			sure(e.Change(func(tx *rbac.Tx) error {
				return tx.Unassign(rbac.Subject(user), rbac.Company.Role(role), rbac.Company)
			}))
		},
		filter: func(list []question) func() int {
			var resources []rbac.Resource
			for _, x := range list {
				resources = append(resources, translate(x).Resource)
			}
			q := translate(list[0])
			return func() (n int) {
				for range e.Snapshot().Filter(now, q.Subject, q.Domain, q.Action, slices.Values(resources)) {
					n++
				}
				return n
			}
		},
	}
}

func casbinModel(s *shape) model.Model {
	text := `
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = g(r.sub, p.sub) && r.obj == p.obj && r.act == p.act
`
	switch s.name {
	case "tenants":
		text = strings.NewReplacer("sub, obj", "sub, dom, obj", "_, _", "_, _, _",
			"g(r.sub, p.sub)", "g(r.sub, p.sub, r.dom) && r.dom == p.dom").Replace(text)
	case "container":
		text = strings.NewReplacer("g = _, _", "g = _, _\ng2 = _, _", "r.obj == p.obj", "g2(r.obj, p.obj)").Replace(text)
	}
	return sure(model.NewModelFromString(text))
}

func loadCasbin(s *shape, e casbin.IEnforcer, enforce func(...any) (bool, error), batch func([][]any) ([]bool, error)) asker {
	words := func(tenant string, list ...string) []string {
		if s.name == "tenants" {
			list = slices.Insert(list, 1, tenant)
		}
		return list
	}
	var policies, links, places [][]string
	for _, x := range s.grants {
		policies = append(policies, words(x.tenant, x.role, x.resource, x.action))
	}
	for _, x := range s.links {
		link := []string{x.user, x.role}
		if s.name == "tenants" {
			link = append(link, x.tenant)
		}
		links = append(links, link)
	}
	for _, x := range s.inherits {
		links = append(links, x[:])
	}
	for _, x := range s.places {
		places = append(places, []string{x.resource, x.in})
	}
	sure(e.AddPolicies(policies))
	sure(e.AddGroupingPolicies(links))
	if places != nil {
		sure(e.AddNamedGroupingPolicies("g2", places))
	}
	translate := func(list []question) [][]any {
		all := make([][]any, len(list))
		for i, x := range list {
			for _, word := range words(x.tenant, x.user, x.resource, x.action) {
				all[i] = append(all[i], word)
			}
		}
		return all
	}
	rules := asker{
		prepare: func(list []question) func(int) bool {
			questions := translate(list)
			return func(i int) bool { return sure(enforce(questions[i]...)) }
		},
		link:   func(user, role string) { sure(e.AddGroupingPolicy(user, role)) },
		unlink: func(user, role string) { sure(e.RemoveGroupingPolicy(user, role)) },
	}
	if batch != nil {
		rules.filter = func(list []question) func() int {
			questions := translate(list)
			return func() (n int) {
				for _, ok := range sure(batch(questions)) {
					if ok {
						n++
					}
				}
				return n
			}
		}
	}
	return rules
}

// loadCedar puts who has an action on a resource into the resource's attributes
// and, of containers, what a user has it on into the user's.
func loadCedar(s *shape) asker {
	text := `permit(principal, action, resource) when { principal in resource.readers };`
	if s.name == "container" {
		text = `permit(principal, action, resource) when { resource in principal.views };`
	}
	policies := sure(cedar.NewPolicySetFromBytes("rbac", []byte(text)))
	entities := cedar.EntityMap{}
	role := func(tenant, name string) cedar.EntityUID {
		return cedar.NewEntityUID("Role", cedar.String(tenant+"/"+name))
	}
	user := func(tenant, name string) cedar.EntityUID {
		return cedar.NewEntityUID("User", cedar.String(tenant+"/"+name))
	}
	data := func(tenant, id string) cedar.EntityUID {
		return cedar.NewEntityUID("Data", cedar.String(tenant+"/"+id))
	}

	readers, views := map[cedar.EntityUID][]cedar.Value{}, map[string]cedar.Record{}
	for _, x := range s.grants {
		r := role(x.tenant, x.role)
		readers[data(x.tenant, x.resource)] = append(readers[data(x.tenant, x.resource)], r)
		entities[r] = cedar.Entity{UID: r}
		views[x.role] = cedar.NewRecord(cedar.RecordMap{"views": cedar.NewSet(data(x.tenant, x.resource))})
	}
	for d, set := range readers {
		entities[d] = cedar.Entity{UID: d, Attributes: cedar.NewRecord(cedar.RecordMap{"readers": cedar.NewSet(set...)})}
	}
	for _, x := range s.inherits {
		r := role("", x[0])
		entities[r] = cedar.Entity{UID: r, Parents: cedar.NewEntityUIDSet(role("", x[1]))}
	}
	for _, x := range s.places {
		d := data("", x.resource)
		entities[d] = cedar.Entity{UID: d, Parents: cedar.NewEntityUIDSet(data("", x.in))}
	}
	for _, x := range s.links {
		u := user(x.tenant, x.user)
		e := cedar.Entity{UID: u, Parents: cedar.NewEntityUIDSet(role(x.tenant, x.role))}
		if s.name == "container" {
			e.Attributes = views[x.role]
		}
		entities[u] = e
	}
	set := func(name string, roles ...cedar.EntityUID) {
		u := user("", name)
		entities[u] = cedar.Entity{UID: u, Parents: cedar.NewEntityUIDSet(roles...)}
	}
	first := map[string]string{}
	for _, x := range s.links {
		first[x.user] = x.role
	}
	return asker{
		prepare: func(list []question) func(int) bool {
			requests := make([]cedar.Request, len(list))
			for i, x := range list {
				requests[i] = cedar.Request{Principal: user(x.tenant, x.user),
					Action: cedar.NewEntityUID("Action", cedar.String(x.action)), Resource: data(x.tenant, x.resource)}
			}
			return func(i int) bool {
				d, _ := cedar.Authorize(policies, entities, requests[i])
				return d == cedar.Allow
			}
		},
		// The entities are the caller's map: a link is an entity written anew.
		link:   func(user, r string) { set(user, role("", first[user]), role("", r)) },
		unlink: func(user, r string) { set(user, role("", first[user])) },
	}
}

func loadGorbac(s *shape) asker {
	e := gorbac.New()
	key := func(tenant, name string) string {
		if tenant == "" {
			return name
		}
		return tenant + "/" + name
	}
	roles := map[string]*gorbac.StdRole{}
	role := func(tenant, name string) string {
		k := key(tenant, name)
		if roles[k] == nil {
			roles[k] = gorbac.NewStdRole(k)
			e.Add(roles[k])
		}
		return k
	}
	permission := func(tenant, action, resource string) gorbac.Permission {
		return gorbac.NewStdPermission(key(tenant, resource) + ":" + action)
	}
	for _, x := range s.grants {
		roles[role(x.tenant, x.role)].Assign(permission(x.tenant, x.action, x.resource))
	}
	for _, x := range s.inherits {
		e.SetParent(role("", x[0]), role("", x[1]))
	}
	for _, x := range s.links {
		e.SetParent(role(x.tenant, x.user), role(x.tenant, x.role))
	}
	in := map[string]string{}
	for _, x := range s.places {
		in[x.resource] = x.in
	}
	return asker{
		prepare: func(list []question) func(int) bool {
			users, wanted := make([]string, len(list)), make([][]gorbac.Permission, len(list))
			for i, x := range list {
				users[i] = key(x.tenant, x.user)
				for r := x.resource; r != ""; r = in[r] {
					wanted[i] = append(wanted[i], permission(x.tenant, x.action, r))
				}
			}
			return func(i int) bool {
				for _, p := range wanted[i] {
					if e.IsGranted(users[i], p, nil) {
						return true
					}
				}
				return false
			}
		},
		link:   func(user, role string) { e.SetParent(user, role) },
		unlink: func(user, role string) { e.RemoveParent(user, role) },
	}
}

// loadMaps is plain maps written for the one question, for orientation: no
// tenants kept apart but by key, no terms, no reasons, no concurrent change.
func loadMaps(s *shape) asker {
	type userKey struct{ tenant, user string }
	type roleKey struct{ tenant, role string }
	type grantKey struct{ tenant, role, action, resource string }
	held, inherits := map[userKey][]string{}, map[roleKey][]string{}
	grants, in := map[grantKey]bool{}, map[string]string{}
	for _, x := range s.links {
		held[userKey{x.tenant, x.user}] = append(held[userKey{x.tenant, x.user}], x.role)
	}
	for _, x := range s.inherits {
		inherits[roleKey{"", x[0]}] = append(inherits[roleKey{"", x[0]}], x[1])
	}
	for _, x := range s.grants {
		grants[grantKey{x.tenant, x.role, x.action, x.resource}] = true
	}
	for _, x := range s.places {
		in[x.resource] = x.in
	}
	var has func(q *question, role string) bool
	has = func(q *question, role string) bool {
		for r := q.resource; r != ""; r = in[r] {
			if grants[grantKey{q.tenant, role, q.action, r}] {
				return true
			}
			if len(in) == 0 {
				break
			}
		}
		if len(inherits) > 0 {
			for _, p := range inherits[roleKey{q.tenant, role}] {
				if has(q, p) {
					return true
				}
			}
		}
		return false
	}
	return asker{
		prepare: func(list []question) func(int) bool {
			return func(i int) bool {
				q := &list[i]
				for _, role := range held[userKey{q.tenant, q.user}] {
					if has(q, role) {
						return true
					}
				}
				return false
			}
		},
		link: func(user, role string) { held[userKey{"", user}] = append(held[userKey{"", user}], role) },
		unlink: func(user, role string) {
			list := held[userKey{"", user}]
			held[userKey{"", user}] = list[:len(list)-1]
		},
	}
}

// loadClosure has every answer in one map, for orientation: nothing that can
// be changed.
func loadClosure(s *shape) asker {
	type answer struct{ tenant, user, action, resource string }
	up := map[string]string{}
	for _, x := range s.inherits {
		up[x[0]] = x[1]
	}
	inside := map[string][]string{}
	for _, x := range s.places {
		inside[x.in] = append(inside[x.in], x.resource)
	}
	byRole := map[[2]string][]roleGrant{}
	for _, x := range s.grants {
		byRole[[2]string{x.tenant, x.role}] = append(byRole[[2]string{x.tenant, x.role}], x)
	}
	yes := map[answer]bool{}
	for _, x := range s.links {
		for role := x.role; role != ""; role = up[role] {
			for _, g := range byRole[[2]string{x.tenant, role}] {
				for todo := []string{g.resource}; len(todo) > 0; todo = todo[1:] {
					yes[answer{x.tenant, x.user, g.action, todo[0]}] = true
					todo = append(todo, inside[todo[0]]...)
				}
			}
		}
	}
	return asker{prepare: func(list []question) func(int) bool {
		return func(i int) bool {
			q := &list[i]
			return yes[answer{q.tenant, q.user, q.action, q.resource}]
		}
	}}
}
