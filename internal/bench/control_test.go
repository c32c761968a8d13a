package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/roma/list"
	"github.com/gatehouse-go/gatehouse/roma/rest"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

// gateway is a ROMA Connect instance with APIs in groups of ten, all online in
// two environments.
type gateway struct {
	apic.Control
	ctx    context.Context
	url    string // of its surface
	dev    string // an environment besides RELEASE
	groups []string
	apis   []apic.API
	pubs   []string // of each API that in RELEASE, then that in dev
	// Policies of each kind: a throttle and a key is bound to every
	// publication, an access control policy to those in RELEASE.
	throttles, signs, acls []string
	count                  int
}

const controlBase = "/v2/p/apic/instances/i"

func made[T any](v T, err error) func(testing.TB) T {
	return func(b testing.TB) T {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
		return v
	}
}

// newGateway makes an instance with n APIs.
func newGateway(b testing.TB, n int) *gateway {
	b.Helper()
	g := &gateway{ctx: context.Background()}
	root := iam.Principal{UserID: "root", Access: iam.Full}
	users := iam.NewStatic()
	users.AddToken("token", root)
	none := apic.Limits{apic.APILimit: -1, apic.GroupLimit: -1, apic.ThrottleLimit: -1, apic.SignLimit: -1, apic.ACLLimit: -1}
	store := memory.New(memory.Config{})
	sys := made(roma.New(store, roma.Config{Authenticator: users, APIC: apic.Config{Limits: none}}))(b)
	if err := sys.AddInstance(g.ctx, "p", "i"); err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(made(rest.New(sys, rest.Options{}))(b))
	b.Cleanup(func() { server.Close(); sys.Close(); store.Close() })
	g.url, g.Control = server.URL, made(sys.Instance(root, "p", "i"))(b).APIC()
	g.dev = made(g.CreateEnvironment(g.ctx, apic.EnvironmentSpec{Name: "DEV"}))(b).ID
	for i := range n {
		if i%10 == 0 {
			g.groups = append(g.groups, made(g.CreateGroup(g.ctx, apic.GroupSpec{Name: fmt.Sprintf("group-%05d", i/10)}))(b).ID)
		}
		g.apis = append(g.apis, made(g.CreateAPI(g.ctx, g.api(g.groups[i/10], fmt.Sprintf("api-%06d", i))))(b))
	}
	return g
}

// api is the definition of an API with a parameter and an HTTP backend.
func (g *gateway) api(group, name string) apic.APISpec {
	return apic.APISpec{
		Name: name, GroupID: group, Type: 1, Protocol: "HTTPS", Method: "GET", URI: "/v1/" + name + "/{id}", AuthType: "APP",
		RequestParams: []apic.RequestParam{{Name: "id", Type: "STRING", Location: "PATH"}},
		BackendParams: []apic.BackendParam{{Name: "id", Location: "PATH", Origin: "REQUEST", Value: "id"}},
		BackendType:   "HTTP", HTTP: &apic.HTTPBackend{Target: apic.Target{Domain: "10.0.0.1:8080", Protocol: "HTTP", Method: "GET", URI: "/b/{id}", Timeout: 5000}},
		Tags: []string{"bench"},
	}
}

// online publishes all in both environments.
func (g *gateway) online(b testing.TB) {
	b.Helper()
	for _, env := range []string{apic.ReleaseID, g.dev} {
		for i := range g.apis {
			g.pubs = append(g.pubs, made(g.Publish(g.ctx, apic.Publish{Action: apic.Online, APIID: g.apis[i].ID, EnvID: env}))(b).PublishID)
		}
	}
}

