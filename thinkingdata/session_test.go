package thinkingdata_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	td "github.com/gatehouse-go/gatehouse/thinkingdata"
)

func TestSessions(t *testing.T) {
	w := newWorld(t, td.Config{SessionTime: time.Hour, RequireMFA: true})
	token, s, err := w.sys.Login(w.ctx, " u1 ", "ta2020")
	w.ok(err)
	w.equal("session", s, td.Session{User: td.User{ID: w.id("u1"), LoginName: "u1", Name: "u1", Status: td.Normal, LoginType: "local"}, Until: t0.Add(time.Hour), MustBindMFA: true})
	got, err := w.sys.Session(token)
	w.ok(err)
	w.equal("session", got, s)

	w.ok(w.sys.BindMFA(w.ctx, "u1"))
	got, err = w.sys.Session(token)
	w.ok(err)
	if !got.User.MFABound || got.MustBindMFA {
		t.Errorf("after binding: %+v", got)
	}
	w.ok(w.api.UnbindMFA(w.ctx, "u1"))
	w.ok(w.api.UnbindMFA(w.ctx, "u1"))
	_, got, err = w.sys.Login(w.ctx, "u1", "ta2020")
	w.ok(err)
	if got.User.MFABound || !got.MustBindMFA {
		t.Errorf("after unbinding: %+v", got)
	}
	w.fails(w.sys.BindMFA(w.ctx, "nobody"), td.NoUserName)
	w.fails(w.sys.BindMFA(w.ctx, ""), td.BadParameter)

	w.clock.advance(time.Hour - time.Nanosecond)
	w.ok(second(w.sys.Session(token)))
	w.clock.advance(time.Nanosecond)
	w.fails(second(w.sys.Session(token)), td.NoPermission)
	other, _, err := w.sys.Login(w.ctx, "u2", "ta2020")
	w.ok(err)
	if n, err := w.sys.SweepSessions(w.ctx); n != 2 || err != nil {
		t.Errorf("swept %d, %v; want the two of u1", n, err)
	}
	w.ok(second(w.sys.Session(other)))
	w.ok(w.sys.Logout(w.ctx, other))
	w.ok(w.sys.Logout(w.ctx, other))
	w.fails(second(w.sys.Session(other)), td.NoPermission)
	for _, bad := range []string{"", "x", strings.Repeat("x", 1000)} {
		w.fails(second(w.sys.Session(bad)), td.NoPermission)
		w.ok(w.sys.Logout(w.ctx, bad))
	}
}

// Who is told that sessions ended finds that they have.
func TestSessionsHaveEndedWhenTheHookIsCalled(t *testing.T) {
	var w *world
	var token string
	var told []error
	w = newWorld(t, td.Config{Hooks: td.Hooks{SessionsEnded: func(td.UserID) {
		_, err := w.sys.Session(token)
		told = append(told, err)
	}}})
	for _, end := range []func(td.Caller) error{
		func(api td.Caller) error { return api.Lock(w.ctx, "u1") },
		func(api td.Caller) error { return api.DeleteUser(w.ctx, "u2", "root") },
	} {
		var err error
		token, _, err = w.sys.Login(w.ctx, []string{"u1", "u2"}[len(told)], "ta2020")
		w.ok(err)
		w.ok(end(w.api))
	}
	w.equal("told", len(told), 2)
	for _, err := range told {
		w.fails(err, td.NoPermission)
	}
}

func TestLoginsAreRefusedAlike(t *testing.T) {
	w := newWorld(t)
	w.ok(w.api.Lock(w.ctx, "u2"))
	before := w.dump()
	var said []string
	for _, c := range [][2]string{{"nobody", "ta2020"}, {"u1", "TA2020"}, {"u1", ""}, {"u2", "ta2020"}, {"", ""}, {"nobody", "nobody's password"}} {
		_, _, err := w.sys.Login(w.ctx, c[0], c[1])
		w.fails(err, td.NoPermission)
		said = append(said, err.Error())
	}
	for _, text := range said {
		w.equal("what is said", text, said[0])
	}
	w.unchanged("a refused login", before)
}

