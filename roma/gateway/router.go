package gateway

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"github.com/tidwall/btree"
)

// node is a place in the tree of the paths of a group in an environment: what
// its APIs have after some segments. Trees are never changed: [node.with] and
// [node.without] return another one that shares what did not change, at a cost
// that grows with the depth of the path and the logarithm of the number of
// APIs.
//
// The document is silent on which API takes a request that several match. A
// part that is text beats one with a parameter, from left to right, and of
// those the one with more text; a whole path (NORMAL) beats a prefix (SWA), of
// which the longest wins; an API of the request's own method beats one of ANY.
// An API that does not match in full, its method included, stands in nobody's
// way.
type node struct {
	texts btree.Map[string, *node] // by the decoded segment
	mixed []branch                 // of segments partly text: those with most text first
	bare  *node                    // of segments that are a parameter

	ends  methods // NORMAL, here
	below methods // SWA, here or further
	open  methods // SWA with a slash at its end: further
}

type branch struct {
	segment
	node *node
}

// methods are the APIs of one path, ordered by publication.
type methods []*route

// anyMethod is what ANY stands for: the document's list. CONNECT and TRACE are
// for nobody.
var anyMethod = []string{"GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"}

// of returns the API for a method.
func (m methods) of(method string) *route {
	var every *route
	for _, r := range m {
		switch {
		case r.spec.Method == method:
			return r
		case r.spec.Method == "ANY" && every == nil && slices.Contains(anyMethod, method):
			every = r
		}
	}
	return every
}

func (m methods) with(r *route) methods {
	at, found := slices.BinarySearchFunc(m, r, byPublication)
	m = slices.Clone(m)
	if found {
		m[at] = r
		return m
	}
	return slices.Insert(m, at, r)
}

func (m methods) without(r *route) methods {
	at, found := slices.BinarySearchFunc(m, r, byPublication)
	if !found {
		return m
	}
	return slices.Delete(slices.Clone(m), at, at+1)
}

func byPublication(a, b *route) int { return cmp.Compare(a.PublishID, b.PublishID) }

// slot is where the tree has a route at its path's end.
func (n *node) slot(r *route) *methods {
	switch {
	case !r.prefix:
		return &n.ends
	case r.pattern.open:
		return &n.open
	}
	return &n.below
}

func (n *node) copied() *node {
	if n == nil {
		return &node{}
	}
	c := *n
	c.texts = *n.texts.Copy()
	return &c
}

func (n *node) empty() bool {
	return n.texts.Len() == 0 && len(n.mixed) == 0 && n.bare == nil && len(n.ends) == 0 && len(n.below) == 0 && len(n.open) == 0
}

// with returns the tree with the route, too; one of the same publication is
// replaced if it is at the same path. A nil tree is empty.
func (n *node) with(r *route) *node { return n.changed(r, r.pattern.segments, methods.with) }

// without returns the tree without the route; nil when nothing is left.
func (n *node) without(r *route) *node { return n.changed(r, r.pattern.segments, methods.without) }

// changed returns the tree with the change made at the end of the path.
func (n *node) changed(r *route, path []segment, change func(methods, *route) methods) *node {
	c := n.copied()
	if len(path) == 0 {
		at := c.slot(r)
		*at = change(*at, r)
	} else {
		switch s := path[0]; {
		case s.names == 0:
			was, _ := c.texts.Get(s.text)
			if is := was.changed(r, path[1:], change); is != nil {
				c.texts.Set(s.text, is)
			} else {
				c.texts.Delete(s.text)
			}
		case s.bare():
			c.bare = c.bare.changed(r, path[1:], change)
		default:
			c.changeMixed(s, func(was *node) *node { return was.changed(r, path[1:], change) })
		}
	}
	if c.empty() {
		return nil
	}
	return c
}

func (n *node) changeMixed(s segment, change func(*node) *node) {
	order := func(b branch, s segment) int {
		return cmp.Or(cmp.Compare(s.literal(), b.literal()), cmp.Compare(b.key(), s.key()))
	}
	at, found := slices.BinarySearchFunc(n.mixed, s, order)
	var was *node
	if found {
		was = n.mixed[at].node
	}
	is := change(was)
	n.mixed = slices.Clone(n.mixed)
	switch {
	case found && is != nil:
		n.mixed[at].node = is
	case found:
		n.mixed = slices.Delete(n.mixed, at, at+1)
	case is != nil:
		n.mixed = slices.Insert(n.mixed, at, branch{s, is})
	}
}

// search finds the API for a request in a tree. It is reused; what it found
// holds until the next.
type search struct {
	method  string
	encoded bool // the path has escapes that must be decoded part by part

	values []string // of the parameters on the way here

	// The longest prefix so far, and what was found with it.
	prefix struct {
		*route
		length int // in half segments: a slash at the end counts as one
		rest   string
		values []string
	}
}

// find returns the API that takes a request, nil when none does; the values of
// its path parameters; and, of an API that takes a prefix, what follows it, as
// it came. The path begins with a slash; it is the decoded one unless decoding
// it whole would lose something.
func (s *search) find(tree *node, method, path string, encoded bool) (r *route, values []string, rest string) {
	s.method, s.encoded, s.values = method, encoded, s.values[:0]
	s.prefix.route, s.prefix.length, s.prefix.values = nil, -1, s.prefix.values[:0]
	if tree == nil {
		return nil, nil, ""
	}
	if r = s.walk(tree, path, 0); r != nil {
		return r, s.values, ""
	}
	if r = s.prefix.route; r == nil {
		return nil, nil, ""
	}
	rest = s.prefix.rest
	if !encoded {
		rest = (&url.URL{Path: rest}).EscapedPath()
	}
	return r, s.prefix.values, rest
}

// walk looks for the rest of a path below a node: nothing, or what begins with
// the slash before the next segment. Each node of the tree is looked at once at
// most.
func (s *search) walk(n *node, rest string, depth int) *route {
	s.keepPrefix(n, rest, depth)
	if rest == "" {
		return n.ends.of(s.method)
	}
	part, next := rest[1:], ""
	if at := strings.IndexByte(part, '/'); at >= 0 {
		part, next = part[:at], part[at:]
	}
	if s.encoded {
		plain, err := url.PathUnescape(part)
		if err != nil {
			return nil
		}
		part = plain
	}
	if child, found := n.texts.Get(part); found {
		if r := s.walk(child, next, depth+1); r != nil {
			return r
		}
	}
	if part == "" {
		return nil // a parameter is not empty
	}
	before := len(s.values)
	for i := range n.mixed {
		b := &n.mixed[i]
		var matches bool
		if s.values, matches = b.match(s.values[:before], part); matches {
			if r := s.walk(b.node, next, depth+1); r != nil {
				return r
			}
		}
	}
	s.values = s.values[:before]
	if n.bare != nil {
		s.values = append(s.values, part)
		if r := s.walk(n.bare, next, depth+1); r != nil {
			return r
		}
		s.values = s.values[:before]
	}
	return nil
}

// keepPrefix keeps the API that takes all paths from a node on, if it has the
// longest prefix yet. Of two as long, that with more text came first.
func (s *search) keepPrefix(n *node, rest string, depth int) {
	keep := func(m methods, length int) bool {
		if len(m) == 0 || length <= s.prefix.length {
			return false
		}
		r := m.of(s.method)
		if r == nil {
			return false
		}
		s.prefix.route, s.prefix.length, s.prefix.rest = r, length, rest
		s.prefix.values = append(s.prefix.values[:0], s.values...)
		return true
	}
	if rest == "" || !keep(n.open, 2*depth+1) {
		keep(n.below, 2*depth)
	}
}