// govern makes n policies of the three kinds, and binds them.
func (g *gateway) govern(b testing.TB, n int) {
	b.Helper()
	for i := range n {
		switch name := fmt.Sprintf("policy_%04d", i); i % 3 {
		case 0:
			g.throttles = append(g.throttles, made(g.CreateThrottle(g.ctx, g.throttle(name)))(b).ID)
		case 1:
			g.signs = append(g.signs, made(g.CreateSign(g.ctx, apic.SignSpec{Name: name}))(b).ID)
		case 2:
			g.acls = append(g.acls, made(g.CreateACL(g.ctx, apic.ACLSpec{Name: name, Type: "DENY", Entity: "IP", Value: "10.0.0.1"}))(b).ID)
		}
	}
	share := func(all []string, parts, i int) []string { return all[len(all)*i/parts : len(all)*(i+1)/parts] }
	for i, id := range g.throttles {
		made(g.BindThrottle(g.ctx, apic.BindThrottle{ThrottleID: id, PublishIDs: share(g.pubs, len(g.throttles), i)}))(b)
	}
	for i, id := range g.signs {
		made(g.BindSign(g.ctx, apic.BindSign{SignID: id, PublishIDs: share(g.pubs, len(g.signs), i)}))(b)
	}
	for i, id := range g.acls {
		made(g.BindACL(g.ctx, apic.BindACL{ACLID: id, PublishIDs: share(g.pubs[:len(g.apis)], len(g.acls), i)}))(b)
	}
}

func (g *gateway) throttle(name string) apic.ThrottleSpec {
	return apic.ThrottleSpec{Name: name, APICalls: new(800), Interval: new(1), Unit: "SECOND"}
}

// next is another number each time, and every index of n of them in turn.
func (g *gateway) next(n int) int { g.count++; return g.count * 7919 % n }

func (g *gateway) name(prefix string) string { g.count++; return fmt.Sprintf("%s_%d", prefix, g.count) }

// call sends a request over HTTP and reads the answer.
func (g *gateway) call(method, path string, body any, want int) error {
	content := io.Reader(http.NoBody)
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequest(method, g.url+controlBase+path, content)
	if err != nil {
		return err
	}
	r.Header.Set("X-Auth-Token", "token")
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != want {
		err = fmt.Errorf("%s %s: %d %s", method, path, answer.StatusCode, text)
	}
	return err
}

func only[T any](_ T, err error) error { return err }