func TestANewPasswordEndsSessions(t *testing.T) {
	w := newWorld(t, td.Config{Hasher: td.PBKDF2{Iterations: 2}})
	token, _, err := w.sys.Login(w.ctx, "u1", "ta2020")
	w.ok(err)
	w.ok(w.sys.SetPassword(w.ctx, "u1", "secret word"))
	w.fails(second(w.sys.Session(token)), td.NoPermission)
	_, _, err = w.sys.Login(w.ctx, "u1", "ta2020")
	w.fails(err, td.NoPermission)
	_, _, err = w.sys.Login(w.ctx, "u1", "secret word")
	w.ok(err)
	w.fails(w.sys.SetPassword(w.ctx, "u1", "short"), td.BadParameter)
	w.fails(w.sys.SetPassword(w.ctx, "nobody", "secret word"), td.BadParameter)
}

// Whatever the store holds of a secret is a hash of it.
func TestNoSecretIsStored(t *testing.T) {
	w := newWorld(t, td.Config{Hasher: td.PBKDF2{Iterations: 2}, InitialPassword: "initial-password"})
	corporate, err := w.sys.MakeCorporateToken(w.ctx)
	w.ok(err)
	project, err := w.sys.MakeProjectToken(w.ctx, 3)
	w.ok(err)
	session, _, err := w.sys.Login(w.ctx, "u1", "initial-password")
	w.ok(err)
	w.ok(w.sys.SetPassword(w.ctx, "u2", "another-password"))
	for key, value := range w.dump() {
		for _, secret := range []string{corporate, project, session, "initial-password", "another-password", projectToken} {
			if strings.Contains(key+value, secret) {
				t.Errorf("%q: %q", key, value)
			}
		}
	}
}

func TestNoPasswordIsShown(t *testing.T) {
	secret := "a-password"
	for _, v := range []any{td.NewUser{LoginName: "n", Password: secret}, td.SSOUser{LoginName: "n", Password: &secret}} {
		for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(format, v); strings.Contains(text, secret) {
				t.Errorf("%s of %T shows the password", format, v)
			}
		}
		var logged strings.Builder
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("", "v", v)
		if strings.Contains(logged.String(), secret) {
			t.Errorf("a log of %T shows the password: %s", v, &logged)
		}
	}
}

func TestTokensAreReplaced(t *testing.T) {
	w := newWorld(t)
	old := w.p2
	token, err := w.sys.MakeProjectToken(w.ctx, 2)
	w.ok(err)
	if len(token) < 32 {
		t.Errorf("token %q is too short", token)
	}
	w.fails(second(w.sys.Authenticate(projectToken)), td.NoPermission)
	w.fails(second(old.Group(w.ctx, 2, "g")), td.NoPermission) // who had it is out as well
	now, err := w.sys.Authenticate(" " + token + " ")
	w.ok(err)
	w.fails(second(now.Group(w.ctx, 2, "g")), td.NotExist)
	if p, ok := now.Project(); p != 2 || !ok {
		t.Errorf("project %d, %v", p, ok)
	}
	if p, ok := w.api.Project(); p != 0 || ok {
		t.Errorf("project %d, %v of a corporate token", p, ok)
	}
	w.ok(second(w.sys.Authenticate(corporateToken))) // others stay
	second, err := w.sys.MakeCorporateToken(w.ctx)
	w.ok(err)
	_, err = w.sys.Authenticate(corporateToken)
	w.fails(err, td.NoPermission)
	_, err = w.sys.Authenticate(second)
	w.ok(err)
	for _, bad := range []string{"", " \t"} {
		_, err := w.sys.Authenticate(bad)
		w.fails(err, td.BadParameter)
	}
	for _, bad := range []string{"x", strings.ToLower(second) + "x", strings.Repeat("t", 257), token[:len(token)-1]} {
		_, err := w.sys.Authenticate(bad)
		w.fails(err, td.NoPermission)
		if strings.Contains(err.Error(), bad) && len(bad) > 1 {
			t.Errorf("the error shows the token: %v", err)
		}
	}
}

func TestTokensThatCannotBe(t *testing.T) {
	w := newWorld(t)
	before := w.dump()
	for _, bad := range []string{"", " ", " x", strings.Repeat("x", 257)} {
		w.fails(w.sys.SetCorporateToken(w.ctx, bad), td.BadParameter)
	}
	w.fails(w.sys.SetProjectToken(w.ctx, 9, "x"), td.NotExist)
	w.fails(w.sys.SetProjectToken(w.ctx, 0, "x"), td.NotExist)
	w.fails(w.sys.SetProjectToken(w.ctx, -1, "x"), td.NotExist)
	err := w.sys.SetProjectToken(w.ctx, 3, projectToken)
	w.fails(err, td.AlreadyExists)
	if strings.Contains(err.Error(), projectToken) {
		t.Errorf("the error shows the token: %v", err)
	}
	w.unchanged("tokens that cannot be", before)
	w.ok(w.sys.SetProjectToken(w.ctx, 2, projectToken)) // the same again
	w.unchanged("the same token again", before)
}

