package emulator

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/gateway"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	romarest "github.com/gatehouse-go/gatehouse/roma/rest"
)

// Who calls ROMA's API here, with the token or the access key of the config, and
// somebody else with whom applications can be shared.
var (
	romaCaller = iam.Principal{UserID: "demo", UserName: "demo", DomainID: "demo", DomainName: "demo", Access: iam.Full}
	romaOther  = iam.User{ID: "developer", Name: "developer"}
)

// romaDetail is what clients that look at the instance first may want to find
// there (4.1.1).
var romaDetail = apic.InstanceDetail{
	Name: "gatehouse", Spec: "ROMA_BASIC", Version: "1.0", MaintainBegin: "22:00:00", MaintainEnd: "02:00:00", IngressIP: "127.0.0.1",
}

// openROMA opens the system with its one instance, in which the environment
// RELEASE is all there is.
func (e *Emulator) openROMA(ctx context.Context, s *systems) (http.Handler, error) {
	c := e.config.ROMA
	users := iam.NewStatic()
	users.AddToken(c.Token, romaCaller)
	users.AddKey(c.AccessKey, c.SecretKey, romaCaller)
	users.AddUser(romaOther)
	var err error
	s.roma, err = roma.New(e.store, roma.Config{
		Clock: e.clock.now, Authenticator: users, Directory: users, Logger: e.config.Logger,
		APIC: apic.Config{Resolvers: apic.Resolvers{Function: isFunction}},
	})
	if err != nil {
		return nil, err
	}
	if err := s.roma.AddInstance(ctx, c.Project, c.Instance); err != nil {
		return nil, err
	}
	if err := s.roma.DescribeInstance(ctx, c.Project, c.Instance, romaDetail); err != nil {
		return nil, err
	}
	s.gateway, err = gateway.New(s.roma, gateway.Config{
		Project: c.Project, Instance: c.Instance, Counters: c.Counters,
		Clock:        e.clock.now,
		PlainAppCode: true, // the gateway's address here is plain HTTP
		Logger:       e.config.Logger,
	})
	if err != nil {
		return nil, err
	}
	return romarest.New(s.roma, romarest.Options{Logger: e.config.Logger})
}

// isFunction reports whether there is a function with a URN. The emulator has no
// functions to call; it takes every URN of the document's form for one, so that
// APIs with a FUNCTION backend can be made, and knows no other:
// urn:fss:<region>:<project>:function:<package>:<name>[:<version>].
func isFunction(_ context.Context, urn string) (bool, error) {
	parts := strings.Split(urn, ":")
	ok := (len(parts) == 7 || len(parts) == 8) && parts[0] == "urn" && parts[1] == "fss" && parts[4] == "function"
	return ok && !slices.Contains(parts, ""), nil
}

// romaOr gives a surface the paths of ROMA's API and another one the rest.
// Besides what is below /v2 those are the calls that tell the versions of the
// API (3.4), and no more of the root than these.
func romaOr(connect, others http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		version := path == "/" || path == "/v1" || path == "/v2"
		if strings.HasPrefix(path, "/v2/") || version && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			connect.ServeHTTP(w, r)
			return
		}
		others.ServeHTTP(w, r)
	})
}
