package surface

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
)

// policy is what a surface decides about values: see [Config].
type policy struct {
	lenient     Lenient
	unknown     Unknowns
	duplicates  Duplicates
	nullRefused bool
}

// A decoder turns a checked JSON text into Go values. Its errors are built from
// the inside out: each level that an error passes puts its own part of the path
// in front, so that paths cost nothing while all goes well.
type decoder struct {
	cursor
	policy
}

// A decodeFunc decodes the next value, which is not null, into v.
type decodeFunc func(d *decoder, v reflect.Value) *BindError

// under puts name in front of the path of e.
func (e *BindError) under(name string) *BindError {
	switch {
	case e.Name == "":
		e.Name = name
	case e.Name[0] == '[':
		e.Name = name + e.Name
	default:
		e.Name = name + "." + e.Name
	}
	return e
}

// wrong is the error of a value of another type. Objects and arrays are not
// quoted: there may be secrets in them.
func wrong(raw []byte, want string) *BindError {
	e := &BindError{Kind: WrongType, Want: want}
	switch raw[0] {
	case '{':
		e.Value = "{...}"
	case '[':
		e.Value = "[...]"
	case '"':
		e.Value = Quote(string(unescape(raw)))
	default:
		e.Value = Quote(string(raw))
	}
	return e
}

// A compiler makes the decoders of types, each type once, so that a type may
// contain itself.
type compiler struct {
	structs map[reflect.Type]*structPlan
}

var (
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	rawMessageType  = reflect.TypeFor[json.RawMessage]()
	numberType      = reflect.TypeFor[json.Number]()
	bytesType       = reflect.TypeFor[[]byte]()
)

func (c *compiler) decoder(t reflect.Type) (decodeFunc, error) {
	switch {
	case t == rawMessageType:
		return func(d *decoder, v reflect.Value) *BindError {
			v.SetBytes(append([]byte(nil), d.raw()...))
			return nil
		}, nil
	case t == numberType:
		return decodeNumber, nil
	case isOpt(t):
		elem, err := c.decoder(t.Field(optValue).Type)
		return func(d *decoder, v reflect.Value) *BindError {
			if d.peek() == 'n' {
				d.raw()
				v.Field(optState).SetUint(uint64(Null))
				return nil
			}
			v.Field(optState).SetUint(uint64(Given))
			return elem(d, v.Field(optValue))
		}, err
	case reflect.PointerTo(t).Implements(jsonUnmarshaler), t == bytesType:
		return decodeUnmarshal, nil
	case reflect.PointerTo(t).Implements(textUnmarshaler):
		return decodeText(textUnmarshal), nil
	}
	switch t.Kind() {
	case reflect.String:
		return decodeText(textFor(t)), nil
	case reflect.Bool:
		return decodeBool, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return decodeNumeric(textFor(t), wantInteger), nil
	case reflect.Float32, reflect.Float64:
		return decodeNumeric(textFor(t), wantNumber), nil
	case reflect.Pointer:
		elem, err := c.decoder(t.Elem())
		return func(d *decoder, v reflect.Value) *BindError {
			p := reflect.New(t.Elem())
			v.Set(p)
			return elem(d, p.Elem())
		}, err
	case reflect.Slice:
		return c.slice(t)
	case reflect.Map:
		return c.mapping(t)
	case reflect.Interface:
		if t.NumMethod() == 0 {
			return decodeAny, nil
		}
	case reflect.Struct:
		plan, err := c.object(t)
		return func(d *decoder, v reflect.Value) *BindError { return plan.decode(d, v) }, err
	}
	return nil, fmt.Errorf("type %v cannot be read from JSON", t)
}

func decodeText(set textFunc) decodeFunc {
	return func(d *decoder, v reflect.Value) *BindError {
		switch raw := d.raw(); {
		case raw[0] == '"':
			return set(d.lenient, string(unescape(raw)), v)
		case d.lenient&NumberForText != 0 && raw[0] <= '9': // a sign or a digit
			return set(d.lenient, string(raw), v)
		case d.lenient&NumberForText != 0:
			return wrong(raw, wantText)
		default:
			return wrong(raw, wantString)
		}
	}
}

