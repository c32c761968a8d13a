package iam_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/iam"
)

func ExampleStatic() {
	users := iam.NewStatic()
	users.AddToken("demo-token", iam.Principal{UserID: "u1", UserName: "root", Access: iam.Full})
	p, err := users.Token(context.Background(), "demo-token")
	fmt.Println(p.UserName, p.May(iam.Write), err)
	_, err = users.Token(context.Background(), "another")
	fmt.Println(err)
	// Output:
	// root true <nil>
	// iam: unknown credential
}

func TestStatic(t *testing.T) {
	now := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	s := iam.NewStatic()
	s.Clock = func() time.Time { return now }
	root := iam.Principal{UserID: "b", UserName: "root", Access: iam.Read}
	s.AddTokenUntil("token", root, now.Add(time.Minute))
	s.AddKey("ak", "sk", root)
	s.AddUser(iam.User{ID: "a", Name: "first"})
	s.AddUser(iam.User{ID: "b", Name: "renamed"})
	if p, err := s.Token(t.Context(), "token"); p != root || err != nil {
		t.Errorf("%+v, %v", p, err)
	}
	now = now.Add(time.Minute)
	if _, err := s.Token(t.Context(), "token"); !errors.Is(err, iam.ErrExpired) {
		t.Errorf("at its end: %v", err)
	}
	if p, secret, err := s.Key(t.Context(), "ak"); p != root || secret != "sk" || err != nil {
		t.Errorf("%+v %s, %v", p, secret, err)
	}
	if _, _, err := s.Key(t.Context(), "nope"); !errors.Is(err, iam.ErrUnknown) {
		t.Errorf("unknown: %v", err)
	}
	users, err := s.Users(t.Context(), "any")
	if err != nil || len(users) != 2 || users[0].ID != "a" || users[1].Name != "renamed" {
		t.Errorf("%v, %v", users, err)
	}
	if (iam.Principal{}).May(iam.Read) || !root.May(iam.Read) || root.May(iam.Full) {
		t.Error("access")
	}
}
