// Package address finds the address a call comes from, and is shared by
// everything that judges addresses, so that a list, a limit and a ban never
// disagree about who called.
//
// A caller writes any header it likes. Only what a proxy of ours appended can
// be believed, and proxies append at the end, so the list of hops is read from
// the right: past our own proxies to the first address that is not one.
//
//	trusted, err := address.ParsePrefixes("10.0.0.0/8", "2001:db8:1::/48")
//	if err != nil {
//		return err
//	}
//	p := address.Pipeline{Trusted: trusted}
//	client := p.Client(peer, header["X-Forwarded-For"])
//	if !client.Addr.IsValid() {
//		return errors.New(client.String()) // who called is unknown: refuse
//	}
//	key := address.Widths{IPv6: 56}.Key(client.Addr) // what a limit counts by
//
// The zero [Pipeline] trusts nobody: the client is the peer of the connection.
// There is no default set of trusted proxies, and private ranges are not
// trusted by themselves: whoever can connect from one could then name any
// address as its own. State either the proxies' addresses or their number.
//
// Addresses are values of [net/netip], always unmapped and without zones (see
// [Unmap]). Nothing here knows HTTP; package addresshttp takes a request.
// Translated addresses (NAT64, 6to4, Teredo) are left as they are.
package address

import (
	"errors"
	"fmt"
	"net/netip"
)

// A Set is the addresses of trusted proxies. [Prefixes] is one, as is a
// compiled list of package acl.
type Set interface {
	// Contains is safe for concurrent use and is given unmapped addresses.
	Contains(netip.Addr) bool
}

// Prefixes is a [Set] for a handful of blocks: Contains tries one after the
// other. Make it with [ParsePrefixes], or of masked prefixes without zones.
type Prefixes []netip.Prefix

