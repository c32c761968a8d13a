package rest

import (
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/internal/certtest"
)

func (f *fixture) domain(group, name string) apic.Domain {
	f.Helper()
	return must(f.gw.BindDomain(f.ctx, apic.DomainSpec{GroupID: group, Domain: name}))(f)
}

// certified is a domain with its certificate, as the ids of a path.
func (f *fixture) certified() []string {
	f.Helper()
	g := f.group("group")
	ref := apic.DomainRef{GroupID: g.ID, ID: f.domain(g.ID, "www.example.com").ID}
	cert, key := f.issue("www.example.com")
	d := must(f.gw.BindCertificate(f.ctx, apic.CertificateSpec{DomainRef: ref, Name: "cert_1", Content: cert, Key: key}))(f)
	return []string{g.ID, d.ID, d.SSLID}
}

func (f *fixture) issue(domain string) (cert, key string) {
	return certtest.NewAuthority(f, "Authority").Issue(domain, time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC))
}

// How chapters 4.1 and 4.6 are called.
var _ = driven(map[string]func(f *fixture) drive{
	"4.1.1": func(f *fixture) drive {
		f.ok(f.sys.DescribeInstance(f.ctx, projectID, instanceID, apic.InstanceDetail{
			Name: "n", Spec: "ROMA_BASIC", EnterpriseProject: "0", EIP: "1.1.1.1", CBCMetadata: "c", Description: "d", VPCID: "v", SubnetID: "s",
			SecurityGroupID: "g", MaintainBegin: "22:00:00", MaintainEnd: "02:00:00", IngressIP: "1.1.1.1", IngressIPv6: "::1", UserID: "u",
			NATEIP: "1.1.1.1", NATIPv6: "::/64", EIPv6: "::1", Bandwidth: 5, Zones: "[a, b]", Version: "v1", Features: []string{"lts"},
		}))
		return drive{unanswered: []string{"type", "virsubnet_id", "roma_eip_address", "listeners"}} // not supported, says the document
	},
	"4.1.2": func(f *fixture) drive {
		f.ok(f.sys.DescribeInstance(f.ctx, projectID, instanceID, apic.InstanceDetail{
			Restriction: apic.Restriction{CIDRs: []string{"127.0.0.1/32"}, Subnet: "192.168.0.1/24"},
		}))
		return drive{}
	},
	"4.6.1": func(f *fixture) drive {
		return drive{path: []string{f.group("group").ID}, body: map[string]any{"url_domain": "www.example.com", "min_ssl_version": "TLSv1.2"}}
	},
	"4.6.2": func(f *fixture) drive {
		g := f.group("group")
		cert, key := f.issue("www.example.com")
		return drive{
			path: []string{g.ID, f.domain(g.ID, "www.example.com").ID},
			body: map[string]any{"name": "cert_1", "cert_content": cert, "private_key": key},
		}
	},
	"4.6.3": func(f *fixture) drive {
		g := f.group("group")
		return drive{path: []string{g.ID, f.domain(g.ID, "www.example.com").ID}, body: map[string]any{"min_ssl_version": "TLSv1.2"}}
	},
	"4.6.4": func(f *fixture) drive {
		g := f.group("group")
		return drive{path: []string{g.ID, f.domain(g.ID, "www.example.com").ID}}
	},
	"4.6.5": func(f *fixture) drive { return drive{path: f.certified()} },
	"4.6.6": func(f *fixture) drive { return drive{path: f.certified()} },
})

func TestDomainErrors(t *testing.T) {
	f := setup(t)
	g, other := f.group("group"), f.group("other")
	domains := apicBase + "/api-groups/" + g.ID + "/domains"
	f.refused("POST", domains, `{"url_domain":"bad domain"}`, 400, "APIG.2024", "Invalid URL domain name")
	f.refused("POST", domains, `{}`, 400, "APIG.2001", "parameterName:url_domain")
	f.refused("POST", apicBase+"/api-groups/nope/domains", `{"url_domain":"www.example.com"}`, 404, "APIG.3001", "")
	d := f.domain(g.ID, "www.example.com")
	f.refused("PUT", domains+"/nope", `{"min_ssl_version":"TLSv1.2"}`, 404, "APIG.3020", "The URL domain does not exist")
	f.refused("PUT", apicBase+"/api-groups/"+other.ID+"/domains/"+d.ID, `{"min_ssl_version":"TLSv1.2"}`, 400, "APIG.3474", "")
	f.refused("GET", domains+"/"+d.ID+"/certificate/nope", nil, 404, "APIG.3021", "")
}

func TestInstanceErrors(t *testing.T) {
	f := setup(t)
	f.refused("GET", "/v2/"+projectID+"/apic/instances/nope", nil, 404, "APIC.7302", "Instance not found")
	f.refused("GET", "/v2/"+projectID+"/apic/instances/nope/restriction", nil, 404, "APIC.7302", "")
	f.token = "nope"
	f.refused("GET", apicBase, nil, 401, "APIC.7102", "Incorrect token or token resolution failed")
}
