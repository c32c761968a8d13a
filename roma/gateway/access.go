package gateway

import (
	"github.com/gatehouse-go/gatehouse/acl"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// attached is what is bound to a publication, as of one age of policies.
type attached struct {
	age      *age
	throttle apic.LiveThrottle

	// Without a gate of a kind everybody passes; a nil one lets nobody.
	byAddress, byAccount bool
	addresses, accounts  *acl.Gate
}

// attachments returns what is bound to the route.
func (l *live) attachments(r *route) *attached {
	a := r.attached.Load()
	if a != nil && a.age == l.policies {
		return a
	}
	a = &attached{age: l.policies, throttle: l.snap.Throttle(r.PublishID)}
	a.addresses, a.byAddress = l.snap.AddressGate(r.PublishID)
	a.accounts, a.byAccount = l.snap.AccountGate(r.PublishID)
	r.attached.Store(a)
	return a
}

// admitAddress is the stage of the API's access control by address (3, ACL).
func (c *call) admitAddress() *refusal {
	a := c.live.attachments(c.route)
	if !a.byAddress {
		return nil
	}
	return c.pass(a.addresses, acl.Caller{Address: c.client}, AddressForbidden)
}

// admitAccount is the stage of the API's access control by account, which looks
// at calls authenticated by IAM alone.
func (c *call) admitAccount() *refusal {
	a := c.live.attachments(c.route)
	if !a.byAccount {
		return nil
	}
	return c.pass(a.accounts, acl.Caller{
		Address: c.client, Authenticated: c.caller.How == ByIAMToken || c.caller.How == ByIAMKey,
		AccountName: c.caller.AccountName, AccountID: c.caller.AccountID,
	}, IAMForbidden)
}

// admitClient is the stage of the application's access control.
func (c *call) admitClient() *refusal {
	if c.caller.terms == nil || !c.caller.terms.gated {
		return nil
	}
	return c.pass(c.caller.terms.gate, acl.Caller{Address: c.client}, AddressForbidden)
}

func (c *call) pass(gate *acl.Gate, who acl.Caller, cause Cause) *refusal {
	d := gate.Decide(who)
	if c.trace != nil {
		c.note("%v", d)
	}
	if d.Allowed {
		return nil
	}
	if cause == AddressForbidden && !who.Address.IsValid() {
		cause = AddressUnknown
	}
	c.access = d
	return c.refuse(cause)
}
