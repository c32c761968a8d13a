package thinkingdata_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gatehouse-go/gatehouse/internal/teststore"
	td "github.com/gatehouse-go/gatehouse/thinkingdata"
)

func TestJudgementsDoNotAllocate(t *testing.T) {
	w := newWorld(t)
	a := w.asset(2, "u2", td.Shares{All: true})
	g := w.group(2, "g", "u2")
	w.ok(w.api.AddBlackGroups(w.ctx, []td.GroupID{g}, 1))
	token, _, err := w.sys.Login(w.ctx, "u1", "ta2020")
	w.ok(err)
	u1, u2, root := w.id("u1"), w.id("u2"), w.id("root")
	for name, ask := range map[string]func(){
		"Can":          func() { w.sys.Can(u1, 2, 14) },
		"Can not":      func() { w.sys.Can(u2, 2, 14) },
		"Can root":     func() { w.sys.Can(root, 2, 14) },
		"CanSee":       func() { w.sys.CanSee(2, "u1") },
		"CanSee not":   func() { w.sys.CanSee(2, "u2") },
		"CanView":      func() { w.sys.CanView(u1, a) },
		"CanView not":  func() { w.sys.CanView(u2+1, a) },
		"Authenticate": func() { w.sys.Authenticate(projectToken) },
		"Allow":        func() { w.p2.Allow(td.GetGroup) },
		"Session":      func() { w.sys.Session(token) },
	} {
		if n := testing.AllocsPerRun(100, ask); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func TestADecisionSaysWhy(t *testing.T) {
	w := newWorld(t)
	w.equal("the zero value", td.Decision{}.String(), "denied: unjudged")
	w.contains(w.sys.Can(w.id("u1"), 2, 14).String(), `allowed: has function (allowed: role "analyst" held in "2" grants it)`)
	w.contains(w.sys.Can(w.id("u1"), 1, 14).String(), "denied: not a member")
	w.contains(w.sys.CanSee(2, "root").String(), "allowed: supervisor (")
	g := w.group(2, "g", "u1")
	w.ok(w.api.AddBlackGroups(w.ctx, []td.GroupID{g}, 1))
	w.contains(w.sys.CanSee(2, "u1").String(), fmt.Sprintf("group/%d", g))
	if td.Reason(200).String() != "Reason(200)" {
		t.Error("an unknown reason has no name")
	}
}

// twin is the rules written down naively: maps, and a walk for each question.
type twin struct {
	status     map[string]td.Status
	supervisor map[string]bool
	role       map[string]map[td.ProjectID]string // by description
	functions  map[td.ProjectID]map[string][]td.FunctionID
	group      map[td.ProjectID]map[string]bool // members of the one group of a project
	black      map[td.ProjectID]bool            // whether that group is one of the blacklist
	direct     map[string]map[td.ProjectID]bool
}

func (m *twin) can(login string, p td.ProjectID, f td.FunctionID) bool {
	switch desc, member := m.role[login][p]; {
	case m.status[login] != td.Normal:
		return false
	case m.supervisor[login]:
		return true
	default:
		return member && slices.Contains(m.functions[p][desc], f)
	}
}

func (m *twin) sees(login string, p td.ProjectID) bool {
	_, member := m.role[login][p]
	switch {
	case m.status[login] != td.Normal:
		return false
	case m.supervisor[login]:
		return true
	case !member && p != 0:
		return false
	}
	return !m.direct[login][0] && !m.direct[login][p] &&
		!(m.black[p] && m.group[p][login]) && !(m.black[0] && m.group[0][login])
}

// The system beside its twin, under the same random operations.
func TestModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	w := newWorld(t)
	other := w.open(td.Config{})
	logins := []string{"m0", "m1", "m2", "m3", "m4", "m5"}
	projects := []td.ProjectID{0, 1, 2, 3}
	all := []td.FunctionID{1, 14, 28, 34, 35, 53}
	m := &twin{
		status: map[string]td.Status{}, supervisor: map[string]bool{}, role: map[string]map[td.ProjectID]string{},
		functions: map[td.ProjectID]map[string][]td.FunctionID{}, group: map[td.ProjectID]map[string]bool{},
		black: map[td.ProjectID]bool{}, direct: map[string]map[td.ProjectID]bool{},
	}
	custom, groups := map[td.ProjectID]td.RoleName{}, map[td.ProjectID]td.GroupID{}
	for _, p := range projects {
		m.functions[p] = map[string][]td.FunctionID{"administrator": {14, 28, 34, 35, 53}, "analyst": {14, 34, 35, 53}, "regular user": {34, 35}, "custom": {34}}
		m.group[p] = map[string]bool{}
		custom[p] = w.role(p, td.Member, "custom", 34)
		groups[p] = w.group(p, "the group")
	}
	create := func(login string) {
		w.ok(w.api.CreateUsers(w.ctx, []td.UserRoles{{LoginName: login}}))
		m.status[login], m.role[login], m.direct[login] = td.Normal, map[td.ProjectID]string{}, map[td.ProjectID]bool{}
	}
	for _, login := range logins {
		create(login)
	}
	leave := func(login string, p td.ProjectID) {
		delete(m.role[login], p)
		delete(m.group[p], login)
		if p != 0 {
			delete(m.direct[login], p)
		}
	}
	pick := func() (string, td.ProjectID) {
		return logins[rnd.IntN(len(logins))], projects[rnd.IntN(len(projects))]
	}
	for step := range 400 {
		login, p := pick()
		var what string
		switch rnd.IntN(12) {
		case 0, 1:
			desc := []string{"administrator", "analyst", "regular user", "custom"}[rnd.IntN(4)]
			what = "role " + desc
			w.batch(login, p, desc)
			m.role[login][p] = desc
		case 2:
			what = "functions"
			base, set := td.Analyst, []td.FunctionID{14, 34, 53}
			if rnd.IntN(2) == 0 {
				base, set = td.Member, []td.FunctionID{34}
			}
			for _, f := range []td.FunctionID{28, 35} {
				if rnd.IntN(2) == 0 {
					set = append(set, f)
				}
			}
			w.ok(w.api.UpdateRole(w.ctx, p, custom[p], td.RoleUpdate{Base: base, Functions: &set}))
			m.functions[p]["custom"] = set
		case 3:
			what = "lock"
			err := w.api.Lock(w.ctx, login)
			if m.supervisor[login] {
				w.fails(err, td.NoPermission)
			} else {
				w.ok(err)
				m.status[login] = td.Locked
			}
		case 4:
			what = "unlock"
			w.ok(w.api.Unlock(w.ctx, login))
			m.status[login] = td.Normal
		case 5:
			what = "supervisor"
			m.supervisor[login] = rnd.IntN(3) == 0
			w.ok(w.sys.SetSupervisor(w.ctx, login, m.supervisor[login]))
		case 6:
			what = "group"
			refs := []td.MemberRef{}
			clear(m.group[p])
			for _, u := range logins {
				if _, member := m.role[u][p]; (member || p == 0) && rnd.IntN(2) == 0 {
					refs = append(refs, td.MemberRef{UserName: u})
					m.group[p][u] = true
				}
			}
			w.ok(w.api.UpdateGroup(w.ctx, p, groups[p], td.GroupUpdate{Members: &refs}))
		case 7:
			what = "blacklist group"
			if m.black[p] = !m.black[p]; m.black[p] {
				w.ok(w.api.AddBlackGroups(w.ctx, []td.GroupID{groups[p]}, 1))
			} else if rnd.IntN(2) == 0 {
				w.ok(w.sys.RemoveBlackGroup(w.ctx, groups[p]))
			} else {
				w.ok(w.api.DeleteGroup(w.ctx, p, groups[p]))
				groups[p] = w.group(p, "the group")
				clear(m.group[p])
			}
		case 8:
			what = "blacklist"
			w.ok(w.api.AddBlack(w.ctx, td.BlackEntry{LoginName: login, Project: p}))
			m.direct[login][p] = true
		case 9:
			what = "cancel"
			if rnd.IntN(3) == 0 {
				w.ok(w.api.CancelBlack(w.ctx, login, nil))
				clear(m.direct[login])
			} else {
				w.ok(w.api.CancelBlack(w.ctx, login, &p))
				delete(m.direct[login], p)
			}
		case 10:
			what = "remove"
			err := w.api.RemoveFromProject(w.ctx, p, login, "root")
			if _, member := m.role[login][p]; member || p == 0 {
				w.ok(err)
				leave(login, p)
			} else {
				w.fails(err, td.NotExist)
			}
		case 11:
			what = "delete"
			err := w.api.DeleteUser(w.ctx, login, "root")
			if m.supervisor[login] {
				w.fails(err, td.NoPermission)
				break
			}
			w.ok(err)
			for _, p := range projects {
				leave(login, p)
			}
			create(login)
		}
		ask := func(sys *td.System) bool {
			good := true
			for _, login := range logins {
				u, err := sys.User(login)
				good = good && err == nil
				for _, p := range projects {
					if got, want := sys.CanSee(p, login), m.sees(login, p); got.Allowed != want {
						t.Errorf("step %d, %s: CanSee(%d, %s) = %v, want %v", step, what, p, login, got, want)
						good = false
					}
					for _, f := range all {
						if got, want := sys.Can(u.ID, p, f), m.can(login, p, f); got.Allowed != want {
							t.Errorf("step %d, %s: Can(%s, %d, %d) = %v, want %v", step, what, login, p, f, got, want)
							good = false
						}
					}
				}
			}
			return good
		}
		if !ask(w.sys) {
			t.FailNow()
		}
		if step%100 == 99 {
			w.whole()
			fresh := w.open(td.Config{})
			if !ask(fresh) {
				t.Fatal("a system opened anew judges otherwise")
			}
		}
	}
	eventually(t, "the other system", func() bool {
		for _, login := range logins {
			for _, p := range projects {
				if other.CanSee(p, login).Allowed != m.sees(login, p) {
					return false
				}
			}
		}
		return true
	})
}

func BenchmarkJudge(b *testing.B) {
	store := teststore.New(b)
	defer store.Close()
	sys, err := td.New(store, td.Config{Hasher: plain{}})
	if err != nil {
		b.Fatal(err)
	}
	defer sys.Close()
	for range 10 {
		if _, err := sys.CreateProject(b.Context(), "p"); err != nil {
			b.Fatal(err)
		}
	}
	const users = 10_000
	batch := make([]td.UserRoles, users)
	logins := make([]string, users)
	for i := range batch {
		logins[i] = fmt.Sprintf("user%d", i)
		batch[i] = td.UserRoles{LoginName: logins[i], Roles: []td.RoleChoice{{Project: td.ProjectID(i%10 + 1), RoleDesc: "analyst"}}}
	}
	if err := sys.Corporate().CreateUsers(b.Context(), batch); err != nil {
		b.Fatal(err)
	}
	b.Run("CanSee", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			u := i % users
			if !sys.CanSee(td.ProjectID(u%10+1), logins[u]).Allowed {
				b.Fatal("denied")
			}
		}
	})
	b.Run("Can", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			u := i % users
			if !sys.Can(td.UserID(u+1), td.ProjectID(u%10+1), 14).Allowed {
				b.Fatal("denied")
			}
		}
	})
}
