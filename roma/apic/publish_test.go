package apic_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/fault"
)

func (f *fixture) env(name string) apic.Environment {
	f.Helper()
	return must(f.gw.CreateEnvironment(f.ctx, apic.EnvironmentSpec{Name: name}))(f)
}

func (f *fixture) offline(api, env string) apic.Publication {
	f.Helper()
	return must(f.gw.Publish(f.ctx, apic.Publish{Action: apic.Offline, APIID: api, EnvID: env}))(f)
}

// statuses is an API's history in RELEASE, newest first.
func (f *fixture) statuses(api string) (s []int) {
	f.Helper()
	for _, h := range must(f.gw.History(f.ctx, apic.HistoryQuery{APIID: api, EnvID: apic.ReleaseID}))(f).Rows {
		s = append(s, h.Status)
	}
	return s
}

// served is what a data plane has under a publish id: the text of its mock.
func (f *fixture) served(publish string) string {
	f.Helper()
	d, found := must(f.sys.Snapshot(project, instance))(f).Find(publish)
	if !found {
		return ""
	}
	return d.Definition().Mock.Result
}

func TestPublish(t *testing.T) {
	f := setup(t)
	g := f.group("group")
	api := f.api(g.ID, "demo")
	dev := f.env("DEV")
	for _, c := range []struct {
		rule  string
		in    apic.Publish
		code  fault.Code
		param string
	}{
		{"an action is one of two", apic.Publish{Action: "up", APIID: api.ID, EnvID: dev.ID}, "APIG.2011", "action"},
		{"an API is required", apic.Publish{Action: "online", EnvID: dev.ID}, "APIG.2001", "api_id"},
		{"an environment is required", apic.Publish{Action: "online", APIID: api.ID}, "APIG.2001", "env_id"},
		{"a remark has 255 characters at most", apic.Publish{Action: "online", APIID: api.ID, EnvID: dev.ID, Remark: strings.Repeat("a", 256)}, "APIG.2006", "remark"},
		{"an API is there", apic.Publish{Action: "online", APIID: "nope", EnvID: "nope"}, "APIG.3002", ""},
		{"an environment is there", apic.Publish{Action: "online", APIID: api.ID, EnvID: "nope"}, "APIG.3003", ""},
		{"what was never online cannot go offline", apic.Publish{Action: "offline", APIID: api.ID, EnvID: dev.ID}, "APIG.3015", ""},
	} {
		_, err := f.gw.Publish(f.ctx, c.in)
		f.refused(c.rule, err, c.code, c.param)
	}
	first := f.online(api.ID, apic.ReleaseID)
	if got := must(f.gw.API(f.ctx, api.ID))(t); got.RunEnvName != "RELEASE" || got.RunEnvID != apic.ReleaseID || got.PublishID != first.PublishID {
		t.Errorf("online in %q", got.RunEnvName)
	}
	second := f.online(api.ID, dev.ID)
	if got := must(f.gw.API(f.ctx, api.ID))(t); got.RunEnvName != "RELEASE|DEV" || got.PublishID != first.PublishID+"|"+second.PublishID {
		t.Errorf("online in %q as %q", got.RunEnvName, got.PublishID)
	}
	again := f.online(api.ID, apic.ReleaseID)
	if again.PublishID != first.PublishID || again.VersionID == first.VersionID {
		t.Errorf("online again: %+v after %+v", again, first)
	}
	if off := f.offline(api.ID, apic.ReleaseID); off.PublishID != first.PublishID || off.VersionID != again.VersionID {
		t.Errorf("offline: %+v", off)
	}
	_, err := f.gw.Publish(f.ctx, apic.Publish{Action: "offline", APIID: api.ID, EnvID: apic.ReleaseID})
	f.refused("what is offline cannot go offline", err, "APIG.3015", "")
	_, err = f.gw.Runtime(f.ctx, apic.RuntimeQuery{APIID: api.ID})
	f.refused("what is offline has no runtime", err, "APIG.3015", "")
	if back := f.online(api.ID, apic.ReleaseID); back.PublishID != first.PublishID {
		t.Errorf("back as %s, was %s", back.PublishID, first.PublishID)
	}
	f.sound()
}

