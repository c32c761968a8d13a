package gateway

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// routed is a route as far as the router looks at it.
func routed(id, method, uri, mode string) *route {
	r := &route{Deployed: apic.Deployed{PublishID: id}, spec: apic.APISpec{Method: method, URI: uri, MatchMode: mode}, prefix: mode == "SWA"}
	r.pattern = parsePattern(uri, r.prefix)
	r.params = r.pattern.params
	return r
}

// found is what a search finds, as text: the id, the values, the rest.
func found(tree *node, method, target string) string {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return err.Error()
	}
	var s search
	r, values, rest := s.find(tree, method, u.EscapedPath(), true)
	// Where nothing is lost by decoding it first, it makes no difference.
	if u.RawPath == "" {
		if q, plain, more := s.find(tree, method, u.Path, false); q != r || !slices.Equal(plain, values) || more != rest {
			return fmt.Sprintf("decoded first it is %v %q %q", q, plain, more)
		}
	}
	if r == nil {
		return "-"
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", r.PublishID, strings.Join(values, ","), rest))
}

func TestWhichAPITakesARequest(t *testing.T) {
	type api struct{ id, method, uri, mode string }
	get := func(id, uri string) api { return api{id, "GET", uri, "NORMAL"} }
	swa := func(id, uri string) api { return api{id, "GET", uri, "SWA"} }
	for _, c := range []struct {
		rule    string
		apis    []api
		request string
		want    string
	}{
		{"a path is matched whole", []api{get("a", "/a/b")}, "GET /a/b", "a"},
		{"a part of it is not it", []api{get("a", "/a/b")}, "GET /a", "-"},
		{"nor is more", []api{get("a", "/a/b")}, "GET /a/b/c", "-"},
		{"nor with a slash at the end", []api{get("a", "/a/b")}, "GET /a/b/", "-"},
		{"a slash at the end is a part", []api{get("a", "/a/b/")}, "GET /a/b/", "a"},
		{"the root is a path", []api{get("a", "/")}, "GET /", "a"},
		{"case counts", []api{get("a", "/a/b")}, "GET /A/b", "-"},
		{"escapes of a request are decoded", []api{get("a", "/a/b")}, "GET /%61/b", "a"},
		{"and those of an API", []api{get("a", "/%61/b")}, "GET /a/b", "a"},
		{"an encoded slash ends no part", []api{get("a", "/a/b")}, "GET /a%2fb", "-"},
		{"special characters are text", []api{get("a", "/a*/b-_.")}, "GET /a*/b-_.", "a"},
		{"a parameter is one part", []api{get("a", "/u/{id}")}, "GET /u/7", "a 7"},
		{"which is decoded", []api{get("a", "/u/{id}")}, "GET /u/%E6%B5%81%2f7", "a 流/7"},
		{"and not two", []api{get("a", "/u/{id}")}, "GET /u/7/8", "-"},
		{"nor empty", []api{get("a", "/u/{id}")}, "GET /u/", "-"},
		{"parameters are in the order of the path", []api{get("a", "/{b}/x/{a}")}, "GET /1/x/2", "a 1,2"},
		{"a part may be partly a parameter", []api{get("a", "/f/{name}.{kind}")}, "GET /f/x.tar.gz", "a x,tar.gz"},
		{"which has at least a character", []api{get("a", "/f/{name}.json")}, "GET /f/.json", "-"},
		{"text around it may show in it, too", []api{get("a", "/f/{name}.json")}, "GET /f/a.json.json", "a a.json"},
		{"text beats a parameter", []api{get("p", "/u/{id}"), get("t", "/u/me")}, "GET /u/me", "t"},
		{"from left to right", []api{get("p", "/{a}/b"), get("t", "/a/{b}")}, "GET /a/b", "t b"},
		{"more text beats less", []api{get("p", "/f/{n}"), get("m", "/f/{n}.json"), get("l", "/f/x{n}.json")}, "GET /f/xy.json", "l y"},
		{"text that leads nowhere stands in nobody's way", []api{get("t", "/a/b/c"), get("p", "/{x}/b/d")}, "GET /a/b/d", "p a"},
		{"nor does text of another method", []api{{"t", "POST", "/u/me", "NORMAL"}, get("p", "/u/{id}")}, "GET /u/me", "p me"},
		{"a method of its own beats ANY", []api{{"any", "ANY", "/a", "NORMAL"}, get("own", "/a")}, "GET /a", "own"},
		{"ANY takes the others", []api{{"any", "ANY", "/a", "NORMAL"}, get("own", "/a")}, "PATCH /a", "any"},
		{"but not those that the document has not", []api{{"any", "ANY", "/a", "NORMAL"}}, "TRACE /a", "-"},
		{"text beats a method of its own", []api{{"any", "ANY", "/u/me", "NORMAL"}, get("own", "/u/{id}")}, "GET /u/me", "any"},
		{"HEAD is not GET", []api{get("a", "/a")}, "HEAD /a", "-"},
		{"a prefix takes what follows", []api{swa("s", "/test/mock")}, "GET /test/mock/x", "s  /x"},
		{"and nothing", []api{swa("s", "/test/mock")}, "GET /test/mock", "s"},
		{"and a slash", []api{swa("s", "/test/mock")}, "GET /test/mock/", "s  /"},
		{"a prefix ends where a part ends", []api{swa("s", "/test/mock")}, "GET /test/mockx", "-"},
		{"what follows stays as it came", []api{swa("s", "/a")}, "GET /a/%2f%20x/y", "s  /%2f%20x/y"},
		{"a whole path beats a prefix", []api{swa("s", "/test/mock"), get("n", "/test/mock/x")}, "GET /test/mock/x", "n"},
		{"even one with a parameter", []api{swa("s", "/a/b"), get("n", "/{x}/b")}, "GET /a/b", "n a"},
		{"the longest prefix wins", []api{swa("s", "/a"), swa("l", "/a/b")}, "GET /a/b/c", "l  /c"},
		{"even with a parameter", []api{swa("s", "/a"), swa("l", "/{x}/b")}, "GET /a/b/c", "l a /c"},
		{"of two as long that with text", []api{swa("p", "/{x}"), swa("t", "/a")}, "GET /a/b", "t  /b"},
		{"one of another method does not count", []api{swa("s", "/a"), {"l", "POST", "/a/b", "SWA"}}, "GET /a/b/c", "s  /b/c"},
		{"a prefix has parameters, too", []api{swa("s", "/u/{id}")}, "GET /u/7/x/y", "s 7 /x/y"},
		{"the root takes everything", []api{swa("s", "/")}, "GET /x/y", "s  /x/y"},
		{"itself as well", []api{swa("s", "/")}, "GET /", "s  /"},
		{"a prefix with a slash takes what is under it alone", []api{swa("s", "/a/")}, "GET /a", "-"},
		{"and is longer than that without", []api{swa("s", "/a"), swa("l", "/a/")}, "GET /a/b", "l  /b"},
		{"which has the path itself", []api{swa("s", "/a"), swa("l", "/a/")}, "GET /a", "s"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			method, target, _ := strings.Cut(c.request, " ")
			var forth, back *node
			for i := range c.apis {
				a, z := c.apis[i], c.apis[len(c.apis)-1-i]
				forth, back = forth.with(routed(a.id, a.method, a.uri, a.mode)), back.with(routed(z.id, z.method, z.uri, z.mode))
			}
			if got := found(forth, method, target); got != c.want {
				t.Errorf("%s found %q, want %q", c.request, got, c.want)
			}
			if got := found(back, method, target); got != c.want {
				t.Errorf("in another order %s found %q, want %q", c.request, got, c.want)
			}
		})
	}
}

