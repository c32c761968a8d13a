package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/vpc"
	"github.com/gatehouse-go/gatehouse/roma/vpc/probe"
)

// shunned is for how long a member that could not be connected to gets no more
// calls, where the channel has others: probes find out within seconds only. A
// channel with no others asks it all the same, so that no call is lost that it
// could have served.
const shunned = time.Second

// channel is a VPC channel: what balances its members, and who asks them how
// they are.
type channel struct {
	of      *apic.Channel // what it is made of
	vpc     *vpc.Channel
	checker *probe.Checker // nil without health check
	client  *clientTLS     // what the checker shows
}

func (b *backends) newChannel(of *apic.Channel, client *clientTLS) *channel {
	config, members := balancing(of)
	balancer, err := vpc.New(config, members...)
	if err != nil { // a channel that cannot be, which serves nothing
		b.warn("gateway: a channel cannot be used", slog.String("channel", of.ID), slog.Any("error", err))
		balancer, _ = vpc.New(vpc.Config{})
	}
	ch := &channel{of: of, vpc: balancer}
	b.watch(ch, client)
	return ch
}

func balancing(of *apic.Channel) (vpc.Config, []vpc.Member) {
	config, members := of.Balancing()
	config.Passive = vpc.Passive{Failures: 1, For: shunned}
	return config, members
}

// changed is ch as of says now. Members that stay keep their health, and calls
// under way.
func (b *backends) changed(ch *channel, of *apic.Channel, client *clientTLS) *channel {
	next := &channel{of: of, vpc: ch.vpc, checker: ch.checker, client: ch.client}
	config, members := balancing(of)
	before, _ := ch.of.Balancing()
	now := time.Now()
	var err error
	if before.Strategy != config.Strategy || before.Health != config.Health {
		err = next.vpc.Configure(now, config)
	}
	if err == nil {
		err = next.vpc.Replace(now, members...)
	}
	if err != nil {
		b.warn("gateway: a channel cannot be used", slog.String("channel", of.ID), slog.Any("error", err))
	}
	was, asked := ch.of.Probe()
	is, asks := of.Probe()
	if was != is || asked != asks || is.ClientCertificate && client != ch.client {
		ch.unwatch()
		b.watch(next, client)
	}
	return next
}

// watch begins to ask the members how they are, if they are to be asked.
func (b *backends) watch(ch *channel, client *clientTLS) {
	ch.checker, ch.client = nil, client
	check, asked := ch.of.Probe()
	if !asked {
		return
	}
	if b.g.config.hasten != nil {
		check = b.g.config.hasten(check)
	}
	config := probe.Config{Check: check, TLS: b.g.config.BackendTLS.Clone(), Report: b.reporter(ch.of), Clock: b.g.config.probeClock}
	if config.Clock != nil {
		// Whoever turns the clock by time_interval is to see each member probed
		// once (1.6): an interval that varies may be a little longer than the turn.
		config.Jitter = -1
	}
	if check.ClientCertificate {
		config.TLS = client.config(b.g.config.BackendTLS)
	}
	checker, err := probe.Start(ch.vpc, config)
	if err != nil {
		b.warn("gateway: a health check cannot be made", slog.String("channel", ch.of.ID), slog.Any("error", err))
		return
	}
	ch.checker = checker
}

func (ch *channel) unwatch() {
	if ch.checker != nil {
		ch.checker.Close()
	}
}

// forget ends a channel. What its members were found to be is known no longer,
// so the control plane shows them as usable.
func (b *backends) forget(ch *channel) {
	ch.unwatch()
	for _, m := range ch.vpc.MemberStatuses() {
		if !m.Up {
			b.snapshot().ReportMember(ch.of.ID, m.ID, true)
		}
	}
}

// reporter tells the control plane of members that go down and come up.
func (b *backends) reporter(of *apic.Channel) func(probe.Result) {
	id, name := of.ID, of.Name
	return func(r probe.Result) {
		if !r.Flipped {
			return
		}
		b.snapshot().ReportMember(id, r.Member.ID, r.Err == nil)
		if r.Err == nil {
			b.g.log.Info("gateway: a member is up", slog.String("channel", name), slog.String("member", r.Member.Address()))
		} else {
			b.g.log.Warn("gateway: a member is down", slog.String("channel", name), slog.String("member", r.Member.Address()), slog.Any("error", r.Err))
		}
	}
}

// aim is the way of one call to a backend: to its address, or to one member of
// its channel after another.
type aim struct {
	b       *backend
	channel *channel // nil without
	key     string   // for the strategies that hash
	lease   vpc.Lease
	member  string // the last one's id
	address string
	tried   []string // ids, when there were more than one
	tries   int
}

// next finds the address to try, the next one if there was one before. It
// returns false when there is none.
func (a *aim) next(now time.Time) bool {
	a.tries++
	if a.b.http.channel == "" {
		a.address = a.b.http.address
		return a.tries == 1
	}
	if a.channel == nil {
		return false // it was deleted
	}
	if a.tries > 1 {
		a.tried = append(a.tried, a.member)
		if a.tries > len(a.channel.of.Members)+1 {
			return false
		}
	}
	a.lease = a.channel.vpc.Pick(now, a.key)
	if a.lease.OK() {
		a.member = a.lease.MemberID()
		a.address = a.at(a.lease.Address())
		return true
	}
	// None is eligible. One that was only just shunned is better than none.
	for _, m := range a.channel.vpc.MemberStatuses() {
		if m.Excluded == vpc.Ejected && m.Up && !slices.Contains(a.tried, m.ID) {
			a.member, a.address = m.ID, a.at(m.Address())
			return true
		}
	}
	return false
}

// at is a member's address with the port that the API wants instead of the
// channel's.
func (a *aim) at(address string) string {
	if a.b.http.port == 0 {
		return address
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return net.JoinHostPort(host, strconv.Itoa(a.b.http.port))
}

// over ends a try. good is whether the member could be connected to.
func (a *aim) over(good bool) {
	if a.lease.OK() {
		a.lease.Release(time.Now(), good)
	}
}

// balanceKey is what the strategies that hash hash: the caller's address, or
// the path of the request (3, balancing).
func (ch *channel) balanceKey(c *call) string {
	switch vpc.Strategy(ch.of.Strategy) {
	case vpc.SourceHash:
		return addressText(c.client)
	case vpc.URIHash:
		return c.r.URL.EscapedPath()
	}
	return ""
}

// clientTLS is the certificate that an instance shows to backends that ask for
// one (feature backend_client_certificate).
type clientTLS struct {
	of          apic.ClientCertificateFeature
	certificate tls.Certificate
	roots       *x509.CertPool // nil is the system's
}

// newClientTLS returns nil where the feature is off.
func newClientTLS(of apic.ClientCertificateFeature) *clientTLS {
	if !of.On {
		return nil
	}
	c := &clientTLS{of: of}
	certificate, err := tls.X509KeyPair([]byte(of.Content), []byte(of.Key))
	if err != nil {
		return nil // the control plane takes no such
	}
	c.certificate = certificate
	if of.CA != "" {
		c.roots = x509.NewCertPool()
		c.roots.AppendCertsFromPEM([]byte(of.CA))
	}
	return c
}

// config is base with the certificate. Without one, it is base.
func (c *clientTLS) config(base *tls.Config) *tls.Config {
	config := base.Clone()
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if c != nil {
		config.Certificates = []tls.Certificate{c.certificate}
		if c.roots != nil {
			config.RootCAs = c.roots
		}
	}
	return config
}