func TestDraftsAreNotServed(t *testing.T) {
	f := setup(t)
	g := f.group("group")
	api := f.api(g.ID, "demo")
	old := f.online(api.ID, apic.ReleaseID)
	next := mock(g.ID, "demo", "/demo")
	next.Mock.Result = "new"
	must(f.gw.UpdateAPI(f.ctx, api.ID, next))(t)
	if got := f.served(old.PublishID); got != "demo" {
		t.Errorf("before it is published: %q", got)
	}
	f.online(api.ID, apic.ReleaseID)
	if got := f.served(old.PublishID); got != "new" {
		t.Errorf("published: %q", got)
	}
	back := must(f.gw.SwitchVersion(f.ctx, api.ID, apic.Switch{VersionID: old.VersionID}))(t)
	if got := f.served(old.PublishID); got != "demo" || back.PublishID != old.PublishID || back.VersionID != old.VersionID {
		t.Errorf("switched: %q, %+v", got, back)
	}
	if s := f.statuses(api.ID); len(s) != 2 || s[0] != 2 || s[1] != 1 {
		t.Errorf("history %v, want 2, 1", s)
	}
	if v := must(f.gw.Version(f.ctx, old.VersionID))(t); v.Mock.Result != "demo" || v.RunEnvName != "RELEASE" || v.Subdomain != g.Subdomain || v.GroupName != "group" {
		t.Errorf("version %+v", v)
	}
	if r := must(f.gw.Runtime(f.ctx, apic.RuntimeQuery{APIID: api.ID}))(t); r.Mock != nil || r.URI != "/demo" || r.PublishID != old.PublishID {
		t.Errorf("runtime %+v", r)
	}
}

func TestVersions(t *testing.T) {
	f := setup(t)
	g := f.group("group")
	api, other := f.api(g.ID, "demo"), f.api(g.ID, "other")
	var pubs []apic.Publication
	for range 11 {
		pubs = append(pubs, f.online(api.ID, apic.ReleaseID))
	}
	h := must(f.gw.History(f.ctx, apic.HistoryQuery{APIID: api.ID}))(t)
	if h.Total != 10 || h.Rows[0].VersionID != pubs[10].VersionID || h.Rows[0].Status != 1 || h.Rows[1].Status != 2 {
		t.Errorf("history of %d: %+v", h.Total, h.Rows)
	}
	if at := pubs[10].Published.Add(8 * 3600e9).Format("20060102150405"); h.Rows[0].Number != at {
		t.Errorf("version number %s, want %s", h.Rows[0].Number, at)
	}
	_, err := f.gw.Version(f.ctx, pubs[0].VersionID)
	f.refused("the oldest is gone", err, "APIG.3022", "")

	must(f.gw.SwitchVersion(f.ctx, api.ID, apic.Switch{VersionID: pubs[1].VersionID}))(t)
	f.online(api.ID, apic.ReleaseID) // drops the oldest that is not effective: now that is pubs[1] again
	_, err = f.gw.Version(f.ctx, pubs[1].VersionID)
	f.refused("what was effective until now counts as the oldest", err, "APIG.3022", "")

	_, err = f.gw.SwitchVersion(f.ctx, other.ID, apic.Switch{VersionID: pubs[5].VersionID})
	f.refused("a version of another API", err, "APIG.3022", "")
	_, err = f.gw.SwitchVersion(f.ctx, "nope", apic.Switch{VersionID: pubs[5].VersionID})
	f.refused("an API is there", err, "APIG.3002", "")
	_, err = f.gw.SwitchVersion(f.ctx, api.ID, apic.Switch{})
	f.refused("a version is required", err, "APIG.2001", "version_id")

	f.refused("a version that is not effective cannot go offline", f.gw.DeleteVersion(f.ctx, pubs[5].VersionID), "APIG.3015", "")
	must(f.gw.SwitchVersion(f.ctx, api.ID, apic.Switch{VersionID: pubs[5].VersionID}))(t)
	f.ok(f.gw.DeleteVersion(f.ctx, pubs[5].VersionID))
	if f.served(pubs[5].PublishID) != "" {
		t.Error("served after its version was deleted")
	}
	must(f.gw.SwitchVersion(f.ctx, api.ID, apic.Switch{VersionID: pubs[5].VersionID}))(t)
	if f.served(pubs[5].PublishID) == "" {
		t.Error("a switch puts online what is offline")
	}
	f.offline(api.ID, apic.ReleaseID)
	f.ok(f.gw.DeleteAPI(f.ctx, api.ID))
	f.sound(api.ID, pubs[5].PublishID, pubs[5].VersionID)
}

func TestSamePathOnline(t *testing.T) {
	f := setup(t)
	g := f.group("group")
	first := f.api(g.ID, "first")
	f.online(first.ID, apic.ReleaseID)
	must(f.gw.UpdateAPI(f.ctx, first.ID, mock(g.ID, "first", "/elsewhere")))(t)
	second := must(f.gw.CreateAPI(f.ctx, mock(g.ID, "second", "/first")))(t)
	_, err := f.gw.Publish(f.ctx, apic.Publish{Action: apic.Online, APIID: second.ID, EnvID: apic.ReleaseID})
	f.refused("the path is online as another API", err, "APIG.3301", "")
	f.online(second.ID, f.env("DEV").ID) // but not there
	f.online(first.ID, apic.ReleaseID)   // its path moves
	f.online(second.ID, apic.ReleaseID)
	f.sound()
}

