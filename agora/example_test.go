package agora_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-go/gatehouse/agora"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

// demo opens a system whose clock stands still, with one project.
func demo() (*agora.System, *agora.Account, agora.AppID) {
	ctx := context.Background()
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	sys, err := agora.New(memory.New(memory.Config{}), agora.Config{Clock: func() time.Time { return noon }})
	if err != nil {
		panic(err)
	}
	account, err := sys.AddAccount(ctx, agora.Credentials{CustomerID: "demo", Secret: "demo"})
	if err != nil {
		panic(err)
	}
	project, err := account.CreateProject(ctx, agora.NewProject{Name: "demo"})
	if err != nil {
		panic(err)
	}
	return sys, account, project.AppID
}

func ExampleSystem() {
	ctx := context.Background()
	sys, account, app := demo()
	defer sys.Close()

	if _, err := account.CreateRule(ctx, app, agora.NewRule{
		Selectors: agora.Selectors{UID: 7},
		Term:      agora.Minutes(10),
	}); err != nil {
		fmt.Println(err)
	}
	for _, uid := range []agora.UID{6, 7} {
		a, err := sys.Join(ctx, agora.JoinRequest{AppID: app, CName: "lobby", UID: uid})
		fmt.Println(uid, a.Decision, errors.Is(err, agora.ErrBanned))
	}
	// Output:
	// 6 allowed false
	// 7 refused: BANNED_BY_SERVER by rule 1 (uid 7) until 2026-01-01T12:10:00.000Z true
}

func ExampleSystem_Explain() {
	ctx := context.Background()
	sys, account, app := demo()
	defer sys.Close()

	for _, n := range []agora.NewRule{
		{Selectors: agora.Selectors{CName: "lobby", IP: ip("203.0.113.9")}},
		{Selectors: agora.Selectors{UID: 7}, Privileges: agora.PublishVideo},
		{Selectors: agora.Selectors{CName: "lobby"}, Term: agora.Minutes(5)},
	} {
		if _, err := account.CreateRule(ctx, app, n); err != nil {
			fmt.Println(err)
		}
	}
	now := time.Date(2026, 1, 1, 12, 1, 0, 0, time.UTC)
	x := sys.Explain(app, "lobby", 7, ip("198.51.100.1"), agora.JoinChannel, now)
	fmt.Println(x.Decision)
	for _, l := range x.Rules {
		fmt.Println(l.Rule.ID, l.Bars, l.Why)
	}
	// Output:
	// refused: BANNED_BY_SERVER by rule 3 (cname "lobby") until 2026-01-01T12:05:00.000Z
	// 1 false ip 198.51.100.1 is not 203.0.113.9
	// 2 false takes away publish_video and not join_channel
	// 3 true cname "lobby" matches until 2026-01-01T12:05:00.000Z
}

func ExampleAccount_CreateRule_kickOnce() {
	ctx := context.Background()
	sys, account, app := demo()
	defer sys.Close()

	join := agora.JoinRequest{AppID: app, CName: "lobby", UID: 7}
	sys.Join(ctx, join)
	account.CreateRule(ctx, app, agora.NewRule{
		Selectors: agora.Selectors{CName: "lobby"},
		Term:      agora.Once(),
	})
	users, _ := account.Users(app, "lobby")
	_, err := sys.Join(ctx, join)
	fmt.Println(users.Exists, err)
	// Output: false <nil>
}

func ExampleSystem_Events() {
	ctx := context.Background()
	sys, account, app := demo()
	defer sys.Close()

	events := sys.Events(ctx)
	sys.Join(ctx, agora.JoinRequest{AppID: app, CName: "lobby", UID: 7})
	account.CreateRule(ctx, app, agora.NewRule{Selectors: agora.Selectors{UID: 7}})
	for e, err := range events {
		if err != nil {
			break
		}
		fmt.Printf("%s, uid %d\n", e.Kind, e.UID)
		if e.Kind == agora.Kicked {
			break
		}
	}
	// Output:
	// joined, uid 7
	// rule_created, uid 7
	// kicked, uid 7
}

func ExampleTerm() {
	for _, t := range []agora.Term{{}, agora.Minutes(0.5), agora.Seconds(5), agora.Minutes(5000), agora.Once()} {
		d, err := t.Duration()
		fmt.Println(d, err)
	}
	// Output:
	// 1h0m0s <nil>
	// 1m0s <nil>
	// 10s <nil>
	// 24h0m0s <nil>
	// 0s <nil>
}
