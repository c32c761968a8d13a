package surface_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/surface"
)

// try serves one operation with input In under cfg and returns what was bound,
// as %+v prints it, or the error.
func try[In any](t *testing.T, cfg surface.Config, query, body string) string {
	t.Helper()
	cfg.Envelope = vendor{}
	var got string
	s, err := surface.New(cfg, surface.Op("POST /", func(_ context.Context, in In) (surface.None, error) {
		got = fmt.Sprintf("%+v", in)
		return surface.None{}, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/?"+query, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != 200 {
		var a answer
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		return a.Message
	}
	return got
}

func TestLeniency(t *testing.T) {
	type in struct {
		I int     `json:"i" query:"i"`
		U uint8   `json:"u"`
		F float64 `json:"f"`
		S string  `json:"s"`
		B bool    `json:"b" query:"b"`
	}
	for _, tt := range []struct {
		rule, query, body string
		lenient           surface.Lenient
		want              string
	}{
		{"text for an integer", "", `{"i":"-12"}`, surface.TextForNumber, "{I:-12 U:0 F:0 S: B:false}"},
		{"text for a fraction", "", `{"f":"1.5"}`, surface.TextForNumber, "{I:0 U:0 F:1.5 S: B:false}"},
		{"empty text is no number", "", `{"i":""}`, surface.LenientAll, "body i: wrong type: want an integer"},
		{"text that is no number", "", `{"f":"NaN"}`, surface.LenientAll, `body f: "NaN" is not a number`},
		{"infinity", "", `{"f":"Inf"}`, surface.LenientAll, `body f: "Inf" is not a number`},
		{"hexadecimal", "", `{"f":"0x1p4"}`, surface.LenientAll, `body f: "0x1p4" is not a number`},
		{"spaces", "", `{"i":" 1"}`, surface.LenientAll, `body i: " 1" is not an integer`},
		{"text beyond the type", "", `{"u":"256"}`, surface.LenientAll, `body u: "256" is not a whole number of 8 bits`},
		{"text beyond 64 bits", "", `{"u":"99999999999999999999"}`, surface.LenientAll, `body u: "99999999999999999999" is not a whole number of 8 bits`},
		{"a negative whole number", "", `{"u":-1}`, surface.LenientAll, `body u: "-1" is not a whole number`},
		{"a number for text", "", `{"s":1.50}`, surface.NumberForText, "{I:0 U:0 F:0 S:1.50 B:false}"},
		{"a boolean is no text", "", `{"s":true}`, surface.LenientAll, `body s: "true" is not a string or a number`},
		{"text for a boolean", "", `{"b":"true"}`, surface.TextForBool, "{I:0 U:0 F:0 S: B:true}"},
		{"a number for a boolean", "", `{"b":1}`, surface.NumberForBool, "{I:0 U:0 F:0 S: B:true}"},
		{"another number for a boolean", "", `{"b":2}`, surface.LenientAll, `body b: "2" is not true or false`},
		{"1 for true in the query", "b=1", ``, surface.NumberForBool, "{I:0 U:0 F:0 S: B:true}"},
		{"1 for true in the query, strict", "b=1", ``, 0, `query b: "1" is not true or false`},
		{"1.0 for an integer", "", `{"i":1.0,"u":2e1}`, surface.WholeFraction, "{I:1 U:20 F:0 S: B:false}"},
		{"1.0 in the query", "i=3.0", ``, surface.WholeFraction, "{I:3 U:0 F:0 S: B:false}"},
		{"\"1.0\" with both", "", `{"i":"1.0"}`, surface.WholeFraction | surface.TextForNumber, "{I:1 U:0 F:0 S: B:false}"},
		{"1.5 is no integer", "", `{"i":1.5}`, surface.LenientAll, `body i: "1.5" is not an integer`},
		{"a huge exponent", "", `{"i":1e999999999}`, surface.LenientAll, `body i: "1e999999999" is not an integer`},
		{"a large exponent", "", `{"i":1e18}`, surface.LenientAll, `body i: "1e18" is not an integer`},
		{"-1.0 is no whole number", "", `{"u":-1.0}`, surface.LenientAll, `body u: "-1.0" is not a whole number`},
		{"the query goes before the body", "i=1", `{"i":2}`, 0, "{I:1 U:0 F:0 S: B:false}"},
		{"the body when the query has none", "", `{"i":2}`, 0, "{I:2 U:0 F:0 S: B:false}"},
	} {
		if got := try[in](t, surface.Config{Lenient: tt.lenient}, tt.query, tt.body); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.rule, got, tt.want)
		}
	}
	type one struct {
		I int `json:"i" bind:"lenient"`
		J int `json:"j"`
	}
	if got := try[one](t, surface.Config{}, "", `{"i":"1.0","j":"1"}`); got != `body j: "1" is not an integer` {
		t.Errorf("one lenient field: got %s", got)
	}
}