func decodeNumeric(set textFunc, want string) decodeFunc {
	return func(d *decoder, v reflect.Value) *BindError {
		switch raw := d.raw(); {
		case raw[0] == '-' || '0' <= raw[0] && raw[0] <= '9':
			return set(d.lenient, string(raw), v)
		case raw[0] == '"' && d.lenient&TextForNumber != 0:
			return set(d.lenient, string(unescape(raw)), v)
		default:
			return wrong(raw, want)
		}
	}
}

func decodeNumber(d *decoder, v reflect.Value) *BindError {
	raw := d.raw()
	text := raw
	if raw[0] == '"' && d.lenient&TextForNumber != 0 {
		text = unescape(raw)
	}
	if !isNumber(string(text)) {
		return wrong(raw, wantNumber)
	}
	v.SetString(string(text))
	return nil
}

func decodeBool(d *decoder, v reflect.Value) *BindError {
	raw := d.raw()
	switch {
	case raw[0] == 't' || raw[0] == 'f':
		v.SetBool(raw[0] == 't')
		return nil
	case raw[0] == '"' && d.lenient&TextForBool != 0:
		return textBool(d.lenient, string(unescape(raw)), v)
	case len(raw) == 1 && d.lenient&NumberForBool != 0:
		return textBool(d.lenient, string(raw), v)
	}
	return wrong(raw, wantBool)
}

func decodeUnmarshal(d *decoder, v reflect.Value) *BindError {
	raw := d.raw()
	if err := json.Unmarshal(raw, v.Addr().Interface()); err != nil {
		e := wrong(raw, wantOf(v))
		if v.Type() == bytesType {
			e.Want = "base64 text"
		}
		e.Kind, e.Err = Malformed, err
		return e
	}
	return nil
}

// decodeAny decodes what the program has no type for: objects become
// map[string]any, arrays []any, and numbers json.Number, which keeps every
// digit of an id.
func decodeAny(d *decoder, v reflect.Value) *BindError {
	x, err := d.any()
	if err == nil && x != nil {
		v.Set(reflect.ValueOf(x))
	}
	return err
}

func (d *decoder) any() (any, *BindError) {
	switch d.peek() {
	case '{':
		d.enter()
		m := map[string]any{}
		for d.more() {
			key := string(d.key())
			_, again := m[key]
			x, err := d.any()
			if again {
				switch d.duplicates {
				case RefuseDuplicates:
					return nil, &BindError{Kind: Duplicate, Name: Quote(key)}
				case FirstWins:
					continue
				}
			}
			if err != nil {
				return nil, err.under(Quote(key))
			}
			m[key] = x
		}
		return m, nil
	case '[':
		d.enter()
		list := []any{}
		for d.more() {
			x, err := d.any()
			if err != nil {
				return nil, err.under("[" + strconv.Itoa(len(list)) + "]")
			}
			list = append(list, x)
		}
		return list, nil
	case '"':
		return string(unescape(d.raw())), nil
	case 't', 'f':
		return d.raw()[0] == 't', nil
	case 'n':
		d.raw()
		return nil, nil
	}
	return json.Number(d.raw()), nil
}

// takesNull reports whether null is a value of t, as it is for what can be nil.
func takesNull(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Interface:
		return true
	}
	return isOpt(t) || t == rawMessageType
}

// element decodes an array's or map's member, where null has no absence to
// stand for: it is refused unless the type has a place for it.
func (d *decoder) element(decode decodeFunc, v reflect.Value) *BindError {
	if d.peek() == 'n' {
		if !takesNull(v.Type()) {
			return wrong(d.raw(), "a value")
		}
		if v.Kind() == reflect.Pointer {
			d.raw()
			return nil
		}
	}
	return decode(d, v)
}

func (c *compiler) slice(t reflect.Type) (decodeFunc, error) {
	elem, err := c.decoder(t.Elem())
	return func(d *decoder, v reflect.Value) *BindError {
		if d.peek() != '[' {
			return wrong(d.raw(), "an array")
		}
		d.enter()
		v.Set(reflect.MakeSlice(t, 0, 4)) // an empty array is given, so it is not nil
		for n := 0; d.more(); n++ {
			if n == v.Cap() {
				v.Grow(1)
			}
			v.SetLen(n + 1)
			if err := d.element(elem, v.Index(n)); err != nil {
				return err.under("[" + strconv.Itoa(n) + "]")
			}
		}
		return nil
	}, err
}

