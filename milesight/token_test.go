package milesight_test

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/teststore"
	"github.com/gatehouse-go/gatehouse/milesight"
)

func TestTokensExpireAfterADay(t *testing.T) {
	w := newWorld(t)
	token := w.logIn("ann")
	w.equal("expires", token.Expires, 24*time.Hour)
	w.clock.advance(24*time.Hour - 1)
	w.alive(token, true)
	caller := w.as("ann")
	w.clock.advance(1)
	w.alive(token, false)
	_, err := w.refresh(token.RefreshToken)
	w.fails(err, milesight.ErrUnauthenticated)
	_, err = caller.Me() // of a younger log-in
	w.ok(err)
	w.clock.advance(24 * time.Hour)
	_, err = caller.Me() // a Caller is worth no more than its token
	w.fails(err, milesight.ErrUnauthenticated)
	w.fails(caller.AllowMenu("device.view"), milesight.ErrUnauthenticated)
}

func TestARefreshBeginsANewDay(t *testing.T) {
	w := newWorld(t)
	token := w.logIn("ann")
	for range 3 {
		w.clock.advance(24*time.Hour - 1)
		next, err := w.refresh(token.RefreshToken)
		w.ok(err)
		w.alive(token, false)
		w.alive(next, true)
		token = next
	}
	w.equal("sessions", w.sys.CountSessions(), 1)
}

func TestSessionsThatAreOverAreSwept(t *testing.T) {
	w := newWorld(t)
	for range 5 {
		w.logIn("ann")
	}
	w.logIn("bob")
	w.equal("sessions", w.sys.CountSessions(), 6)
	w.clock.advance(24 * time.Hour)
	w.logIn("ann")
	w.equal("sessions", w.sys.CountSessions(), 2) // ann's new one, and bob's until he comes again
}

func TestWhatEndsAUsersTokens(t *testing.T) {
	for name, c := range map[string]struct {
		do    func(w *world, own milesight.Caller) error
		other bool // whether another session of ann's goes on
		own   bool // whether the session goes on that it is done from
	}{
		"nothing":                 {func(*world, milesight.Caller) error { return nil }, true, true},
		"disabling":               {func(w *world, _ milesight.Caller) error { return w.host.SetStatus(w.ctx, w.ann, milesight.Disabled) }, false, false},
		"deleting":                {func(w *world, _ milesight.Caller) error { return w.host.DeleteUsers(w.ctx, w.ann) }, false, false},
		"a password by another":   {func(w *world, _ milesight.Caller) error { return w.host.ResetPassword(w.ctx, w.ann, "n") }, false, false},
		"one's own password":      {func(w *world, own milesight.Caller) error { return own.ChangePassword(w.ctx, password, "n") }, false, true},
		"a new name":              {func(w *world, _ milesight.Caller) error { return w.host.UpdateUser(w.ctx, w.ann, "n@x", "n") }, true, true},
		"a log-in":                {func(w *world, _ milesight.Caller) error { w.logIn("ann"); return nil }, true, true},
		"losing a role":           {func(w *world, _ milesight.Caller) error { return w.host.DisassociateUsers(w.ctx, w.role, w.ann) }, true, true},
		"a wrong old password":    {func(w *world, own milesight.Caller) error { _ = own.ChangePassword(w.ctx, "x", "n"); return nil }, true, true},
		"disabling and enabling":  {func(w *world, _ milesight.Caller) error { return both(w) }, false, false},
		"another user's deletion": {func(w *world, _ milesight.Caller) error { return w.host.DeleteUsers(w.ctx, w.bob) }, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			first, second := w.logIn("ann"), w.logIn("ann")
			own, err := w.tenant.Authenticate(second.AccessToken)
			w.ok(err)
			w.ok(c.do(w, own))
			w.alive(first, c.other)
			w.alive(second, c.own)
			for token, want := range map[string]bool{first.RefreshToken: c.other, second.RefreshToken: c.own} {
				if _, err := w.refresh(token); (err == nil) != want {
					t.Errorf("refresh: %v, want good %v", err, want)
				}
			}
		})
	}
}