// A 0 that is given is told from none where the rules know 0 as none.
func TestZeroIsNotAbsence(t *testing.T) {
	type in struct {
		I int `json:"i" bind:"nozero"`
		P []struct {
			J int64 `json:"j" bind:"nozero"`
		} `json:"p"`
	}
	for body, want := range map[string]string{
		`{}`:                        "{I:0 P:[]}",
		`{"i":null}`:                "{I:0 P:[]}",
		`{"i":0,"p":[{"j":0}]}`:     "{I:-1 P:[{J:-1}]}",
		`{"i":-0,"p":[{},{"j":2}]}`: "{I:-1 P:[{J:0} {J:2}]}",
	} {
		if got := try[in](t, surface.Config{}, "", body); got != want {
			t.Errorf("%s: got %s, want %s", body, got, want)
		}
	}
}

func TestAbsence(t *testing.T) {
	type nested struct {
		A int `json:"a" default:"3"`
		B int `json:"b" bind:"required"`
	}
	type in struct {
		Q string              `query:"q" default:"dq"`
		N int                 `json:"n" default:"7"`
		P *int                `json:"p"`
		O surface.Opt[string] `json:"o"`
		L []string            `json:"l"`
		M map[string]int      `json:"m"`
		S *nested             `json:"s"`
		A any                 `json:"a"`
	}
	show := func(n string) string { return strings.ReplaceAll(n, "0x", "p") }
	for _, tt := range []struct {
		rule  string
		cfg   surface.Config
		query string
		body  string
		want  string
	}{
		{"defaults", surface.Config{}, "", ``, "{Q:dq N:7 P:<nil> O:{Value: State:0} L:[] M:map[] S:<nil> A:<nil>}"},
		{"an empty object", surface.Config{}, "", `{}`, "{Q:dq N:7 P:<nil> O:{Value: State:0} L:[] M:map[] S:<nil> A:<nil>}"},
		{"a null body", surface.Config{}, "", ` null `, "{Q:dq N:7 P:<nil> O:{Value: State:0} L:[] M:map[] S:<nil> A:<nil>}"},
		{"a body of spaces", surface.Config{}, "", "\n ", "{Q:dq N:7 P:<nil> O:{Value: State:0} L:[] M:map[] S:<nil> A:<nil>}"},
		{"null is absence, but for an Opt", surface.Config{}, "", `{"n":null,"p":null,"o":null,"l":null,"m":null,"s":null,"a":null}`, "{Q:dq N:7 P:<nil> O:{Value: State:1} L:[] M:map[] S:<nil> A:<nil>}"},
		{"null refused", surface.Config{NullRefused: true}, "", `{"n":null}`, `body n: "null" is not a value`},
		{"null refused for the body", surface.Config{NullRefused: true}, "", `null`, `body: "null" is not an object`},
		{"null refused is still good for pointers and Opts", surface.Config{NullRefused: true}, "", `{"p":null,"o":null,"a":null,"s":null}`, "{Q:dq N:7 P:<nil> O:{Value: State:1} L:[] M:map[] S:<nil> A:<nil>}"},
		{"zero and empty are values", surface.Config{}, "q=", `{"n":0,"o":"","l":[]}`, "{Q: N:0 P:<nil> O:{Value: State:2} L:[] M:map[] S:<nil> A:<nil>}"},
		{"a name without = is empty", surface.Config{}, "q", ``, "{Q: N:7 P:<nil> O:{Value: State:0} L:[] M:map[] S:<nil> A:<nil>}"},
		{"empty is absent", surface.Config{EmptyIsAbsent: true}, "q=", ``, "{Q:dq N:7 P:<nil> O:{Value: State:0} L:[] M:map[] S:<nil> A:<nil>}"},
		{"a nested required member", surface.Config{}, "", `{"s":{}}`, "body s.b: missing"},
		{"an untyped value keeps its digits", surface.Config{}, "", `{"a":{"id":[12345678901234567890,null,true,"\ud83d\ude00\n"]}}`, "{Q:dq N:7 P:<nil> O:{Value: State:0} L:[] M:map[] S:<nil> A:map[id:[12345678901234567890 <nil> true 😀\n]]}"},
	} {
		if got := show(try[in](t, tt.cfg, tt.query, tt.body)); got != tt.want {
			t.Errorf("%s: got %s,\nwant %s", tt.rule, got, tt.want)
		}
	}
}

