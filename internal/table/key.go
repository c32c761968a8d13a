package table

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
)

// Key is one or several parts, encoded so that keys compare bytewise as their
// parts do, first part first. Keys are built with [Str], [Int], [Uint], [Time],
// [Bool] and [Desc] and joined with +:
//
//	table.Str(rule.AppID) + table.Int(rule.ID)
//
// Every part marks its own end, so the leading parts of a key are a prefix of
// exactly the keys that begin with these parts: Str("a") is no prefix of
// Str("ab"). The zero Key has no parts; it is the key of no row, and an index
// function returns it to leave a row out.
type Key string

// The first byte of a part. A part in descending order has all its bytes
// inverted, so its tag is above 0x80.
const (
	tagStr  = 0x02
	tagInt  = 0x03
	tagUint = 0x04
	tagTime = 0x05
	tagBool = 0x06
)

// A string ends in 0x00 0x01 and a 0x00 within it is written 0x00 0xff. Two
// bytes at the end, and not one, keep "a" from being a prefix of "a\x00b".
const (
	strEnd    = "\x00\x01"
	strEscape = "\x00\xff"
)

// Str is a part that is a string, ordered bytewise. Any bytes are allowed.
func Str[S ~string](s S) Key {
	str := string(s)
	if strings.IndexByte(str, 0) >= 0 {
		str = strings.ReplaceAll(str, "\x00", strEscape)
	}
	return Key("\x02" + str + strEnd)
}

// AppendStr appends the part [Str] makes of s to b, for who builds a key of many
// parts with one allocation.
func AppendStr(b []byte, s string) []byte {
	b = append(b, tagStr)
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", strEscape)
	}
	b = append(b, s...)
	return append(b, strEnd...)
}

// NonEmpty is Str(s), or the zero Key when s is empty: the key of an index that
// leaves out rows without the property.
func NonEmpty[S ~string](s S) Key {
	if s == "" {
		return ""
	}
	return Str(s)
}

// Int is a part that is a signed number.
func Int[I ~int | ~int8 | ~int16 | ~int32 | ~int64](i I) Key {
	var b [9]byte
	b[0] = tagInt
	binary.BigEndian.PutUint64(b[1:], uint64(int64(i))^(1<<63))
	return Key(b[:])
}

// Uint is a part that is an unsigned number. A part that is sometimes an Int
// and sometimes a Uint is not ordered by number.
func Uint[U ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64](u U) Key {
	var b [9]byte
	b[0] = tagUint
	binary.BigEndian.PutUint64(b[1:], uint64(u))
	return Key(b[:])
}

// Time is a part that is an instant, to the nanosecond; its location is lost.
func Time(t time.Time) Key {
	var b [13]byte
	b[0] = tagTime
	binary.BigEndian.PutUint64(b[1:], uint64(t.Unix())^(1<<63))
	binary.BigEndian.PutUint32(b[9:], uint32(t.Nanosecond()))
	return Key(b[:])
}

// Bool is a part that is a truth value; false comes first.
func Bool[B ~bool](v B) Key {
	if v {
		return "\x06\x01"
	}
	return "\x06\x00"
}

// Desc is k with the order of its parts turned round: newest first is
// Desc(Time(t)). The keys of one index have the same parts turned.
func Desc(k Key) Key {
	b := []byte(k)
	for i := range b {
		b[i] = ^b[i]
	}
	return Key(b)
}

// End is the upper bound of the keys that begin with the parts of k, for a
// [Table.Range]: it is above them all and not above any other key. The End of
// the zero Key is the zero Key, no bound.
func (k Key) End() Key { return Key(storage.PrefixEnd(string(k))) }

// Str returns the first part of k, which was made by [Str]; "" when it was not.
func (k Key) Str() string {
	p, _ := k.cut()
	p, _ = p.plain()
	if len(p) < 3 || p[0] != tagStr {
		return ""
	}
	s := string(p[1 : len(p)-len(strEnd)])
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, strEscape, "\x00")
	}
	return s
}

