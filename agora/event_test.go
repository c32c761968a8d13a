package agora_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/gatehouse-go/gatehouse/agora"
)

// Whoever follows the events never sees a user enter that the events before
// forbid to, however joins, rules and the project's status race.
func TestEventsComeInTheOrderOfCommits(t *testing.T) {
	w := newWorld(t)
	seq := w.sys.Events(w.ctx)
	var workers sync.WaitGroup
	for seed := range uint64(8) {
		workers.Go(func() {
			r := rand.New(rand.NewPCG(seed, 1))
			for range 400 {
				cname, uid := fmt.Sprint("c", r.IntN(3)), agora.UID(1+r.IntN(6))
				switch n := r.IntN(40); {
				case n < 24:
					w.sys.Join(w.ctx, agora.JoinRequest{AppID: w.a, CName: cname, UID: uid})
				case n < 36:
					w.sys.Leave(w.ctx, w.a, cname, uid)
				case n < 37:
					if _, err := w.account.CreateRule(w.ctx, w.a, agora.NewRule{Selectors: agora.Selectors{CName: cname}, Term: agora.Once()}); err != nil {
						t.Error(err)
					}
				case n < 39:
					rule, err := w.account.CreateRule(w.ctx, w.a, agora.NewRule{Selectors: agora.Selectors{UID: uid}})
					if err == nil && n == 37 {
						err = w.account.DeleteRule(w.ctx, w.a, rule.ID)
					} else if err == nil {
						_, err = w.account.UpdateRule(w.ctx, w.a, rule.ID, agora.Once())
					}
					if err != nil {
						t.Error(err)
					}
				case seed == 0:
					for _, status := range []agora.Status{agora.Disabled, agora.Enabled} {
						if _, err := w.account.SetStatus(w.ctx, w.pa.ID, status); err != nil {
							t.Error(err)
						}
					}
				}
			}
		})
	}
	workers.Wait()
	_, err := w.account.SetRecordingServer(w.ctx, w.pa.ID, "10.12.1.5:8080") // the last event
	w.ok(err)

	type member struct {
		cname string
		uid   agora.UID
	}
	in, rules, disabled := map[member]bool{}, map[agora.RuleID]agora.UID{}, false
	// Kicks without a ban, and since which of them a member is there.
	once, since := map[agora.RuleID]bool{}, map[member]map[agora.RuleID]bool{}
	for e, err := range seq {
		w.ok(err)
		if e.Kind == agora.ProjectModified {
			break
		}
		m := member{e.CName, e.UID}
		switch e.Kind {
		case agora.Joined:
			if in[m] || disabled {
				t.Errorf("%v: in the channel %v, project disabled %v", e, in[m], disabled)
			}
			for rule, uid := range rules {
				if uid == e.UID {
					t.Errorf("%v under rule %d", e, rule)
				}
			}
			in[m], since[m] = true, maps.Clone(once)
		case agora.Left, agora.Kicked:
			if !in[m] {
				t.Errorf("%v, who is in no channel", e)
			}
			if since[m][e.Rule] {
				t.Errorf("%v, which was over when it joined", e)
			}
			delete(in, m)
		case agora.RuleCreated:
			if e.UID == 0 {
				once[e.Rule] = true
			} else {
				rules[e.Rule] = e.UID
			}
		case agora.RuleDeleted:
			delete(rules, e.Rule)
			once[e.Rule] = true
		case agora.ProjectStopped, agora.ProjectEnabled:
			disabled = e.Kind == agora.ProjectStopped
		}
	}
	members := 0
	for i := range 3 {
		users, err := w.account.Users(w.a, fmt.Sprint("c", i))
		w.ok(err)
		members += users.Total
	}
	if members != len(in) {
		t.Errorf("%d members, of which the events tell %d", members, len(in))
	}
}
