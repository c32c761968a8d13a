package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"
	sdk "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/roma/v2"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/gateway"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/roma/rest"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

const (
	romaProject  = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
	romaInstance = "11111111-2222-4333-8444-555555555555"
)

// args are the parameters of a call by the document's names, its body under
// body; or what an answer holds.
type args map[string]any

// romaMethod makes a call with the vendor's library. It returns the status and
// the fields of the answer that the library's types know.
type romaMethod func(c *sdk.RomaClient, instance string, in args) (int, args, error)

func method[Req, Resp any](call func(*sdk.RomaClient, *Req) (*Resp, error)) romaMethod {
	return func(c *sdk.RomaClient, instance string, in args) (int, args, error) {
		in = maps.Clone(in)
		if in == nil {
			in = args{}
		}
		in["instance_id"] = instance
		text, err := json.Marshal(in)
		if err != nil {
			return 0, nil, err
		}
		request := new(Req)
		if err := json.Unmarshal(text, request); err != nil {
			return 0, nil, err
		}
		fill(reflect.ValueOf(request).Elem())
		answer, err := call(c, request)
		if err != nil {
			return 0, nil, err
		}
		out := args{}
		if text, err = json.Marshal(answer); err == nil {
			err = json.Unmarshal(text, &out)
		}
		return int(reflect.ValueOf(answer).Elem().FieldByName("HttpStatusCode").Int()), out, err
	}
}

// fill gives ids that the test did not, so that no segment of a path is empty.
func fill(request reflect.Value) {
	for _, f := range request.Fields() {
		if f.Kind() == reflect.String && f.String() == "" {
			f.SetString("nope")
		}
	}
}

// romaFixture is ROMA's surface on a listener, and the vendor's library as its
// client, which signs with an access key.
type romaFixture struct {
	*testing.T
	url     string
	client  *sdk.RomaClient
	gateway *gateway.Gateway
	called  map[string]bool // by section
	wants   map[string]romaOperation
}

type romaOperation struct {
	Section string `json:"section"`
	Status  int    `json:"status"`
}

// faulty fails over one access key, as an identity service that is down.
type faulty struct{ *iam.Static }

const brokenKey = "broken-ak"

func (a faulty) Key(ctx context.Context, key string) (iam.Principal, string, error) {
	if key == brokenKey {
		return iam.Principal{}, "", errors.New("the identity service is down")
	}
	return a.Static.Key(ctx, key)
}