// ParsePrefixes reads blocks as [ParsePrefix] does and single addresses as
// [Parse] does. The error is a [*ParseError].
func ParsePrefixes(texts ...string) (Prefixes, error) {
	out := make(Prefixes, len(texts))
	for i, s := range texts {
		p, err := ParsePrefix(s)
		if err != nil {
			a, aerr := Parse(s)
			if aerr != nil {
				return nil, err
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		out[i] = p
	}
	return out, nil
}

// Contains reports whether one of the blocks holds a.
func (ps Prefixes) Contains(a netip.Addr) bool {
	for _, p := range ps {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// A Header is a header by which proxies tell the hops before them.
type Header uint8

const (
	// XForwardedFor is the customary X-Forwarded-For: addresses, each with or
	// without a port, separated by commas.
	XForwardedFor Header = iota
	// Forwarded is RFC 7239's header, of which only "for" is used.
	Forwarded
)

// String returns the header's name in canonical form, as net/http keys it.
func (h Header) String() string {
	switch h {
	case XForwardedFor:
		return "X-Forwarded-For"
	case Forwarded:
		return "Forwarded"
	}
	return fmt.Sprintf("Header(%d)", uint8(h))
}

// A Pipeline says whom to believe about where a call comes from. The zero value
// believes nobody: the client is the peer. At most one of Trusted and Hops may
// be set.
//
// A Pipeline is a value without state, safe for concurrent use.
type Pipeline struct {
	// Header is the one header read; any other is the caller's to forge. Unused
	// while nobody is trusted.
	Header Header

	// Trusted holds the proxies. When the peer is one of them the header is
	// walked from the right to the first hop that is not; otherwise the header
	// was sent by the client and is ignored. Nil means no proxy is trusted.
	Trusted Set

	// Hops is how many proxies every call passes, the peer being the first: the
	// client is the Hops-th entry from the right. For proxies whose addresses
	// change. It is safe only when nobody can reach the server past them. Zero
	// means no header is read.
	Hops int
}

var (
	errHeader = errors.New("address: pipeline: Header is neither X-Forwarded-For nor Forwarded")
	errHops   = errors.New("address: pipeline: Hops is negative")
	errBoth   = errors.New("address: pipeline: Trusted and Hops are both set: state the proxies or their number")
)

// Validate reports a pipeline that contradicts itself; [Pipeline.Client] of
// such a one never tells an address. Middleware checks it once, when built.
func (p Pipeline) Validate() error {
	switch {
	case p.Header > Forwarded:
		return errHeader
	case p.Hops < 0:
		return errHops
	case p.Hops > 0 && p.Trusted != nil:
		return errBoth
	}
	return nil
}

// A Finding says how [Pipeline.Client] came to its answer.
type Finding uint8

const (
	// Unknown is the zero value: there was no usable peer, or the pipeline is
	// not valid. There is no address.
	Unknown Finding = iota
	// Peer: the client is the peer of the connection. Nobody is trusted, the
	// peer is not, or it sent no header.
	Peer
	// Hop: the client is an entry of the header.
	Hop
	// AllTrusted: every hop is one of the trusted proxies; the client is the
	// first of them, a machine of our own.
	AllTrusted
	// Malformed: the entry that would decide is no address, an obfuscated
	// identifier, or empty. There is no address.
	Malformed
	// TooFewHops: the header has fewer entries than there are proxies, so the
	// call went round one. There is no address.
	TooFewHops
)

// A Client is the answer of [Pipeline.Client]. Its zero value has no address.
// It is comparable.
type Client struct {
	// Addr is the client's address, unmapped and without zone. When who called
	// cannot be told it is not valid, and the call should be refused: an
	// attacker may have meant it so.
	Addr netip.Addr
	// Finding says how Addr was found, or why not.
	Finding Finding
	// Entry is the entry of the header that decided, counted from the right
	// starting at 1, or 0 for the peer.
	Entry int
	// Header is the header that the entry is in, meaningless for the peer.
	Header Header
}

// String says in a sentence who called and how that was found.
func (c Client) String() string {
	switch c.Finding {
	case Peer:
		return fmt.Sprintf("the client is %v, the peer of the connection", c.Addr)
	case Hop:
		return fmt.Sprintf("the client is %v, entry %d from the right of %v", c.Addr, c.Entry, c.Header)
	case AllTrusted:
		return fmt.Sprintf("the client is %v, the first of %d trusted proxies in %v", c.Addr, c.Entry, c.Header)
	case Malformed:
		return fmt.Sprintf("the client is unknown: entry %d from the right of %v is not an address", c.Entry, c.Header)
	case TooFewHops:
		return fmt.Sprintf("the client is unknown: %v has %d entries, fewer than the proxies passed", c.Header, c.Entry)
	}
	return "the client is unknown"
}

// Client tells who called: peer is the other end of the connection, lines are
// all values of the pipeline's header in the order they came (several lines are
// one list, RFC 9110 section 5.2). It does not allocate for well-formed hops,
// and reads no further to the left than it must: what the client wrote there
// may be of any length and shape.
func (p Pipeline) Client(peer netip.Addr, lines []string) Client {
	if p.Validate() != nil {
		return Client{}
	}
	if p.Hops > 0 {
		return p.byNumber(lines)
	}
	if !peer.IsValid() {
		return Client{}
	}
	found := Client{Addr: Unmap(peer), Finding: Peer}
	if p.Trusted == nil || !p.Trusted.Contains(found.Addr) {
		return found
	}
	found.Header = p.Header
	for hops := (walk{lines: lines}); ; {
		text, ok := hops.next()
		if !ok {
			return found
		}
		found.Entry++
		if found.Addr, ok = p.Header.parse(text); !ok {
			// A trusted proxy wrote this, and only it could say who came before.
			found.Finding = Malformed
			return found
		}
		if !p.Trusted.Contains(found.Addr) {
			found.Finding = Hop
			return found
		}
		found.Finding = AllTrusted
	}
}

// byNumber takes the Hops-th entry. The entries to its right were written by
// our proxies about each other and need not be addresses.
func (p Pipeline) byNumber(lines []string) Client {
	found := Client{Finding: TooFewHops, Header: p.Header}
	for hops := (walk{lines: lines}); ; {
		text, ok := hops.next()
		if !ok {
			return found
		}
		found.Entry++
		if found.Entry < p.Hops {
			continue
		}
		found.Finding = Hop
		if found.Addr, ok = p.Header.parse(text); !ok {
			found.Finding = Malformed
		}
		return found
	}
}

// At returns one entry of X-Forwarded-For: index 0 is the first entry, -1 the
// last. An index out of range or an entry that is no address gives the zero
// Addr. This is the rule of gateways that are configured with an index (ROMA
// Connect's xff_index); a non-negative index believes the client.
func At(lines []string, index int) netip.Addr {
	n := 0
	for hops := (walk{lines: lines}); ; n++ {
		text, ok := hops.next()
		if !ok {
			break
		}
		if index == -1-n {
			a, _ := parseHop(text)
			return a
		}
	}
	if index < 0 || index >= n {
		return netip.Addr{}
	}
	return At(lines, index-n)
}
