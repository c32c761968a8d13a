package surface

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A scanner checks one JSON text whole, before anything is decoded from it:
// RFC 8259 syntax, UTF-8, and the limits on depth and number of values. What
// decodes afterwards need not look for syntax errors again, and a request that
// is cut off in the middle never leaves half a value behind.
//
// encoding/json is not used for it because it takes the last of duplicate keys,
// matches keys without regard to case and repairs invalid UTF-8, all in silence.
type scanner struct {
	data      []byte
	pos       int
	maxDepth  int
	maxValues int
	values    int
}

// scanJSON checks data. The error is a [BindError] about the body as a whole.
func scanJSON(data []byte, maxDepth, maxValues int) error {
	if !utf8.Valid(data) {
		return &BindError{Kind: BadEncoding, Place: InBody, Want: "UTF-8"}
	}
	s := scanner{data: data, maxDepth: maxDepth, maxValues: maxValues}
	err := s.value(0)
	if err == nil {
		s.space()
		if s.pos == len(data) {
			return nil
		}
		err = s.syntax("more after the end of the value")
	}
	return err
}

func (s *scanner) syntax(what string) error {
	kind, at := Malformed, fmt.Sprintf("%s at byte %d", what, s.pos)
	if s.pos >= len(s.data) {
		at = "unexpected end of the text"
	}
	return &BindError{Kind: kind, Place: InBody, Want: "JSON (" + at + ")", Err: errors.New(at)}
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// peek skips space and returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

func (s *scanner) value(depth int) error {
	if s.values++; s.values > s.maxValues {
		return &BindError{Kind: TooLarge, Place: InBody, Want: fmt.Sprintf("at most %d values", s.maxValues)}
	}
	if depth > s.maxDepth {
		return &BindError{Kind: TooLarge, Place: InBody, Want: fmt.Sprintf("at most %d levels of nesting", s.maxDepth)}
	}
	switch c := s.peek(); c {
	case '{':
		return s.object(depth)
	case '[':
		return s.array(depth)
	case '"':
		return s.string()
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		if c == '-' || '0' <= c && c <= '9' {
			return s.number()
		}
		return s.syntax("no value")
	}
}

func (s *scanner) object(depth int) error {
	s.pos++
	if s.peek() == '}' {
		s.pos++
		return nil
	}
	for {
		if s.peek() != '"' {
			return s.syntax("no key")
		}
		if err := s.string(); err != nil {
			return err
		}
		if s.peek() != ':' {
			return s.syntax("no colon")
		}
		s.pos++
		if err := s.value(depth + 1); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.pos++
		case '}':
			s.pos++
			return nil
		default:
			return s.syntax("no comma or closing brace")
		}
	}
}

func (s *scanner) array(depth int) error {
	s.pos++
	if s.peek() == ']' {
		s.pos++
		return nil
	}
	for {
		if err := s.value(depth + 1); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.pos++
		case ']':
			s.pos++
			return nil
		default:
			return s.syntax("no comma or closing bracket")
		}
	}
}

func (s *scanner) literal(word string) error {
	if string(s.data[s.pos:min(len(s.data), s.pos+len(word))]) != word {
		return s.syntax("no value")
	}
	s.pos += len(word)
	return nil
}

func (s *scanner) number() error {
	n := numberEnd(s.data[s.pos:])
	if n == 0 {
		return s.syntax("no number")
	}
	s.pos += n
	return nil
}

// numberEnd returns the length of the JSON number that b begins with, 0 when
// there is none.
func numberEnd[T string | []byte](b T) int {
	i := 0
	digits := func() bool {
		start := i
		for i < len(b) && '0' <= b[i] && b[i] <= '9' {
			i++
		}
		return i > start
	}
	if i < len(b) && b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if !digits() {
		return 0
	}
	if i < len(b) && b[i] == '.' {
		if i++; !digits() {
			return 0
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !digits() {
			return 0
		}
	}
	return i
}

func (s *scanner) string() error {
	s.pos++
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; {
		case c == '"':
			s.pos++
			return nil
		case c < ' ':
			return s.syntax("control character in a string")
		case c != '\\':
			s.pos++
		default:
			if err := s.escape(); err != nil {
				return err
			}
		}
	}
	return s.syntax("open string")
}

func (s *scanner) escape() error {
	if s.pos+1 >= len(s.data) {
		s.pos = len(s.data)
		return s.syntax("open string")
	}
	switch s.data[s.pos+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos += 2
		return nil
	case 'u':
		r, ok := hex4(s.data[s.pos:])
		if !ok {
			return s.syntax("bad escape")
		}
		s.pos += 6
		if !utf16.IsSurrogate(r) {
			return nil
		}
		low, ok := hex4(s.data[s.pos:])
		if !ok || utf16.DecodeRune(r, low) == utf8.RuneError {
			return &BindError{Kind: BadEncoding, Place: InBody, Want: "UTF-16 surrogates in pairs"}
		}
		s.pos += 6
		return nil
	}
	return s.syntax("bad escape")
}

// hex4 reads the \uXXXX that b begins with.
func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// A cursor walks a JSON text that a scanner has passed.
type cursor struct {
	data []byte
	pos  int
}

// peek skips space, commas and colons, which a checked text has where they
// belong, and returns the next byte, 0 at the end.
func (c *cursor) peek() byte {
	for c.pos < len(c.data) {
		switch b := c.data[c.pos]; b {
		case ' ', '\t', '\n', '\r', ',', ':':
			c.pos++
		default:
			return b
		}
	}
	return 0
}

// enter steps into the object or array that peek has found.
func (c *cursor) enter() { c.pos++ }

// more reports whether the object or array that was entered has another member,
// and steps out of it when it has none.
func (c *cursor) more() bool {
	if b := c.peek(); b == '}' || b == ']' || b == 0 {
		c.pos++
		return false
	}
	return true
}

// raw returns the text of the next value and moves behind it.
func (c *cursor) raw() []byte {
	first := c.peek()
	start := c.pos
	switch first {
	case '"':
		c.skipString()
	case '{', '[':
		depth := 0
		for {
			switch c.data[c.pos] {
			case '"':
				c.skipString()
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			c.pos++
			if depth == 0 {
				return c.data[start:c.pos]
			}
		}
	default:
		for c.pos < len(c.data) && strings.IndexByte(" \t\n\r,]}", c.data[c.pos]) < 0 {
			c.pos++
		}
	}
	return c.data[start:c.pos]
}

func (c *cursor) skipString() {
	for c.pos++; c.data[c.pos] != '"'; c.pos++ {
		if c.data[c.pos] == '\\' {
			c.pos++
		}
	}
	c.pos++
}

// key returns the next member's key without its quotes, unescaped.
func (c *cursor) key() []byte { return unescape(c.raw()) }

// unescape returns the text of the JSON string raw. It aliases raw unless an
// escape had to be undone.
func unescape(raw []byte) []byte {
	raw = raw[1 : len(raw)-1]
	i := 0
	for i < len(raw) && raw[i] != '\\' {
		i++
	}
	if i == len(raw) {
		return raw
	}
	out := append(make([]byte, 0, len(raw)), raw[:i]...)
	for i < len(raw) {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			i++
			continue
		}
		switch e := raw[i+1]; e {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, _ := hex4(raw[i:])
			if utf16.IsSurrogate(r) {
				low, _ := hex4(raw[i+6:])
				r = utf16.DecodeRune(r, low)
				i += 6
			}
			out = utf8.AppendRune(out, r)
			i += 4
		default:
			out = append(out, e)
		}
		i += 2
	}
	return out
}
