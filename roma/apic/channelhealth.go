package apic

import (
	"math"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/roma/vpc"
)

// HealthCheck is how the members of a channel are asked whether they are well.
type HealthCheck struct {
	Protocol  string `json:"protocol"`                         // TCP, HTTP, HTTPS in any case
	Path      string `json:"path,omitempty"`                   // required of HTTP and HTTPS
	Method    string `json:"method,omitempty"`                 // GET unless given, HEAD
	Port      int    `json:"port"`                             // 0 is the channel's
	Normal    int    `json:"threshold_normal" bind:"nozero"`   // good answers in a row that bring a member up, 2 to 10
	Abnormal  int    `json:"threshold_abnormal" bind:"nozero"` // bad ones that take it down, 2 to 10
	Interval  int    `json:"time_interval" bind:"nozero"`      // seconds, 5 to 300
	Codes     string `json:"http_code,omitempty"`              // good ones: 200,201,210-299
	ClientSSL bool   `json:"enable_client_ssl"`                // show the certificate of the instance
	Timeout   int    `json:"timeout" bind:"nozero"`            // seconds, 2 to 30 and less than Interval
}

// ChannelHealth is the HealthCheck of a channel.
type ChannelHealth struct {
	ID        string    `json:"id"`
	ChannelID string    `json:"vpc_channel_id"`
	Created   time.Time `json:"create_time"`
	HealthCheck
}

// check checks the fields and fills in the defaults. What does not belong to
// the protocol is dropped. The document is silent on the codes of HTTPS, 200,
// and on the timeout: 5 s, or as near to it as the interval allows.
func (h *HealthCheck) check(c *check.Check) {
	c.Required("protocol", h.Protocol != "")
	protocol, err := vpc.ParseProtocol(h.Protocol)
	c.Invalid("protocol", h.Protocol, err == nil)
	switch protocol {
	case vpc.TCP:
		h.Path, h.Method, h.Codes = "", "", ""
	case vpc.HTTP, vpc.HTTPS:
		if h.Method = strings.ToUpper(h.Method); h.Method == "" {
			h.Method = "GET"
		}
		if h.Codes == "" && protocol == vpc.HTTPS {
			h.Codes = "200"
		}
		c.Required("path", h.Path != "")
		c.Length("path", h.Path, 1, 512)
		c.Enum("method", h.Method, "GET", "HEAD")
		c.Required("http_code", h.Codes != "")
		_, err := vpc.ParseCodes(h.Codes)
		c.Invalid("http_code", h.Codes, err == nil && len(h.Codes) <= 1024)
	}
	c.Range("port", int64(h.Port), 0, math.MaxUint16)
	number := func(param string, n int, a, b int64) {
		c.Required(param, n != 0)
		c.Range(param, int64(n), a, b)
	}
	number("threshold_normal", h.Normal, 2, 10)
	number("threshold_abnormal", h.Abnormal, 2, 10)
	number("time_interval", h.Interval, 5, 300)
	if h.Timeout == 0 {
		h.Timeout = min(5, h.Interval-1)
	}
	c.Range("timeout", int64(h.Timeout), 2, 30)
	c.Most("timeout", int64(h.Timeout), int64(h.Interval)-1)
	_, err = h.probe() // all else is settled: what may be wrong yet is the path
	c.Invalid("path", h.Path, err == nil)
}

// probe is the check as package vpc takes it.
func (h *HealthCheck) probe() (vpc.Check, error) {
	protocol, err := vpc.ParseProtocol(h.Protocol)
	if err != nil {
		return vpc.Check{}, err
	}
	var codes vpc.CodeSet
	if h.Codes != "" {
		if codes, err = vpc.ParseCodes(h.Codes); err != nil {
			return vpc.Check{}, err
		}
	}
	return vpc.Check{
		Protocol: protocol, Method: h.Method, Path: h.Path, Port: h.Port, Codes: codes,
		Interval: time.Duration(h.Interval) * time.Second, Timeout: time.Duration(h.Timeout) * time.Second,
		ClientCertificate: h.ClientSSL,
	}.Complete()
}

// memberStates is which members of channels are down, as the data planes of
// this process have found out. It is not stored: a member that nobody reports
// on is up, as new ones are.
type memberStates struct {
	mu   sync.RWMutex
	down map[memberKey]bool
}

type memberKey struct {
	scope           core.Scope
	channel, member string
}

func (m *memberStates) isDown(key memberKey) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.down[key]
}

// report sets the state of a member, and forgets those for which gone is true.
func (m *memberStates) report(key memberKey, up bool, gone func(memberKey) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k := range m.down {
		if gone(k) {
			delete(m.down, k)
		}
	}
	if up || gone(key) {
		delete(m.down, key)
	} else {
		m.down[key] = true
	}
}

// ReportMember tells the control plane of a member that has gone down or come
// up, so that 4.15 shows it. Members are up until told otherwise. It is for the
// data plane, whenever its health checks change their mind about a member.
func (n Snapshot) ReportMember(channel, member string, up bool) {
	st := of(n.sys).core.State()
	of(n.sys).memberStates.report(memberKey{n.scope, channel, member}, up, func(k memberKey) bool {
		ch, found := of(n.sys).channels.Mirror.Get(st, k.scope.Key(k.channel))
		return !found || ch.member(k.member) < 0
	})
}
