package gateway

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// location is where a parameter is in a request.
type location uint8

const (
	inPath location = iota
	inQuery
	inHeader
)

var locations = map[string]location{"PATH": inPath, "QUERY": inQuery, "HEADER": inHeader}

// yes is how the document writes that something is so; no is 2.
const yes = 1

// parameter is a declared parameter of the requests of an API (1, ReqParam).
type parameter struct {
	name     string
	in       location
	header   string // its name as a header
	segment  int    // which of the path's parameters it is
	required bool
	preset   string // where it is missing, if hasPreset
	passed   bool   // to the backend under its own name
	valued   *values

	hasPreset bool
}

// values is what a parameter may be, checked if valid_enable is 1.
type values struct {
	number           bool
	words            []string // nil is any
	min, max         *int     // of a number
	shortest, length *int     // of a text, in characters
}

// bound is a parameter's value in a call. The zero bound is a missing one.
type bound struct {
	value  string
	found  bool
	preset bool // it is the default
}

func compileParameters(spec *apic.APISpec) []parameter {
	inURI := pathParameters(spec.URI)
	params := make([]parameter, len(spec.RequestParams))
	for i, p := range spec.RequestParams {
		q := parameter{
			name: p.Name, in: locations[p.Location], header: http.CanonicalHeaderKey(p.Name), required: p.Required == yes,
			passed: p.PassThrough == yes, segment: slices.Index(inURI, p.Name),
		}
		if p.Default != nil {
			q.preset, q.hasPreset = *p.Default, true
		}
		if p.Valid == yes {
			q.valued = &values{
				number: p.Type == "NUMBER", words: wordList(p.Enum),
				min: p.Min, max: p.Max, shortest: p.MinSize, length: p.MaxSize,
			}
		}
		params[i] = q
	}
	return params
}

// wordList is the items of a list with commas, nil if there are none.
func wordList(text string) []string {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	words := strings.Split(text, ",")
	for i := range words {
		words[i] = strings.TrimSpace(words[i])
	}
	return words
}

// pathParameters are the names in braces of a path, in its order.
func pathParameters(uri string) []string {
	var names []string
	for {
		_, after, found := strings.Cut(uri, "{")
		if !found {
			return names
		}
		name, rest, _ := strings.Cut(after, "}")
		names, uri = append(names, name), rest
	}
}

// check returns what is wrong with a value, "" if nothing is. It is told to the
// caller, who sent the value and knows the API's definition.
func (v *values) check(value string) string {
	switch {
	case v == nil:
		return ""
	case v.words != nil && !slices.Contains(v.words, value):
		return "is not one of the values allowed"
	case v.number:
		return v.checkNumber(value)
	}
	if v.shortest == nil && v.length == nil {
		return ""
	}
	n := utf8.RuneCountInString(value)
	switch {
	case v.shortest != nil && n < *v.shortest:
		return "is too short"
	case v.length != nil && n > *v.length:
		return "is too long"
	}
	return ""
}

func (v *values) checkNumber(value string) string {
	if !isNumber(value) {
		return "is not a number"
	}
	if n, err := strconv.ParseInt(value, 10, 64); err == nil { // exactly, where a float would round
		switch {
		case v.min != nil && n < int64(*v.min):
			return "is too small"
		case v.max != nil && n > int64(*v.max):
			return "is too large"
		}
		return ""
	}
	n, _ := strconv.ParseFloat(value, 64) // out of range: an infinity, which compares as it should
	switch {
	case v.min != nil && n < float64(*v.min):
		return "is too small"
	case v.max != nil && n > float64(*v.max):
		return "is too large"
	}
	return ""
}

// isNumber reports whether s is a decimal number, as JSON writes it but for
// leading zeros. What strconv takes besides (hexadecimals, infinities) is none.
func isNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	s, ok := cutDigits(s)
	if !ok {
		return false
	}
	if after, found := strings.CutPrefix(s, "."); found {
		if s, ok = cutDigits(after); !ok {
			return false
		}
	}
	if s != "" && s[0]|0x20 == 'e' {
		s = s[1:]
		if s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		if s, ok = cutDigits(s); !ok {
			return false
		}
	}
	return s == ""
}

// cutDigits cuts the digits off the front of s, and reports whether there are
// any.
func cutDigits(s string) (rest string, some bool) {
	rest = strings.TrimLeft(s, "0123456789")
	return rest, len(rest) < len(s)
}

// bind is the stage of the parameters: it finds the declared ones in the
// request, checks them, and fills in the defaults of those that are missing
// (3.3). Of a parameter that is given several times each value is checked; the
// first is the one that policies and backend parameters take. A body that is
// declared longer than the instance takes is refused here too, before anything of
// it is sent.
func (p *plan) bind(c *call) *refusal {
	if c.r.ContentLength > c.live.features.MaxBody {
		return c.refuse(BodyTooLarge)
	}
	c.bound = slices.Grow(c.bound[:0], len(p.params))[:len(p.params)]
	clear(c.bound)
	for i := range p.params {
		switch q := &p.params[i]; q.in {
		case inPath:
			if q.segment < len(c.values) {
				if refused := p.take(c, i, c.values[q.segment]); refused != nil {
					return refused
				}
			}
		case inHeader:
			if q.header == "Host" { // net/http keeps it apart from the others
				if refused := p.take(c, i, c.r.Host); refused != nil {
					return refused
				}
				continue
			}
			for _, value := range c.r.Header[q.header] {
				if refused := p.take(c, i, value); refused != nil {
					return refused
				}
			}
		}
	}
	if len(p.queries) > 0 {
		var part string
		for rest := c.r.URL.RawQuery; rest != ""; {
			part, rest = nextPart(rest)
			name, value := splitPart(part)
			if i, declared := p.queries[name]; declared {
				if refused := p.take(c, i, value); refused != nil {
					return refused
				}
			}
		}
	}
	for i := range p.params {
		q, b := &p.params[i], &c.bound[i]
		switch {
		case b.found:
		case q.required:
			return c.refusef(BadRequest, "The parameter %s is required", q.name)
		case q.hasPreset:
			*b = bound{q.preset, true, true}
		}
	}
	return nil
}

func (p *plan) take(c *call, i int, value string) *refusal {
	q := &p.params[i]
	if wrong := q.valued.check(value); wrong != "" {
		return c.refusef(BadRequest, "The parameter %s %s", q.name, wrong)
	}
	if b := &c.bound[i]; !b.found {
		*b = bound{value, true, false}
	}
	return nil
}