// naive is the router as its rules read: it tries all APIs and takes the best.
type naive []*route

var braces = regexp.MustCompile(`\{[^}]*\}`)

var forms = map[string]*regexp.Regexp{}

// matches is how a route matches a path, as text.
func (naive) matches(r *route, path string) (values []string, rest string, ok bool) {
	uri, more := r.spec.URI, `$`
	if r.prefix {
		more = `(/.*)?$`
		if cut, open := strings.CutSuffix(uri, "/"); open {
			uri, more = cut, `(/.*)$`
		}
	}
	parts := []string{"^"}
	last := 0
	for _, at := range braces.FindAllStringIndex(uri, -1) {
		parts = append(parts, regexp.QuoteMeta(uri[last:at[0]]), `([^/]+?)`)
		last = at[1]
	}
	form := strings.Join(append(parts, regexp.QuoteMeta(uri[last:]), more), "")
	if forms[form] == nil {
		forms[form] = regexp.MustCompile(form)
	}
	m := forms[form].FindStringSubmatch(path)
	if m == nil {
		return nil, "", false
	}
	if r.prefix {
		return m[1 : len(m)-1], m[len(m)-1], true
	}
	return m[1:], "", true
}

// rank orders the routes that match a request.
func (naive) rank(a, b *route, method string) int {
	mode := func(r *route) int {
		if r.prefix {
			return 1
		}
		return 0
	}
	length := func(r *route) int {
		if !r.prefix {
			return 0
		}
		return -2*strings.Count(strings.TrimSuffix(r.spec.URI, "/"), "/") - strings.Count(r.spec.URI[len(r.spec.URI)-1:], "/")
	}
	parts := func(a, b *route) int {
		as, bs := strings.Split(a.spec.URI, "/"), strings.Split(b.spec.URI, "/")
		for i := range min(len(as), len(bs)) {
			kind := func(s string) int { // text, then more text before less, then none
				if text := len(braces.ReplaceAllString(s, "")); s != "" && text < len(s) {
					return 1000 - text
				}
				return 0
			}
			if d := cmp.Or(cmp.Compare(kind(as[i]), kind(bs[i])), cmp.Compare(braces.ReplaceAllString(as[i], "{"), braces.ReplaceAllString(bs[i], "{"))); d != 0 {
				return d
			}
		}
		return 0
	}
	own := func(r *route) int {
		if r.spec.Method == method {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(mode(a), mode(b)), cmp.Compare(length(a), length(b)), parts(a, b),
		cmp.Compare(own(a), own(b)), cmp.Compare(a.PublishID, b.PublishID))
}

func (n naive) find(method, path string) string {
	var best *route
	for _, r := range n {
		if _, _, ok := n.matches(r, path); ok && (r.spec.Method == method || r.spec.Method == "ANY") && (best == nil || n.rank(r, best, method) < 0) {
			best = r
		}
	}
	if best == nil {
		return "-"
	}
	values, rest, _ := n.matches(best, path)
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", best.PublishID, strings.Join(values, ","), rest))
}

func TestRouterAgreesWithTryingAll(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	pick := func(words ...string) string { return words[random.IntN(len(words))] }
	path := func(part func() string) string {
		var b strings.Builder
		for range 1 + random.IntN(4) {
			b.WriteString("/" + part())
		}
		return b.String() + pick("", "", "", "/")
	}
	type version struct {
		tree *node
		all  naive
	}
	var old []version
	var tree *node
	all := naive{}
	hits := 0
	for i := range 1500 {
		if len(all) > 0 && random.IntN(3) == 0 {
			at := random.IntN(len(all))
			tree, all = tree.without(all[at]), slices.Delete(slices.Clone(all), at, at+1)
		} else if len(all) < 40 {
			names := 0
			uri := path(func() string {
				names++
				return fmt.Sprintf(pick("a", "b", "ab", "{x%d}", "{x%d}", "a{x%d}", "{x%d}b", "a{x%[1]d}b{y%[1]d}"), names)
			})
			uri, _, _ = strings.Cut(uri, "%!")
			r := routed(fmt.Sprintf("%04d", i), pick("GET", "POST", "ANY"), uri, pick("NORMAL", "SWA"))
			// No two APIs of a group have the same method, path and mode.
			if slices.ContainsFunc(all, func(o *route) bool {
				return o.spec.Method == r.spec.Method && o.prefix == r.prefix &&
					braces.ReplaceAllString(o.spec.URI, "{}") == braces.ReplaceAllString(r.spec.URI, "{}")
			}) {
				continue
			}
			tree, all = tree.with(r), append(slices.Clone(all), r)
		}
		if old = append(old, version{tree, all}); len(old) > 8 {
			old = slices.Delete(old, 0, 1+random.IntN(4))
		}
		v := old[random.IntN(len(old))] // trees are never changed
		for range 4 {
			method, target := pick("GET", "POST", "PUT"), path(func() string { return pick("a", "b", "ab", "aab", "c", "abab") })
			got, want := found(v.tree, method, target), v.all.find(method, target)
			if got != want {
				var apis strings.Builder
				for _, r := range v.all {
					fmt.Fprintf(&apis, "\n%s %s %s %s", r.PublishID, r.spec.Method, r.spec.URI, r.spec.MatchMode)
				}
				t.Fatalf("%s %s: found %q, want %q, of%s", method, target, got, want, apis.String())
			}
			if got != "-" {
				hits++
			}
		}
	}
	if hits < 500 {
		t.Errorf("only %d requests were taken", hits)
	}
	for _, r := range all {
		tree = tree.without(r)
	}
	if tree != nil {
		t.Errorf("a tree without routes has nodes: %+v", tree)
	}
}

func FuzzRouter(f *testing.F) {
	for _, seed := range []struct{ uri, target string }{
		{"/a/{x}", "/a/%2f"}, {"/{a}-{b}.json", "/1-2-3.json"}, {"/", "//"}, {"/a/", "/a/"}, {"/%61*", "/a%2A"}, {"/{x}{y}", "/ab"}, {"/a{", "/a{"},
	} {
		f.Add(seed.uri, seed.target, true)
		f.Add(seed.uri, seed.target, false)
	}
	f.Fuzz(func(t *testing.T, uri, target string, prefix bool) {
		u, err := url.ParseRequestURI(target)
		if err != nil || u.Path == "" || u.Path[0] != '/' || uri == "" || uri[0] != '/' {
			return
		}
		mode := map[bool]string{true: "SWA", false: "NORMAL"}[prefix]
		r := routed("a", "ANY", uri, mode)
		tree := (*node)(nil).with(r)
		var s search
		for _, method := range []string{"GET", "CONNECT"} {
			hit, values, rest := s.find(tree, method, u.EscapedPath(), true)
			if hit == nil {
				continue
			}
			if method == "CONNECT" {
				t.Fatal("CONNECT was taken")
			}
			if len(values) != len(r.params) || slices.Contains(values, "") {
				t.Fatalf("%q has %q of %q", target, values, r.params)
			}
			if rest != "" && (!prefix || rest[0] != '/' || !strings.HasSuffix(u.EscapedPath(), rest)) {
				t.Fatalf("%q has the rest %q", target, rest)
			}
		}
		if loose, several := readings(u); several && (loose == "" || loose[0] != '/') && strings.Trim(u.Path, `/\`) != "" {
			t.Fatalf("%q reads %q", target, loose)
		}
		if left := tree.without(r); left != nil {
			t.Fatalf("%q leaves %+v", uri, left)
		}
	})
}
