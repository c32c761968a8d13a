package thinkingdata_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	td "github.com/gatehouse-go/gatehouse/thinkingdata"
)

func TestWhoIsOnTheBlacklist(t *testing.T) {
	w := newWorld(t)
	black := func(login string, p td.ProjectID) {
		w.Helper()
		w.ok(w.api.AddBlack(w.ctx, td.BlackEntry{LoginName: login, Project: p}))
	}
	cancel := func(login string, p ...td.ProjectID) {
		w.Helper()
		var one *td.ProjectID
		if len(p) > 0 {
			one = &p[0]
		}
		w.ok(w.api.CancelBlack(w.ctx, login, one))
	}
	w.sees(2, "u1", td.SharedWithAll)
	w.sees(1, "u1", td.NotMember)
	w.sees(9, "u1", td.UnknownObject)
	w.sees(2, "nobody", td.UnknownUser)
	w.sees(0, "u1", td.SharedWithAll) // all are members of the company scope
	w.sees(1, "root", td.Supervisor)

	black("u1", 2)
	w.sees(2, "u1", td.Blacklisted)
	w.sees(3, "u1", td.SharedWithAll)
	w.sees(2, "u2", td.SharedWithAll)
	black("u1", 0)
	cancel("u1", 2)
	w.sees(2, "u1", td.Blacklisted)
	w.sees(3, "u1", td.Blacklisted)
	w.sees(0, "u1", td.Blacklisted)
	w.equal("entries", w.export(), []string{"u1/0"})
	cancel("u1", 0)
	w.sees(2, "u1", td.SharedWithAll)

	// A supervisor is only stored, a stranger waits for him to become a member.
	w.batch("root", 2, "analyst")
	black("root", 0)
	w.sees(2, "root", td.Supervisor)
	w.ok(w.sys.SetSupervisor(w.ctx, "root", false))
	w.sees(2, "root", td.Blacklisted)
	black("u3", 2)
	w.batch("u3", 2, "analyst")
	w.sees(2, "u3", td.Blacklisted)

	// Of a group of the company scope all projects, and only who is in it now.
	g := w.group(0, "g", "u1", "u2")
	other := w.group(3, "other", "u3")
	w.ok(w.api.AddBlackGroups(w.ctx, []td.GroupID{g, other, g}, 1))
	w.ok(w.api.AddBlackGroups(w.ctx, []td.GroupID{g}, 1))
	w.sees(2, "u1", td.Blacklisted)
	w.sees(3, "u1", td.Blacklisted)
	w.sees(3, "u3", td.Blacklisted)
	cancel("u1")
	w.sees(3, "u1", td.Blacklisted)
	w.ok(w.api.UpdateGroup(w.ctx, 0, g, td.GroupUpdate{Members: &[]td.MemberRef{{UserName: "u2"}}}))
	w.sees(3, "u1", td.SharedWithAll)
	w.sees(2, "u2", td.Blacklisted)
	w.ok(w.sys.RemoveBlackGroup(w.ctx, g))
	w.ok(w.sys.RemoveBlackGroup(w.ctx, g))
	w.sees(2, "u2", td.SharedWithAll)
	w.ok(w.api.DeleteGroup(w.ctx, 3, other))
	w.sees(3, "u3", td.SharedWithAll)
	w.fails(w.sys.RemoveBlackGroup(w.ctx, other), td.NotExist)
	w.whole()
}

func TestAGroupJoinedByDefaultBlacklists(t *testing.T) {
	w := newWorld(t)
	id, err := w.api.CreateGroup(w.ctx, 2, td.NewGroup{Name: "newcomers", Default: true})
	w.ok(err)
	w.ok(w.api.AddBlackGroups(w.ctx, []td.GroupID{id}, 1))
	w.batch("n", 2, "analyst")
	w.sees(2, "n", td.Blacklisted)
	w.sees(2, "u1", td.SharedWithAll)
}

func TestBlacklistCallsThatCannotBe(t *testing.T) {
	w := newWorld(t)
	g := w.group(2, "g")
	before := w.dump()
	w.fails(w.api.AddBlack(w.ctx, td.BlackEntry{LoginName: " ", Project: 2}), td.BadParameter)
	w.fails(w.api.AddBlack(w.ctx, td.BlackEntry{LoginName: "nobody", Project: 2}), td.BadParameter)
	w.fails(w.api.AddBlack(w.ctx, td.BlackEntry{LoginName: "u1", Project: 9}), td.NotExist)
	w.fails(w.api.CancelBlack(w.ctx, "", nil), td.BadParameter)
	w.fails(w.api.CancelBlack(w.ctx, "nobody", nil), td.BadParameter)
	w.fails(w.api.AddBlackGroups(w.ctx, nil, 1), td.BadParameter)
	w.fails(w.api.AddBlackGroups(w.ctx, []td.GroupID{g, 99}, 1), td.NotExist)
	w.fails(w.api.AddBlackGroups(w.ctx, []td.GroupID{g, 99}, 2), td.NotExist) // objects before values
	w.fails(w.api.AddBlackGroups(w.ctx, []td.GroupID{g}, 2), td.InvalidItem)
	w.unchanged("all of these", before)
}