func both(w *world) error {
	if err := w.host.SetStatus(w.ctx, w.ann, milesight.Disabled); err != nil {
		return err
	}
	return w.host.SetStatus(w.ctx, w.ann, milesight.Enabled)
}

func TestARootWhoResetsHisOwnPasswordStaysIn(t *testing.T) {
	w := newWorld(t)
	other, own := w.logIn("root"), w.logIn("root")
	c, err := w.tenant.Authenticate(own.AccessToken)
	w.ok(err)
	w.ok(c.ResetPassword(w.ctx, w.root, "n"))
	w.alive(own, true)
	w.alive(other, false)
	_, err = w.tenant.Token(w.ctx, request("root@x", "n"))
	w.ok(err)
}

func TestADisabledUserMayDoNothing(t *testing.T) {
	w := newWorld(t)
	w.house()
	w.grant(res(milesight.Integration, "I1"))
	w.ok(w.host.SetStatus(w.ctx, w.ann, milesight.Disabled))
	w.equal("ann reaches", w.reach(w.ann), []string{})
	_, err := w.tenant.Token(w.ctx, request("ann@x", password))
	w.fails(err, milesight.ErrUnauthenticated)
	w.equal("message", err.(*milesight.Error).Message, "invalid_request:Bad credentials")
	w.ok(w.host.SetStatus(w.ctx, w.ann, milesight.Enabled))
	w.equal("ann reaches", len(w.reach(w.ann)), 7)
	w.logIn("ann")
}

func TestTokenRequestsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	good := request("ann@x", password)
	for want, change := range map[string]func(*milesight.TokenRequest){
		"invalid_client":                     func(r *milesight.TokenRequest) { r.ClientID = "x" },
		"invalid_client ":                    func(r *milesight.TokenRequest) { r.ClientSecret = "" },
		"unsupported_grant_type":             func(r *milesight.TokenRequest) { r.GrantType = "client_credentials" },
		"unsupported_grant_type ":            func(r *milesight.TokenRequest) { r.GrantType = "" },
		"unsupported_grant_type  ":           func(r *milesight.TokenRequest) { r.GrantType = "Password" },
		"invalid_grant":                      func(r *milesight.TokenRequest) { r.GrantType = "refresh_token" },
		"invalid_grant ":                     func(r *milesight.TokenRequest) { r.GrantType, r.RefreshToken = "refresh_token", "x" },
		"invalid_request:Bad credentials":    func(r *milesight.TokenRequest) { r.Password += " " },
		"invalid_request:Bad credentials ":   func(r *milesight.TokenRequest) { r.Username = "nobody@x" },
		"invalid_request:Bad credentials  ":  func(r *milesight.TokenRequest) { r.Username = "" },
		"invalid_request:Bad credentials   ": func(r *milesight.TokenRequest) { r.Username = strings.Repeat("x", 100_000) },
	} {
		r := good
		change(&r)
		_, err := w.tenant.Token(w.ctx, r)
		w.fails(err, milesight.ErrUnauthenticated)
		w.equal("message", err.(*milesight.Error).Message, strings.TrimSpace(want))
	}
	w.equal("sessions", w.sys.CountSessions(), 0)
}

func TestTheClientMayBeAnother(t *testing.T) {
	w := newWorldOn(t, teststore.New(t), milesight.Config{ClientID: "c", ClientSecret: "s"})
	_, err := w.tenant.Token(w.ctx, request("ann@x", password))
	w.fails(err, milesight.ErrUnauthenticated)
	r := request("ann@x", password)
	r.ClientID, r.ClientSecret = "c", "s"
	_, err = w.tenant.Token(w.ctx, r)
	w.ok(err)
}

