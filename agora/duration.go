package agora

import (
	"math"
	"strconv"
	"time"
)

// Term is how long a rule is to last, as the two parameters of POST and PUT
// kicking-rule give it. Its zero value gives neither, which is one hour.
//
// A term of zero length is a one-shot kick: members that match are put offline
// once and may come back at once.
type Term struct {
	// Time is "time", in minutes; nil is absent.
	Time *float64
	// TimeInSeconds is "time_in_seconds"; nil is absent. Where both are given
	// this one counts, even when it is 0.
	TimeInSeconds *float64
}

// Minutes is the term that gives "time" alone.
func Minutes(n float64) Term { return Term{Time: &n} }

// Seconds is the term that gives "time_in_seconds" alone.
func Seconds(n float64) Term { return Term{TimeInSeconds: &n} }

// Once is the term of a one-shot kick.
func Once() Term { return Seconds(0) }

// The ranges of the two parameters (seed "PUT kicking-rule", request body). The
// two maxima differ by 30 seconds; that is the document's.
const (
	defaultTerm = time.Hour

	minMinutes, maxMinutes = 1, 1440
	minSeconds, maxSeconds = 10, 86430
)

// Duration resolves the term: 0 is a one-shot kick, anything else lies between
// ten seconds and a day and half a minute. What lies between 0 and the minimum
// is raised to it, what lies above the maximum is cut to it. The document is
// silent on fractions, which we keep to the millisecond, and on negative
// amounts and NaN, which we refuse.
func (t Term) Duration() (time.Duration, error) {
	switch {
	case t.TimeInSeconds != nil:
		return clamp("time_in_seconds", *t.TimeInSeconds, minSeconds, maxSeconds, time.Second)
	case t.Time != nil:
		return clamp("time", *t.Time, minMinutes, maxMinutes, time.Minute)
	}
	return defaultTerm, nil
}

func clamp(param string, n, lowest, highest float64, unit time.Duration) (time.Duration, error) {
	if math.IsNaN(n) || n < 0 {
		return 0, invalid(param, strconv.FormatFloat(n, 'g', -1, 64), "a length of time is 0 or more")
	}
	if n == 0 {
		return 0, nil
	}
	n = min(max(n, lowest), highest)
	return time.Duration(math.Round(n*float64(unit/time.Millisecond))) * time.Millisecond, nil
}

// ParseAmount reads the text of "time" or "time_in_seconds", named by param: a
// JSON number, with or without the quotes that the document's templates put
// around it (the caller takes them off). Signs that make it negative, words
// ("NaN", "Infinity"), hexadecimal and the empty text are refused.
func ParseAmount(param, text string) (float64, error) {
	for _, c := range []byte(text) {
		switch {
		case '0' <= c && c <= '9', c == '.', c == 'e', c == 'E', c == '+', c == '-':
		default:
			return 0, invalid(param, text, "not a number")
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(n, 1) { // a number too large is above every maximum
		return 0, invalid(param, text, "not a number")
	}
	if n < 0 {
		return 0, invalid(param, text, "a length of time is 0 or more")
	}
	return math.Abs(n), nil // no negative zero
}
