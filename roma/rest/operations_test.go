package rest

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/internal/surface"
)

// operation is an operation as the document has it: testdata/operations.json
// has all 250, with the names of their parameters and of the fields of their
// answers. A field in an object is after a dot, one in each object of an array
// after "[].".
type operation struct {
	Section string   `json:"section"`
	Method  string   `json:"method"`
	Path    string   `json:"path"`
	Status  int      `json:"status"`
	Query   []string `json:"query"`
	Body    []string `json:"body"`
	Answer  []string `json:"answer"`
}

func (op operation) chapter() string { return op.Section[:strings.LastIndexByte(op.Section, '.')] }

// drive is how a test calls a documented operation.
type drive struct {
	path  []string // the ids that the path has after the instance's
	query string   // all documented query parameters but offset and limit, encoded
	body  any      // with all documented fields, but those of unsent
	// unsent are documented request fields that are not sent, unanswered those
	// of the answer that do not come, extra those that come though they are
	// not documented. Each takes what is below it along. The drive says why.
	unsent, unanswered, extra []string
	// status is the documented one when 0.
	status int
}

// drives is how each operation is called, by section. It is filled by the
// drive files, one for a chapter.
var drives = map[string]func(f *fixture) drive{}

func driven(chapter map[string]func(f *fixture) drive) bool {
	maps.Copy(drives, chapter)
	return true
}

func documented(t testing.TB) (all []operation) {
	t.Helper()
	text, err := os.ReadFile("testdata/operations.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

var wildcard = regexp.MustCompile(`\{[^}]*\}`)

func pattern(method, path string) string {
	path = strings.TrimSuffix(strings.TrimSuffix(path, "{$}"), "/")
	return method + " " + wildcard.ReplaceAllString(path, "{}")
}

// TestEveryDocumentedOperationIsRouted also prints the chapters that are not
// built yet.
func TestEveryDocumentedOperationIsRouted(t *testing.T) {
	routed := map[string]bool{}
	routes := surface.Must(surface.New(surface.Config{Envelope: apicEnvelope{apicFamily}}, operations()...)).Routes()
	for _, r := range routes {
		routed[pattern(r.Method, r.Path)] = true
	}
	missing, built := map[string][]string{}, map[string]bool{}
	for _, op := range documented(t) {
		if routed[pattern(op.Method, op.Path)] {
			built[op.chapter()] = true
			if drives[op.Section] == nil {
				t.Errorf("%s %s %s is routed and not driven", op.Section, op.Method, op.Path)
			}
			delete(routed, pattern(op.Method, op.Path))
		} else {
			missing[op.chapter()] = append(missing[op.chapter()], op.Section)
		}
	}
	for _, chapter := range slices.Sorted(maps.Keys(missing)) {
		if built[chapter] {
			t.Errorf("chapter %s lacks %s", chapter, strings.Join(missing[chapter], ", "))
		} else {
			t.Logf("chapter %s is not built yet: %d operations", chapter, len(missing[chapter]))
		}
	}
	for r := range routed {
		t.Errorf("%s is routed and not documented", r)
	}
}

func TestEveryOperationTakesAndAnswersWhatIsDocumented(t *testing.T) {
	for _, op := range documented(t) {
		call := drives[op.Section]
		if call == nil {
			continue
		}
		t.Run(op.Section, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			d := call(f)
			path, ids := op.Path, d.path
			if strings.Contains(path, "{project_id}") {
				ids = append([]string{projectID, instanceID}, ids...)
			}
			path = wildcard.ReplaceAllStringFunc(path, func(string) string {
				if len(ids) == 0 {
					t.Fatalf("%s needs more ids than the drive has", op.Path)
				}
				id := ids[0]
				ids = ids[1:]
				return id
			})
			for _, q := range op.Query {
				if q != "offset" && q != "limit" && !strings.Contains("&"+d.query, "&"+q+"=") && !covered(q, d.unsent) {
					t.Errorf("query %q is not sent", q)
				}
			}
			var query []string
			if d.query != "" {
				query = append(query, d.query)
			}
			if slices.Contains(op.Query, "limit") {
				query = append(query, "offset=0&limit=10")
			}
			if len(query) > 0 {
				path += "?" + strings.Join(query, "&")
			}
			if d.body != nil {
				sent := map[string]bool{}
				fields("", roundTrip(t, d.body), sent)
				compare(t, "the request", op.Body, sent, d.unsent, d.extra)
			}
			r := f.do(op.Method, path, d.body)
			want := op.Status
			if d.status != 0 {
				want = d.status
			}
			if r.status != want {
				t.Fatalf("%s %s: %d %s, want %d", op.Method, path, r.status, r.raw, want)
			}
			if want == http.StatusNoContent {
				return
			}
			got := map[string]bool{}
			fields("", r.body, got)
			compare(t, "the answer "+string(r.raw), op.Answer, got, d.unanswered, d.extra)
		})
	}
}

func roundTrip(t *testing.T, v any) (out any) {
	t.Helper()
	text, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// fields collects the paths of all that a JSON value holds.
func fields(path string, v any, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			at := path + name
			if list, isList := member.([]any); isList {
				into[at+"[]"] = true
				for _, item := range list {
					fields(at+"[].", item, into)
				}
				continue
			}
			into[at] = true
			fields(at+".", member, into)
		}
	case []any:
		for _, item := range v {
			fields(path, item, into)
		}
	}
}

func compare(t *testing.T, what string, documented []string, got map[string]bool, absent, extra []string) {
	t.Helper()
	known := map[string]bool{}
	for _, name := range documented {
		known[name] = true
		if !got[name] && !covered(name, absent) {
			t.Errorf("%s lacks %s", what, name)
		}
		if got[name] && covered(name, absent) {
			t.Errorf("%s has %s, though it is listed as absent", what, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if !known[name] && !covered(name, extra) {
			t.Errorf("%s has %s, which is not documented", what, name)
		}
	}
}

// covered reports whether a name, or what it is in, is in a list.
func covered(name string, in []string) bool {
	return slices.ContainsFunc(in, func(s string) bool {
		rest, found := strings.CutPrefix(name, s)
		return found && (rest == "" || rest[0] == '.' || strings.HasPrefix(rest, "[]"))
	})
}
