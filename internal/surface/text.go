package surface

import (
	"encoding"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Lenient lists the liberties a vendor's own server allows in values. The zero
// value allows none.
type Lenient uint8

// The liberties, to be or-ed together.
const (
	TextForNumber  Lenient = 1 << iota // "12" in JSON for a number
	TextForBool                        // "true" and "false" in JSON for a boolean
	NumberForText                      // 12 in JSON for a string, kept as written
	NumberForBool                      // 1 and 0 for a boolean, in JSON and in text
	WholeFraction                      // 1.0 and 1e3 for an integer, in JSON and in text
	LenientNothing Lenient = 0
	LenientAll     Lenient = TextForNumber | TextForBool | NumberForText | NumberForBool | WholeFraction
)

// Want texts, which end the sentence `"x" is not ...`.
const (
	wantInteger = "an integer"
	wantNumber  = "a number"
	wantBool    = "true or false"
	wantString  = "a string"
	wantText    = "a string or a number" // where a surface is lenient
)

// wanter is implemented by types that read themselves from a request and say
// what they want, as the end of the sentence `"x" is not ...`.
type wanter interface{ Want() string }

func wantOf(v reflect.Value) string {
	if w, ok := v.Addr().Interface().(wanter); ok {
		return w.Want()
	}
	return "a valid " + strings.ToLower(v.Type().Name())
}

// A textFunc sets v from the text of a path, query, header or form value.
type textFunc func(l Lenient, s string, v reflect.Value) *BindError

var textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()

// textFor compiles how a value of type t is read from text, nil when it cannot
// be.
func textFor(t reflect.Type) textFunc {
	switch {
	case reflect.PointerTo(t).Implements(textUnmarshaler):
		return textUnmarshal
	case t.Kind() == reflect.Pointer:
		elem := textFor(t.Elem())
		if elem == nil {
			return nil
		}
		return func(l Lenient, s string, v reflect.Value) *BindError {
			p := reflect.New(t.Elem())
			err := elem(l, s, p.Elem())
			v.Set(p)
			return err
		}
	case isOpt(t):
		elem := textFor(t.Field(optValue).Type)
		if elem == nil {
			return nil
		}
		return func(l Lenient, s string, v reflect.Value) *BindError {
			v.Field(optState).SetUint(uint64(Given))
			return elem(l, s, v.Field(optValue))
		}
	}
	switch t.Kind() {
	case reflect.String:
		return func(_ Lenient, s string, v reflect.Value) *BindError {
			v.SetString(s)
			return nil
		}
	case reflect.Bool:
		return textBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return textInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return textUint
	case reflect.Float32, reflect.Float64:
		return textFloat
	}
	return nil
}

func bad(kind Kind, value, want string) *BindError {
	return &BindError{Kind: kind, Value: Quote(value), Want: want}
}

func textUnmarshal(_ Lenient, s string, v reflect.Value) *BindError {
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s)); err != nil {
		e := bad(Malformed, s, wantOf(v))
		e.Err = err
		return e
	}
	return nil
}

func textBool(l Lenient, s string, v reflect.Value) *BindError {
	switch {
	case s == "true", s == "1" && l&NumberForBool != 0:
		v.SetBool(true)
	case s == "false", s == "0" && l&NumberForBool != 0:
		v.SetBool(false)
	default:
		return bad(WrongType, s, wantBool)
	}
	return nil
}

func textInt(l Lenient, s string, v reflect.Value) *BindError {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil && l&WholeFraction != 0 {
		if f, ok := wholeFraction(s); ok {
			n, err = int64(f), nil
		}
	}
	if err != nil && numberKind(s) == WrongType {
		return bad(WrongType, s, wantInteger)
	}
	if err != nil || v.OverflowInt(n) {
		return bad(OutOfRange, s, "an integer of "+strconv.Itoa(v.Type().Bits())+" bits")
	}
	v.SetInt(n)
	return nil
}

func textUint(l Lenient, s string, v reflect.Value) *BindError {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil && l&WholeFraction != 0 {
		if f, ok := wholeFraction(s); ok && f >= 0 {
			n, err = uint64(f), nil
		}
	}
	if err != nil && (numberKind(s) == WrongType || s[0] == '-') {
		return bad(numberKind(s), s, "a whole number")
	}
	if err != nil || v.OverflowUint(n) {
		return bad(OutOfRange, s, "a whole number of "+strconv.Itoa(v.Type().Bits())+" bits")
	}
	v.SetUint(n)
	return nil
}

func textFloat(_ Lenient, s string, v reflect.Value) *BindError {
	if !isNumber(s) { // ParseFloat takes NaN, Inf, hexadecimal and underscores too
		return bad(WrongType, s, wantNumber)
	}
	f, err := strconv.ParseFloat(s, v.Type().Bits())
	if err != nil {
		return bad(OutOfRange, s, wantNumber+" of "+strconv.Itoa(v.Type().Bits())+" bits")
	}
	v.SetFloat(f)
	return nil
}

// isNumber reports whether s is a number as JSON writes it.
func isNumber(s string) bool { return s != "" && numberEnd(s) == len(s) }

// wholeFraction reads 1.0 or 1e3 where an integer is wanted. It is exact up to
// 2^53; beyond, a fraction or exponent is not a way to write an integer.
func wholeFraction(s string) (float64, bool) {
	if !isNumber(s) {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && f == float64(int64(f)) && -1<<53 <= f && f <= 1<<53
}

// numberKind tells an integer that no 64 bits hold from text that is none.
func numberKind(s string) Kind {
	if isNumber(s) && !strings.ContainsAny(s, ".eE") {
		return OutOfRange
	}
	return WrongType
}

// A pair is one parameter of a query or an urlencoded form.
type pair struct{ name, value string }

// parsePairs appends the parameters of s, unescaped. Unlike url.ParseQuery it
// drops nothing in silence, keeps their order and knows a limit. A semicolon is
// an ordinary character, as it is to browsers.
func parsePairs(dst []pair, s string, place Place, limit int) ([]pair, error) {
	for s != "" {
		var part string
		part, s, _ = strings.Cut(s, "&")
		if part == "" {
			continue
		}
		if len(dst) == limit {
			return dst, &BindError{Kind: TooLarge, Place: place, Want: "at most " + strconv.Itoa(limit) + " parameters"}
		}
		name, value, _ := strings.Cut(part, "=")
		name, ok := unescapePercent(name)
		// What is no name may be anything, a secret without its name too.
		if !ok {
			return dst, &BindError{Kind: Malformed, Place: place, Want: "percent-encoded text"}
		}
		if !utf8.ValidString(name) {
			return dst, &BindError{Kind: BadEncoding, Place: place, Want: "UTF-8"}
		}
		// The value may be a secret's, so an error shows the name alone.
		value, ok = unescapePercent(value)
		if !ok {
			return dst, &BindError{Kind: Malformed, Place: place, Name: Quote(name), Want: "percent-encoded text"}
		}
		if !utf8.ValidString(value) {
			return dst, &BindError{Kind: BadEncoding, Place: place, Name: Quote(name), Want: "UTF-8"}
		}
		dst = append(dst, pair{name, value})
	}
	return dst, nil
}

// unescapePercent undoes percent-encoding and reads + as a space. It returns s
// itself when it cannot.
func unescapePercent(s string) (string, bool) {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s, true
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			out = append(out, ' ')
		case '%':
			if i+2 >= len(s) {
				return s, false
			}
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				return s, false
			}
			out = append(out, byte(n))
			i += 2
		default:
			out = append(out, s[i])
		}
	}
	return string(out), true
}
