package emulator

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/internal/teststore"
)

// roma makes a call of ROMA's API with the token, or with none when it is "".
func (c client) roma(token, method, path, body string) (int, map[string]any) {
	c.t.Helper()
	c.user, c.token = nil, token
	return c.call(method, path, body)
}

func romaBase(r ROMA) string { return "/v2/" + r.Project + "/apic/instances/" + r.Instance }

func TestROMAStartsWithOneInstanceAndRELEASE(t *testing.T) {
	config := Defaults()
	c := start(t, config)
	base := romaBase(config.ROMA)
	for range 2 { // at start, and after a reset
		status, answer := c.roma("demo-token", "GET", base+"/envs", "")
		if status != 200 || answer["total"] != 1.0 || answer["envs"].([]any)[0].(map[string]any)["name"] != "RELEASE" {
			t.Errorf("environments: %d %v", status, answer)
		}
		for _, list := range []string{"/api-groups", "/apis", "/throttles", "/acls", "/signs", "/vpc-channels", "/app-quotas", "/tags"} {
			if status, answer := c.roma("demo-token", "GET", base+list, ""); status != 200 || answer["total"] != 0.0 {
				t.Errorf("%s at start: %d %v", list, status, answer)
			}
		}
		if status, answer := c.roma("demo-token", "GET", "/v2/"+config.ROMA.Project+"/instances/"+config.ROMA.Instance+"/apps", ""); status != 200 || answer["total"] != 0.0 {
			t.Errorf("apps at start: %d %v", status, answer)
		}
		if status, answer := c.roma("demo-token", "GET", base, ""); status != 200 || answer["spec"] != "ROMA_BASIC" || answer["maintain_begin"] != "22:00:00" || answer["instance_name"] == nil {
			t.Errorf("the instance: %d %v", status, answer)
		}
		for _, made := range []string{"/envs", "/api-groups"} {
			if status, answer := c.roma("demo-token", "POST", base+made, `{"name":"made_here"}`); status != 201 {
				t.Errorf("%s: %d %v", made, status, answer)
			}
		}
		c.want(200, "POST", "/_emulator/reset", "")
	}
}

// A FUNCTION backend is of a function whose URN has the document's form; there is
// no other (01, vector 8).
func TestROMAKnowsFunctionsByTheFormOfTheirURN(t *testing.T) {
	config := Defaults()
	c := start(t, config)
	base := romaBase(config.ROMA)
	_, group := c.roma("demo-token", "POST", base+"/api-groups", `{"name":"group_1"}`)
	for urn, want := range map[string]int{
		"urn:fss:region01:73d69ae0cfcf460190522d06b60f05ad:function:default:auto_testfunc93749": 201,
		"urn:fss:r:p:function:default:f:latest":                                                 201,
		"urn:unknown":                                                                           404,
		"urn:fss:r:p:function:default:":                                                         404,
		"urn:fss:r:p:trigger:default:f":                                                         404,
		"urn:fss:r:p:function:default:f:v1:x":                                                   404,
	} {
		status, answer := c.roma("demo-token", "POST", base+"/apis", `{"name":"api_`+strconv.Itoa(len(urn))+`","type":1,"req_protocol":"HTTP","req_method":"GET","req_uri":"/`+strconv.Itoa(len(urn))+
			`","auth_type":"NONE","backend_type":"FUNCTION","group_id":"`+group["id"].(string)+`","func_info":{"function_urn":"`+urn+`","invocation_type":"sync","timeout":5000}}`)
		if status != want || want == 404 && answer["error_code"] != "APIG.3019" {
			t.Errorf("%s: %d %v, want %d", urn, status, answer, want)
		}
	}
}

func TestROMARefusesWhoIsNotTheConfigs(t *testing.T) {
	config := Defaults()
	config.ROMA.Token = "mine"
	c := start(t, config)
	base := romaBase(config.ROMA)
	for _, refused := range []struct {
		token, path string
		status      int
		code        string
	}{
		{"", base + "/envs", 400, "APIG.1000"},
		{"demo-token", base + "/envs", 401, "APIG.1002"},
		{"mine", "/v2/" + config.ROMA.Project + "/apic/instances/other/envs", 404, "APIG.3030"},
		{"mine", "/v2/other/apic/instances/" + config.ROMA.Instance + "/envs", 404, "APIG.3030"},
	} {
		status, answer := c.roma(refused.token, "GET", refused.path, "")
		if status != refused.status || answer["error_code"] != refused.code {
			t.Errorf("%q %s = %d %v, want %d %s", refused.token, refused.path, status, answer, refused.status, refused.code)
		}
	}
	if status, _ := c.roma("mine", "GET", base+"/envs", ""); status != 200 {
		t.Errorf("the config's token: %d", status)
	}
}

func TestROMATellsItsVersionsAtTheRoot(t *testing.T) {
	c := start(t, Defaults())
	if status, answer := c.roma("", "GET", "/", ""); status != 200 || len(answer["versions"].([]any)) != 2 {
		t.Errorf("GET / = %d %v", status, answer)
	}
	for _, id := range []string{"v1", "v2"} {
		if status, answer := c.roma("", "GET", "/"+id, ""); status != 200 || answer["version"].(map[string]any)["id"] != id {
			t.Errorf("GET /%s = %d %v", id, status, answer)
		}
	}
	// What 3.4 does not have is not ROMA's.
	for _, other := range []string{"POST /", "GET /v3", "GET /v20", "POST /v2"} {
		method, path, _ := strings.Cut(other, " ")
		if _, answer := c.roma("", method, path, "{}"); strings.HasPrefix(fmtCode(answer), "ROMA.") || strings.HasPrefix(fmtCode(answer), "APIG.") {
			t.Errorf("%s is answered by ROMA: %v", other, answer)
		}
	}
}

func fmtCode(answer map[string]any) string {
	code, _ := answer["error_code"].(string)
	return code
}

func TestROMAFollowsTheClock(t *testing.T) {
	config := Defaults()
	c := start(t, config)
	base := romaBase(config.ROMA)
	times := map[string]bool{}
	for _, name := range []string{"before", "after"} {
		_, answer := c.roma("demo-token", "POST", base+"/envs", `{"name":"`+name+`"}`)
		times[answer["create_time"].(string)[:len("2006-01")]] = true
		c.want(http.StatusOK, "POST", "/_emulator/clock", `{"advance_seconds": 8000000}`)
	}
	if len(times) != 2 {
		t.Errorf("created in %v, three months apart", times)
	}
}

func TestROMAInstanceMustBeNamed(t *testing.T) {
	store := teststore.New(t)
	defer store.Close()
	config := Defaults()
	config.ROMA.Instance = ""
	if e, err := New(t.Context(), store, config); err == nil {
		e.Close()
		t.Error("no error without an instance id")
	}
}