func TestDuplicates(t *testing.T) {
	type item struct {
		N int `json:"n"`
	}
	type in struct {
		Q int            `query:"q"`
		N int            `json:"n"`
		I item           `json:"i"`
		M map[string]int `json:"m"`
		A any            `json:"a"`
		L []string       `query:"l"`
	}
	const body = `{"n":1,"n":2,"i":{"n":1,"n":2},"m":{"k":1,"k":2},"a":{"k":1,"k":2}}`
	first := surface.Config{Duplicates: surface.FirstWins, RepeatedParams: surface.FirstWins}
	last := surface.Config{Duplicates: surface.LastWins, RepeatedParams: surface.LastWins}
	if got, want := try[in](t, first, "q=1&q=2&l=a&l=b", body), "{Q:1 N:1 I:{N:1} M:map[k:1] A:map[k:1] L:[a b]}"; got != want {
		t.Errorf("first wins: got %s, want %s", got, want)
	}
	if got, want := try[in](t, last, "q=1&q=2&l=a&l=b", body), "{Q:2 N:2 I:{N:2} M:map[k:2] A:map[k:2] L:[a b]}"; got != want {
		t.Errorf("last wins: got %s, want %s", got, want)
	}
	if got, want := try[in](t, last, "", `{"n":1,"n":null}`), "{Q:0 N:0 I:{N:0} M:map[] A:<nil> L:[]}"; got != want {
		t.Errorf("a last null wins: got %s, want %s", got, want)
	}
	if got, want := try[in](t, last, "", `{"i":{"n":1,"n":null}}`), "{Q:0 N:0 I:{N:0} M:map[] A:<nil> L:[]}"; got != want {
		t.Errorf("a last null wins below: got %s, want %s", got, want)
	}
}

