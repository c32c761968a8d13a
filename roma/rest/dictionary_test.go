package rest

import (
	"testing"

	"github.com/gatehouse-go/gatehouse/roma"
)

func (f *fixture) dictionary(code string) roma.Dictionary {
	f.Helper()
	return must(f.in.CreateDictionary(f.ctx, roma.DictionarySpec{Name: "name " + code, Code: code}))(f)
}

// How chapters 3.3 and 3.4 are called.
var _ = driven(map[string]func(f *fixture) drive{
	"3.3.1": func(f *fixture) drive {
		f.dictionary("c1")
		return drive{query: "name=name+c1&code=c1"}
	},
	"3.3.2": func(f *fixture) drive {
		f.dictionary("top")
		must(f.in.CreateDictionary(f.ctx, roma.DictionarySpec{Name: "below", Code: "c1", Parent: "top"}))(f)
		return drive{query: "parent_code=top&code=c1&name=elo"}
	},
	"3.3.3": func(f *fixture) drive {
		return drive{body: map[string]any{ // the sample has the order in quotes
			"name": "n 1", "remark": "r", "code": "c 1", "order": "1", "extend_one": "e 1", "extend_two": "e 2", "parent_code": "",
		}}
	},
	"3.3.4": func(f *fixture) drive { return drive{path: []string{f.dictionary("c1").ID}} },
	"3.3.5": func(f *fixture) drive {
		return drive{path: []string{f.dictionary("c1").ID}, body: map[string]any{
			"name": "n2", "remark": "r2", "order": 2, "extend_one": "e1", "extend_two": "e2",
		}}
	},
	"3.3.6": func(f *fixture) drive { return drive{path: []string{f.dictionary("c1").ID}} },
	"3.4.1": func(f *fixture) drive { return drive{} },
	"3.4.2": func(f *fixture) drive { return drive{path: []string{"v2"}} },
})

func TestDictionaryErrors(t *testing.T) {
	f := setup(t)
	dicts := commonBase + "/dictionaries"
	f.dictionary("c1")
	f.refused("POST", dicts, `{"name":"n","code":"a-b"}`, 400, "ROMA.00013000", "")
	f.refused("POST", dicts, `{"name":"n","code":"c1"}`, 400, "ROMA.00013012", "")
	f.refused("POST", dicts, `{"name":"n","code":"c2","parent_code":"nope"}`, 400, "ROMA.00013013", "")
	f.refused("GET", dicts+"/nope", nil, 404, "ROMA.00013011", "dictionary does not exist")
	f.refused("GET", dicts+"?parent_code=nope", nil, 404, "ROMA.00013011", "")
	f.refused("GET", commonBase+"/validate-dictionaries?code=nope", nil, 404, "ROMA.00013011", "")
	f.token = "" // for everybody
	f.refused("GET", "/v9", nil, 404, "ROMA.4041000", "")
	if r := f.do("GET", "/v2", nil); r.status != 200 {
		t.Errorf("without a token: %d %s", r.status, r.raw)
	}
}
