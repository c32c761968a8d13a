package gateway

import (
	"net/url"
	"strings"
)

// pattern is the path of an API, cut into its segments.
type pattern struct {
	segments []segment
	// open is set where a prefix ends with a slash: it takes only what goes on
	// after one.
	open   bool
	params []string // the names in braces, in their order
}

// segment is one part of a pattern, between two slashes.
type segment struct {
	// text is what the decoded part of a request must be, where names is 0.
	text string
	// Otherwise it begins with text, ends with last, and has something for each
	// of the names in between, with the texts between them.
	last  string
	mids  []string // one fewer than names
	names int
}

// parsePattern reads the path of an API (1, req_uri): parts in braces are
// parameters, and the rest is text, which may have percent escapes.
func parsePattern(uri string, prefix bool) pattern {
	var p pattern
	uri = strings.TrimPrefix(uri, "/")
	if prefix {
		if rest, cut := strings.CutSuffix("/"+uri, "/"); cut {
			p.open, uri = true, strings.TrimPrefix(rest, "/")
			if rest == "" {
				return p
			}
		}
	}
	for part := range strings.SplitSeq(uri, "/") {
		p.segments = append(p.segments, p.parse(part))
	}
	return p
}

func (p *pattern) parse(part string) segment {
	var texts []string // around the names
	for {
		before, rest, found := strings.Cut(part, "{")
		name, after, closed := strings.Cut(rest, "}")
		if !found || !closed {
			break
		}
		texts, p.params, part = append(texts, unescaped(before)), append(p.params, name), after
	}
	texts = append(texts, unescaped(part))
	names := len(texts) - 1
	if names == 0 {
		return segment{text: texts[0]}
	}
	return segment{text: texts[0], last: texts[names], mids: texts[1:names], names: names}
}

// unescaped is a text without its escapes. The control plane takes no other
// than whole ones; a text with a broken one stands for itself.
func unescaped(text string) string {
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}

// literal is how many bytes of the segment are text: of two that match, the
// one with more is the narrower.
func (s segment) literal() int {
	n := len(s.text) + len(s.last)
	for _, mid := range s.mids {
		n += len(mid)
	}
	return n
}

// bare reports whether the segment is a parameter and nothing else.
func (s segment) bare() bool { return s.names == 1 && s.text == "" && s.last == "" }

// key tells apart segments that do not match alike.
func (s segment) key() string {
	return s.text + "{" + strings.Join(s.mids, "{") + "{" + s.last // neither text has a brace
}

// match appends the values of the parameters in a part of a request, each at
// least a character long, and of several ways to cut the part the one with the
// shortest values from the left. It takes time in proportion to the part.
func (s segment) match(values []string, part string) ([]string, bool) {
	part, begins := strings.CutPrefix(part, s.text)
	part, ends := strings.CutSuffix(part, s.last)
	if !begins || !ends {
		return values, false
	}
	for _, mid := range s.mids {
		if part == "" {
			return values, false
		}
		at := strings.Index(part[1:], mid)
		if at < 0 {
			return values, false
		}
		values, part = append(values, part[:at+1]), part[at+1+len(mid):]
	}
	if part == "" {
		return values, false
	}
	return append(values, part), true
}
