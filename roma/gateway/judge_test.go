package gateway

import (
	"cmp"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/iam"
)

// noon is when tests of judging begin.
var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// as is the instance as a user sees it, who may do everything.
func (s *stand) as(user string) roma.Instance {
	s.Helper()
	in, err := s.sys.Instance(iam.Principal{UserID: user, UserName: user, Access: iam.Full}, standProject, standInstance)
	s.ok(err)
	return in
}

// mock publishes an API that answers with its path.
func (s *stand) mock(path string, change ...func(*apic.APISpec)) apic.Publication {
	s.Helper()
	s.named++
	spec := apic.APISpec{
		Name: fmt.Sprintf("api_%d", s.named), GroupID: s.group.ID, Type: 1, Protocol: "BOTH", Method: "GET", URI: path,
		AuthType: "NONE", BackendType: "MOCK", Mock: &apic.MockBackend{Result: path},
	}
	for part := range strings.SplitSeq(path, "/") {
		if name, found := strings.CutPrefix(part, "{"); found {
			spec.RequestParams = append(spec.RequestParams, apic.RequestParam{Name: strings.TrimSuffix(name, "}"), Type: "STRING", Location: "PATH"})
		}
	}
	for _, fn := range change {
		fn(&spec)
	}
	return s.online(spec)
}

// byApp makes an API one that applications call, with their AppCodes too.
func byApp(in *apic.APISpec) {
	in.AuthType, in.AuthOpt = "APP", &apic.AuthOption{AppCode: "HEADER"}
}

func byIAM(in *apic.APISpec) { in.AuthType = "IAM" }

// testApp is an application that calls.
type testApp struct {
	roma.App
	secret, code string
}

// app makes an application of a user's, with an AppCode, and authorizes it for
// APIs.
func (s *stand) app(owner, name string, pubs ...apic.Publication) testApp {
	s.Helper()
	in := s.as(owner)
	app, err := in.CreateApp(s.ctx, roma.AppSpec{Name: name})
	s.ok(err)
	secret, err := in.AppSecret(s.ctx, app.ID)
	s.ok(err)
	code, err := in.APIC().GenerateAppCode(s.ctx, app.ID)
	s.ok(err)
	for _, p := range pubs {
		_, err = s.ctl.Authorize(s.ctx, apic.Authorize{EnvID: p.EnvID, AppIDs: []string{app.ID}, APIIDs: []string{p.APIID}})
		s.ok(err)
	}
	return testApp{app, secret.Secret, code.Code}
}

