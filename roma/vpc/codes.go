package vpc

import (
	"math/bits"
	"strconv"
	"strings"
)

// CodeSet is a set of HTTP status codes, written as ROMA's http_code:
// "200", "200-299,404". It is a small comparable value; the zero value is
// empty.
type CodeSet struct{ words [8]uint64 }

const minCode, maxCode = 100, 599

// ParseCodes reads codes and inclusive ranges, 100 to 599, separated by
// commas. Blanks are not allowed; items may overlap.
func ParseCodes(text string) (CodeSet, error) {
	var set CodeSet
	for item := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(item, "-")
		lo, ok := parseCode(from)
		hi := lo
		if isRange && ok {
			hi, ok = parseCode(to)
		}
		if !ok || lo > hi {
			return CodeSet{}, invalid("http_code", text, "want codes from 100 to 599 or ranges of them, separated by commas; item "+strconv.Quote(item)+" is neither")
		}
		for code := lo; code <= hi; code++ {
			set.words[(code-minCode)/64] |= 1 << ((code - minCode) % 64)
		}
	}
	return set, nil
}

// parseCode reads exactly three digits.
func parseCode(s string) (int, bool) {
	if len(s) != 3 {
		return 0, false
	}
	code := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		code = code*10 + int(s[i]-'0')
	}
	return code, code >= minCode && code <= maxCode
}

// MustParseCodes is [ParseCodes] for literals; it panics on an error.
func MustParseCodes(text string) CodeSet {
	set, err := ParseCodes(text)
	if err != nil {
		panic(err)
	}
	return set
}

// Contains reports whether code is in the set.
func (s CodeSet) Contains(code int) bool {
	return code >= minCode && code <= maxCode && s.words[(code-minCode)/64]>>((code-minCode)%64)&1 != 0
}

// Len returns the number of codes in the set.
func (s CodeSet) Len() int {
	n := 0
	for _, w := range s.words {
		n += bits.OnesCount64(w)
	}
	return n
}

// String writes the set in its shortest form, in ascending order: ranges
// merged, "" when empty. ParseCodes reads it back.
func (s CodeSet) String() string {
	var b []byte
	for code := minCode; code <= maxCode; code++ {
		if !s.Contains(code) {
			continue
		}
		last := code
		for s.Contains(last + 1) {
			last++
		}
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(code), 10)
		if last > code {
			b = append(b, '-')
			b = strconv.AppendInt(b, int64(last), 10)
		}
		code = last
	}
	return string(b)
}

// MarshalText writes the set as [CodeSet.String] does.
func (s CodeSet) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what [ParseCodes] reads, and the empty text as the empty
// set.
func (s *CodeSet) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*s = CodeSet{}
		return nil
	}
	set, err := ParseCodes(string(text))
	if err == nil {
		*s = set
	}
	return err
}
