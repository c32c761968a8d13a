package apic

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
)

// InstanceDetail is what a host says of an instance; no call of the document
// changes it. What is empty is not shown.
type InstanceDetail struct {
	Name              string   `json:"instance_name,omitempty"`
	Spec              string   `json:"spec,omitempty"` // ROMA_BASIC, ROMA_PROFESSIONAL, ROMA_ENTERPRISE, ROMA_PLATINUM
	EnterpriseProject string   `json:"enterprise_project_id,omitempty"`
	EIP               string   `json:"eip_address,omitempty"`
	ChargingMode      int      `json:"charging_mode"` // 0 on demand, 1 prepaid
	CBCMetadata       string   `json:"cbc_metadata,omitempty"`
	Description       string   `json:"description,omitempty"`
	VPCID             string   `json:"vpc_id,omitempty"`
	SubnetID          string   `json:"subnet_id,omitempty"`
	SecurityGroupID   string   `json:"security_group_id,omitempty"`
	MaintainBegin     string   `json:"maintain_begin,omitempty"` // 02:00:00, 06:00:00 ... 22:00:00
	MaintainEnd       string   `json:"maintain_end,omitempty"`   // four hours later
	IngressIP         string   `json:"ingress_ip,omitempty"`
	IngressIPv6       string   `json:"ingress_ip_v6,omitempty"`
	UserID            string   `json:"user_id,omitempty"`
	NATEIP            string   `json:"nat_eip_address,omitempty"`
	NATIPv6           string   `json:"nat_eip_ipv6_cidr,omitempty"`
	EIPv6             string   `json:"eip_ipv6_address,omitempty"`
	Bandwidth         int      `json:"bandwidth_size,omitempty"`
	Zones             string   `json:"available_zone_ids,omitempty"` // "[a, b]"
	Version           string   `json:"instance_version,omitempty"`
	Features          []string `json:"supported_features,omitempty"`

	// Restriction is what 4.1.2 shows.
	Restriction Restriction `json:"-"`
}

// Restriction is the networks that an instance keeps for itself (4.1.2).
type Restriction struct {
	CIDRs  []string `json:"restrict_cidrs"`
	Subnet string   `json:"resource_subnet_cidr"`
}

// Instance is an instance as 4.1.1 shows it.
type Instance struct {
	ID      string `json:"id"`
	Project string `json:"project_id"`
	Status  string `json:"status"`          // always Running
	Number  int    `json:"instance_status"` // 6
	Created int64  `json:"create_time"`     // Unix milliseconds; the document has "unix time" alone
	InstanceDetail
}

// storedDetail is an InstanceDetail as it is kept.
type storedDetail struct {
	InstanceDetail
	Kept Restriction `json:"restriction"`
}

// EncodeDetail is how an instance keeps its detail. It is for package roma.
func EncodeDetail(d InstanceDetail) ([]byte, error) {
	return json.Marshal(storedDetail{d, d.Restriction})
}

func decodeDetail(b []byte) (InstanceDetail, error) {
	var d storedDetail
	if len(b) == 0 {
		return InstanceDetail{}, nil
	}
	err := json.Unmarshal(b, &d)
	d.InstanceDetail.Restriction = d.Kept
	return d.InstanceDetail, err
}

// detail is the instance and what its host says of it.
func (c Control) detail() (*core.Instance, InstanceDetail, error) {
	st, err := c.Read()
	if err != nil {
		return nil, InstanceDetail{}, fault.Of("APIC.7106")
	}
	row, err := c.Core.Instance(st, c.ProjectID, c.InstanceID)
	if err != nil {
		return nil, InstanceDetail{}, fault.Of("APIC.7302")
	}
	d, err := decodeDetail(row.Detail)
	if err != nil {
		return nil, InstanceDetail{}, fault.Of("APIC.9000").Because(err)
	}
	return row, d, nil
}

// Instance returns the instance (4.1.1). Its errors have the codes APIC.*, as
// chapter 4.1 does.
func (c Control) Instance(context.Context) (Instance, error) {
	row, d, err := c.detail()
	if err != nil {
		return Instance{}, err
	}
	return Instance{
		ID: row.ID, Project: row.Project, Status: "Running", Number: 6, Created: row.Created.UnixMilli(), InstanceDetail: d,
	}, nil
}

// Restriction returns the networks that the instance keeps for itself (4.1.2).
func (c Control) Restriction(context.Context) (Restriction, error) {
	_, d, err := c.detail()
	d.Restriction.CIDRs = append([]string{}, slices.Clone(d.Restriction.CIDRs)...)
	return d.Restriction, err
}
