package emulator

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/internal/teststore"
)

// open makes a ThinkingData call and returns its data; its return code must be
// the one wanted.
func (c client) open(code float64, method, call, body string) any {
	c.t.Helper()
	answer := c.want(200, method, "/open/"+call, body)
	if answer["return_code"] != code {
		c.t.Fatalf("%s %s %s = %v, want %v", method, call, body, answer, code)
	}
	return answer["data"]
}

func (c client) canSee(project int, login string) any {
	c.t.Helper()
	return c.want(200, "GET", fmt.Sprintf("/_emulator/thinkingdata/can-see?projectId=%d&loginName=%s", project, login), "")["visible"]
}

func TestThinkingDataStartsWithProjectsAndASupervisor(t *testing.T) {
	c := start(t, Defaults())
	for range 2 { // at start, and after a reset
		info := c.open(0, "GET", "get-auth-user-info-by-login-name?token=corporate-demo&loginName=root", "").(map[string]any)
		if info["userId"] != 1.0 || info["roleInfo"].(map[string]any)["companyRole"] == nil {
			t.Errorf("root is %v", info)
		}
		for p := range 5 {
			code := 0.0
			if p == 4 {
				code = -1023
			}
			group := fmt.Sprintf("create-user-group?token=corporate-demo&projectId=%d", p)
			if data := c.open(code, "POST", group, `{"groupName":"g"}`); p < 4 && data.(map[string]any)["id"] != float64(p+1) {
				t.Errorf("the group of project %d is %v; the store was not empty", p, data)
			}
		}
		c.open(0, "GET", "get-user-group-by-name?token=project-demo&projectId=1&userGroupName=g", "")
		c.open(-1006, "GET", "get-user-group-by-name?token=project-demo&projectId=2&userGroupName=g", "")
		c.want(200, "POST", "/_emulator/reset", "")
	}
}

func TestCanSeeTellsWhatTheBlacklistDoes(t *testing.T) {
	c := start(t, Defaults())
	c.open(0, "POST", "batch-create-auth-user-and-set-roles?token=corporate-demo",
		`{"authUsers":[{"loginName":"u1","roles":[{"projectId":1,"roleDesc":"regular user"}]}]}`)
	check := func(want bool, project int, login string) {
		t.Helper()
		if got := c.canSee(project, login); got != want {
			t.Errorf("visible to %s in %d = %v, want %v", login, project, got, want)
		}
	}
	check(true, 1, "u1")
	check(false, 2, "u1")
	check(true, 2, "root")
	check(false, 1, "nobody")
	check(false, 9, "u1")
	c.open(0, "POST", "share/add-black?token=corporate-demo&loginName=u1&blackProjectId=1", "")
	check(false, 1, "u1")
	c.open(0, "POST", "share/cancel-black?token=corporate-demo&loginName=u1", "")
	check(true, 1, "u1")
	c.open(0, "POST", "member-lock?token=project-demo&loginName=u1", "")
	check(false, 1, "u1")
	for _, bad := range []string{"", "?projectId=1", "?loginName=u1", "?projectId=x&loginName=u1"} {
		c.want(400, "GET", "/_emulator/thinkingdata/can-see"+bad, "")
	}
}

func TestAProjectTokenThatCannotBeIsRefusedAtStart(t *testing.T) {
	for token, want := range map[string]string{
		"secret": "PROJECT:TOKEN", "x:secret": "PROJECT:TOKEN", "": "PROJECT:TOKEN",
		"7:secret": "project 7 does not exist", "0:secret": "project 0 does not exist", "1:": "(token) is empty",
		"1:corporate-demo": "exist",
	} {
		store := teststore.New(t)
		config := Defaults()
		config.TA.ProjectToken = token
		e, err := New(t.Context(), store, config)
		if err == nil {
			e.Close()
			t.Errorf("project token %q: no error", token)
		} else if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("project token %q: %v", token, err)
		}
		store.Close()
	}
}
