package apic_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// A channel is in use by the draft of an API and by what is online.
func TestChannelsInUse(t *testing.T) {
	f := setup(t)
	g := f.group("group")
	ch := f.channel("channel")
	behind := func(channel string) apic.APISpec {
		in := overHTTP(g.ID, "demo")
		in.HTTP.Domain, in.HTTP.UseChannel, in.HTTP.Channel = "", 1, &apic.VPCChannel{ID: channel}
		return in
	}
	_, err := f.gw.CreateAPI(f.ctx, behind("nope"))
	f.refused("an unknown channel", err, "APIG.3023", "")
	if err == nil || !strings.Contains(err.Error(), "nope") {
		t.Errorf("%v does not name the channel", err)
	}
	api := must(f.gw.CreateAPI(f.ctx, behind(ch.ID)))(t)
	if shown := api.HTTP.Domain; shown != ch.ID {
		t.Errorf("url_domain is %q, want the channel's id", shown)
	}
	f.refused("by a draft", f.gw.DeleteChannel(f.ctx, ch.ID), "APIG.3414", "")
	p := f.online(api.ID, apic.ReleaseID)
	must(f.gw.UpdateAPI(f.ctx, api.ID, overHTTP(g.ID, "demo")))(t)
	f.refused("by what is online", f.gw.DeleteChannel(f.ctx, ch.ID), "APIG.3414", "")
	f.offline(api.ID, apic.ReleaseID)
	f.ok(f.gw.DeleteChannel(f.ctx, ch.ID))
	_, err = f.gw.SwitchVersion(f.ctx, api.ID, apic.Switch{VersionID: p.VersionID})
	f.refused("a version whose channel is gone", err, "APIG.3023", "")
	f.sound()
}