// Int returns the first part of k, which was made by [Int]; 0 when it was not.
func (k Key) Int() int64 {
	p, _ := k.cut()
	p, _ = p.plain()
	if len(p) == 0 || p[0] != tagInt {
		return 0
	}
	return int64(binary.BigEndian.Uint64([]byte(p[1:])) ^ (1 << 63))
}

// Uint returns the first part of k, which was made by [Uint]; 0 when it was not.
func (k Key) Uint() uint64 {
	p, _ := k.cut()
	p, _ = p.plain()
	if len(p) == 0 || p[0] != tagUint {
		return 0
	}
	return binary.BigEndian.Uint64([]byte(p[1:]))
}

// Time returns the first part of k, which was made by [Time], in UTC; the zero
// time when it was not.
func (k Key) Time() time.Time {
	p, _ := k.cut()
	p, _ = p.plain()
	if len(p) == 0 || p[0] != tagTime {
		return time.Time{}
	}
	sec := int64(binary.BigEndian.Uint64([]byte(p[1:9])) ^ (1 << 63))
	return time.Unix(sec, int64(binary.BigEndian.Uint32([]byte(p[9:])))).UTC()
}

// Bool returns the first part of k, which was made by [Bool]; false when it was
// not.
func (k Key) Bool() bool {
	p, _ := k.cut()
	p, _ = p.plain()
	return p == "\x06\x01"
}

// Rest is k without its first part, the zero Key when there is no other.
func (k Key) Rest() Key {
	_, rest := k.cut()
	return rest
}

// String shows the parts as Go would write them, several in parentheses, one in
// descending order with a minus. What is no key shows as its quoted bytes.
func (k Key) String() string {
	var parts []string
	for rest := k; rest != ""; {
		var p Key
		p, rest = rest.cut()
		if p == "" {
			return strconv.Quote(string(k))
		}
		p, inverted := p.plain()
		var s string
		switch p[0] {
		case tagStr:
			s = strconv.Quote(p.Str())
		case tagInt:
			s = strconv.FormatInt(p.Int(), 10)
		case tagUint:
			s = strconv.FormatUint(p.Uint(), 10)
		case tagTime:
			s = p.Time().Format(time.RFC3339Nano)
		case tagBool:
			s = strconv.FormatBool(p.Bool())
		}
		if inverted {
			s = "-" + s
		}
		parts = append(parts, s)
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return fmt.Sprintf("(%s)", strings.Join(parts, ", "))
}

// cut splits k after its first part. The part is empty when k does not begin
// with one.
func (k Key) cut() (part, rest Key) {
	if k == "" {
		return "", ""
	}
	tag, end, escaped := k[0], strEnd, byte(0xff)
	if tag >= 0x80 {
		tag, end, escaped = ^tag, "\xff\xfe", 0x00
	}
	n := 0
	switch tag {
	case tagStr:
		for i := 1; ; i += 2 {
			at := strings.IndexByte(string(k[i:]), end[0])
			if at < 0 || i+at+1 >= len(k) {
				return "", ""
			}
			i += at
			if k[i+1] == end[1] {
				n = i + 2
				break
			}
			if k[i+1] != escaped {
				return "", ""
			}
		}
	case tagInt, tagUint:
		n = 9
	case tagTime:
		n = 13
	case tagBool:
		n = 2
	}
	if n == 0 || n > len(k) {
		return "", ""
	}
	return k[:n], k[n:]
}

// parts is how many parts k has.
func (k Key) parts() (n int) {
	for k != "" {
		part, rest := k.cut()
		if part == "" {
			break
		}
		n, k = n+1, rest
	}
	return n
}

// first is the first n parts of k, or all it has.
func (k Key) first(n int) Key {
	rest := k
	for ; n > 0 && rest != ""; n-- {
		_, rest = rest.cut()
	}
	return k[:len(k)-len(rest)]
}

// plain is a part in ascending order, and whether it was descending before.
func (k Key) plain() (Key, bool) {
	if k == "" || k[0] < 0x80 {
		return k, false
	}
	return Desc(k), true
}