func TestCSV(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string // entries with their lines
		line       int      // of the error
	}{
		{"plain", "u1,2\nu2,0\n", []string{"u1/2@1", "u2/0@2"}, 0},
		{"header", "loginName,blackProjectId\nu1,2\n", []string{"u1/2@2"}, 0},
		{"header in another case, and alone", "LOGINNAME\nu1", []string{"u1/0@2"}, 0},
		{"only a header", "loginName,blackProjectId\n", nil, 0},
		{"a user of that name", "u1,1\nloginName,2\n", []string{"u1/1@1", "loginName/2@2"}, 0},
		{"byte order mark and CRLF", "\xef\xbb\xbfloginName,blackProjectId\r\nu1,3\r\n", []string{"u1/3@2"}, 0},
		{"empty project", "u1,\nu2\nu3, \n", []string{"u1/0@1", "u2/0@2", "u3/0@3"}, 0},
		{"blank lines", "\nu1,1\n\n , \n,\nu2,2\n\n", []string{"u1/1@2", "u2/2@6"}, 0},
		{"quotes and blanks", " u1 , 2 \n\"u2\",\"3\"\n", []string{"u1/2@1", "u2/3@2"}, 0},
		{"hidden formulas", "'@u1,1\n'-u2,2\n'u3,3\n", []string{"@u1/1@1", "-u2/2@2", "'u3/3@3"}, 0},
		{"empty columns more", "u1,1,,\n", []string{"u1/1@1"}, 0},
		{"a third column", "u1,1\nu2,2,x\n", nil, 2},
		{"no name", "u1,1\n,2\n", nil, 2},
		{"no number", "u1,1\n\nu2,x\n", nil, 3},
		{"below 0", "u1,-1\n", nil, 1},
		{"too large", "u1,9223372036854775808\n", nil, 1},
		{"a fraction", "u1,1.0\n", nil, 1},
		{"open quote", "u1,1\n\"u2,2\n", nil, 2},
		{"stray quote", "u1,1\nu\"2,2\n", nil, 2},
		{"not UTF-8", "u1,1\n\xff,2\n", nil, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			lines, err := td.ParseBlacklist([]byte(c.text))
			var got []string
			for _, l := range lines {
				got = append(got, fmt.Sprintf("%s/%d@%d", l.LoginName, l.Project, l.Line))
			}
			if c.line > 0 {
				if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("line %d ", c.line)) {
					t.Errorf("error is %v, want one of line %d", err, c.line)
				}
				return
			}
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("got %v, %v; want %v", got, err, c.want)
			}
		})
	}
	for _, empty := range []string{"", "\xef\xbb\xbf", " \r\n\n"} {
		if _, err := td.ParseBlacklist([]byte(empty)); err == nil || !strings.Contains(err.Error(), "(file) is empty") {
			t.Errorf("of %q: %v", empty, err)
		}
	}
}

func TestFormulasAreHidden(t *testing.T) {
	got := string(td.FormatBlacklist([]td.BlackEntry{{LoginName: "@SUM(1)", Project: 2}, {LoginName: "-1", Project: 0}, {LoginName: "=x\"y", Project: 0}, {LoginName: "+", Project: 1}, {LoginName: "a", Project: 1}}))
	want := "loginName,blackProjectId\n\"'@SUM(1)\",\"2\"\n\"'-1\",\"0\"\n\"'=x\"\"y\",\"0\"\n\"'+\",\"1\"\n\"a\",\"1\"\n"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAnImportIsAUnionOrNothing(t *testing.T) {
	w := newWorld(t)
	for _, login := range []string{"@sum(1)", "-1-1", "(x)"} {
		w.ok(w.api.CreateSSOUser(w.ctx, td.SSOUser{LoginType: "x", LoginName: login}))
	}
	w.ok(w.api.ImportBlack(w.ctx, []byte("u1,2\n'@sum(1),\n-1-1,3\n")))
	w.ok(w.api.ImportBlack(w.ctx, []byte("u1,2\nu1,0\n(x),1\nu1,2\n")))
	all := []string{"(x)/1", "-1-1/3", "@sum(1)/0", "u1/0", "u1/2"}
	w.equal("entries", w.export(), all)
	text, err := w.api.ExportBlack(w.ctx)
	w.ok(err)
	before := w.dump()
	for _, bad := range []string{"u2,2\nnobody,2\n", "u2,2\nu2,9\n", "u2,2\nu2,x\n", "", "u2,2,2\n"} {
		w.fails(w.api.ImportBlack(w.ctx, []byte(bad)), td.BadParameter)
		w.unchanged("import of "+bad, before)
	}
	for _, login := range []string{"u1", "(x)", "-1-1", "@sum(1)"} {
		w.ok(w.api.CancelBlack(w.ctx, login, nil))
	}
	w.equal("entries", w.export(), []string{})
	w.ok(w.api.ImportBlack(w.ctx, text))
	w.equal("entries", w.export(), all)
}

// What is written is read again as it was, and what is read never makes the
// parser fail in another way than with an error that names a line.
func FuzzCSV(f *testing.F) {
	f.Add([]byte("loginName,blackProjectId\nu1,2\n"))
	f.Add([]byte("\xef\xbb\xbf\"'@u\",\r\n\r\n'-1,3"))
	f.Add([]byte("\"a\nb\",1\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		lines, err := td.ParseBlacklist(text)
		if err != nil {
			if msg := err.Error(); !strings.Contains(msg, "line ") && !strings.Contains(msg, "is empty") {
				t.Errorf("error without a line: %v", err)
			}
			return
		}
		var entries []td.BlackEntry
		for _, l := range lines {
			if l.Line < 1 || l.Project < 0 || l.LoginName == "" {
				t.Fatalf("read %+v", l)
			}
			entries = append(entries, l.BlackEntry)
		}
		again, err := td.ParseBlacklist(td.FormatBlacklist(entries))
		if err != nil || len(again) != len(entries) {
			t.Fatalf("%v is read again as %v, %v", entries, again, err)
		}
		for i, l := range again {
			if l.BlackEntry != entries[i] && l.LoginName != strings.ReplaceAll(entries[i].LoginName, "\r\n", "\n") {
				t.Errorf("%+v is read again as %+v", entries[i], l.BlackEntry)
			}
		}
	})
}
