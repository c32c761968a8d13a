package roma_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/teststore"
	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/roma/list"
)

type fixture struct {
	*testing.T
	sys   *roma.System
	users *iam.Static
	in    roma.Instance // of owner
}

func setup(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{T: t, users: iam.NewStatic()}
	now := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	store := teststore.New(t)
	t.Cleanup(func() { store.Close() })
	var err error
	f.sys, err = roma.New(store, roma.Config{
		Clock: func() time.Time { now = now.Add(time.Millisecond); return now }, Authenticator: f.users, Directory: f.users,
		APIC: apic.Config{Limits: apic.Limits{apic.AppLimit: 4}},
	})
	f.ok(err)
	t.Cleanup(func() { f.sys.Close() })
	f.ok(f.sys.AddInstance(t.Context(), "p1", "i1"))
	f.in = f.as("owner", iam.Read|iam.Write)
	return f
}

func (f *fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (f *fixture) as(user string, access iam.Access) roma.Instance {
	f.Helper()
	f.users.AddUser(iam.User{ID: user, Name: "name of " + user})
	return must(f.sys.Instance(iam.Principal{UserID: user, UserName: "name of " + user, Access: access}, "p1", "i1"))(f)
}

func (f *fixture) refused(what string, err error, code fault.Code) {
	f.Helper()
	if e, is := errors.AsType[*fault.Error](err); !is || e.Code != code {
		f.Errorf("%s: %v, want %s", what, err, code)
	}
}

func TestCreateApp(t *testing.T) {
	f := setup(t)
	for _, c := range []struct {
		rule string
		in   roma.AppSpec
		code fault.Code
	}{
		{"a name is required", roma.AppSpec{}, "ROMA.4001029"},
		{"a name has 256 characters at most", roma.AppSpec{Name: strings.Repeat("应", 257)}, "ROMA.4001029"},
		{"a name has no slash", roma.AppSpec{Name: "a/b"}, "ROMA.4001029"},
		{"a remark has 1000 characters at most", roma.AppSpec{Name: "a", Remark: strings.Repeat("a", 1001)}, "ROMA.4001030"},
		{"a key has 3 characters at least", roma.AppSpec{Name: "a", Key: "ab"}, "ROMA.4001040"},
		{"a key begins with a letter or digit", roma.AppSpec{Name: "a", Key: "-abc"}, "ROMA.4001040"},
		{"a secret has 8 characters at least", roma.AppSpec{Name: "a", Secret: "Abc1234"}, "ROMA.4001041"},
		{"a secret has no spaces", roma.AppSpec{Name: "a", Secret: "Abc 12345"}, "ROMA.4001041"},
	} {
		_, err := f.in.CreateApp(f.Context(), c.in)
		f.refused(c.rule, err, c.code)
	}
	a := must(f.in.CreateApp(f.Context(), roma.AppSpec{Name: "应用 1-_.()（）"}))(t)
	if !regexp.MustCompile(`^[A-Za-z0-9]{16}$`).MatchString(a.Key) || !a.Owner || len(a.Roles) != 5 || a.Favorite || a.Creator.ID != "owner" {
		t.Errorf("made as %+v", a)
	}
	if s := must(f.in.AppSecret(f.Context(), a.ID))(t); len(s.Secret) < 8 || strings.Contains(fmt.Sprint(s), s.Secret) {
		t.Errorf("secret %v", s)
	}
	_, err := f.in.CreateApp(f.Context(), roma.AppSpec{Name: a.Name})
	f.refused("a name that is taken", err, "ROMA.00014011")
	_, err = f.in.CreateApp(f.Context(), roma.AppSpec{Name: "b", Key: a.Key})
	f.refused("a key that is taken", err, "ROMA.00014012")
	for i := range 3 {
		must(f.in.CreateApp(f.Context(), roma.AppSpec{Name: fmt.Sprint("app ", i)}))(t)
	}
	_, err = f.in.CreateApp(f.Context(), roma.AppSpec{Name: "one more"})
	f.refused("one too many", err, "ROMA.4001034")
}

func TestAppLife(t *testing.T) {
	f := setup(t)
	a := must(f.in.CreateApp(f.Context(), roma.AppSpec{Name: "shop", Key: "shop-key"}))(t)
	b := must(f.in.UpdateApp(f.Context(), a.ID, roma.AppChange{Remark: new("new"), Favorite: new(true)}))(t)
	if b.Name != "shop" || b.Remark != "new" || !b.Favorite || !b.Updated.After(a.Updated) {
		t.Errorf("changed to %+v", b)
	}
	_, err := f.in.UpdateApp(f.Context(), "nope", roma.AppChange{Name: new("")})
	f.refused("an unknown id is told before a wrong name", err, "ROMA.00014001")
	_, err = f.in.UpdateApp(f.Context(), a.ID, roma.AppChange{Name: new("")})
	f.refused("a wrong name", err, "ROMA.4001029")

	s := must(f.in.ResetAppSecret(f.Context(), a.ID, roma.SecretSpec{Secret: "Given-123"}))(t)
	if s.Secret != "Given-123" || must(f.in.AppSecret(f.Context(), a.ID))(t) != s {
		t.Errorf("secret %q", s.Secret)
	}
	if r := must(f.in.ResetAppSecret(f.Context(), a.ID, roma.SecretSpec{}))(t); r.Secret == s.Secret || len(r.Secret) < 8 {
		t.Error("no random secret")
	}
	_, err = f.in.ResetAppSecret(f.Context(), a.ID, roma.SecretSpec{Secret: "short"})
	f.refused("a wrong secret", err, "ROMA.4001041")
	_, err = f.in.ResetAppSecret(f.Context(), "nope", roma.SecretSpec{Secret: "short"})
	f.refused("an unknown id is told before a wrong secret", err, "ROMA.00014001")

	for _, ref := range []roma.AppRef{{Name: "shop"}, {ID: a.ID}, {Key: "shop-key"}, {Name: "shop", ID: a.ID, Key: "shop-key"}} {
		if got := must(f.in.FindApp(f.Context(), ref))(t); got.ID != a.ID {
			t.Errorf("%+v is %+v", ref, got)
		}
	}
	for _, ref := range []roma.AppRef{{Name: "sho"}, {Name: "shop", Key: "other"}, {}} {
		_, err := f.in.FindApp(f.Context(), ref)
		f.refused(fmt.Sprint(ref), err, "ROMA.00014001")
	}
	g := must(f.in.APIC().CreateGroup(f.Context(), apic.GroupSpec{Name: "group", Version: "V2", AppID: a.ID}))(t)
	f.refused("it contains a group", f.in.DeleteApp(f.Context(), a.ID), "ROMA.00014014")
	f.ok(f.in.APIC().DeleteGroup(f.Context(), g.ID))
	f.ok(f.in.DeleteApp(f.Context(), a.ID))
	f.refused("deleted twice", f.in.DeleteApp(f.Context(), a.ID), "ROMA.00014001")
	f.ok(f.sys.Check(f.Context()))
}

func TestMembers(t *testing.T) {
	f := setup(t)
	a := must(f.in.CreateApp(f.Context(), roma.AppSpec{Name: "shop"}))(t)
	reader, stranger, admin := f.as("reader", iam.Read|iam.Write), f.as("stranger", iam.Read|iam.Write), f.as("admin", iam.Full)
	share := func(users ...roma.MemberSpec) (roma.Members, error) {
		return f.in.ShareApp(f.Context(), a.ID, roma.MembersSpec{Users: &users})
	}
	got := must(share(roma.MemberSpec{ID: "reader", Roles: []roma.Role{roma.RoleModify}}, roma.MemberSpec{ID: "admin", Roles: []roma.Role{roma.RoleAdmin}}))(t)
	if got.Total != 2 || got.ID != a.ID || !slices.Equal(got.Users[0].Roles, []roma.Role{roma.RoleRead, roma.RoleModify}) || len(got.Users[1].Roles) != 5 || got.Users[0].Name != "name of reader" {
		t.Errorf("members %+v", got)
	}
	for _, c := range []struct {
		rule  string
		users []roma.MemberSpec
	}{
		{"an unknown user", []roma.MemberSpec{{ID: "nope"}}},
		{"an unknown role", []roma.MemberSpec{{ID: "reader", Roles: []roma.Role{"write"}}}},
		{"a user given twice", []roma.MemberSpec{{ID: "reader"}, {ID: "reader"}}},
	} {
		_, err := share(c.users...)
		f.refused(c.rule, err, "ROMA.00013000")
	}
	if m := must(f.in.ShareApp(f.Context(), a.ID, roma.MembersSpec{}))(t); m.Total != 2 {
		t.Errorf("without a list: %+v", m)
	}
	if m := must(f.in.Members(f.Context(), roma.MemberQuery{AppID: a.ID, UserName: "name of reader"}))(t); m.Total != 1 {
		t.Errorf("by name: %+v", m)
	}
	if m := must(f.in.Members(f.Context(), roma.MemberQuery{AppID: a.ID, UserName: "name of"}))(t); m.Total != 0 {
		t.Errorf("by a part of a name: %+v", m)
	}
	candidates := func(filter string) (ids []string) {
		for _, u := range must(f.in.Candidates(f.Context(), roma.CandidateQuery{AppID: a.ID, Filter: filter}))(t).Users {
			ids = append(ids, u.ID)
		}
		return ids
	}
	if c := candidates(""); !slices.Equal(c, []string{"admin", "reader", "stranger"}) {
		t.Errorf("candidates %v", c)
	}
	if c := candidates("members"); !slices.Equal(c, []string{"stranger"}) {
		t.Errorf("candidates without members %v", c)
	}

	_, err := reader.Application(f.Context(), a.ID)
	f.ok(err)
	for what, err := range map[string]error{
		"change":                  second(reader.UpdateApp(f.Context(), a.ID, roma.AppChange{Name: new("x")})),
		"delete":                  reader.DeleteApp(f.Context(), a.ID),
		"see a secret":            second(reader.AppSecret(f.Context(), a.ID)),
		"share":                   second(reader.ShareApp(f.Context(), a.ID, roma.MembersSpec{Users: &[]roma.MemberSpec{}})),
		"look at, as a stranger,": second(stranger.Application(f.Context(), a.ID)),
	} {
		f.refused(what+" without the role", err, "ROMA.00012001")
	}
	must(reader.UpdateApp(f.Context(), a.ID, roma.AppChange{Favorite: new(true)}))(t) // a mark of one's own
	if must(f.in.Application(f.Context(), a.ID))(t).Favorite {
		t.Error("another's mark")
	}
	must(admin.UpdateApp(f.Context(), a.ID, roma.AppChange{Name: new("renamed")}))(t)
	if m := must(share())(t); m.Total != 0 {
		t.Errorf("cleared: %+v", m)
	}
	_, err = reader.Application(f.Context(), a.ID)
	f.refused("a member no more", err, "ROMA.00012001")
}

func TestAppList(t *testing.T) {
	f := setup(t)
	var ids []string
	for _, n := range []string{"alpha", "beta", "gamma"} {
		ids = append(ids, must(f.in.CreateApp(f.Context(), roma.AppSpec{Name: n, Favorite: n == "gamma"}))(t).ID)
	}
	friend := f.as("friend", iam.Read|iam.Write)
	must(f.in.ShareApp(f.Context(), ids[1], roma.MembersSpec{Users: &[]roma.MemberSpec{{ID: "friend", Roles: []roma.Role{roma.RoleDelete}}}}))(t)
	must(friend.CreateApp(f.Context(), roma.AppSpec{Name: "delta"}))(t)
	for _, c := range []struct {
		rule string
		in   roma.Instance
		q    roma.AppQuery
		want string
	}{
		{"favorites first, then by creation", f.in, roma.AppQuery{}, "gamma alpha beta"},
		{"a page over both", f.in, roma.AppQuery{Paging: list.Show(0, 2)}, "gamma alpha"},
		{"the rest", f.in, roma.AppQuery{Paging: list.Show(2, 2)}, "beta"},
		{"favorites", f.in, roma.AppQuery{Favorite: new(true)}, "gamma"},
		{"others", f.in, roma.AppQuery{Favorite: new(false)}, "alpha beta"},
		{"a part of a name", f.in, roma.AppQuery{Name: "et"}, "beta"},
		{"those of a friend and shared with him", friend, roma.AppQuery{}, "beta delta"},
		{"his own", friend, roma.AppQuery{Owner: new(true)}, "delta"},
		{"shared with him", friend, roma.AppQuery{Owner: new(false)}, "beta"},
		{"in which he may delete", friend, roma.AppQuery{Role: roma.RoleDelete}, "beta delta"},
		{"in which he may change", friend, roma.AppQuery{Role: roma.RoleModify}, "delta"},
		{"in which a user has a role, as its owner", friend, roma.AppQuery{UserName: "name of owner"}, "beta"},
		{"in which a user has a role, as a member", f.in, roma.AppQuery{UserName: "name of friend"}, "beta"},
		{"in which nobody of the name has", f.in, roma.AppQuery{UserName: "name"}, ""},
	} {
		var names []string
		page := must(c.in.Applications(f.Context(), c.q))(t)
		for _, a := range page.Rows {
			names = append(names, a.Name)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.rule, got, c.want)
		}
	}
	for _, q := range []roma.AppQuery{{Paging: list.Show(0, 501)}, {Paging: list.Show(10001, 1)}, {Paging: list.Show(-1, 1)}, {Role: "write"}, {Name: strings.Repeat("a", 257)}, {UserName: strings.Repeat("a", 65)}} {
		_, err := f.in.Applications(f.Context(), q)
		f.refused(fmt.Sprint(q), err, "ROMA.00013000")
	}
}