func TestAccessTokensThatAreNone(t *testing.T) {
	w := newWorld(t)
	token := w.logIn("ann")
	for _, bad := range []string{
		"", " ", "x", token.RefreshToken, token.AccessToken + "x", token.AccessToken[1:], strings.ToUpper(token.AccessToken),
		strings.Repeat("x", 10_000), "\x00",
	} {
		_, err := w.tenant.Authenticate(bad)
		w.fails(err, milesight.ErrUnauthenticated)
		if bad != "" && len(bad) > 8 && strings.Contains(err.Error(), bad) {
			t.Errorf("%v has the token in it", err)
		}
	}
	for header, want := range map[string]bool{
		"Bearer " + token.AccessToken: true, "bearer  " + token.AccessToken + " ": true,
		token.AccessToken: false, "Basic " + token.AccessToken: false, "": false, "Bearer": false, "Bearer " + token.RefreshToken: false,
	} {
		if _, err := w.tenant.AuthenticateHeader(header); (err == nil) != want {
			t.Errorf("%.10q...: %v, want good %v", header, err, want)
		}
	}
}

// Of many who refresh with one token, one gets new tokens.
func TestARefreshTokenWorksOnce(t *testing.T) {
	w := newWorld(t)
	token := w.logIn("ann")
	var mu sync.Mutex
	var got []milesight.Token
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			next, err := w.refresh(token.RefreshToken)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				got = append(got, next)
			}
		})
	}
	wg.Wait()
	if len(got) != 1 {
		t.Fatalf("%d refreshes with one token succeeded", len(got))
	}
	w.alive(got[0], true)
}

func TestNothingShowsSecrets(t *testing.T) {
	w := newWorld(t)
	token := w.logIn("ann")
	r := request("ann@x", password)
	r.RefreshToken = token.RefreshToken
	for _, v := range []any{r, token, newUser("ann")} {
		var logged strings.Builder
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("", "v", v)
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "log"} {
			text := fmt.Sprintf(format, v)
			if format == "log" {
				text = logged.String()
			}
			for _, secret := range []string{password, "milesight*iab", token.AccessToken, token.RefreshToken} {
				if strings.Contains(text, secret) {
					t.Errorf("%s of %T shows a secret", format, v)
				}
			}
		}
	}
	for record, err := range allRecords(w) {
		w.ok(err)
		for _, secret := range []string{password, token.AccessToken, token.RefreshToken} {
			if strings.Contains(record.Key+record.Value, secret) {
				t.Errorf("the store has a secret under %q", record.Key)
			}
		}
	}
}

// slow is a hasher during whose work other things happen.
type slow struct {
	milesight.PBKDF2
	meanwhile func()
}

func (s *slow) Verify(hash, password string) bool {
	right := s.PBKDF2.Verify(hash, password)
	if s.meanwhile != nil {
		s.meanwhile()
	}
	return right
}

// What ends a user's tokens also ends a log-in that is under way.
func TestALogInUnderWay(t *testing.T) {
	w := newWorld(t)
	hasher := &slow{PBKDF2: milesight.PBKDF2{Iterations: 1}}
	sys, err := milesight.New(w.store, milesight.Config{Clock: w.clock.now, Hasher: hasher})
	w.ok(err)
	defer sys.Close()
	tenant := w.in(sys)
	for name, meanwhile := range map[string]func() error{
		"a new password": func() error { return w.host.ResetPassword(w.ctx, w.ann, password) },
		"disabled":       func() error { return w.host.SetStatus(w.ctx, w.ann, milesight.Disabled) },
		"deleted":        func() error { return w.host.DeleteUsers(w.ctx, w.bob) },
	} {
		w.ok(w.host.SetStatus(w.ctx, w.ann, milesight.Enabled))
		user := "ann@x"
		if name == "deleted" {
			user = "bob@x"
		}
		hasher.meanwhile = func() { w.ok(meanwhile()) }
		_, err := tenant.Token(w.ctx, request(user, password))
		t.Log(name)
		w.fails(err, milesight.ErrUnauthenticated)
	}
	w.equal("sessions", w.sys.CountSessions(), 0)
}
