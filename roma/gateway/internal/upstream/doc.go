// Package upstream speaks HTTP/1.1 to backends at little cost. Its Transport
// is an http.RoundTripper for a proxy: a request is written and its answer
// read on the caller's goroutine, over connections kept alive, with buffers
// that are held only while bytes are in them.
//
//	t := upstream.New(upstream.Config{MaxIdlePerHost: 64})
//	defer t.CloseIdleConnections()
//	res, err := t.RoundTrip(req)
//	switch {
//	case upstream.Unsent(err):
//		// not connected: the next backend may be asked
//	case err != nil:
//		return err
//	}
//	defer res.Body.Close()
//	_, err = io.Copy(w, res.Body)
//
// # What goes which way
//
// Transport holds a standard http.Transport and hands it what is not plain
// HTTP/1.1 to and fro: HTTP/2 (where a TLS backend picks it), requests with an
// Upgrade header, CONNECT, hosts that are no plain ASCII names or addresses,
// opaque request targets, and bodies of unknown length with a method that
// usually has none. All else takes the lean path.
//
// # Goroutines
//
// A request without a body, or with a small one that is at hand in memory (see
// [Transport]), costs no goroutine. Any other body is written by a goroutine
// of its own, since the backend may answer before it has read the body, and
// the body may be as slow as the client that it comes from. Contexts are
// watched through context.AfterFunc, and an exchange over TCP that is over
// within [patience] is not watched at all: the deadline of the connection
// wakes its reader, which then looks at the context.
//
// # Strictness
//
// Where net/http forgives an answer, a proxy must not: two readers who differ
// on where an answer ends let one caller's answer reach another. So both
// Content-Length and Transfer-Encoding, a repeated or signed length, a coding
// other than chunked, folded lines, bare LF, NUL and other control characters,
// a space before a colon and bytes beyond the answer are refused or end the
// connection. The package adds no Accept-Encoding and decompresses nothing.
package upstream
