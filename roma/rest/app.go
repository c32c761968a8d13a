package rest

import (
	"context"

	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/roma"
)

// missing404 is the option of the operations of chapter 3 for which the
// document has the status 404: an instance that is not there gets it too.
var missing404 = func() surface.Option {
	f := commonFamily
	f.noInstanceStatus = 404
	return surface.Meta(f)
}()

// appCalls is chapter 3.1.
var appCalls = []surface.Operation{
	surface.Op("GET /validate-apps", findApp, missing404),
	page("GET /apps", "apps", roma.Instance.Applications),
	create("POST /apps", roma.Instance.CreateApp),
	get("GET /apps/{id}", roma.Instance.Application, missing404),
	update("PUT /apps/{id}", roma.Instance.UpdateApp, missing404),
	surface.Op("DELETE /apps/{id}", deleteApp, missing404),
	get("GET /apps/{id}/secret", roma.Instance.AppSecret, missing404),
	surface.Op("PUT /apps/{id}/secret", resetAppSecret, missing404),
	find("GET /apps/{id}/users", roma.Instance.Members, missing404),
	update("PUT /apps/{id}/users", roma.Instance.ShareApp),
	find("GET /apps/{id}/candidates", roma.Instance.Candidates, missing404),
}

// findApp answers with less than an application has.
func findApp(ctx context.Context, ref roma.AppRef) (any, error) {
	a, err := instance(ctx).FindApp(ctx, ref)
	return struct {
		ID     string `json:"id"`
		Name   string `json:"name"`
		Remark string `json:"remark"`
	}{a.ID, a.Name, a.Remark}, err
}

func deleteApp(ctx context.Context, in byID) (map[string]string, error) {
	return map[string]string{"Message": "success"}, instance(ctx).DeleteApp(ctx, in.ID)
}

// resetAppSecret does without a body too.
func resetAppSecret(ctx context.Context, in struct {
	ID   string          `path:"id"`
	Body roma.SecretSpec `body:"json"`
}) (roma.Secret, error) {
	return instance(ctx).ResetAppSecret(ctx, in.ID, in.Body)
}
