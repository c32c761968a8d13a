package rest

import (
	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// aclCalls is chapters 4.12 and 4.13.
var aclCalls = []surface.Operation{
	create("POST /acls", apic.Control.CreateACL),
	update("PUT /acls/{id}", apic.Control.UpdateACL),
	remove("DELETE /acls/{id}", apic.Control.DeleteACL),
	batch("PUT /acls", apic.Control.DeleteACLs),
	get("GET /acls/{id}", apic.Control.ACL),
	page("GET /acls", "acls", apic.Control.ACLs),

	create("POST /acl-bindings", apic.Control.BindACL),
	remove("DELETE /acl-bindings/{id}", apic.Control.UnbindACL),
	batch("PUT /acl-bindings", apic.Control.UnbindACLs),
	page("GET /acl-bindings/binded-apis", "apis", apic.Control.GuardedAPIs),
	page("GET /acl-bindings/unbinded-apis", "apis", apic.Control.UnguardedAPIs),
	page("GET /acl-bindings/binded-acls", "acls", apic.Control.ACLsOf),
}