func TestPublishMany(t *testing.T) {
	f := setup(t)
	g := f.group("group")
	good, clash := f.api(g.ID, "good"), f.api(g.ID, "clash")
	f.online(clash.ID, apic.ReleaseID)
	must(f.gw.UpdateAPI(f.ctx, clash.ID, mock(g.ID, "clash", "/elsewhere")))(t)
	bad := must(f.gw.CreateAPI(f.ctx, mock(g.ID, "bad", "/clash")))(t)
	out := must(f.gw.PublishMany(f.ctx, apic.Online, apic.PublishMany{APIs: []string{good.ID, "nope", bad.ID}, EnvID: apic.ReleaseID}))(t)
	if len(out.Success) != 1 || out.Success[0].APIID != good.ID || f.served(out.Success[0].PublishID) != "good" {
		t.Errorf("success %+v", out.Success)
	}
	if len(out.Failure) != 2 || out.Failure[0].Code != "APIG.3002" || out.Failure[0].Message != "Api nope not found" ||
		out.Failure[1].Code != "APIG.3301" || out.Failure[1].APIName != "bad" {
		t.Errorf("failure %+v", out.Failure)
	}
	out = must(f.gw.PublishMany(f.ctx, apic.Offline, apic.PublishMany{APIs: []string{good.ID, good.ID}, EnvID: apic.ReleaseID}))(t)
	if len(out.Success) != 1 || len(out.Failure) != 1 || out.Failure[0].Code != "APIG.3015" {
		t.Errorf("offline %+v", out)
	}
	_, err := f.gw.PublishMany(f.ctx, "up", apic.PublishMany{APIs: []string{good.ID}, EnvID: apic.ReleaseID})
	f.refused("an action", err, "APIG.2011", "action")
	_, err = f.gw.PublishMany(f.ctx, apic.Online, apic.PublishMany{EnvID: apic.ReleaseID})
	f.refused("no APIs", err, "APIG.2001", "apis")
	_, err = f.gw.PublishMany(f.ctx, apic.Online, apic.PublishMany{APIs: []string{good.ID}, EnvID: "nope"})
	f.refused("an unknown environment", err, "APIG.3003", "")
	f.sound()
}

func TestDeleteWhatIsOnline(t *testing.T) {
	f := setup(t)
	g, to := f.group("group"), f.group("target")
	api := f.api(g.ID, "demo")
	p := f.online(api.ID, apic.ReleaseID)
	f.refused("an API that is online", f.gw.DeleteAPI(f.ctx, api.ID), "APIG.3416", "")
	f.refused("a group with an API", f.gw.DeleteGroup(f.ctx, g.ID), "APIG.3415", "")
	must(f.gw.UpdateAPI(f.ctx, api.ID, mock(to.ID, "demo", "/demo")))(t)
	f.refused("a group whose API has moved but is online", f.gw.DeleteGroup(f.ctx, g.ID), "APIG.3415", "")
	f.offline(api.ID, apic.ReleaseID)
	f.ok(f.gw.DeleteGroup(f.ctx, g.ID))
	f.ok(f.gw.DeleteAPI(f.ctx, api.ID))
	_, err := f.gw.API(f.ctx, api.ID)
	f.refused("deleted", err, "APIG.3002", "")
	f.ok(f.gw.DeleteGroup(f.ctx, to.ID))
	f.sound(g.ID, to.ID, api.ID, p.PublishID, p.VersionID)
}

// An id of another instance, or of another project, is not found.
func TestInstancesAreApart(t *testing.T) {
	f := setup(t)
	api := f.api(f.group("group").ID, "demo")
	p := f.online(api.ID, apic.ReleaseID)
	for _, at := range [][2]string{{project, "another"}, {"another", instance}} {
		f.ok(f.sys.AddInstance(f.ctx, at[0], at[1]))
		gw := must(f.sys.Instance(root, at[0], at[1]))(t).APIC()
		_, err := gw.API(f.ctx, api.ID)
		f.refused("an API", err, "APIG.3002", "")
		_, err = gw.UpdateAPI(f.ctx, api.ID, mock(api.GroupID, "demo", "/demo"))
		f.refused("an API, changed", err, "APIG.3002", "")
		f.refused("an API, deleted", gw.DeleteAPI(f.ctx, api.ID), "APIG.3002", "")
		_, err = gw.Version(f.ctx, p.VersionID)
		f.refused("a version", err, "APIG.3022", "")
		_, err = gw.CreateAPI(f.ctx, mock(api.GroupID, "other", "/other"))
		f.refused("a group", err, "APIG.3001", "")
		if n := must(gw.APIs(f.ctx, apic.APIQuery{}))(t).Total; n != 0 {
			t.Errorf("%d APIs of another instance", n)
		}
		must(gw.CreateGroup(f.ctx, apic.GroupSpec{Name: "group"}))(t) // the name is free here
		if _, found := must(f.sys.Snapshot(at[0], at[1]))(t).Find(p.PublishID); found {
			t.Error("served by another instance")
		}
	}
	_, err := f.sys.Instance(root, project, "nope")
	f.refused("no instance", err, "ROMA.00014002", "")
	_, err = f.sys.Snapshot(project, "nope")
	f.refused("no snapshot", err, "APIG.3030", "")
	f.sound()
}