func TestDictionaries(t *testing.T) {
	f := setup(t)
	make := func(code, parent string, order int) roma.Dictionary {
		t.Helper()
		return must(f.in.CreateDictionary(f.Context(), roma.DictionarySpec{Name: "name " + code, Code: code, Parent: parent, Order: order}))(t)
	}
	p := make("p", "", 2)
	make("q", "", 1)
	make("r", "", 2)
	child := make("c 1", "p", 0)
	grand := make("g", "c 1", 0)
	for _, c := range []struct {
		rule string
		in   roma.DictionarySpec
		code fault.Code
	}{
		{"a name is required", roma.DictionarySpec{Code: "x"}, "ROMA.00013000"},
		{"a code is required", roma.DictionarySpec{Name: "x"}, "ROMA.00013000"},
		{"a code has no hyphen", roma.DictionarySpec{Name: "x", Code: "a-b"}, "ROMA.00013000"},
		{"a code is of Latin letters", roma.DictionarySpec{Name: "x", Code: "码"}, "ROMA.00013000"},
		{"an extension is as a name", roma.DictionarySpec{Name: "x", Code: "x", ExtendOne: "a-b"}, "ROMA.00013000"},
		{"a code that is taken", roma.DictionarySpec{Name: "x", Code: "p"}, "ROMA.00013012"},
		{"a name that is taken", roma.DictionarySpec{Name: "name p", Code: "x"}, "ROMA.00013012"},
		{"a parent is there", roma.DictionarySpec{Name: "x", Code: "x", Parent: "nope"}, "ROMA.00013013"},
	} {
		_, err := f.in.CreateDictionary(f.Context(), c.in)
		f.refused(c.rule, err, c.code)
	}
	codes := func(q roma.DictionaryQuery) string {
		var out []string
		for _, d := range must(f.in.Dictionaries(f.Context(), q))(t).Rows {
			out = append(out, d.Code)
		}
		return strings.Join(out, " ")
	}
	for _, c := range []struct {
		rule string
		q    roma.DictionaryQuery
		want string
	}{
		{"at the top, small orders first, then by creation", roma.DictionaryQuery{}, "q p r"},
		{"below one", roma.DictionaryQuery{Parent: "p"}, "c 1"},
		{"by a code", roma.DictionaryQuery{Code: "r"}, "r"},
		{"by a part of a code", roma.DictionaryQuery{Parent: "p", Code: "1"}, "c 1"},
		{"by a part of a name", roma.DictionaryQuery{Name: "e q"}, "q"},
		{"a page", roma.DictionaryQuery{Paging: list.Show(1, 1)}, "p"},
		{"far off, where the document has no end", roma.DictionaryQuery{Paging: list.Show(10001, 1)}, ""},
	} {
		if got := codes(c.q); got != c.want {
			t.Errorf("%s: %q, want %q", c.rule, got, c.want)
		}
	}
	_, err := f.in.Dictionaries(f.Context(), roma.DictionaryQuery{Parent: "nope"})
	f.refused("below one that is not there", err, "ROMA.00013011")

	changed := must(f.in.UpdateDictionary(f.Context(), p.ID, roma.DictionaryChange{Order: new(0), Remark: new("r")}))(t)
	if changed.Name != p.Name || changed.Remark != "r" || changed.Code != "p" || codes(roma.DictionaryQuery{}) != "p q r" {
		t.Errorf("changed to %+v, list %s", changed, codes(roma.DictionaryQuery{}))
	}
	if d := must(f.in.FindDictionary(f.Context(), roma.DictionaryRef{Code: "g"}))(t); d.ID != grand.ID {
		t.Errorf("found %+v", d)
	}
	_, err = f.in.FindDictionary(f.Context(), roma.DictionaryRef{})
	f.refused("nothing is asked for", err, "ROMA.00013011")

	system := must(f.in.AddSystemDictionary(f.Context(), roma.DictionarySpec{Name: "system", Code: "s", Parent: "g"}))(t)
	must(f.in.UpdateDictionary(f.Context(), system.ID, roma.DictionaryChange{Name: new("host")}))(t)
	f.refused("of the type system", f.in.DeleteDictionary(f.Context(), system.ID), "ROMA.00013014")
	f.refused("above one of the type system", f.in.DeleteDictionary(f.Context(), p.ID), "ROMA.00013014")
	other := make("o", "r", 0)
	r := must(f.in.FindDictionary(f.Context(), roma.DictionaryRef{Code: "r"}))(t)
	f.ok(f.in.DeleteDictionary(f.Context(), r.ID))
	for _, id := range []string{r.ID, other.ID} {
		_, err := f.in.Dictionary(f.Context(), id)
		f.refused("deleted with all below", err, "ROMA.00013011")
	}
	if _, err := f.in.Dictionary(f.Context(), child.ID); err != nil {
		t.Error(err)
	}
	f.ok(f.sys.Check(f.Context()))
}

func second[T any](_ T, err error) error { return err }