func TestContentTypePolicies(t *testing.T) {
	for _, tt := range []struct {
		policy      surface.ContentTypes
		contentType string
		status      int
	}{
		{surface.JSONContentType, "application/json", 200},
		{surface.JSONContentType, "Application/JSON;charset=UTF-8", 200},
		{surface.JSONContentType, "application/problem+json", 200},
		{surface.JSONContentType, "", 415},
		{surface.MissingContentType, "", 200},
		{surface.MissingContentType, "text/plain", 415},
		{surface.AnyContentType, "", 200},
		{surface.AnyContentType, "text/plain", 200},
		{surface.AnyContentType, "//", 200},
	} {
		s := newSurface(t, func(c *surface.Config) { c.ContentType = tt.policy })
		r := httptest.NewRequest("POST", "/things/1", strings.NewReader("{}"))
		if tt.contentType != "" {
			r.Header.Set("Content-Type", tt.contentType)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != tt.status {
			t.Errorf("policy %d, %q: got %d, want %d", tt.policy, tt.contentType, w.Code, tt.status)
		}
	}
}

// level reads itself from text, as systems' own types do.
type level int

func (l *level) UnmarshalText(b []byte) error {
	switch string(b) {
	case "low":
		*l = 1
	case "high":
		*l = 2
	default:
		return fmt.Errorf("level %q", b)
	}
	return nil
}

type paging struct {
	Offset int `query:"offset"`
	Limit  int `query:"limit" default:"20"`
}

type common struct{ paging }

func TestTypes(t *testing.T) {
	type named string
	type in struct {
		common
		Level  level                   `query:"level" json:"level"`
		Levels []level                 `query:"levels" bind:"comma"`
		Addr   surface.Opt[netip.Addr] `query:"addr" json:"addr"`
		Wait   time.Duration           `json:"wait"`
		Bytes  []byte                  `json:"bytes"`
		Name   named                   `json:"name"`
		Number json.Number             `json:"number"`
		Named  map[named][]int         `json:"named"`
		Ptr    *string                 `query:"ptr"`
		Skip   func()                  `json:"-"`
		_      int
	}
	const empty = "{common:{paging:{Offset:0 Limit:20}} Level:0 Levels:[] Addr:{Value:invalid IP State:0} Wait:0s Bytes:[] Name: Number: Named:map[] Ptr:<nil> Skip:<nil> _:0}"
	for _, tt := range []struct{ query, body, old, new string }{
		{"", `{}`, "", ""},
		{"offset=5&limit=1", ``, "Offset:0 Limit:20", "Offset:5 Limit:1"},
		{"level=high", ``, "Level:0", "Level:2"},
		{"", `{"level":"low"}`, "Level:0", "Level:1"},
		{"levels=low,high&levels=low", ``, "Levels:[]", "Levels:[1 2 1]"},
		{"addr=::1", ``, "{Value:invalid IP State:0}", "{Value:::1 State:2}"},
		{"", `{"addr":"10.0.0.1"}`, "{Value:invalid IP State:0}", "{Value:10.0.0.1 State:2}"},
		{"", `{"wait":5}`, "Wait:0s", "Wait:5ns"},
		{"", `{"bytes":"AQI="}`, "Bytes:[]", "Bytes:[1 2]"},
		{"", `{"name":"\u0061\/"}`, "Name: ", "Name:a/ "},
		{"", `{"number":1.50}`, "Number: ", "Number:1.50 "},
		{"", `{"named":{"a":[1,2,3,4,5,6]}}`, "Named:map[]", "Named:map[a:[1 2 3 4 5 6]]"},
	} {
		want := strings.Replace(empty, tt.old, tt.new, 1)
		if got := try[in](t, surface.Config{}, tt.query, tt.body); got != want {
			t.Errorf("?%s %s: got %s,\nwant %s", tt.query, tt.body, got, want)
		}
	}
	for _, tt := range []struct{ query, body, want string }{
		{"level=middle", ``, `query level: "middle" is not a valid level`},
		{"levels=low,middle", ``, `query levels[1]: "middle" is not a valid level`},
		{"", `{"level":5}`, `body level: "5" is not a string`},
		{"", `{"bytes":"?"}`, `body bytes: "?" is not base64 text`},
		{"", `{"number":"1"}`, `body number: "1" is not a number`},
		{"", `{"addr":"x"}`, `body addr: "x" is not a valid addr`},
	} {
		if got := try[in](t, surface.Config{}, tt.query, tt.body); got != tt.want {
			t.Errorf("?%s %s: got %s, want %s", tt.query, tt.body, got, tt.want)
		}
	}
}

func TestOpt(t *testing.T) {
	type row struct {
		A surface.Opt[int] `json:"a,omitzero"`
		B surface.Opt[int] `json:"b,omitzero"`
		C surface.Opt[int] `json:"c,omitzero"`
	}
	b, err := json.Marshal(row{B: surface.Opt[int]{State: surface.Null}, C: surface.Some(0)})
	if err != nil || string(b) != `{"b":null,"c":0}` {
		t.Errorf("got %s, %v", b, err)
	}
	var none surface.Opt[int]
	some := surface.Some(4)
	if v, ok := some.Get(); v != 4 || !ok || some.Or(5) != 4 || *some.Ptr() != 4 {
		t.Errorf("Some(4) is %+v", some)
	}
	if v, ok := none.Get(); v != 0 || ok || none.Or(5) != 5 || none.Ptr() != nil {
		t.Errorf("the zero Opt is %+v", none)
	}
}

func TestMistakesAreReportedByNew(t *testing.T) {
	none := func(context.Context, surface.None) (surface.None, error) { return surface.None{}, nil }
	for _, tt := range []struct {
		op   surface.Operation
		want string
	}{
		{surface.Operation{}, "an operation that Op did not make"},
		{surface.Op("/x", none), `is not of the form METHOD /path`},
		{surface.Op("GET x", none), `"GET x" is not of the form METHOD /path`},
		{surface.Op("GET /{", none), "GET /{: "},
		{surface.Op("GET /taken", none), "GET /taken: "},
		{mistake[int](), "input int is not a struct"},
		{mistake[struct{ A int }](), "A: no tag says where it is read from"},
		{mistake[struct {
			A int `path:"id"`
		}](), "A: the pattern has no wildcard {id}"},
		{mistake[struct {
			A chan int `json:"a"`
		}](), "A: type chan int cannot be read from JSON"},
		{mistake[struct {
			A map[string]int `query:"a"`
		}](), "A: type map[string]int cannot be read from text"},
		{mistake[struct {
			A int `json:"a" bind:"requierd"`
		}](), `A: unknown option "requierd" in the bind tag`},
		{mistake[struct {
			A int `json:"a" bind:"required" default:"1"`
		}](), "A: both required and a default"},
		{mistake[struct {
			A int `json:"a" default:"x"`
		}](), `A: default: `},
		{mistake[struct {
			A []int `json:"a" default:"1"`
		}](), "A: a default of type []int would be shared by requests"},
		{mistake[struct {
			A int `query:"a" bind:"comma"`
		}](), `A: bind:"comma" wants a list`},
		{mistake[struct {
			A float64 `json:"a" bind:"nozero"`
		}](), `A: bind:"nozero" wants a signed integer, not float64`},
		{mistake[struct {
			A int `query:"a"`
			B int `query:"a"`
		}](), `B: two fields are named "a" in one place`},
		{mistake[struct {
			X struct {
				A int `json:"B"`
				B int
			} `json:"x"`
		}](), `two fields are named "B" in JSON`},
		{mistake[struct {
			A struct {
				B chan int
			} `json:"a"`
		}](), "B: type chan int cannot be read from JSON"},
		{mistake[struct {
			A map[int]int `json:"a"`
		}](), "A: type map[int]int has keys that are no strings"},
		{mistake[struct {
			A string `file:"a"`
		}](), "A: a file is a surface.File or []surface.File, not string"},
		{mistake[struct {
			A string `body:"raw"`
		}](), `A: a body field is body:"json", or body:"raw"`},
		{mistake[struct {
			A []byte `body:"raw"`
			B []byte `body:"raw"`
		}](), "B: a second body field"},
		{mistake[struct {
			A []byte `body:"raw"`
			B int    `json:"b"`
		}](), "has both a body field and fields of the body"},
	} {
		_, err := surface.New(surface.Config{Envelope: vendor{}}, surface.Op("GET /taken", none), tt.op)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want ... %s", err, tt.want)
		}
	}
	if _, err := surface.New(surface.Config{}); err == nil {
		t.Error("a surface without an envelope was made")
	}
}

