package surface

import (
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// binding is what is known of one request while it is bound.
type binding struct {
	query, form []pair
	files       []namedFile
	members     [][]byte // of the JSON body, by index in plan.fields; nil where absent
}

type namedFile struct {
	name string
	file File
}

var bindings = sync.Pool{New: func() any { return new(binding) }}

func (b *binding) release() {
	clear(b.query)
	clear(b.form)
	clear(b.files)
	clear(b.members)
	b.query, b.form, b.files, b.members = b.query[:0], b.form[:0], b.files[:0], b.members[:0]
	bindings.Put(b)
}

// bind reads r into in, an addressable zero value of the plan's struct type.
func (p *plan) bind(cfg *Config, r *http.Request, in reflect.Value) error {
	for _, index := range p.request {
		in.FieldByIndex(index).Set(reflect.ValueOf(r))
	}
	if len(p.fields) == 0 && p.body == noBody && cfg.UnknownQuery == IgnoreUnknown {
		return nil
	}
	b := bindings.Get().(*binding)
	defer b.release()
	if err := p.readQuery(cfg, r, b); err != nil {
		return err
	}
	if err := p.readBody(cfg, r, b, in); err != nil {
		return err
	}
	for i := range p.fields {
		f := &p.fields[i]
		if err := p.bindField(cfg, r, b, i, f, in); err != nil {
			if f.secret {
				err.Value, err.Err = "", nil
			}
			return err
		}
	}
	return nil
}

func (p *plan) readQuery(cfg *Config, r *http.Request, b *binding) (err error) {
	if len(p.query) == 0 && cfg.UnknownQuery == IgnoreUnknown {
		return nil
	}
	if b.query, err = parsePairs(b.query, r.URL.RawQuery, InQuery, cfg.MaxParams); err != nil {
		return err
	}
	return checkPairs(b.query, p.query, InQuery, cfg.UnknownQuery)
}

func checkPairs(pairs []pair, known map[string]bool, place Place, unknown Unknowns) error {
	if unknown == IgnoreUnknown {
		return nil
	}
	for _, q := range pairs {
		if !known[q.name] {
			return &BindError{Kind: Unknown, Place: place, Name: Quote(q.name)}
		}
	}
	return nil
}

// bindField sets one parameter from the first place that has it.
func (p *plan) bindField(cfg *Config, r *http.Request, b *binding, i int, f *field, in reflect.Value) *BindError {
	v := in.FieldByIndex(f.index)
	if f.path != "" {
		return f.setText(cfg, v, InPath, f.path, r.PathValue(f.path))
	}
	for _, source := range [...]struct {
		place Place
		name  string
	}{{InQuery, f.query}, {InHeader, f.header}, {InForm, f.form}} {
		if source.name == "" {
			continue
		}
		found, err := f.bindText(cfg, r, b, source.place, source.name, v)
		if found || err != nil {
			return err
		}
	}
	if f.file != "" && b.takeFiles(f, v) {
		return nil
	}
	if f.json != "" && i < len(b.members) && b.members[i] != nil {
		d := decoder{cursor{data: b.members[i]}, cfg.policy()}
		given, err := f.decodeJSON(&d, v)
		if err != nil {
			err.Place = InBody
			return err.under(f.json)
		}
		if given {
			return nil
		}
	}
	if f.required {
		place, name := f.home()
		return &BindError{Kind: Missing, Place: place, Name: name}
	}
	if f.def.IsValid() {
		v.Set(f.def)
	}
	return nil
}

// home is where a parameter that may come from several places is asked for
// when it is in none.
func (f *field) home() (Place, string) {
	switch {
	case f.query != "":
		return InQuery, f.query
	case f.header != "":
		return InHeader, f.header
	case f.form != "":
		return InForm, f.form
	case f.file != "":
		return InForm, f.file
	}
	return InBody, f.json
}

// bindText sets v from the values of one name in the query, the headers or the
// form, and reports whether there was any.
func (f *field) bindText(cfg *Config, r *http.Request, b *binding, place Place, name string, v reflect.Value) (found bool, err *BindError) {
	each := func(text string) *BindError {
		if text == "" && cfg.EmptyIsAbsent {
			return nil
		}
		again := found
		found = true
		if f.list {
			return f.addText(cfg, v, place, name, text)
		}
		if again {
			switch cfg.RepeatedParams {
			case RefuseDuplicates:
				return &BindError{Kind: Duplicate, Place: place, Name: name}
			case FirstWins:
				return nil
			}
			v.SetZero()
		}
		return f.setText(cfg, v, place, name, text)
	}
	if place == InHeader {
		for _, text := range r.Header.Values(name) {
			if !utf8.ValidString(text) {
				return true, &BindError{Kind: BadEncoding, Place: place, Name: name, Want: "UTF-8"}
			}
			if err := each(text); err != nil {
				return true, err
			}
		}
		return found, nil
	}
	pairs := b.query
	if place == InForm {
		pairs = b.form
	}
	for _, q := range pairs {
		if q.name == name {
			if err := each(q.value); err != nil {
				return true, err
			}
		}
	}
	return found, nil
}

func (f *field) setText(cfg *Config, v reflect.Value, place Place, name, text string) *BindError {
	lenient := cfg.Lenient
	if f.lenient {
		lenient = LenientAll
	}
	var err *BindError
	switch {
	case !utf8.ValidString(text):
		err = &BindError{Kind: BadEncoding, Want: "UTF-8"}
	case f.asJSON:
		err = f.setJSON(cfg, v, text)
	case f.list:
		return f.addText(cfg, v, place, name, text)
	default:
		err = f.text(lenient, text, v)
	}
	if err != nil {
		err.Place = place
		err = err.under(name)
	}
	return err
}

// setJSON decodes a text value that is JSON, as in groupIdList=[1,2].
func (f *field) setJSON(cfg *Config, v reflect.Value, text string) *BindError {
	if err := scanJSON([]byte(text), cfg.MaxDepth, cfg.MaxValues); err != nil {
		e := err.(*BindError)
		e.Value = Quote(text)
		return e
	}
	d := decoder{cursor{data: []byte(text)}, cfg.policy()}
	if given, err := f.decodeJSON(&d, v); err != nil || given {
		return err
	}
	return bad(WrongType, text, "a value")
}

// addText appends to a list.
func (f *field) addText(cfg *Config, v reflect.Value, place Place, name, text string) *BindError {
	lenient := cfg.Lenient
	if f.lenient {
		lenient = LenientAll
	}
	for more := true; more; {
		part := text
		if more = false; f.comma {
			part, text, more = strings.Cut(text, ",")
		}
		if v.Len() >= cfg.MaxValues {
			return &BindError{Kind: TooLarge, Place: place, Name: name, Want: "at most " + strconv.Itoa(cfg.MaxValues) + " values"}
		}
		n := v.Len()
		if n == v.Cap() {
			v.Grow(1)
		}
		v.SetLen(n + 1)
		if err := f.text(lenient, part, v.Index(n)); err != nil {
			err.Place = place
			if n > 0 || more || f.comma {
				err.Name = "[" + strconv.Itoa(n) + "]"
			}
			return err.under(name)
		}
	}
	return nil
}

func (b *binding) takeFiles(f *field, v reflect.Value) (found bool) {
	for _, nf := range b.files {
		if nf.name != f.file {
			continue
		}
		found = true
		if f.typ == fileType {
			v.Set(reflect.ValueOf(nf.file))
			break
		}
		v.Set(reflect.Append(v, reflect.ValueOf(nf.file)))
	}
	return found
}