// Which token may make which call, in which project; what is checked first.
func TestWhatATokenMayDo(t *testing.T) {
	w := newWorld(t)
	corporate, err := w.sys.Authenticate(corporateToken)
	w.ok(err)
	forAll := []td.Operation{td.GetStatus, td.LockMember, td.UnlockMember, td.CreateSSO, td.DeleteFromProject, td.GetGroup, td.CreateGroup,
		td.UpdateGroup, td.DeleteGroup, td.GetRole, td.CreateRole, td.UpdateRole, td.DeleteRole}
	corporateOnly := []td.Operation{td.ListUsers, td.GetUser, td.UnbindMFA, td.BatchCreate, td.DeleteFromSystem, td.GetBaseFunctions,
		td.AddBlack, td.AddBlackList, td.AddBlackGroups, td.CancelBlack, td.DownloadBlack}
	for _, op := range append(forAll, corporateOnly...) {
		w.ok(corporate.Allow(op))
		w.ok(w.api.Allow(op))
	}
	for _, op := range forAll {
		w.ok(w.p2.Allow(op))
	}
	for _, op := range corporateOnly {
		w.fails(w.p2.Allow(op), td.NoPermission)
	}
	w.fails(corporate.Allow("no call"), td.NoPermission)

	// All calls for corporate tokens refuse before they look at anything.
	for _, err := range []error{
		second(w.p2.ListUsers(w.ctx, nil)), second(w.p2.UserInfo(w.ctx, "")), w.p2.UnbindMFA(w.ctx, ""), w.p2.CreateUsers(w.ctx, nil),
		w.p2.DeleteUser(w.ctx, "", ""), second(w.p2.BaseFunctions("")), w.p2.AddBlack(w.ctx, td.BlackEntry{}), w.p2.ImportBlack(w.ctx, nil),
		w.p2.AddBlackGroups(w.ctx, nil, 0), w.p2.CancelBlack(w.ctx, "", nil), second(w.p2.ExportBlack(w.ctx)),
	} {
		w.fails(err, td.NoPermission)
	}
	// The others look at parameters, then at the project.
	for p, code := range map[td.ProjectID]td.Code{2: td.NotExist, 3: td.NoPermission, 0: td.NoPermission, 9: td.NoPermission} {
		for _, err := range []error{
			second(w.p2.Group(w.ctx, p, "x")), w.p2.UpdateGroup(w.ctx, p, 9, td.GroupUpdate{}), w.p2.DeleteGroup(w.ctx, p, 9),
			second(w.p2.Role(w.ctx, p, "x")), w.p2.UpdateRole(w.ctx, p, "x", td.RoleUpdate{Base: td.Member}), w.p2.DeleteRole(w.ctx, p, "x"),
			w.p2.RemoveFromProject(w.ctx, p, "x", "y"),
		} {
			w.fails(err, code)
		}
		w.fails(second(w.p2.Group(w.ctx, p, "")), td.BadParameter)
	}
}

func TestTheHostedEdition(t *testing.T) {
	w := newWorld(t)
	hosted := w.open(td.Config{SAAS: true})
	api := hosted.Corporate()
	err := api.CreateUsers(w.ctx, nil)
	w.fails(err, td.NoPermission)
	w.contains(err.Error(), "This API is Forbidden in SAAS")
	err = api.DeleteUser(w.ctx, "", "")
	w.fails(err, td.Unsupported)
	w.contains(err.Error(), "Unsupported in SAAS")
	p2, err := hosted.Authenticate(projectToken)
	w.ok(err)
	w.fails(p2.DeleteUser(w.ctx, "", ""), td.NoPermission) // the token first
	w.ok(api.RemoveFromProject(w.ctx, 2, "u1", "u2"))
}

func TestErrorsShowWhatWasWrong(t *testing.T) {
	w := newWorld(t)
	_, err := w.api.Role(w.ctx, 2, strings.Repeat("ж", 100))
	e, _ := errors.AsType[*td.Error](err)
	if e == nil || e.Param != "roleDesc" || len(e.Value) > 70 || !strings.HasSuffix(e.Value, "...") || strings.Contains(e.Value, "\ufffd") {
		t.Errorf("error is %+v", e)
	}
	w.contains(w.api.DeleteRole(w.ctx, 2, "x").Error(), `role 'x' does not exist (roleName "x")`)
}
