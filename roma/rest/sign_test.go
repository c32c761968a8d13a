package rest

import (
	"testing"

	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// signSpec is a signature key with all that can be said of one.
func signSpec(name string) apic.SignSpec {
	return apic.SignSpec{Name: name, Type: "hmac", Key: "signkeysignkey", Secret: "signsecretsignsecretsignsecretsecret"}
}

func (f *fixture) sign(name string) apic.Sign {
	f.Helper()
	return must(f.gw.CreateSign(f.ctx, signSpec(name)))(f)
}

// signed is a key bound to an API.
func (f *fixture) signed() (apic.Sign, apic.Publication, apic.SignBinding) {
	f.Helper()
	key, pub := f.sign("signature_demo"), f.online(f.api(f.group("orders").ID, "orders").ID)
	bound := must(f.gw.BindSign(f.ctx, apic.BindSign{SignID: key.ID, PublishIDs: []string{pub.PublishID}}))(f)
	return key, pub, bound.Bindings[0]
}

// How chapters 4.10 and 4.11 are called.
var _ = driven(map[string]func(f *fixture) drive{
	"4.10.1": func(f *fixture) drive { return drive{body: signSpec("signature_demo")} },
	"4.10.2": func(f *fixture) drive {
		return drive{path: []string{f.sign("signature_demo").ID}, body: signSpec("signature_demo_2")}
	},
	"4.10.3": func(f *fixture) drive { return drive{path: []string{f.sign("signature_demo").ID}} },
	"4.10.4": func(f *fixture) drive {
		return drive{query: "name=signature_demo&precise_search=name&id=" + f.sign("signature_demo").ID}
	},

	"4.11.1": func(f *fixture) drive {
		pub := f.online(f.api(f.group("orders").ID, "orders").ID)
		return drive{body: apic.BindSign{SignID: f.sign("signature_demo").ID, PublishIDs: []string{pub.PublishID}}}
	},
	"4.11.2": func(f *fixture) drive {
		_, _, bound := f.signed()
		return drive{path: []string{bound.ID}}
	},
	"4.11.3": func(f *fixture) drive {
		key, pub, _ := f.signed()
		return drive{query: "api_id=" + pub.APIID + "&env_id=" + pub.EnvID + "&sign_name=signature&sign_id=" + key.ID}
	},
	"4.11.4": func(f *fixture) drive {
		_, pub, _ := f.signed()
		return drive{query: "sign_id=" + f.sign("other").ID + f.where(pub)}
	},
	"4.11.5": func(f *fixture) drive {
		key, pub, _ := f.signed()
		return drive{query: "sign_id=" + key.ID + f.where(pub)}
	},
})

func TestSignErrors(t *testing.T) {
	f := setupWith(t, apic.Config{Features: map[apic.FeatureName]bool{apic.FeatureSignBasic: false}})
	key, pub, _ := f.signed()
	signs, bindings := apicBase+"/signs", apicBase+"/sign-bindings"
	f.refused("POST", signs, `{"name":"ab"}`, 400, "APIG.2011", "Invalid parameter value,parameterName:name. Please refer to the support documentation")
	f.refused("POST", signs, `{"name":"abc","sign_key":"-abc12345"}`, 400, "APIG.2011", "parameterName:sign_key")
	f.refused("POST", signs, `{"name":"abc","sign_secret":"short"}`, 400, "APIG.2011", "parameterName:sign_secret")
	f.refused("POST", signs, `{"name":"abc","sign_type":"basic"}`, 412, "APIG.3458", "The feature is not supported by current instance")
	f.refused("POST", signs, `{"name":"signature_demo"}`, 400, "APIG.3207", "The signature key name already exists")
	f.refused("PUT", signs+"/nope", `{"name":"abc"}`, 404, "APIG.3017", "Signature key nope does not exist")
	f.refused("DELETE", signs+"/nope", nil, 404, "APIG.3017", "")
	f.refused("DELETE", signs+"/"+key.ID, nil, 412, "APIG.3480", "The signature key has been bound to APIs")
	f.refused("GET", signs+"?limit=501", nil, 400, "APIG.2012", "parameterName:limit")

	f.refused("POST", bindings, apic.BindSign{SignID: key.ID, PublishIDs: []string{"nope"}}, 404, "APIG.3015", "")
	f.refused("POST", bindings, `{"sign_id":"0123456789012345678901234567890123456789012345678901234567890123456789","publish_ids":["a"]}`, 400, "APIG.2012", "parameterName:sign_id")
	f.refused("POST", bindings, apic.BindSign{SignID: "nope", PublishIDs: []string{pub.PublishID}}, 404, "APIG.3017", "")
	f.refused("DELETE", bindings+"/nope", nil, 404, "APIG.3018", "The signature key binding record does not exist")
	f.refused("GET", bindings+"/binded-signs?api_id=nope", nil, 404, "APIG.3002", "")
	f.refused("GET", bindings+"/binded-apis?sign_id=nope", nil, 404, "APIG.3017", "")
	f.refused("GET", bindings+"/unbinded-apis", nil, 400, "APIG.2001", "parameterName:sign_id")
}
