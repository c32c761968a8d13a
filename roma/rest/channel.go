package rest

import (
	"context"

	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// channelCalls is chapter 4.15.
var channelCalls = []surface.Operation{
	create("POST /vpc-channels", apic.Control.CreateChannel),
	update("PUT /vpc-channels/{id}", apic.Control.UpdateChannel),
	remove("DELETE /vpc-channels/{id}", apic.Control.DeleteChannel),
	get("GET /vpc-channels/{id}", apic.Control.Channel),
	page("GET /vpc-channels", "vpc_channels", apic.Control.Channels),
	surface.Op("POST /vpc-channels/{id}/members", func(ctx context.Context, in edit[apic.NewMembers]) (map[string]any, error) {
		p, err := gateway(ctx).AddMembers(ctx, in.ID, in.Body)
		return paged("members", p), err
	}, created),
	page("GET /vpc-channels/{id}/members", "members", apic.Control.Members),
	drop("DELETE /vpc-channels/{id}/members/{member_id}", apic.Control.DeleteMember),
}
