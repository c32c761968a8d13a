package milesight_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gatehouse-go/gatehouse/milesight"
)

// twin is the directory as plain sets, judged by walking them.
type twin struct {
	enabled map[milesight.UserID]bool // of all users
	holds   map[[2]int64]bool         // user, role
	opens   map[[2]int64]bool         // role, menu
	grants  map[milesight.RoleID]map[milesight.Resource]bool
	in      map[milesight.Resource]milesight.Resource // of all resources
	codes   map[milesight.MenuID]string
}

func (m *twin) rolesOf(u milesight.UserID) (roles []milesight.RoleID) {
	if !m.enabled[u] {
		return nil
	}
	for link := range m.holds {
		if link[0] == int64(u) {
			roles = append(roles, milesight.RoleID(link[1]))
		}
	}
	return roles
}

func (m *twin) may(u milesight.UserID, r milesight.Resource) bool {
	roles := m.rolesOf(u)
	if slices.Contains(roles, 1) {
		return true
	}
	if _, known := m.in[r]; len(roles) == 0 || r.Type == milesight.Device && !known {
		return false
	}
	custom := res(milesight.Integration, "system")
	for at := r; ; {
		for _, role := range roles {
			if m.grants[role][at] {
				return true
			}
		}
		next, known := m.in[at]
		if !known || next == nowhere {
			return false
		}
		if next == custom && at.Type == milesight.Entity {
			return true
		}
		at = next
	}
}

func (m *twin) mayOpen(u milesight.UserID, code string) bool {
	for _, role := range m.rolesOf(u) {
		if role == 1 {
			return true
		}
		for link := range m.opens {
			if link[0] == int64(role) && m.codes[milesight.MenuID(link[1])] == code {
				return true
			}
		}
	}
	return false
}

func (m *twin) remove(r milesight.Resource) {
	for inner, in := range maps.Clone(m.in) {
		if in == r {
			m.remove(inner)
		}
	}
	delete(m.in, r)
	for _, granted := range m.grants {
		delete(granted, r)
	}
}