func startROMA(t *testing.T) *romaFixture {
	t.Helper()
	users := iam.NewStatic()
	users.AddKey("demo-ak", "demo-sk", iam.Principal{UserID: "u1", UserName: "demo", DomainID: "d1", DomainName: "acme", Access: iam.Full})
	users.AddKey("nobody-ak", "nobody-sk", iam.Principal{UserID: "u2", UserName: "nobody"})
	users.AddUser(iam.User{ID: "u3", Name: "friend"})
	store := memory.New(memory.Config{})
	function := func(_ context.Context, urn string) (bool, error) { return urn != "urn:nope", nil }
	sys, err := roma.New(store, roma.Config{
		Authenticator: faulty{users}, Directory: users, APIC: apic.Config{Resolvers: apic.Resolvers{Function: function}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := sys.AddInstance(t.Context(), romaProject, romaInstance); err != nil {
		t.Fatal(err)
	}
	gate, err := gateway.New(sys, gateway.Config{Project: romaProject, Instance: romaInstance})
	if err != nil {
		t.Fatal(err)
	}
	h, err := rest.New(sys, rest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		server.Close()
		if err := errors.Join(gate.Close(), sys.Check(context.Background()), sys.Close(), store.Close()); err != nil {
			t.Error(err)
		}
	})
	f := &romaFixture{T: t, url: server.URL, gateway: gate, called: map[string]bool{}, wants: map[string]romaOperation{}}
	f.client = f.as("demo-ak", "demo-sk")
	text, err := os.ReadFile("../../roma/rest/testdata/operations.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []romaOperation
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for _, op := range all {
		f.wants[op.Section] = op
	}
	return f
}

// as is a client with another key.
func (f *romaFixture) as(ak, sk string) *sdk.RomaClient {
	f.Helper()
	credentials, err := basic.NewCredentialsBuilder().WithAk(ak).WithSk(sk).WithProjectId(romaProject).SafeBuild()
	if err != nil {
		f.Fatal(err)
	}
	http, err := core.NewHcHttpClientBuilder().WithEndpoints([]string{f.url}).WithCredential(credentials).SafeBuild()
	if err != nil {
		f.Fatal(err)
	}
	return sdk.NewRomaClient(http)
}

// call makes a call that must be answered with the documented status.
func (f *romaFixture) call(section string, in args) args {
	f.Helper()
	status, out, err := romaMethods[section](f.client, romaInstance, in)
	if err != nil {
		f.Fatalf("%s %v: %v", section, in, err)
	}
	if want := f.wants[section].Status; status != want {
		f.Errorf("%s: %d, want %d", section, status, want)
	}
	f.called[section] = true
	return out
}

// id makes a call that makes something and returns its id.
func (f *romaFixture) id(section string, in args) string {
	f.Helper()
	return f.call(section, in).text("id")
}

// total checks how long a list is.
func (f *romaFixture) total(want int, section string, in args) args {
	f.Helper()
	out := f.call(section, in)
	if out["total"] != float64(want) {
		f.Errorf("%s %v: total %v, want %d: %v", section, in, out["total"], want, out)
	}
	return out
}

// refused makes a call that must be refused.
func (f *romaFixture) refused(section string, in args, status int, code string) {
	f.Helper()
	f.refusedAs(f.client, romaInstance, section, in, status, code)
}

func (f *romaFixture) refusedAs(c *sdk.RomaClient, instance, section string, in args, status int, code string) {
	f.Helper()
	_, out, err := romaMethods[section](c, instance, in)
	e, refused := errors.AsType[*sdkerr.ServiceResponseError](err)
	if !refused || e.StatusCode != status || e.ErrorCode != code || e.ErrorMessage == "" {
		f.Errorf("%s %v: %v, %v; want %d %s", section, in, out, err, status, code)
	}
}

func (a args) text(name string) string {
	s, _ := a[name].(string)
	return s
}

// at is an object in a list.
func (a args) at(name string, i int) args {
	rows, _ := a[name].([]any)
	if i >= len(rows) {
		return args{}
	}
	row, _ := rows[i].(map[string]any)
	return row
}

// What every operation answers whoever asks wrongly: the library shows the
// documented status and code.
func TestROMARefusesWrongCallersOfEveryOperation(t *testing.T) {
	f := startROMA(t)
	forged, nobody := f.as("demo-ak", "another-sk"), f.as("nobody-ak", "nobody-sk")
	for _, section := range slices.Sorted(maps.Keys(romaMethods)) {
		badKey, denied, noInstance := 401, 403, 404
		codes := []string{"APIG.1002", "APIG.1005", "APIG.3030"}
		switch {
		case strings.HasPrefix(section, "4.1."):
			codes = []string{"APIC.7102", "APIC.7106", "APIC.7302"}
		case strings.HasPrefix(section, "3."):
			codes = []string{"ROMA.00001002", "ROMA.00001006", "ROMA.00014002"}
			badKey, denied, noInstance = 400, 400, 0 // by section: what it declares
		}
		f.refusedAs(forged, romaInstance, section, nil, badKey, codes[0])
		f.refusedAs(nobody, romaInstance, section, nil, denied, codes[1])
		if noInstance != 0 {
			f.refusedAs(f.client, "nope", section, nil, noInstance, codes[2])
			continue
		}
		_, _, err := romaMethods[section](f.client, "nope", nil)
		if e, ok := errors.AsType[*sdkerr.ServiceResponseError](err); !ok || e.ErrorCode != codes[2] || e.StatusCode != 400 && e.StatusCode != 404 {
			t.Errorf("%s of an unknown instance: %v", section, err)
		}
	}
}

// The versions of the API need no signature, and the library has no call for
// them (3.4).
func TestROMAVersions(t *testing.T) {
	f := startROMA(t)
	for path, want := range map[string]int{"/": 200, "/v2": 200, "/v1": 200, "/v9": 404} {
		answer, err := http.Get(f.url + path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != want || want == 200 != strings.Contains(string(text), `"version`) {
			t.Errorf("GET %s: %d %s, %v", path, answer.StatusCode, text, err)
		}
	}
}