// BenchmarkControl is the control plane of ROMA's gateway in memory with 10,000
// APIs in 1,000 groups, each online in two environments, 1,000 policies and
// 50,000 bindings: through Go calls, and over HTTP on the loopback.
func BenchmarkControl(b *testing.B) {
	apis := 10_000
	if testing.Short() {
		apis = 1000
	}
	g := newGateway(b, apis)
	g.online(b)
	g.govern(b, 1000)
	page := list.Show(40, 20)
	for _, c := range []struct {
		name string
		do   func() error
	}{
		{"get-api", func() error { return only(g.API(g.ctx, g.apis[g.next(len(g.apis))].ID)) }},
		{"get-group", func() error { return only(g.Group(g.ctx, g.groups[g.next(len(g.groups))])) }},
		{"get-throttle", func() error { return only(g.Throttle(g.ctx, g.throttles[g.next(len(g.throttles))])) }},
		{"create-group", func() error { return only(g.CreateGroup(g.ctx, apic.GroupSpec{Name: g.name("group")})) }},
		{"create-api", func() error { return only(g.CreateAPI(g.ctx, g.api(g.groups[g.next(len(g.groups))], g.name("api")))) }},
		{"create-throttle", func() error { return only(g.CreateThrottle(g.ctx, g.throttle(g.name("throttle")))) }},
		{"create-sign", func() error { return only(g.CreateSign(g.ctx, apic.SignSpec{Name: g.name("sign")})) }},
		{"update-api", func() error {
			a := &g.apis[g.next(len(g.apis))]
			return only(g.UpdateAPI(g.ctx, a.ID, a.APISpec))
		}},
		{"bind", func() error {
			return only(g.BindThrottle(g.ctx, apic.BindThrottle{
				ThrottleID: g.throttles[g.next(len(g.throttles))], PublishIDs: []string{g.pubs[g.next(len(g.pubs))]},
			}))
		}},
		{"publish", func() error {
			return only(g.Publish(g.ctx, apic.Publish{Action: apic.Online, APIID: g.apis[g.next(len(g.apis))].ID, EnvID: apic.ReleaseID}))
		}},
		{"page-of-apis", func() error { return only(g.APIs(g.ctx, apic.APIQuery{Paging: page})) }},
		{"page-far", func() error { return only(g.APIs(g.ctx, apic.APIQuery{Paging: list.Show(9000, 20)})) }},
		{"page-by-id", func() error { return only(g.APIs(g.ctx, apic.APIQuery{ID: g.apis[g.next(len(g.apis))].ID})) }},
		{"page-by-name", func() error { return only(g.APIs(g.ctx, apic.APIQuery{Paging: page, Name: "-007"})) }},
		{"page-by-path", func() error { return only(g.APIs(g.ctx, apic.APIQuery{Paging: page, URI: "-007", Method: "GET"})) }},
		{"page-by-group", func() error { return only(g.APIs(g.ctx, apic.APIQuery{GroupID: g.groups[g.next(len(g.groups))]})) }},
		{"page-by-environment", func() error { return only(g.APIs(g.ctx, apic.APIQuery{Paging: page, EnvID: g.dev})) }},
		{"page-of-groups-by-name", func() error { return only(g.Groups(g.ctx, apic.GroupQuery{Paging: page, Name: "-000"})) }},
		{"page-of-throttles-by-name", func() error { return only(g.Throttles(g.ctx, apic.ThrottleQuery{Name: "_00"})) }},
		{"page-of-history", func() error { return only(g.History(g.ctx, apic.HistoryQuery{APIID: g.apis[g.next(len(g.apis))].ID})) }},
		{"bound-apis", func() error {
			return only(g.ThrottledAPIs(g.ctx, apic.ThrottledQuery{ThrottleID: g.throttles[g.next(len(g.throttles))]}))
		}},
		{"bound-apis-by-name", func() error {
			return only(g.SignedAPIs(g.ctx, apic.SignedQuery{SignID: g.signs[g.next(len(g.signs))], APIFilter: apic.APIFilter{APIName: "7"}}))
		}},
		{"unbound-apis", func() error {
			return only(g.UnguardedAPIs(g.ctx, apic.GuardedQuery{ACLID: g.acls[g.next(len(g.acls))], Paging: page}))
		}},
		{"unbound-apis-by-name", func() error {
			return only(g.UnthrottledAPIs(g.ctx, apic.ThrottledQuery{ThrottleID: g.throttles[0], Paging: page, APIFilter: apic.APIFilter{APIName: "-007"}}))
		}},
		{"http-get-api", func() error { return g.call("GET", "/apis/"+g.apis[g.next(len(g.apis))].ID, nil, 200) }},
		{"http-page-of-apis", func() error { return g.call("GET", "/apis?limit=20&offset=40", nil, 200) }},
		{"http-page-by-name", func() error { return g.call("GET", "/apis?limit=20&offset=40&name=-007", nil, 200) }},
		{"http-create-api", func() error {
			return g.call("POST", "/apis", g.api(g.groups[g.next(len(g.groups))], g.name("api")), 201)
		}},
		{"http-publish", func() error {
			return g.call("POST", "/apis/action", apic.Publish{Action: apic.Online, APIID: g.apis[g.next(len(g.apis))].ID, EnvID: apic.ReleaseID}, 201)
		}},
	} {
		b.Run("gatehouse/"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := c.do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkControlList is lists beside 1,000 to 100,000 APIs: what a page costs
// must not grow with the table.
func BenchmarkControlList(b *testing.B) {
	sizes := []int{1000, 10_000, 100_000}
	if testing.Short() {
		sizes = sizes[:1]
	}
	for _, n := range sizes {
		g := newGateway(b, n)
		for _, c := range []struct {
			name string
			q    func() apic.APIQuery
		}{
			{"first-page", func() apic.APIQuery { return apic.APIQuery{} }},
			{"last-page", func() apic.APIQuery { return apic.APIQuery{Paging: list.Show(n-20, 20)} }},
			{"by-id", func() apic.APIQuery { return apic.APIQuery{ID: g.apis[g.next(n)].ID} }},
			{"by-group", func() apic.APIQuery { return apic.APIQuery{GroupID: g.groups[g.next(len(g.groups))]} }},
			{"by-exact-name", func() apic.APIQuery {
				return apic.APIQuery{Name: g.apis[g.next(n)].Name, Precise: "name"}
			}},
			{"by-part-of-name", func() apic.APIQuery { return apic.APIQuery{Name: "-0007"} }},
		} {
			b.Run(fmt.Sprintf("gatehouse/%s/%d", c.name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := g.APIs(g.ctx, c.q()); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
