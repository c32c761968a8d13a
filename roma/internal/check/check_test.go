package check_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/list"
)

func TestChecks(t *testing.T) {
	form := regexp.MustCompile(`^a+$`)
	for _, c := range []struct {
		rule  string
		check func(*check.Check)
		code  fault.Code // of a body; "" passes
	}{
		{"required", func(c *check.Check) { c.Required("p", false) }, "APIG.2001"},
		{"given", func(c *check.Check) { c.Required("p", true) }, ""},
		{"no id", func(c *check.Check) { c.ID("p", "") }, "APIG.2001"},
		{"a long id", func(c *check.Check) { c.ID("p", strings.Repeat("é", 65)) }, ""},
		{"too long an id", func(c *check.Check) { c.ID("p", strings.Repeat("é", 66)) }, "APIG.2011"},
		{"no ids", func(c *check.Check) { c.IDs("p", nil) }, "APIG.2001"},
		{"an empty id among others", func(c *check.Check) { c.IDs("p", []string{"a", ""}) }, "APIG.2011"},
		{"a name", func(c *check.Check) { c.Name("p", "流控_1", 3, 64) }, ""},
		{"a short name", func(c *check.Check) { c.Name("p", "ab", 3, 64) }, "APIG.2011"},
		{"a long name", func(c *check.Check) { c.Name("p", strings.Repeat("流", 65), 3, 64) }, "APIG.2011"},
		{"a name that begins with a digit", func(c *check.Check) { c.Name("p", "1abc", 3, 64) }, "APIG.2011"},
		{"a name with a hyphen", func(c *check.Check) { c.Name("p", "a-bc", 3, 64) }, "APIG.2011"},
		{"a name that may have one", func(c *check.Check) { c.NameWith("p", "a-bc", 3, 64, "-") }, ""},
		{"a name that begins with one", func(c *check.Check) { c.NameWith("p", "-abc", 3, 64, "-") }, "APIG.2011"},
		{"no name", func(c *check.Check) { c.Name("p", "", 3, 64) }, "APIG.2001"},
		{"of a form", func(c *check.Check) { c.Match("p", "aa", form) }, ""},
		{"of another form", func(c *check.Check) { c.Match("p", "ab", form) }, "APIG.2011"},
		{"without", func(c *check.Check) { c.Optional("p", "", form) }, ""},
		{"not UTF-8", func(c *check.Check) { c.Optional("p", "a\xff", regexp.MustCompile(".*")) }, "APIG.2011"},
		{"a length in characters", func(c *check.Check) { c.Length("p", "流控", 0, 2) }, ""},
		{"too long", func(c *check.Check) { c.Length("p", "abc", 0, 2) }, "APIG.2011"},
		{"too long, in chapters 4.2 to 4.6", func(c *check.Check) { c.AtMost("p", "abc", 2) }, "APIG.2006"},
		{"a word", func(c *check.Check) { c.Enum("p", "a", "a", "b") }, ""},
		{"another word", func(c *check.Check) { c.Enum("p", "A", "a", "b") }, "APIG.2011"},
		{"no word", func(c *check.Check) { c.Enum("p", "", "a", "b") }, "APIG.2001"},
		{"no word, optional", func(c *check.Check) { c.OptionalEnum("p", "", "a", "b") }, ""},
		{"too small", func(c *check.Check) { c.Bounds("p", 0, 1, 2) }, "APIG.2002"},
		{"too large", func(c *check.Check) { c.Bounds("p", 3, 1, 2) }, "APIG.2003"},
		{"in bounds", func(c *check.Check) { c.Bounds("p", 2, 1, 2) }, ""},
		{"out of range", func(c *check.Check) { c.Range("p", 0, 1, 2) }, "APIG.2004"},
		{"no choice", func(c *check.Check) { c.Choice("p", 3, 1, 2) }, "APIG.2004"},
		{"the first failure decides", func(c *check.Check) { c.Bounds("p", 0, 1, 2); c.Required("q", false) }, "APIG.2002"},
	} {
		k := check.Body()
		c.check(k)
		if c.code == "" {
			if err := k.Err(); err != nil {
				t.Errorf("%s: %v", c.rule, err)
			}
			continue
		}
		e, ok := errors.AsType[*fault.Error](k.Err())
		if !ok || e.Code != c.code || e.Param != "p" || !strings.Contains(e.Message, ",parameterName:p. Please refer to the support documentation") {
			t.Errorf("%s: %v, want %s about p", c.rule, k.Err(), c.code)
		}
		coded := check.Coded("ROMA.00013000")
		c.check(coded)
		if !errors.Is(coded.Err(), fault.Of("ROMA.00013000")) {
			t.Errorf("%s, with one code: %v", c.rule, coded.Err())
		}
		if c.code == "APIG.2011" {
			query := check.Query()
			c.check(query)
			if !errors.Is(query.Err(), fault.Of("APIG.2012")) {
				t.Errorf("%s, in a query: %v", c.rule, query.Err())
			}
		}
	}
}

func TestPaging(t *testing.T) {
	for _, c := range []struct {
		rule    string
		p       list.Paging
		window  table.Window
		early   fault.Code // chapters 4.1 to 4.6
		policy  fault.Code // later
		chapter fault.Code // 3
	}{
		{"nothing asked for", list.Paging{}, table.Window{Limit: 20}, "", "", ""},
		{"a part", list.Show(7, 500), table.Window{Offset: 7, Limit: 500}, "", "", ""},
		{"a negative offset", list.Show(-7, 1), table.Window{Limit: 1}, "", "", "ROMA.00013000"},
		{"no rows", list.Show(0, 0), table.Window{}, "APIG.2002", "APIG.2012", "ROMA.00013000"},
		{"too many rows", list.Show(0, 501), table.Window{Limit: 501}, "APIG.2003", "APIG.2012", "ROMA.00013000"},
		{"far off", list.Show(10001, 1), table.Window{Offset: 10001, Limit: 1}, "", "", ""},
	} {
		is := func(k *check.Check, w, want table.Window, code fault.Code) {
			t.Helper()
			if w != want {
				t.Errorf("%s: %+v, want %+v", c.rule, w, want)
			}
			if code == "" && k.Err() != nil || code != "" && !errors.Is(k.Err(), fault.Of(code)) {
				t.Errorf("%s: %v, want %s", c.rule, k.Err(), code)
			}
		}
		k := check.Query()
		is(k, k.Page(c.p), c.window, c.early)
		k = check.Body()
		is(k, k.PolicyPage(c.p), c.window, c.policy)
		k, w := check.Coded("ROMA.00013000"), c.window
		if c.p.Limit == nil {
			w.Limit = 10
		}
		is(k, k.CommonPage(c.p), w, c.chapter)
	}
}

func TestPreciseAndAction(t *testing.T) {
	k := check.Query()
	k.Precise("name, req_uri", "name", "req_uri")
	k.Precise("", "name")
	if k.Err() != nil {
		t.Error(k.Err())
	}
	k.Precise("name,remark", "name")
	if e, _ := errors.AsType[*fault.Error](k.Err()); e == nil || e.Code != "APIG.2012" || e.Value != "remark" {
		t.Errorf("an unknown name: %v", k.Err())
	}
	if err := check.Action("delete", "delete"); err != nil {
		t.Error(err)
	}
	if err := check.Action("", "delete"); !errors.Is(err, fault.Of("APIG.2011")) {
		t.Errorf("no action: %v", err)
	}
}