func mistake[In any]() surface.Operation {
	return surface.Op("GET /mistake", func(context.Context, In) (surface.None, error) { return surface.None{}, nil })
}

func TestRoutes(t *testing.T) {
	none := func(context.Context, surface.None) (surface.None, error) { return surface.None{}, nil }
	table := surface.Under("/v2/{project}", []surface.Operation{
		surface.Op("GET /apps", none),
		surface.Op("POST /apps", none, surface.Status(201), surface.Meta("write")),
	}, surface.Meta("read"), surface.MaxBody(10))
	s, err := surface.New(surface.Config{Envelope: vendor{}}, table...)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range s.Routes() {
		got = append(got, fmt.Sprint(r, " ", r.Status, " ", r.Meta, " ", r.MaxBody))
	}
	want := "[GET /v2/{project}/apps 200 read 10 POST /v2/{project}/apps 201 write 10]"
	if fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// Embedded structs of an object count as its own, at any depth, and null has
// its place in lists of pointers, Opts and anything.
func TestObjects(t *testing.T) {
	type base struct {
		ID   int `json:"id" bind:"required"`
		Kept int `json:"-"`
	}
	type middle struct {
		base
		Name string
	}
	type object struct {
		middle
		Ptrs []*int                       `json:"ptrs"`
		Opts map[string]surface.Opt[bool] `json:"opts"`
		Anys []any                        `json:"anys"`
	}
	type in struct {
		Object object `json:"object" bind:"required"`
	}
	for _, tt := range []struct{ body, want string }{
		{`{"object":{"id":1,"Name":"n"}}`, "{Object:{middle:{base:{ID:1 Kept:0} Name:n} Ptrs:[] Opts:map[] Anys:[]}}"},
		{`{"object":{"id":1,"ptrs":[null],"opts":{"a":null,"b":false},"anys":[null,1]}}`,
			"{Object:{middle:{base:{ID:1 Kept:0} Name:} Ptrs:[<nil>] Opts:map[a:{Value:false State:1} b:{Value:false State:2}] Anys:[<nil> 1]}}"},
		{`{"object":{"Name":"n"}}`, "body object.id: missing"},
		{`{"object":null}`, "body object: missing"},
		{`{}`, "body object: missing"},
	} {
		if got := try[in](t, surface.Config{}, "", tt.body); got != tt.want {
			t.Errorf("%s: got %s,\nwant %s", tt.body, got, tt.want)
		}
	}
}

func TestMissingNamesTheFirstPlace(t *testing.T) {
	type query struct {
		A string `query:"q" json:"j" bind:"required"`
	}
	type header struct {
		A string `header:"X-H" json:"j" bind:"required"`
	}
	if got := try[query](t, surface.Config{}, "", "{}"); got != "query q: missing" {
		t.Errorf("got %s", got)
	}
	if got := try[header](t, surface.Config{}, "", "{}"); got != "header X-H: missing" {
		t.Errorf("got %s", got)
	}
}

func TestListsInText(t *testing.T) {
	type in struct {
		L []int8                      `query:"l" bind:"comma,lenient"`
		J surface.Opt[map[string]int] `query:"j" bind:"json"`
		S []int                       `query:"s" bind:"json,secret"`
	}
	for _, tt := range []struct{ query, want string }{
		{"l=1,2.0&l=3", "{L:[1 2 3] J:{Value:map[] State:0} S:[]}"},
		{"l=1,200", `query l[1]: "200" is not an integer of 8 bits`},
		{"l=1,2,3,4,5", "query l: too large: want at most 4 values"},
		{`j={"a":1}`, "{L:[] J:{Value:map[a:1] State:2} S:[]}"},
		{`j=null`, "{L:[] J:{Value:map[] State:1} S:[]}"},
		{`s=null`, "query s: wrong type: want a value"},
		{`s=[1,%22hunter2%22]`, "query s[1]: wrong type: want an integer"},
		{`s=hunter2`, "query s: malformed: want JSON (no value at byte 0)"},
	} {
		if got := try[in](t, surface.Config{MaxValues: 4}, tt.query, ""); got != tt.want {
			t.Errorf("?%s: got %s, want %s", tt.query, got, tt.want)
		}
	}
}

func TestAnOperationsOwnEnvelope(t *testing.T) {
	s := surface.Must(surface.New(surface.Config{Envelope: vendor{}},
		surface.Op("GET /x", func(context.Context, surface.None) (surface.None, error) { return surface.None{}, errRefused }, surface.Answering(plain{}))))
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "/x", nil))
	if got := fmt.Sprint(w.Code, " ", w.Body); got != `500 {"message":"refused"}` {
		t.Errorf("got %s", got)
	}
	w = httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("POST", "/x", nil))
	if got := fmt.Sprint(w.Code, " ", w.Body); got != `405 {"message":"POST is not allowed on /x, only GET, HEAD"}` {
		t.Errorf("with a method that nothing takes: got %s", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("Must took a mistake")
		}
	}()
	surface.Must(surface.New(surface.Config{}))
}

