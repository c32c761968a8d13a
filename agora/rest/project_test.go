package rest_test

import (
	"testing"

	"github.com/gatehouse-go/gatehouse/agora"
)

func TestADeletionTakesItsIdsFromTheQueryToo(t *testing.T) {
	d := open(t, agora.NoLimits())
	id, app := d.project("p")
	d.want("POST", "/kicking-rule/", `{"appid":"`+app+`","uid":7}`, 200, `{"status":"success","id":1}`)
	d.want("DELETE", "/kicking-rule/?appid="+app+"&id=1", "", 200, `{"status":"success","id":1}`)
	d.want("DELETE", "/project/?id="+id, "", 200, `{"success":true}`)
	d.want("DELETE", "/project/?id="+id, "", 404, `{"error_msg":"project not exist"}`)
	d.refused("DELETE", "/project/", "", 400, "error_msg", "id")
}
