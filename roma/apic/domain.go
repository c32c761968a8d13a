package apic

import (
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/id"
	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Versions of TLS that a domain can demand.
const (
	TLS11 = "TLSv1.1"
	TLS12 = "TLSv1.2"
)

// What is known of where a domain points.
const (
	CNAMEUnresolved = 1
	CNAMEResolving  = 2
	CNAMEResolved   = 3
	CNAMEFailed     = 4
)

// Domain is a domain of one's own under which a group is served (4.6).
type Domain struct {
	ID      string `json:"id"`
	Domain  string `json:"url_domain"`
	Status  int    `json:"status"` // CNAMEUnresolved to CNAMEFailed
	MinSSL  string `json:"min_ssl_version"`
	SSLID   string `json:"ssl_id,omitempty"`
	SSLName string `json:"ssl_name,omitempty"`
}

// DomainSpec is a domain for a group.
type DomainSpec struct {
	GroupID string `path:"group" json:"-"`
	Domain  string `json:"url_domain"`
	MinSSL  string `json:"min_ssl_version"` // TLSv1.1 unless given
}

// DomainRef names a domain of a group.
type DomainRef struct {
	GroupID string `path:"group" json:"-"`
	ID      string `path:"id" json:"-"`
}

// DomainChange is the least version of TLS that a domain is to take.
type DomainChange struct {
	DomainRef
	MinSSL string `json:"min_ssl_version"`
}

type domainRow struct {
	Scope   core.Scope
	ID      string
	Group   string
	Domain  string // in lower case
	Shown   string `json:",omitempty"` // as given, when that differs
	Status  int
	MinSSL  string
	Created time.Time
}

type domains struct {
	domainRows *core.Resource[domainRow]
	domainsIn  *table.Index[domainRow] // by group

	domainsOf    *mirror.Order[domainRow] // by group, in the order of creation
	domainByName *mirror.Order[domainRow]
}

func declareDomains(c *core.Core, s *system) domains {
	x := core.Declare(c, "domain", "APIG.3020", func(d *domainRow) table.Key { return d.Scope.Key(d.ID) })
	x.Unique("domain", "APIG.3305", func(d *domainRow) table.Key { return d.Scope.Key(d.Domain) })
	return domains{
		domainRows:   x,
		domainsIn:    x.Belongs("group", s.groupRows.Table, func(d *domainRow) table.Key { return d.Scope.Key(d.Group) }),
		domainsOf:    x.Order(func(d *domainRow) table.Key { return table.Str(d.Group) + table.Time(d.Created) }),
		domainByName: x.Order(func(d *domainRow) table.Key { return table.Str(d.Domain) }),
	}
}

var domainName = regexp.MustCompile(`^(?i:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)(?:\.(?i:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?))+$`)

func checkMinSSL(k *check.Check, v *string) {
	if *v == "" {
		*v = TLS11
	}
	k.Enum("min_ssl_version", *v, TLS11, TLS12)
}

// BindDomain serves a group under a domain (4.6.1). A domain belongs to one
// group, on which the document is silent. Where it points is the resolver's to
// say: its error is APIG.2023, its no a domain that is not resolved.
func (c Control) BindDomain(ctx context.Context, in DomainSpec) (Domain, error) {
	if _, err := c.Read(); err != nil {
		return Domain{}, err
	}
	if err := of(c.sys).groupRows.Exists(ctx, c.Scope, in.GroupID); err != nil {
		return Domain{}, err
	}
	k := check.Body()
	k.Required("url_domain", in.Domain != "")
	if len(in.Domain) > 255 || !domainName.MatchString(in.Domain) {
		k.Fail(fault.Of("APIG.2024").Naming("url_domain", in.Domain))
	}
	checkMinSSL(k, &in.MinSSL)
	if k.Err() != nil {
		return Domain{}, k.Err()
	}
	row := domainRow{
		Scope: c.Scope, ID: id.Hex(), Group: in.GroupID, Domain: strings.ToLower(in.Domain), Status: CNAMEResolved,
		MinSSL: in.MinSSL, Created: c.Now(),
	}
	if row.Domain != in.Domain {
		row.Shown = in.Domain
	}
	if resolve := of(c.sys).config.Resolvers.CNAME; resolve != nil {
		there, err := resolve(ctx, row.Domain, of(c.sys).subdomain(in.GroupID))
		if err != nil {
			return Domain{}, fault.Of("APIG.2023").Naming("url_domain", in.Domain).Because(err)
		}
		if !there {
			row.Status = CNAMEUnresolved
		}
	}
	return write(ctx, c, func(w storage.Writer) (Domain, error) {
		if err := c.changeGroup(w, in.GroupID, core.RoleModify); err != nil {
			return Domain{}, err
		}
		if err := of(c.sys).domainRows.Insert(w, row); err != nil {
			return Domain{}, err
		}
		return row.show(nil), core.Cap(w, of(c.sys).domainsIn.Prefix(c.Scope.Key(in.GroupID)), of(c.sys).limit(DomainLimit), "APIG.3108")
	})
}

// show is the domain with its certificate, nil when it has none.
func (d *domainRow) show(cert *certificateRow) Domain {
	show := Domain{ID: d.ID, Domain: d.name(), Status: d.Status, MinSSL: d.MinSSL}
	if cert != nil {
		show.SSLID, show.SSLName = cert.ID, cert.Name
	}
	return show
}

func (d *domainRow) name() string {
	if d.Shown != "" {
		return d.Shown
	}
	return d.Domain
}

// domain is a domain of a group whose application grants the role. A domain of
// another group is APIG.3474.
func (c Control) domain(w storage.Writer, ref DomainRef, role core.Role) (domainRow, error) {
	if err := c.changeGroup(w, ref.GroupID, role); err != nil {
		return domainRow{}, err
	}
	d, err := of(c.sys).domainRows.Load(w, c.Scope, ref.ID)
	if err == nil && d.Group != ref.GroupID {
		err = fault.Of("APIG.3474")
	}
	return d, err
}

// UpdateDomain changes the least version of TLS that a domain takes (4.6.3).
func (c Control) UpdateDomain(ctx context.Context, in DomainChange) (Domain, error) {
	row, err := write(ctx, c, func(w storage.Writer) (domainRow, error) {
		if _, err := c.domain(w, in.DomainRef, core.RoleModify); err != nil {
			return domainRow{}, err
		}
		k, min := check.Body(), in.MinSSL
		k.Required("min_ssl_version", min != "")
		checkMinSSL(k, &min)
		if k.Err() != nil {
			return domainRow{}, k.Err()
		}
		return of(c.sys).domainRows.Change(w, c.Scope, in.ID, func(d *domainRow) error {
			d.MinSSL = min
			return nil
		})
	})
	if err != nil {
		return Domain{}, err
	}
	cert, _ := of(c.sys).certificateOf(c.State(), c.Scope, in.ID)
	return row.show(cert), nil
}

// UnbindDomain ends the serving of a group under a domain (4.6.4). Its
// certificate goes too, on which the document is silent.
func (c Control) UnbindDomain(ctx context.Context, ref DomainRef) error {
	return c.Write(ctx, func(w storage.Writer) error {
		if _, err := c.domain(w, ref, core.RoleModify); err != nil {
			return err
		}
		return of(c.sys).domainRows.Delete(w, c.Scope, ref.ID)
	})
}

// showDomains is the domains of a group as the group shows them.
func (c Control) showDomains(st *mirror.State, group string) []GroupDomain {
	var shown []GroupDomain
	for d := range of(c.sys).domainsOf.Prefix(st, c.Scope.Key(), table.Str(group)).All() {
		show := GroupDomain{ID: d.ID, Domain: d.name(), CNAME: d.Status, MinSSL: d.MinSSL}
		if cert, found := of(c.sys).certificateOf(st, c.Scope, d.ID); found {
			show.SSLID, show.SSL = cert.ID, cert.Name
		}
		shown = append(shown, show)
	}
	return shown
}
