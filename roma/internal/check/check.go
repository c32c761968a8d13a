// Package check is the vocabulary in which ROMA Connect's parameters are
// checked: each check has the code of the document and the name of the
// parameter, and a resource's validation is a list of one-liners:
//
//	c := check.Body()
//	c.Name("name", in.Name, 3, 64)
//	c.Bounds("api_call_limits", in.Calls, 1, math.MaxInt32)
//	c.Enum("time_unit", in.Unit, "SECOND", "MINUTE", "HOUR", "DAY")
//	c.Length("remark", in.Remark, 0, 255)
//	return c.Err()
//
// The first check that fails decides; those after it do nothing. Lengths are
// in characters. What is required and empty is APIG.2001 everywhere.
package check

import (
	"regexp"
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse-go/gatehouse/roma/fault"
)

// Codes of failed checks.
const (
	missing  fault.Code = "APIG.2001"
	tooSmall fault.Code = "APIG.2002"
	tooLarge fault.Code = "APIG.2003"
	outside  fault.Code = "APIG.2004"
	tooLong  fault.Code = "APIG.2006"
	inBody   fault.Code = "APIG.2011"
	inPath   fault.Code = "APIG.2012"
)

// Check collects the first failure of a list of checks.
type Check struct {
	value fault.Code // of a text with a wrong form
	one   fault.Code // of every failure, where a chapter has one code for all
	err   *fault.Error
}

// Body checks what came in a body: a wrong form is APIG.2011.
func Body() *Check { return &Check{value: inBody} }

// Query checks what came in the path or the query, or in a body whose section
// has this code: a wrong form is APIG.2012.
func Query() *Check { return &Check{value: inPath} }

// Coded checks for the chapters that have one code for whatever is wrong, as
// those of part 3 of the document have ROMA.00013000.
func Coded(code fault.Code) *Check { return &Check{value: code, one: code} }

// Err returns the first failure, nil when there is none.
func (c *Check) Err() error {
	if c.err == nil {
		return nil // not a nil *fault.Error in an error
	}
	return c.err
}

// Fail records a failure that has no check of its own here.
func (c *Check) Fail(err *fault.Error) {
	if c.err == nil {
		c.err = err
	}
}

// fail records a failure of a parameter.
func (c *Check) fail(code fault.Code, param, value string) {
	if c.one != "" {
		c.Fail(fault.Of(c.one).With("%s: %q", param, value).Naming(param, value))
		return
	}
	c.Fail(fault.Param(code, param, value))
}

// Invalid records that the parameter's value is wrong unless ok.
func (c *Check) Invalid(param, value string, ok bool) {
	if !ok {
		c.fail(c.value, param, value)
	}
}

// Required refuses a parameter that was not given.
func (c *Check) Required(param string, given bool) {
	if !given {
		c.fail(missing, param, "")
	}
}

// ID refuses what cannot be an identifier: nothing, or more than 65 characters.
func (c *Check) ID(param, value string) {
	c.Required(param, value != "")
	c.Invalid(param, value, utf8.RuneCountInString(value) <= 65)
}

// IDs refuses a list without identifiers, or with what cannot be one.
func (c *Check) IDs(param string, values []string) {
	c.Required(param, len(values) > 0)
	for _, v := range values {
		c.Invalid(param, v, v != "" && utf8.RuneCountInString(v) <= 65)
	}
}

// Name requires a name of a to b characters from Chinese, Latin letters,
// digits and the underscore, of which the first is a letter or Chinese.
func (c *Check) Name(param, value string, a, b int) {
	c.Required(param, value != "")
	c.Invalid(param, value, length(value, a, b) && isName(value, ""))
}

// NameWith is Name with more characters allowed after the first.
func (c *Check) NameWith(param, value string, a, b int, more string) {
	c.Required(param, value != "")
	c.Invalid(param, value, length(value, a, b) && isName(value, more))
}

// Match requires a text of the given form.
func (c *Check) Match(param, value string, form *regexp.Regexp) {
	c.Required(param, value != "")
	c.Optional(param, value, form)
}

// Optional is Match for a text that may be empty.
func (c *Check) Optional(param, value string, form *regexp.Regexp) {
	c.Invalid(param, value, value == "" || utf8.ValidString(value) && form.MatchString(value))
}

// Length refuses a text with less than a or more than b characters as one of
// a wrong form.
func (c *Check) Length(param, value string, a, b int) {
	c.Invalid(param, value, length(value, a, b))
}

// AtMost refuses a text with more than b characters with APIG.2006, as
// chapters 4.2 to 4.6 do.
func (c *Check) AtMost(param, value string, b int) {
	if utf8.RuneCountInString(value) > b {
		c.fail(tooLong, param, value)
	}
	c.Invalid(param, value, utf8.ValidString(value))
}

// Enum requires one of the given words.
func (c *Check) Enum(param, value string, words ...string) {
	c.Required(param, value != "")
	c.Invalid(param, value, slices.Contains(words, value))
}

// OptionalEnum is Enum for a text that may be empty.
func (c *Check) OptionalEnum(param, value string, words ...string) {
	c.Invalid(param, value, value == "" || slices.Contains(words, value))
}

// Bounds refuses a number below a with APIG.2002 and one above b with 2003.
func (c *Check) Bounds(param string, n, a, b int64) {
	if n < a {
		c.fail(tooSmall, param, strconv.FormatInt(n, 10))
	}
	c.Most(param, n, b)
}

// Given requires a number, within the bounds of [Check.Bounds], and returns it;
// 0 when it was not given.
func (c *Check) Given(param string, n *int, a, b int) int {
	c.Required(param, n != nil)
	if n == nil {
		return 0
	}
	c.Bounds(param, int64(*n), int64(a), int64(b))
	return *n
}

// Most refuses a number above b with APIG.2003.
func (c *Check) Most(param string, n, b int64) {
	if n > b {
		c.fail(tooLarge, param, strconv.FormatInt(n, 10))
	}
}

// Range refuses a number outside a..b with APIG.2004.
func (c *Check) Range(param string, n, a, b int64) {
	if n < a || n > b {
		c.fail(outside, param, strconv.FormatInt(n, 10))
	}
}

// Choice refuses a number that is none of the given with APIG.2004.
func (c *Check) Choice(param string, n int64, choices ...int64) {
	if !slices.Contains(choices, n) {
		c.fail(outside, param, strconv.FormatInt(n, 10))
	}
}

// Fits reports whether a text is valid and has at most n characters.
func Fits(s string, n int) bool { return utf8.ValidString(s) && utf8.RuneCountInString(s) <= n }

func length(s string, a, b int) bool {
	n := utf8.RuneCountInString(s)
	return a <= n && n <= b
}

func isName(s, more string) bool {
	for i, r := range s {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', unicode.Is(unicode.Han, r):
		case i > 0 && ('0' <= r && r <= '9' || r == '_' || slices.Contains([]rune(more), r)):
		default:
			return false
		}
	}
	return s != ""
}