// from is a request from an address, with headers as name: value.
func (s *stand) from(address, target string, headers ...string) *http.Request {
	method, path, found := strings.Cut(target, " ")
	if !found {
		method, path = "GET", target
	}
	r := httptest.NewRequest(method, path, nil)
	r.Host, r.RemoteAddr = s.group.Subdomain, address+":4711"
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// judged is what becomes of a request at a time after noon, in a word: ok, or
// the status and the code.
func (s *stand) judged(after time.Duration, r *http.Request) string {
	d := s.gw.Judge(r, noon.Add(after))
	if d.Allowed {
		return "ok"
	}
	return fmt.Sprintf("%d %s", d.Status, d.Code)
}

func (s *stand) throttle(spec apic.ThrottleSpec, pubs ...apic.Publication) apic.Throttle {
	s.Helper()
	s.named++
	spec.Name = cmp.Or(spec.Name, fmt.Sprintf("throttle_%d", s.named))
	th, err := s.ctl.CreateThrottle(s.ctx, spec)
	s.ok(err)
	_, err = s.ctl.BindThrottle(s.ctx, apic.BindThrottle{ThrottleID: th.ID, PublishIDs: publishIDs(pubs)})
	s.ok(err)
	return th
}

func (s *stand) acl(kind, entity, value string, pubs ...apic.Publication) apic.ACL {
	s.Helper()
	s.named++
	list, err := s.ctl.CreateACL(s.ctx, apic.ACLSpec{Name: fmt.Sprintf("acl_%d", s.named), Type: kind, Entity: entity, Value: value})
	s.ok(err)
	_, err = s.ctl.BindACL(s.ctx, apic.BindACL{ACLID: list.ID, PublishIDs: publishIDs(pubs)})
	s.ok(err)
	return list
}

func publishIDs(pubs []apic.Publication) (ids []string) {
	for _, p := range pubs {
		ids = append(ids, p.PublishID)
	}
	return ids
}

func (s *stand) feature(name apic.FeatureName, config string) {
	s.Helper()
	_, err := s.ctl.SetFeature(s.ctx, apic.FeatureSpec{Name: name, Enable: new(true), Config: config})
	s.ok(err)
}

// The API of the target of judging: path parameters, AppCode, an access
// control list, a throttling policy with all scopes, a quota.
func (s *stand) target(change ...func(*apic.APISpec)) (*http.Request, apic.Publication) {
	s.Helper()
	pub := s.mock("/orders/{id}/lines/{line}", append(change, byApp)...)
	app := s.app("u-root", "target", pub)
	s.acl("PERMIT", apic.ACLAddress, "192.0.2.0/24", pub)
	s.throttle(apic.ThrottleSpec{APICalls: new(1 << 30), UserCalls: 1 << 30, AppCalls: 1 << 30, IPCalls: 1 << 30, Interval: new(1), Unit: "DAY"}, pub)
	q, err := s.ctl.CreateQuota(s.ctx, apic.QuotaSpec{Name: "plenty", Limit: new(int64(1 << 30)), Unit: "DAY", Interval: new(int64(1))})
	s.ok(err)
	_, err = s.ctl.BindQuota(s.ctx, q.ID, apic.QuotaClients{AppIDs: []string{app.ID}})
	s.ok(err)
	return s.from("192.0.2.7", "/orders/4711/lines/2", "X-Apig-AppCode: "+app.code), pub
}

func TestJudgingAllocatesNothing(t *testing.T) {
	s := newStand(t, Config{})
	r, pub := s.target()
	now := noon
	if d := s.gw.Judge(r, now); !d.Allowed || d.PublishID != pub.PublishID || d.How != ByAppCode || d.Limit.Outcome.String() != "within" {
		t.Fatalf("%+v", d)
	}
	// The least of several runs: with the race detector a pool forgets some of
	// what it is given.
	least := 1000.0
	for range 50 {
		least = min(least, testing.AllocsPerRun(1, func() { s.gw.Judge(r, now) }))
	}
	if least > 0 {
		t.Errorf("%v allocations", least)
	}
}

// BenchmarkJudge judges a call of one API among many: 500 in each group.
func BenchmarkJudge(b *testing.B) {
	for _, apis := range []int{10, 10000} {
		b.Run(fmt.Sprint(apis), func(b *testing.B) {
			s := newStand(b, Config{})
			r, _ := s.target()
			for i := range apis - 1 {
				if i > 0 && i%500 == 0 {
					var err error
					s.group, err = s.ctl.CreateGroup(s.ctx, apic.GroupSpec{Name: fmt.Sprintf("more_%d", i)})
					s.ok(err)
				}
				s.mock(fmt.Sprintf("/orders/{id}/more-%d/{line}", i))
			}
			s.gw.Judge(r, noon)
			b.ReportAllocs()
			for b.Loop() {
				if d := s.gw.Judge(r, noon); !d.Allowed {
					b.Fatal(d)
				}
			}
		})
	}
}

// BenchmarkPublish is a publication until the next call is judged by it, among
// many APIs; control is what the control plane takes of it.
func BenchmarkPublish(b *testing.B) {
	for _, apis := range []int{10, 2000} {
		b.Run(fmt.Sprint(apis), func(b *testing.B) {
			s := newStand(b, Config{})
			r, pub := s.target()
			for i := range apis - 1 {
				if i > 0 && i%500 == 0 {
					var err error
					s.group, err = s.ctl.CreateGroup(s.ctx, apic.GroupSpec{Name: fmt.Sprintf("more_%d", i)})
					s.ok(err)
				}
				s.mock(fmt.Sprintf("/orders/{id}/more-%d/{line}", i))
			}
			s.gw.Judge(r, noon)
			var renewing time.Duration
			for b.Loop() {
				_, err := s.ctl.Publish(s.ctx, apic.Publish{Action: apic.Online, APIID: pub.APIID, EnvID: pub.EnvID})
				s.ok(err)
				began := time.Now()
				s.gw.current()
				renewing += time.Since(began)
			}
			b.ReportMetric(float64(renewing.Nanoseconds())/float64(b.N), "ns/renewal")
		})
	}
}