// What a hook has read of the body to check a signature is there to be bound,
// whatever way the operation takes it.
func TestABodyReadByTheHookIsReadAgain(t *testing.T) {
	s := newSurface(t, func(c *surface.Config) {
		c.Authenticate = func(r *http.Request, _ *surface.Route) (context.Context, error) {
			_, err := surface.ReadBody(r)
			return r.Context(), err
		}
	})
	srv := listen(t, s)
	for _, tt := range []struct{ raw, want string }{
		{request("PUT /stream", "", "0123456789"), `{"ok":true,"data":10}`},
		{request("PUT /raw", "", "0123456789"), `{"ok":true,"data":10}`},
		{chunked("PUT /list", `[]`), `{"ok":true,"data":[]}`},
		{request("POST /upload", partType, part(`name="file"; filename="f"`, "x")+"--b--\r\n"), `{"ok":true,"data":" f  1+0"}`},
		{request("PUT /stream", "", strings.Repeat("x", 3000)), `{"ok":false,"code":"body too large","message":"body: too large: want at most 2048 bytes"}`},
		{chunked("PUT /stream", strings.Repeat("x", 3000)), `{"ok":false,"code":"body too large","message":"body: too large: want at most 2048 bytes"}`},
	} {
		if _, body := send(t, srv, tt.raw); body != tt.want {
			t.Errorf("%q: got %s, want %s", tt.raw, body, tt.want)
		}
	}
}

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		surface.Missing.String():    "missing",
		surface.Incomplete.String(): "incomplete",
		surface.Kind(0).String():    "kind(0)",
		surface.Kind(99).String():   "kind(99)",
		surface.InPath.String():     "path",
		surface.InBody.String():     "body",
		surface.Place(99).String():  "place(99)",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
