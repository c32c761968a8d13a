// Package addresshttp takes the address of a call out of an HTTP request, for
// middleware that judges addresses:
//
//	p := address.Pipeline{Hops: 1} // one reverse proxy in front
//	client := addresshttp.Client(r, p)
//	if !client.Addr.IsValid() {
//		http.Error(w, "Forbidden", http.StatusForbidden)
//		return
//	}
//
// It changes nothing in the request: r.RemoteAddr stays the peer.
package addresshttp

import (
	"net/http"
	"net/netip"

	"github.com/gatehouse-go/gatehouse/address"
)

// Peer returns the other end of the request's connection, or the zero Addr when
// there is none, as on a Unix socket.
func Peer(r *http.Request) netip.Addr {
	if r.RemoteAddr == "" || r.RemoteAddr == "@" {
		return netip.Addr{} // common enough not to pay for an error
	}
	a, err := address.ParseHop(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return a
}

// Client tells who sent the request, by p and all lines of its header.
func Client(r *http.Request, p address.Pipeline) address.Client {
	var lines []string
	if p.Trusted != nil || p.Hops != 0 {
		lines = r.Header[p.Header.String()]
	}
	return p.Client(Peer(r), lines)
}
