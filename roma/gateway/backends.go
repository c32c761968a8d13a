package gateway

import (
	"cmp"
	"context"
	"crypto/tls"
	"log/slog"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/gateway/internal/upstream"
)

// dialTimeout is how long connecting to a backend may take, its TLS handshake
// included: so long that a lost packet is sent again, and so short that the
// next member can be asked within most timeouts.
const dialTimeout = 3 * time.Second

// backends is what the gateway keeps of its backends: transports, channels and
// their health, tunnels and functions under way.
type backends struct {
	g         *Gateway
	ctx       context.Context // ends with the gateway
	transport http.RoundTripper
	own       bool // the transport is the gateway's
	snap      atomic.Pointer[apic.Snapshot]

	async atomic.Int64 // functions under way that nobody waits for

	mu      sync.Mutex
	latest  *fleet
	closed  bool
	running sync.WaitGroup // under mu while closed is not set
}

// fleet is the backends as of one revision. It is immutable but for the
// transports that it makes on demand.
type fleet struct {
	channels map[string]*channel
	client   *clientTLS
	special  *transports
}

// open is called once, by New; what it starts ends with ctx.
func (b *backends) open(ctx context.Context, g *Gateway) error {
	b.g, b.ctx, b.transport = g, ctx, g.config.Transport
	if b.transport == nil {
		b.own, b.transport = true, newTransport(g.config.BackendTLS)
	}
	return nil
}

func newTransport(config *tls.Config) *upstream.Transport {
	return upstream.New(upstream.Config{TLS: config, DialTimeout: dialTimeout, MaxIdlePerHost: 1024})
}

// update is called with every new revision, one after another, before any call
// is judged by it.
func (b *backends) update(before, now *live) {
	b.mu.Lock()
	defer b.mu.Unlock()
	snap := now.snap
	b.snap.Store(&snap)
	old := b.latest
	if old == nil {
		old = &fleet{channels: map[string]*channel{}, special: &transports{}}
	}
	next := &fleet{channels: old.channels, client: old.client, special: old.special}
	now.fleet, b.latest = next, next
	if b.closed {
		return
	}
	if is := now.features.ClientCertificate; old.client == nil && bool(is.On) || old.client != nil && old.client.of != is {
		next.client, next.special = newClientTLS(is), &transports{}
		old.special.closeIdle()
	}
	if now.changed.Channels || next.client != old.client {
		b.updateChannels(old, next, snap)
	}
}

// updateChannels makes next the channels of the snapshot, at the cost of a look
// at each and of what changed.
func (b *backends) updateChannels(old, next *fleet, snap apic.Snapshot) {
	seen, copied := 0, false
	set := func(id string, ch *channel) {
		if !copied {
			next.channels, copied = maps.Clone(old.channels), true
		}
		if ch == nil {
			delete(next.channels, id)
		} else {
			next.channels[id] = ch
		}
	}
	for of := range snap.Channels() {
		ch := old.channels[of.ID]
		switch {
		case ch == nil:
			set(of.ID, b.newChannel(of, next.client))
			continue
		case ch.of != of:
			set(of.ID, b.changed(ch, of, next.client))
		case next.client != old.client:
			if check, asked := of.Probe(); asked && check.ClientCertificate {
				set(of.ID, b.changed(ch, of, next.client))
			}
		}
		seen++
	}
	if seen == len(old.channels) {
		return
	}
	for id, ch := range old.channels {
		if _, there := snap.Channel(id); !there {
			b.forget(ch)
			set(id, nil)
		}
	}
}

// snapshot is the latest that was seen.
func (b *backends) snapshot() apic.Snapshot { return *b.snap.Load() }

func (b *backends) warn(what string, attrs ...slog.Attr) {
	b.g.log.LogAttrs(b.ctx, slog.LevelWarn, what, attrs...)
}

// begin counts work that close waits for, unless the gateway is closed. The
// caller ends it with running.Done.
func (b *backends) begin() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.running.Add(1)
	return true
}

// close ends all that runs; b.ctx has ended before.
func (b *backends) close() error {
	b.mu.Lock()
	first := !b.closed
	b.closed = true
	latest := b.latest
	b.mu.Unlock()
	b.running.Wait()
	if first && latest != nil {
		for _, ch := range latest.channels {
			b.forget(ch)
		}
		latest.special.closeIdle()
	}
	if b.own {
		closeIdle(b.transport)
	}
	return nil
}

func closeIdle(t http.RoundTripper) {
	if idle, ok := t.(interface{ CloseIdleConnections() }); ok {
		idle.CloseIdleConnections()
	}
}

// transports are the gateway's own for backends that are not spoken to as all
// others: with the instance's certificate, or by another name than their
// address.
type transports struct {
	mu  sync.Mutex
	own map[dealings]http.RoundTripper
}

// dealings are how a backend is spoken to over TLS.
type dealings struct {
	clientSSL bool
	name      string // that its certificate is for; "" is its address
}

func (b *backends) transportFor(f *fleet, h *httpBackend) http.RoundTripper {
	if h.scheme != "https" || !b.own {
		return b.transport
	}
	var d dealings
	if d.clientSSL = h.clientSSL; h.channel != "" {
		d.name = h.proxyHost
	}
	if d == (dealings{}) {
		return b.transport
	}
	f.special.mu.Lock()
	defer f.special.mu.Unlock()
	if t := f.special.own[d]; t != nil {
		return t
	}
	config := b.g.config.BackendTLS.Clone()
	if d.clientSSL {
		config = f.client.config(b.g.config.BackendTLS)
	}
	config = cmp.Or(config, &tls.Config{MinVersion: tls.VersionTLS12})
	if d.name != "" {
		config.ServerName = hostOnly(d.name)
	}
	if f.special.own == nil {
		f.special.own = map[dealings]http.RoundTripper{}
	}
	t := newTransport(config)
	f.special.own[d] = t
	return t
}

func (t *transports) closeIdle() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, own := range t.own {
		closeIdle(own)
	}
}
