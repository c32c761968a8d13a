// Command quickstart keeps the gate of a chat app: it makes a project, admits
// users, bans some, shows who is refused and why, and turns the clock.
//
//	go run ./examples/quickstart
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"

	"github.com/gatehouse-go/gatehouse/agora"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	// A system lives on a store; this one is in memory. Its clock is ours to turn.
	store := memory.New(memory.Config{})
	defer store.Close()
	now := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	sys, err := agora.New(store, agora.Config{Clock: func() time.Time { return now }})
	if err != nil {
		return err
	}
	defer sys.Close()
	history, stop := context.WithCancel(ctx)
	defer stop()
	events := sys.Events(history) // from here on

	// An account owns projects; a project's App ID names it at the gate.
	account, _, err := sys.CreateAccount(ctx)
	if err != nil {
		return err
	}
	project, err := account.CreateProject(ctx, agora.NewProject{Name: "chat"})
	if err != nil {
		return err
	}

	join := func(channel string, uid agora.UID, ip string) {
		_, err := sys.Join(ctx, agora.JoinRequest{
			AppID: project.AppID, CName: channel, UID: uid, IP: netip.MustParseAddr(ip),
		})
		fmt.Fprintf(out, "  user %d from %-12s to %-6s ", uid, ip, channel)
		if refused, ok := errors.AsType[*agora.Error](err); ok {
			fmt.Fprintln(out, refused.Decision)
			return
		}
		fmt.Fprintln(out, "allowed")
	}
	visit := func() {
		join("lobby", 7, "198.51.100.1")
		join("lobby", 8, "203.0.113.9")
		join("office", 8, "203.0.113.9")
	}

	fmt.Fprintln(out, "Everybody may come:")
	visit()

	// One rule bars a user everywhere, the other an address in one channel.
	// Members whom a rule bars are out when CreateRule returns.
	for _, rule := range []agora.NewRule{
		{Selectors: agora.Selectors{UID: 7}, Term: agora.Minutes(10)},
		{Selectors: agora.Selectors{CName: "lobby", IP: netip.MustParseAddr("203.0.113.9")}, Term: agora.Minutes(30)},
	} {
		if _, err := account.CreateRule(ctx, project.AppID, rule); err != nil {
			return err
		}
	}
	fmt.Fprintln(out, "\nTwo rules later:")
	visit()

	// Judge asks without joining, and Explain also tells what did not match.
	fmt.Fprintln(out, "\nWhy may user 8 enter the office?")
	x := sys.Explain(project.AppID, "office", 8, netip.MustParseAddr("203.0.113.9"), agora.JoinChannel, now)
	fmt.Fprintln(out, "  "+x.Decision.String())
	for _, look := range x.Rules {
		fmt.Fprintf(out, "  rule %d (%s): %s\n", look.Rule.ID, look.Rule.Selectors, look.Why)
	}

	now = now.Add(10 * time.Minute) // the first rule ends now
	fmt.Fprintln(out, "\nTen minutes later:")
	visit()

	fmt.Fprintln(out, "\nWhat happened:")
	stop() // read what is there, and wait for no more
	for event, err := range events {
		if err != nil {
			break
		}
		fmt.Fprintln(out, " ", event)
	}
	return nil
}
