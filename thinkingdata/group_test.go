package thinkingdata_test

import (
	"strings"
	"testing"
	"time"

	td "github.com/gatehouse-go/gatehouse/thinkingdata"
)

func TestMembersOfGroups(t *testing.T) {
	w := newWorld(t)
	u1, u2, u3, root := w.id("u1"), w.id("u2"), w.id("u3"), w.id("root")
	for _, c := range []struct {
		name    string
		project td.ProjectID
		refs    []td.MemberRef
		want    []td.UserID // nil when refused
		code    td.Code
	}{
		{"by number", 2, []td.MemberRef{{ID: u2}, {ID: u1}, {ID: u2}}, []td.UserID{u1, u2}, 0},
		{"by login name", 2, []td.MemberRef{{UserName: " u2 "}, {ID: u2}}, []td.UserID{u2}, 0},
		{"both", 2, []td.MemberRef{{ID: u1, UserName: "u1"}}, []td.UserID{u1}, 0},
		{"by the name that is shown", 0, []td.MemberRef{{ID: root, UserName: "The Root"}}, []td.UserID{root}, 0},
		{"none", 2, nil, []td.UserID{}, 0},
		{"anybody in the company scope", 0, []td.MemberRef{{ID: u3}, {ID: u2}}, []td.UserID{u2, u3}, 0},
		{"contradiction", 2, []td.MemberRef{{ID: u1, UserName: "u2"}}, nil, td.InvalidItem},
		{"unknown number", 2, []td.MemberRef{{ID: u1}, {ID: 99}}, nil, td.NotExist},
		{"unknown name", 2, []td.MemberRef{{UserName: "nobody"}}, nil, td.NotExist},
		{"unknown before others", 2, []td.MemberRef{{ID: u3}, {ID: 99}}, nil, td.NotExist},
		{"no member of the project", 2, []td.MemberRef{{ID: u3}}, nil, td.InvalidItem},
		{"a supervisor is none by that", 2, []td.MemberRef{{ID: root}}, nil, td.InvalidItem},
		{"nobody", 2, []td.MemberRef{{}}, nil, td.BadParameter},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := w.dump()
			id, err := w.api.CreateGroup(w.ctx, c.project, td.NewGroup{Name: "g", Members: c.refs})
			if c.want == nil {
				w.fails(err, c.code)
				w.unchanged("a refused group", before)
				return
			}
			w.ok(err)
			w.equal(c.name, w.members(c.project, "g"), c.want)
			w.ok(w.api.DeleteGroup(w.ctx, c.project, id))
			w.whole()
		})
	}
}

func TestGroupsAreUpdatedInPart(t *testing.T) {
	zone := time.FixedZone("", 8*3600)
	w := newWorld(t, td.Config{Zone: zone})
	id := w.group(2, "g", "u1", "u2")
	name, yes := "other", true
	steps := []struct {
		what   string
		update td.GroupUpdate
		want   td.Group
	}{
		{"nothing", td.GroupUpdate{}, td.Group{Name: "g", Members: []td.UserID{w.id("u1"), w.id("u2")}}},
		{"the name", td.GroupUpdate{Name: &name}, td.Group{Name: "other", Members: []td.UserID{w.id("u1"), w.id("u2")}}},
		{"its own name", td.GroupUpdate{Name: &name}, td.Group{Name: "other", Members: []td.UserID{w.id("u1"), w.id("u2")}}},
		{"default", td.GroupUpdate{Default: &yes}, td.Group{Name: "other", Default: true, Members: []td.UserID{w.id("u1"), w.id("u2")}}},
		{"members", td.GroupUpdate{Members: &[]td.MemberRef{{UserName: "u2"}}}, td.Group{Name: "other", Default: true, Members: []td.UserID{w.id("u2")}}},
		{"no members", td.GroupUpdate{Members: &[]td.MemberRef{}}, td.Group{Name: "other", Default: true, Members: []td.UserID{}}},
	}
	for i, s := range steps {
		w.clock.advance(time.Minute)
		w.ok(w.api.UpdateGroup(w.ctx, 2, id, s.update))
		g, err := w.api.Group(w.ctx, 2, s.want.Name)
		w.ok(err)
		s.want.ID, s.want.Project = id, 2
		s.want.Updated = t0.Add(time.Duration(i+1) * time.Minute).In(zone)
		w.equal(s.what, g, s.want)
	}
}

func TestGroupsThatCannotBe(t *testing.T) {
	w := newWorld(t)
	id := w.group(2, "g", "u1")
	w.group(2, "taken")
	before := w.dump()
	str := func(s string) *string { return &s }
	for _, bad := range []string{"", " ", "\xff", strings.Repeat("g", 65)} {
		w.fails(second(w.api.CreateGroup(w.ctx, 2, td.NewGroup{Name: bad})), td.BadParameter)
		w.fails(w.api.UpdateGroup(w.ctx, 2, id, td.GroupUpdate{Name: &bad}), td.BadParameter)
	}
	w.fails(second(w.api.Group(w.ctx, 2, " ")), td.BadParameter)
	w.fails(w.api.UpdateGroup(w.ctx, 2, id, td.GroupUpdate{Members: &[]td.MemberRef{{}}}), td.BadParameter)
	w.fails(second(w.api.CreateGroup(w.ctx, 2, td.NewGroup{Name: "taken"})), td.AlreadyExists)
	w.fails(w.api.UpdateGroup(w.ctx, 2, id, td.GroupUpdate{Name: str("taken"), Members: &[]td.MemberRef{}}), td.AlreadyExists)
	w.fails(w.api.UpdateGroup(w.ctx, 2, id, td.GroupUpdate{Members: &[]td.MemberRef{{UserName: "u3"}}}), td.InvalidItem)
	for _, err := range []error{
		second(w.api.Group(w.ctx, 2, "G")), second(w.api.Group(w.ctx, 3, "g")), second(w.api.Group(w.ctx, 9, "g")),
		w.api.UpdateGroup(w.ctx, 3, id, td.GroupUpdate{}), w.api.UpdateGroup(w.ctx, 2, 99, td.GroupUpdate{}),
		w.api.DeleteGroup(w.ctx, 3, id), w.api.DeleteGroup(w.ctx, 2, 99), w.api.DeleteGroup(w.ctx, 9, id),
		w.api.UpdateGroup(w.ctx, 9, id, td.GroupUpdate{}), second(w.api.CreateGroup(w.ctx, 9, td.NewGroup{Name: "n"})),
	} {
		w.fails(err, td.NotExist)
	}
	w.unchanged("all of these", before)
	if other := w.group(3, "g"); other == id {
		t.Error("numbers of groups are unique over all projects")
	}
}

func TestHostsListGroupsAndUsers(t *testing.T) {
	w := newWorld(t)
	b := w.group(2, "b", "u2", "u1")
	a := w.group(2, "a")
	w.group(3, "c")
	list, err := w.sys.Groups(w.ctx, 2)
	w.ok(err)
	w.equal("groups", list, []td.Group{
		{ID: a, Project: 2, Name: "a", Members: []td.UserID{}, Updated: t0},
		{ID: b, Project: 2, Name: "b", Members: []td.UserID{w.id("u1"), w.id("u2")}, Updated: t0},
	})
	w.fails(second(w.sys.Groups(w.ctx, 9)), td.NotExist)
	w.ok(w.api.DeleteUser(w.ctx, "u2", "root"))
	var names []string
	for _, u := range w.sys.Users() {
		names = append(names, u.LoginName)
	}
	w.equal("users", names, []string{"root", "u1", "u3"})
}