// Random changes by random administrators, judged beside sets that are walked.
func TestAgainstANaiveTwin(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	w := newWorld(t)
	m := &twin{
		enabled: map[milesight.UserID]bool{w.root: true, w.ann: true, w.bob: true},
		holds:   map[[2]int64]bool{{int64(w.root), 1}: true, {int64(w.ann), int64(w.role)}: true},
		opens:   map[[2]int64]bool{},
		grants:  map[milesight.RoleID]map[milesight.Resource]bool{1: {}, w.role: {}},
		in:      map[milesight.Resource]milesight.Resource{},
		codes:   map[milesight.MenuID]string{},
	}
	for _, id := range []milesight.RoleID{w.newRole("a"), w.newRole("b")} {
		m.grants[id] = map[milesight.Resource]bool{}
	}
	menus := must(w.host.UserMenus(w.root))
	for _, menu := range menus[:8] {
		m.codes[menu.ID] = menu.Code
	}
	integrations := []milesight.Resource{res("INTEGRATION", "A"), res("INTEGRATION", "B"), res("INTEGRATION", "system")}
	var devices, entities []milesight.Resource
	for i := range 5 {
		devices = append(devices, res("DEVICE", fmt.Sprint(i)))
		entities = append(entities, res("ENTITY", fmt.Sprint(i)))
	}
	all := slices.Concat(integrations, devices, entities, []milesight.Resource{res("DASHBOARD", "0"), res("WORKFLOW", "0")})
	one := func(list []milesight.Resource) milesight.Resource { return list[rnd.IntN(len(list))] }
	user := func() milesight.UserID { return randomKey(rnd, m.enabled) }
	role := func() milesight.RoleID { return randomKey(rnd, m.grants) }
	admins := func() (n int) {
		for u := range m.enabled {
			if slices.Contains(m.rolesOf(u), 1) {
				n++
			}
		}
		return n
	}

	steps := 400
	if testing.Short() {
		steps = 100
	}
	for step := range steps {
		switch rnd.IntN(12) {
		case 0:
			if len(m.enabled) < 8 {
				m.enabled[w.user(fmt.Sprint("u", step))] = true
			}
		case 1:
			u := user()
			left := m.clone()
			delete(left.enabled, u)
			if err := w.host.DeleteUsers(w.ctx, u); (err == nil) != left.hasAdmin() {
				t.Fatalf("step %d: DeleteUsers(%d) = %v with %d super admins", step, u, err, admins())
			} else if err == nil {
				delete(m.enabled, u)
				maps.DeleteFunc(m.holds, func(link [2]int64, _ bool) bool { return link[0] == int64(u) })
			}
		case 2:
			u, status := user(), []milesight.Status{milesight.Enabled, milesight.Disabled}[rnd.IntN(2)]
			left := m.clone()
			left.enabled[u] = status == milesight.Enabled
			if err := w.host.SetStatus(w.ctx, u, status); (err == nil) != left.hasAdmin() {
				t.Fatalf("step %d: SetStatus(%d, %s) = %v with %d super admins", step, u, status, err, admins())
			} else if err == nil {
				m.enabled[u] = status == milesight.Enabled
			}
		case 3, 4:
			u, r := user(), role()
			w.ok(w.host.AssociateUsers(w.ctx, r, u))
			m.holds[[2]int64{int64(u), int64(r)}] = true
		case 5:
			u, r := user(), role()
			left := m.clone()
			delete(left.holds, [2]int64{int64(u), int64(r)})
			if err := w.host.DisassociateUsers(w.ctx, r, u); (err == nil) != left.hasAdmin() {
				t.Fatalf("step %d: DisassociateUsers(%d, %d) = %v with %d super admins", step, r, u, err, admins())
			} else if err == nil {
				delete(m.holds, [2]int64{int64(u), int64(r)})
			}
		case 6:
			r, list := role(), []milesight.Resource{one(all), one(all)}
			w.ok(w.host.AssociateResources(w.ctx, r, list...))
			for _, x := range list {
				m.grants[r][x] = true
			}
		case 7:
			r, x := role(), one(all)
			w.ok(w.host.DisassociateResources(w.ctx, r, x))
			delete(m.grants[r], x)
		case 8:
			r, menu := role(), randomKey(rnd, m.codes)
			w.ok(w.host.AssociateMenus(w.ctx, r, menu, 12345))
			maps.DeleteFunc(m.opens, func(link [2]int64, _ bool) bool { return link[0] == int64(r) })
			m.opens[[2]int64{int64(r), int64(menu)}] = true
		case 9, 10:
			x, in := one(all), nowhere
			switch x.Type {
			case milesight.Device:
				in = one(integrations)
			case milesight.Entity:
				in = one(slices.Concat(integrations, devices, entities))
			}
			old, known := m.in[x]
			_, there := m.in[in]
			want := known && old == in || !known && (in == nowhere || there)
			if err := w.tenant.AddResource(w.ctx, milesight.NewResource{Resource: x, In: in}); (err == nil) != want {
				t.Fatalf("step %d: AddResource(%v in %v) = %v", step, x, in, err)
			} else if err == nil {
				m.in[x] = in
			}
		case 11:
			x := one(all)
			if rnd.IntN(3) == 0 {
				w.ok(w.tenant.RemoveResource(w.ctx, x))
				m.remove(x)
			}
		}
		for u := range m.enabled {
			for _, x := range all {
				if d := w.tenant.Check(u, x); d.Allowed != m.may(u, x) {
					t.Fatalf("step %d: Check(%d, %v) = %v, want %v\n%v", step, u, x, d, m.may(u, x), w.tenant.Explain(u, x))
				}
			}
			for _, code := range m.codes {
				if d := w.tenant.MayOpen(u, code); d.Allowed != m.mayOpen(u, code) {
					t.Fatalf("step %d: MayOpen(%d, %q) = %v, want %v", step, u, code, d, m.mayOpen(u, code))
				}
			}
		}
	}
	// What a fresh system makes of the records is the same.
	fresh := w.in(w.open(milesight.Config{}))
	for u := range m.enabled {
		for _, x := range all {
			if fresh.Check(u, x).Allowed != m.may(u, x) {
				t.Errorf("reopened: Check(%d, %v) is not %v", u, x, m.may(u, x))
			}
		}
	}
}

func (m *twin) clone() *twin {
	return &twin{enabled: maps.Clone(m.enabled), holds: maps.Clone(m.holds)}
}

// hasAdmin reports whether an enabled user holds super_admin.
func (m *twin) hasAdmin() bool {
	for u := range m.enabled {
		if slices.Contains(m.rolesOf(u), 1) {
			return true
		}
	}
	return false
}

func randomKey[K int64 | milesight.UserID | milesight.RoleID | milesight.MenuID, V any](rnd *rand.Rand, m map[K]V) K {
	keys := slices.Sorted(maps.Keys(m))
	return keys[rnd.IntN(len(keys))]
}
