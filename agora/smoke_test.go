package agora

import (
	"testing"

	"github.com/gatehouse-go/gatehouse/storage/memory"
)

func TestSmoke(t *testing.T) {
	ctx := t.Context()
	sys, err := New(memory.New(memory.Config{}), Config{})
	if err != nil {
		t.Fatal(err)
	}
	acc, _, err := sys.CreateAccount(ctx)
	if err != nil {
		t.Fatal(err)
	}
	p, err := acc.CreateProject(ctx, NewProject{Name: "x"})
	if err != nil {
		t.Fatal(err)
	}
	a, err := sys.Join(ctx, JoinRequest{AppID: p.AppID, CName: "lobby", UID: 7})
	t.Log(a, err)
	r, err := acc.CreateRule(ctx, p.AppID, NewRule{Selectors: Selectors{UID: 7}})
	t.Log(r, err)
	a, err = sys.Join(ctx, JoinRequest{AppID: p.AppID, CName: "lobby", UID: 7})
	t.Log(a, err)
	t.Log(sys.Close())
}
