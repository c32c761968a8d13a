package rbac

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// The engine and a naive walk take the same random transactions and answer the
// same questions, on the newest snapshot and on old ones.
func TestAgreesWithANaiveWalk(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rounds, changes := 12, 250
	if testing.Short() {
		rounds = 3
	}
	for round := range rounds {
		w := world{rand.New(rand.NewPCG(seed, uint64(round))), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
		e, m := New(), newTwin()
		e.spare = w.IntN(100) // so that tidying happens often
		type kept struct {
			s *Snapshot
			m *twin
		}
		old := []kept{{e.Snapshot(), m.clone()}}
		refused := 0
		for range changes {
			before := e.Snapshot()
			after := m.clone()
			broken, cancelled := false, errors.New("cancelled")
			revision, err := e.Change(func(tx *Tx) error {
				for range 1 + w.IntN(4) {
					engine, naive := w.step(tx, after)
					if engine != naive {
						t.Fatalf("an operation that is right (%v) was taken (%v)", naive, engine)
					}
					broken = broken || !naive
					if w.IntN(10) == 0 {
						agree(t, w, tx.Snapshot(), after)
					}
				}
				if w.IntN(20) == 0 {
					broken = true
					return cancelled
				}
				return nil
			})
			sound := !broken && after.sound()
			if sound != (err == nil) {
				t.Fatalf("a change that is right (%v) was answered %v", sound, err)
			}
			now := e.Snapshot()
			if revision != now.Revision() {
				t.Fatalf("Change answered revision %d, the snapshot has %d", revision, now.Revision())
			}
			if err != nil {
				refused++
				if now != before {
					t.Fatalf("a refused change (%v) made a snapshot", err)
				}
			} else {
				m = after
			}
			agree(t, w, now, m)
			past := one(w.Rand, old)
			agree(t, w, past.s, past.m)
			if w.IntN(10) == 0 {
				old = append(old, kept{now, m.clone()})
			}
		}
		if refused == 0 || refused > changes*9/10 {
			t.Errorf("round %d: %d of %d changes refused; the operations are badly mixed", round, refused, changes)
		}
	}
}

// agree asks both a few questions, in every direction.
func agree(t *testing.T, w world, s *Snapshot, m *twin) {
	t.Helper()
	now := w.now()
	for range 4 {
		q := w.question()
		d := s.Check(now, q)
		want := m.judge(now, q)
		if (d.Outcome == Reached || d.Outcome == Granted) != (want == Reached || want == Granted) || !d.Allowed && d.Outcome != want {
			t.Fatalf("Check(%+v) = %v, want %v", q, d, want)
		}
		if problem := m.wrong(now, q, d); problem != "" {
			t.Fatalf("Check(%+v) = %+v: %s", q, d, problem)
		}
		tr := s.Explain(now, q)
		if tr.Decision != d {
			t.Fatalf("Explain(%+v) decides %v, Check %v", q, tr.Decision, d)
		}
		allows := slices.ContainsFunc(tr.Paths, func(p Path) bool { return p.Verdict == Allows })
		if d.Outcome != Frozen && allows != d.Allowed {
			t.Fatalf("Explain(%+v) disagrees with its paths: %v", q, tr)
		}
		if got := s.CheckAll(now, []Question{q, {}}, nil); got[0] != d || got[1].Allowed {
			t.Fatalf("CheckAll(%+v) = %v, want %v", q, got, d)
		}
		a := s.Actor(now, q.Subject, q.Domain)
		if got := a.May(q.Permission); got != d.Allowed {
			t.Fatalf("May(%+v) = %v, want %v", q, got, d.Allowed)
		}
	}

	d, p := w.domain(), w.permission()
	who := map[Subject]bool{}
	for subject, d := range s.WhoMay(now, d, p) {
		if who[subject] || !d.Allowed {
			t.Fatalf("WhoMay(%v, %v) yields %q again or denied", d, p, subject)
		}
		who[subject] = true
	}
	for _, subject := range []Subject{"ann", "bob", "zoe", "a\x00n", "\n"} {
		o := m.judge(now, Question{subject, d, p})
		if want := o == Granted || o == Reached; who[subject] != want {
			t.Fatalf("WhoMay(%v, %v) yields %q: %v, want %v", d, p, subject, who[subject], want)
		}
	}

	enough := map[Role]bool{}
	for r := range s.RolesFor(now, d, p) {
		if enough[r] {
			t.Fatalf("RolesFor(%v, %v) yields %v twice", d, p, r)
		}
		enough[r] = true
	}
	wantEnough := map[Role]bool{}
	for r := range m.roles {
		if r.Domain != Company && r.Domain != d {
			continue
		}
		alone := m.clone()
		alone.frozen = nil
		alone.held = map[held]Terms{{"x", r, d}: {}}
		if o := alone.judge(now, Question{"x", d, p}); o == Granted || o == Reached {
			wantEnough[r] = true
		}
	}
	if !maps.Equal(enough, wantEnough) {
		t.Fatalf("RolesFor(%v, %v) = %v, want %v", d, p, enough, wantEnough)
	}

	list := []Resource{w.resource(), {}, w.resource(), {"dev", "unheard of"}, {"unheard of", "1"}, w.resource()}
	subject, action := w.subject(), one(w.Rand, []Action{"1", "read", "unheard of", ""})
	var may []Resource
	for _, r := range list {
		if s.Check(now, Question{subject, d, On(action, r)}).Allowed {
			may = append(may, r)
		}
	}
	if got := slices.Collect(s.Filter(now, subject, d, action, slices.Values(list))); !slices.Equal(got, may) {
		t.Fatalf("Filter(%q, %v, %q, %v) = %v, want %v", subject, d, action, list, got, may)
	}

	what := map[Permission]bool{}
	for p := range s.WhatMay(now, subject, d) {
		if what[p] {
			t.Fatalf("WhatMay(%q, %v) yields %v twice", subject, d, p)
		}
		what[p] = true
		if !s.Check(now, Question{subject, d, p}).Allowed {
			t.Fatalf("WhatMay(%q, %v) yields %v, which is denied", subject, d, p)
		}
	}
	known := map[Permission]bool{}
	for g := range m.grants {
		known[g.Permission] = true
		for r := range m.parent {
			if g.Function == "" && slices.Contains(m.chain(r), g.Resource) {
				known[On(g.Action, r)] = true
			}
		}
	}
	for p := range known {
		if s.Check(now, Question{subject, d, p}).Allowed && !what[p] {
			t.Fatalf("WhatMay(%q, %v) leaves out %v", subject, d, p)
		}
	}

	if got, want := fmt.Sprint(s.listed()), fmt.Sprint(m.listed()); got != want {
		t.Fatalf("the rules are\n%s, want\n%s", got, want)
	}
	conflicts := map[string]bool{}
	for c := range s.Conflicts() {
		conflicts[string(c.Subject)+" "+exclusionText([2]Role{c.A, c.B}, c.Exclusion)] = true
	}
	if want := m.conflicts(); !maps.Equal(conflicts, want) {
		t.Fatalf("Conflicts yields %v, want %v", conflicts, want)
	}
}

// wrong says what is wrong with the path that a decision shows.
func (w *twin) wrong(now time.Time, q Question, d Decision) string {
	shown := d.Outcome == Granted || d.Outcome == Reached || d.Outcome == OnlyShadow
	if !shown {
		if d != (Decision{Outcome: d.Outcome, Revision: d.Revision}) {
			return "shows a path"
		}
		return ""
	}
	if d.Allowed != (d.Outcome != OnlyShadow) {
		return "outcome and answer differ"
	}
	ht, holds := w.held[held{q.Subject, d.Role, d.In}]
	if !holds || ended(ht, now) || d.In != Company && d.In != q.Domain {
		return "the role is not held"
	}
	if !w.reaches(d.Role, d.Source) {
		return "the source is not inherited"
	}
	if d.Chain[0].ID == "" && w.roles[d.Source].Super {
		return ""
	}
	p := q.Permission
	if p.Function == "" {
		chain := w.chain(q.Resource)
		if d.Up >= len(chain) {
			return "goes up too far"
		}
		p.Resource = chain[d.Up]
		if d.On() != p.Resource {
			return "the chain does not end at the grant"
		}
		for i := range min(d.Up, ChainLen-1) {
			if d.Chain[i] != chain[i] {
				return "the chain is not that of the resource"
			}
		}
	}
	gt, has := w.grants[granted{d.Source, p}]
	if !has || ended(gt, now) {
		return "there is no such grant"
	}
	if orShadow(Granted, ht, gt) == OnlyShadow && d.Allowed {
		return "a shadow rule allows"
	}
	return ""
}

// listed is everything that the accessors tell, sorted.
func (s *Snapshot) listed() (all []string) {
	for r, spec := range s.Roles() {
		all = append(all, fmt.Sprintf("%v %+v", r, spec))
		for p := range s.Inherited(r) {
			all = append(all, fmt.Sprintf("%v inherits %v", r, p))
		}
		for g := range s.Grants(r) {
			all = append(all, fmt.Sprintf("%+v", g))
			if !slices.Contains(slices.Collect(s.GrantsOn(g.Permission)), g) {
				all = append(all, "not among the grants on it")
			}
		}
		for a := range s.Holders(r) {
			all = append(all, fmt.Sprintf("%+v", a))
			if !slices.Contains(slices.Collect(s.Assignments(a.Subject)), a) {
				all = append(all, "not among the subject's")
			}
		}
	}
	for _, id := range []string{"1", "2", "3", "4"} {
		for _, kind := range []string{"", "dev"} {
			r := Resource{kind, id}
			for p := range s.Containers(r) {
				all = append(all, fmt.Sprintf("%v in %v", r, p))
				if !slices.Contains(slices.Collect(s.Contents(p)), r) {
					all = append(all, "not among the contents")
				}
				break
			}
		}
	}
	for x := range s.Exclusions() {
		all = append(all, exclusionText([2]Role{x.A, x.B}, x))
	}
	for b := range s.Bases() {
		all = append(all, fmt.Sprintf("%+v", b))
	}
	for _, subject := range []Subject{"ann", "bob", "zoe", "a\x00n", "\n"} {
		if s.Frozen(subject) {
			all = append(all, "frozen "+string(subject))
		}
	}
	slices.Sort(all)
	return all
}

func exclusionText(roles [2]Role, x Exclusion) string {
	a, b := fmt.Sprint(roles[0]), fmt.Sprint(roles[1])
	return fmt.Sprintf("%s and %s apart: %v", min(a, b), max(a, b), x.State)
}

func (w *twin) listed() (all []string) {
	for r, spec := range w.roles {
		all = append(all, fmt.Sprintf("%v %+v", r, spec))
	}
	for x := range w.inherits {
		all = append(all, fmt.Sprintf("%v inherits %v", x[0], x[1]))
	}
	for g, t := range w.grants {
		all = append(all, fmt.Sprintf("%+v", Grant{g.Role, g.Permission, t}))
	}
	for h, t := range w.held {
		all = append(all, fmt.Sprintf("%+v", Assignment{h.Subject, h.Role, h.Domain, t}))
	}
	for r, p := range w.parent {
		all = append(all, fmt.Sprintf("%v in %v", r, p))
	}
	for x, state := range w.exclusions {
		all = append(all, exclusionText(x, Exclusion{State: state}))
	}
	for _, b := range w.bases {
		all = append(all, fmt.Sprintf("%+v", b))
	}
	for s := range w.frozen {
		all = append(all, "frozen "+string(s))
	}
	slices.Sort(all)
	return all
}
