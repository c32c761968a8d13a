package apic

import (
	"context"

	"github.com/gatehouse-go/gatehouse/roma/fault"
)

// Kinds of authorizers: of whoever calls, and of the gateway towards a backend.
const (
	FrontendAuthorizer = "FRONTEND"
	BackendAuthorizer  = "BACKEND"
)

// authorizers checks the authorizers that a definition names: one that is not
// there is APIG.3081, one of the other kind APIG.3477.
func (c Control) authorizers(ctx context.Context, in *APISpec) error {
	check := func(id, kind string) error {
		if id == "" {
			return nil
		}
		is, found := "", false
		if find := of(c.sys).config.Resolvers.Authorizer; find != nil {
			var err error
			if is, found, err = find(ctx, c.ProjectID, c.InstanceID, id); err != nil {
				return fault.From(err)
			}
		}
		switch {
		case !found:
			return fault.NotFound("APIG.3081", id)
		case is != kind:
			return fault.Of("APIG.3477")
		}
		return nil
	}
	if in.AuthType == "AUTHORIZER" {
		if err := check(in.AuthorizerID, FrontendAuthorizer); err != nil {
			return err
		}
	}
	var backends []string
	for t := range in.targets() {
		backends = append(backends, t.AuthorizerID)
	}
	if in.Function != nil {
		backends = append(backends, in.Function.AuthorizerID)
	}
	if in.Mock != nil {
		backends = append(backends, in.Mock.AuthorizerID)
	}
	for _, p := range in.FunctionPolicies {
		backends = append(backends, p.AuthorizerID)
	}
	for _, p := range in.MockPolicies {
		backends = append(backends, p.AuthorizerID)
	}
	for _, id := range backends {
		if err := check(id, BackendAuthorizer); err != nil {
			return err
		}
	}
	return nil
}
