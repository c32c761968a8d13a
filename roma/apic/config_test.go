package apic_test

import (
	"slices"
	"strconv"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/roma/list"
)

// settings is all settings by name.
func (f *fixture) settings() map[string]apic.Setting {
	f.Helper()
	page := must(f.gw.Settings(f.ctx, apic.SettingQuery{Paging: list.Show(0, 500)}))(f)
	all := map[string]apic.Setting{}
	for i, s := range page.Rows {
		if s.ID != strconv.Itoa(i+1) || s.Time.IsZero() || s.Remark == "" {
			f.Errorf("setting %d is %+v", i+1, s)
		}
		all[s.Name] = s
	}
	if len(all) != 47 || page.Total != 47 {
		f.Errorf("%d settings", len(all))
	}
	return all
}

func TestSettingsShowLimitsAndUse(t *testing.T) {
	f := setupWith(t, apic.Config{Limits: apic.Limits{apic.GroupLimit: 7, apic.APILimit: -1}})
	pubs := f.published(2)
	all := f.settings()
	for name, want := range map[string]struct {
		id, value string
		used      int
	}{
		"API_NUM_LIMIT": {"1", "-1", 2}, "APIGROUP_NUM_LIMIT": {"3", "7", 1}, "ENVIRONMENT_NUM_LIMIT": {"4", "10", 1},
		"APIGROUP_DOMAIN_NUM_LIMIT": {"8", "5", 0}, "API_VERSION_NUM_LIMIT": {"9", "10", 0}, "API_USER_CALL_LIMIT": {"13", "200", 0},
		"SIGN_NUM_LIMIT": {"6", "200", 0}, "PUBLIC_KEY_SWITCH": {"39", "2", 0}, "API_TASK_NUM_LIMIT": {"47", "10", 0},
	} {
		if got := all[name]; got.ID != want.id || got.Value != want.value || got.Used != want.used {
			t.Errorf("%s = %+v, want %+v", name, got, want)
		}
	}
	must(f.set("public_key", true, "on"))(t)
	must(f.set("ratelimit", true, `{"api_limits":500}`))(t)
	must(f.gw.CreateSign(f.ctx, apic.SignSpec{Name: "sign_demo"}))(t)
	all = f.settings()
	if all["PUBLIC_KEY_SWITCH"].Value != "1" || all["API_USER_CALL_LIMIT"].Value != "500" || all["SIGN_NUM_LIMIT"].Used != 1 {
		t.Errorf("they follow the features and the keys: %v", all)
	}
	part := must(f.gw.Settings(f.ctx, apic.SettingQuery{Paging: list.Show(45, 20)}))(t)
	if len(part.Rows) != 2 || part.Rows[0].ID != "46" || len(pubs) != 2 {
		t.Errorf("the last page is %v", part.Rows)
	}
	_, err := f.gw.Settings(f.ctx, apic.SettingQuery{Paging: list.Show(0, 501)})
	f.refused("limit 501", err, "APIG.2003", "limit")
}

func TestTagsAreThoseOfAPIs(t *testing.T) {
	f := setup(t)
	g := f.group("group")
	app := must(f.in.CreateApp(f.ctx, roma.AppSpec{Name: "hidden"}))(t)
	var ids []string
	for i, tags := range [][]string{{"webApi", "b"}, {"webApi"}, {"secret"}} {
		in := mock(g.ID, "api"+strconv.Itoa(i), "/"+strconv.Itoa(i))
		in.Tags = tags
		if i == 2 {
			in.AppID = app.ID
		}
		ids = append(ids, must(f.gw.CreateAPI(f.ctx, in))(t).ID)
	}
	check := func(gw apic.Control, q apic.TagQuery, total int, want ...string) {
		t.Helper()
		if got := must(gw.Tags(f.ctx, q))(t); !slices.Equal(got.Rows, want) || got.Total != total {
			t.Errorf("tags %v of %d, want %v of %d", got.Rows, got.Total, want, total)
		}
	}
	check(f.gw, apic.TagQuery{}, 3, "b", "secret", "webApi")
	check(f.gw, apic.TagQuery{Paging: list.Show(1, 1)}, 3, "secret")
	stranger := must(f.sys.Instance(iam.Principal{UserID: "s", Access: iam.Read}, project, instance))(t).APIC()
	check(stranger, apic.TagQuery{}, 2, "b", "webApi")
	f.ok(f.gw.DeleteAPI(f.ctx, ids[0]))
	check(f.gw, apic.TagQuery{}, 2, "secret", "webApi")
	f.ok(f.gw.DeleteAPI(f.ctx, ids[1]))
	f.ok(f.gw.DeleteAPI(f.ctx, ids[2]))
	check(f.gw, apic.TagQuery{}, 0)
	_, err := f.gw.Tags(f.ctx, apic.TagQuery{Paging: list.Show(0, 0)})
	f.refused("limit 0", err, "APIG.2002", "limit")
	f.sound(ids...)
}