func (c *compiler) mapping(t reflect.Type) (decodeFunc, error) {
	if t.Key().Kind() != reflect.String {
		return nil, fmt.Errorf("type %v has keys that are no strings", t)
	}
	elem, err := c.decoder(t.Elem())
	return func(d *decoder, v reflect.Value) *BindError {
		if d.peek() != '{' {
			return wrong(d.raw(), "an object")
		}
		d.enter()
		m := reflect.MakeMap(t)
		for d.more() {
			name := string(d.key())
			key := reflect.ValueOf(name).Convert(t.Key())
			if m.MapIndex(key).IsValid() {
				switch d.duplicates {
				case RefuseDuplicates:
					return &BindError{Kind: Duplicate, Name: Quote(name)}
				case FirstWins:
					d.raw()
					continue
				}
			}
			value := reflect.New(t.Elem()).Elem()
			if err := d.element(elem, value); err != nil {
				return err.under(Quote(name))
			}
			m.SetMapIndex(key, value)
		}
		v.Set(m)
		return nil
	}, err
}

// A structPlan is how an object becomes a struct.
type structPlan struct {
	fields []field
	byName map[string]int
}

// maxFields bounds a struct's fields, so that a bit set on the stack can tell
// which were in the object.
const maxFields = 256

type bits [maxFields / 64]uint64

func (b *bits) has(i int) bool { return b[i/64]&(1<<(i%64)) != 0 }
func (b *bits) set(i int)      { b[i/64] |= 1 << (i % 64) }

func (c *compiler) object(t reflect.Type) (*structPlan, error) {
	if plan, ok := c.structs[t]; ok {
		return plan, nil
	}
	plan := &structPlan{byName: map[string]int{}}
	c.structs[t] = plan
	err := c.eachField(t, nil, func(f field) error {
		if f.json == "" {
			return nil
		}
		if _, again := plan.byName[f.json]; again {
			return fmt.Errorf("%v: two fields are named %q in JSON", t, f.json)
		}
		plan.byName[f.json] = len(plan.fields)
		plan.fields = append(plan.fields, f)
		return nil
	})
	if len(plan.fields) > maxFields {
		return nil, fmt.Errorf("%v has more than %d fields", t, maxFields)
	}
	return plan, err
}

func (p *structPlan) decode(d *decoder, v reflect.Value) *BindError {
	if d.peek() != '{' {
		return wrong(d.raw(), "an object")
	}
	d.enter()
	var seen, given bits
	for d.more() {
		key := d.key()
		i, ok := p.byName[string(key)]
		if !ok {
			if d.unknown == RefuseUnknown {
				return &BindError{Kind: Unknown, Name: Quote(string(key))}
			}
			d.raw()
			continue
		}
		f := &p.fields[i]
		if seen.has(i) {
			switch d.duplicates {
			case RefuseDuplicates:
				return &BindError{Kind: Duplicate, Name: f.json}
			case FirstWins:
				d.raw()
				continue
			}
			v.FieldByIndex(f.index).SetZero()
		}
		seen.set(i)
		ok, err := f.decodeJSON(d, v.FieldByIndex(f.index))
		if err != nil {
			return err.under(f.json)
		}
		if ok {
			given.set(i)
		}
	}
	for i := range p.fields {
		f := &p.fields[i]
		if given.has(i) {
			continue
		}
		if f.required {
			return &BindError{Kind: Missing, Name: f.json}
		}
		if f.def.IsValid() {
			v.FieldByIndex(f.index).Set(f.def)
		}
	}
	return nil
}

// decodeJSON decodes the next value into v and reports whether there was one:
// null is none, unless the field's type has a place for it.
func (f *field) decodeJSON(d *decoder, v reflect.Value) (bool, *BindError) {
	if d.peek() == 'n' && (v.Kind() == reflect.Pointer || !takesNull(v.Type())) {
		raw := d.raw()
		if d.nullRefused && v.Kind() != reflect.Pointer {
			return false, wrong(raw, "a value")
		}
		return false, nil
	}
	lenient := d.lenient
	if f.lenient {
		d.lenient = LenientAll
	}
	err := f.decode(d, v)
	d.lenient = lenient
	if err != nil && f.secret {
		err.Value, err.Err = "", nil
	}
	if err == nil && f.noZero && v.Int() == 0 {
		v.SetInt(-1)
	}
	return err == nil, err
}
