package table_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/table"
)

// part is a key part beside the value it was made from.
type part struct {
	value any
	desc  bool
}

func (p part) key() table.Key {
	var k table.Key
	switch v := p.value.(type) {
	case string:
		k = table.Str(v)
	case int64:
		k = table.Int(v)
	case uint64:
		k = table.Uint(v)
	case time.Time:
		k = table.Time(v)
	case bool:
		k = table.Bool(v)
	}
	if p.desc {
		k = table.Desc(k)
	}
	return k
}

func (p part) compare(o part) int {
	c := 0
	switch v := p.value.(type) {
	case string:
		c = strings.Compare(v, o.value.(string))
	case int64:
		c = cmp.Compare(v, o.value.(int64))
	case uint64:
		c = cmp.Compare(v, o.value.(uint64))
	case time.Time:
		c = v.Compare(o.value.(time.Time))
	case bool:
		if w := o.value.(bool); v != w {
			c = 1
			if w {
				c = -1
			}
		}
	}
	if p.desc {
		return -c
	}
	return c
}

// randomPart makes a part of the given kind from few values, so that equal
// parts and strings that begin alike are common.
func randomPart(rnd *rand.Rand, kind int, desc bool) part {
	p := part{desc: desc}
	switch kind {
	case 0:
		b := make([]byte, rnd.IntN(4))
		for i := range b {
			b[i] = []byte{0, 1, 2, 'a', '|', '}', 0xfe, 0xff}[rnd.IntN(8)]
		}
		p.value = string(b)
	case 1:
		p.value = []int64{math.MinInt64, -256, -1, 0, 1, 255, 256, math.MaxInt64}[rnd.IntN(8)]
	case 2:
		p.value = []uint64{0, 1, 255, 256, math.MaxUint64}[rnd.IntN(5)]
	case 3:
		p.value = time.Unix([]int64{-1e10, -1, 0, 1, 1e10}[rnd.IntN(5)], int64(rnd.IntN(3))).UTC()
	case 4:
		p.value = rnd.IntN(2) == 0
	}
	return p
}

func TestKeysCompareAsTheirParts(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	for range 20_000 {
		n := 1 + rnd.IntN(3)
		a, b := make([]part, n), make([]part, n)
		var ka, kb table.Key
		want := 0
		for i := range n {
			kind, desc := rnd.IntN(5), rnd.IntN(2) == 0
			a[i], b[i] = randomPart(rnd, kind, desc), randomPart(rnd, kind, desc)
			ka, kb = ka+a[i].key(), kb+b[i].key()
			if want == 0 {
				want = a[i].compare(b[i])
			}
		}
		if got := cmp.Compare(ka, kb); got != want {
			t.Fatalf("compare %v with %v = %d, want %d", ka, kb, got, want)
		}
		// The leading parts are a prefix exactly when they are equal.
		lead := rnd.IntN(n) + 1
		var prefix table.Key
		equal := true
		for i := range lead {
			prefix += b[i].key()
			equal = equal && a[i].compare(b[i]) == 0
		}
		if got := strings.HasPrefix(string(ka), string(prefix)); got != equal {
			t.Fatalf("%v is a prefix of %v: %v, want %v", prefix, ka, got, equal)
		}
		// And so they are within [prefix, End).
		if got := ka >= prefix && ka < prefix.End(); got != equal {
			t.Fatalf("%v is within %v and its End: %v, want %v", ka, prefix, got, equal)
		}
	}
}

func TestKeyPartsComeBack(t *testing.T) {
	at := time.Date(1969, 7, 20, 20, 17, 40, 123456789, time.FixedZone("x", 3600))
	k := table.Str("a\x00b") + table.Int(-5) + table.Desc(table.Time(at)+table.Str("z\x00\xff")) + table.Uint(uint8(9)) + table.Bool(true)
	if got := k.Str(); got != "a\x00b" {
		t.Errorf("Str = %q", got)
	}
	k = k.Rest()
	if got := k.Int(); got != -5 {
		t.Errorf("Int = %d", got)
	}
	k = k.Rest()
	if got := k.Time(); !got.Equal(at) || got.Location() != time.UTC {
		t.Errorf("Time = %v, want %v", got, at)
	}
	k = k.Rest()
	if got := k.Str(); got != "z\x00\xff" {
		t.Errorf("descending Str = %q", got)
	}
	k = k.Rest()
	if got := k.Uint(); got != 9 {
		t.Errorf("Uint = %d", got)
	}
	k = k.Rest()
	if !k.Bool() {
		t.Error("Bool = false")
	}
	if k = k.Rest(); k != "" {
		t.Errorf("Rest of the last part = %v", k)
	}
}

func TestKeyOfAnotherKindIsZero(t *testing.T) {
	for _, k := range []table.Key{"", table.Str("5"), table.Int(5), table.Uint(uint(5)), table.Time(time.Unix(5, 0)), table.Bool(true), "\x02no end", "\x03short", "\xffx"} {
		n := 0
		for _, set := range []bool{k.Str() != "", k.Int() != 0, k.Uint() != 0, !k.Time().IsZero(), k.Bool()} {
			if set {
				n++
			}
		}
		if n > 1 {
			t.Errorf("%v reads as %d kinds", k, n)
		}
	}
}

func TestKeyString(t *testing.T) {
	for _, test := range []struct {
		key  table.Key
		want string
	}{
		{"", "()"},
		{table.Str("a\"b"), `"a\"b"`},
		{table.Int(-7), "-7"},
		{table.Str("app") + table.Int(7), `("app", 7)`},
		{table.Desc(table.Time(time.Unix(0, 5))) + table.Bool(false) + table.Uint(uint(1)), "(-1970-01-01T00:00:00.000000005Z, false, 1)"},
		{"plain text", `"plain text"`},
		{table.Str("a") + "\x03rest", `"\x02a\x00\x01\x03rest"`},
	} {
		if got := test.key.String(); got != test.want {
			t.Errorf("String = %s, want %s", got, test.want)
		}
	}
}

func FuzzKey(f *testing.F) {
	f.Add("", "")
	f.Add("a\x00", "\x02a\x00\xff")
	f.Add("\xff", string(table.Str("a")+table.Desc(table.Str("b"))+table.Int(1)))
	f.Fuzz(func(t *testing.T, s, raw string) {
		if got := table.Str(s).Str(); got != s {
			t.Errorf("Str(%q) comes back as %q", s, got)
		}
		if k := table.Desc(table.Str(s)) + table.Int(1); k.Str() != s || k.Rest().Int() != 1 {
			t.Errorf("descending %q comes back as %q and %d", s, k.Str(), k.Rest().Int())
		}
		// No garbage panics or hangs.
		k := table.Key(raw)
		_ = k.String()
		for range 10 {
			_, _, _, _, _ = k.Str(), k.Int(), k.Uint(), k.Time(), k.Bool()
			k = k.Rest()
		}
	})
}
