package surface

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
)

// A field is one parameter of an input, or one member of an object in it.
type field struct {
	index  []int // for reflect.Value.FieldByIndex
	typ    reflect.Type
	goName string

	// Wire names by place, empty where the parameter is not read from.
	path, query, header, form, file, json string

	required, secret, lenient bool
	noZero                    bool
	comma, asJSON             bool          // how text becomes a list or an object
	def                       reflect.Value // set when absent; invalid when there is none

	decode decodeFunc // from JSON
	text   textFunc   // from text: of the element when the field is a list
	list   bool       // text values are a list's elements
}

// tags lists the struct tags that name a source.
var tags = []string{"path", "query", "header", "form", "file", "json", "body"}

// eachField calls yield with every field of an object's struct t,
// fields of embedded structs included.
func (c *compiler) eachField(t reflect.Type, index []int, yield func(field) error) error {
	for i := range t.NumField() {
		sf := t.Field(i)
		at := append(slices.Clip(index), i)
		if sf.Anonymous && !tagged(sf) && sf.Type.Kind() == reflect.Struct {
			if err := c.eachField(sf.Type, at, yield); err != nil {
				return err
			}
			continue
		}
		if !sf.IsExported() || sf.Tag.Get("json") == "-" {
			continue
		}
		f, err := c.field(sf, at, false)
		if err == nil {
			err = yield(f)
		}
		if err != nil {
			return fmt.Errorf("%v.%s: %w", t, sf.Name, err)
		}
	}
	return nil
}

func tagged(sf reflect.StructField) bool {
	return slices.ContainsFunc(tags, func(tag string) bool {
		name := sf.Tag.Get(tag)
		return name != "" && name != "-"
	})
}

func (c *compiler) field(sf reflect.StructField, index []int, top bool) (f field, err error) {
	f = field{index: index, typ: sf.Type, goName: sf.Name}
	tag := sf.Tag.Get("json")
	if f.json, _, _ = strings.Cut(tag, ","); f.json == "" && (!top || tag != "") {
		f.json = sf.Name // as encoding/json has it
	}
	if tag == "-" {
		f.json = ""
	}
	if top {
		f.path, f.query, f.header = sf.Tag.Get("path"), sf.Tag.Get("query"), sf.Tag.Get("header")
		f.form, f.file = sf.Tag.Get("form"), sf.Tag.Get("file")
	}
	if err := f.options(sf.Tag.Get("bind")); err != nil {
		return f, err
	}
	if f.json != "" || f.asJSON {
		if f.decode, err = c.decoder(f.typ); err != nil {
			return f, err
		}
	}
	if f.fromText() && !f.asJSON {
		if f.text = textFor(f.typ); f.text == nil && f.typ.Kind() == reflect.Slice {
			f.list = true
			f.text = textFor(f.typ.Elem())
		}
		if f.text == nil {
			return f, fmt.Errorf("type %v cannot be read from text", f.typ)
		}
	}
	if f.comma && !f.list {
		return f, errors.New("bind:\"comma\" wants a list in path, query, header or form")
	}
	if def, ok := sf.Tag.Lookup("default"); ok {
		err = f.setDefault(def)
	}
	return f, err
}

func (f *field) options(tag string) error {
	for option := range strings.SplitSeq(tag, ",") {
		switch option {
		case "":
		case "required":
			f.required = true
		case "secret":
			f.secret = true
		case "lenient":
			f.lenient = true
		case "comma":
			f.comma = true
		case "json":
			f.asJSON = true
		case "nozero":
			f.noZero = true
			if k := f.typ.Kind(); k < reflect.Int || k > reflect.Int64 {
				return fmt.Errorf("bind:\"nozero\" wants a signed integer, not %v", f.typ)
			}
		default:
			return fmt.Errorf("unknown option %q in the bind tag", option)
		}
	}
	return nil
}

func (f *field) fromText() bool {
	return f.path != "" || f.query != "" || f.header != "" || f.form != ""
}

func (f *field) setDefault(text string) error {
	if f.required {
		return errors.New("both required and a default")
	}
	switch f.typ.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return fmt.Errorf("a default of type %v would be shared by requests", f.typ)
	}
	set := textFor(f.typ)
	if set == nil {
		return fmt.Errorf("type %v takes no default", f.typ)
	}
	f.def = reflect.New(f.typ).Elem()
	if err := set(LenientNothing, text, f.def); err != nil {
		return fmt.Errorf("default: %w", err)
	}
	return nil
}

// bodyKind is what an input wants of the request's body.
type bodyKind uint8

const (
	noBody    bodyKind = iota // left unread
	fieldBody                 // a JSON object or a form, member by member
	wholeJSON                 // one field takes the whole JSON value
	rawBytes                  // one field takes the bytes
	rawReader                 // one field reads them itself
)

// A plan is how a request becomes an operation's input. It is made once, when
// the operation is.
type plan struct {
	fields  []field
	request [][]int // fields of type *http.Request

	body  bodyKind
	whole field // of wholeJSON, rawBytes and rawReader

	takesJSON, takesForm, takesFile bool
	query, form, file               map[string]bool
	json                            map[string]int // member to index in fields
}

var (
	requestType = reflect.TypeFor[*http.Request]()
	readerType  = reflect.TypeFor[io.Reader]()
	fileType    = reflect.TypeFor[File]()
	filesType   = reflect.TypeFor[[]File]()
)

// planFor compiles the input type t for a pattern with the given wildcards.
func planFor(t reflect.Type, wildcards []string) (*plan, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("input %v is not a struct", t)
	}
	c := &compiler{structs: map[reflect.Type]*structPlan{}}
	p := &plan{query: map[string]bool{}, form: map[string]bool{}, file: map[string]bool{}, json: map[string]int{}}
	if err := p.collect(c, t, nil); err != nil {
		return nil, err
	}
	if len(p.fields) > maxFields {
		return nil, fmt.Errorf("%v has more than %d parameters", t, maxFields)
	}
	if p.takesJSON || p.takesForm || p.takesFile {
		if p.body != noBody {
			return nil, fmt.Errorf("%v has both a body field and fields of the body", t)
		}
		p.body = fieldBody
	}
	for _, f := range p.fields {
		if f.path != "" && !slices.Contains(wildcards, f.path) {
			return nil, fmt.Errorf("%v.%s: the pattern has no wildcard {%s}", t, f.goName, f.path)
		}
	}
	return p, nil
}

// collect walks the input's own fields, which unlike an object's may also be
// the request, the whole body or files.
func (p *plan) collect(c *compiler, t reflect.Type, index []int) error {
	for i := range t.NumField() {
		sf := t.Field(i)
		at := append(slices.Clip(index), i)
		err := p.collectField(c, sf, at)
		if err != nil {
			return fmt.Errorf("%v.%s: %w", t, sf.Name, err)
		}
	}
	return nil
}

func (p *plan) collectField(c *compiler, sf reflect.StructField, at []int) error {
	if sf.Anonymous && sf.Type.Kind() == reflect.Struct && !tagged(sf) {
		return p.collect(c, sf.Type, at)
	}
	if !sf.IsExported() || sf.Tag.Get("json") == "-" && !tagged(sf) {
		return nil
	}
	if sf.Type == requestType && !tagged(sf) {
		p.request = append(p.request, at)
		return nil
	}
	if how, ok := sf.Tag.Lookup("body"); ok {
		return p.collectBody(c, sf, at, how)
	}
	if !tagged(sf) {
		return errors.New("no tag says where it is read from")
	}
	if name := sf.Tag.Get("file"); name != "" {
		return p.collectFile(sf, at, name)
	}
	f, err := c.field(sf, at, true)
	if err != nil {
		return err
	}
	for name, set := range map[string]map[string]bool{f.query: p.query, f.form: p.form} {
		if name == "" {
			continue
		}
		if set[name] {
			return fmt.Errorf("two fields are named %q in one place", name)
		}
		set[name] = true
	}
	p.takesForm = p.takesForm || f.form != ""
	if f.json != "" {
		if _, again := p.json[f.json]; again {
			return fmt.Errorf("two fields are named %q in the body", f.json)
		}
		p.takesJSON = true
		p.json[f.json] = len(p.fields)
	}
	p.fields = append(p.fields, f)
	return nil
}

func (p *plan) collectFile(sf reflect.StructField, at []int, name string) error {
	if sf.Type != fileType && sf.Type != filesType {
		return fmt.Errorf("a file is a surface.File or []surface.File, not %v", sf.Type)
	}
	p.takesFile = true
	p.file[name] = true
	f := field{index: at, typ: sf.Type, goName: sf.Name, file: name}
	err := f.options(sf.Tag.Get("bind"))
	p.fields = append(p.fields, f)
	return err
}

func (p *plan) collectBody(c *compiler, sf reflect.StructField, at []int, how string) error {
	if p.body != noBody {
		return errors.New("a second body field")
	}
	f := field{index: at, typ: sf.Type, goName: sf.Name}
	err := f.options(sf.Tag.Get("bind"))
	switch {
	case err != nil:
	case how == "json":
		p.body = wholeJSON
		f.decode, err = c.decoder(sf.Type)
	case how == "raw" && sf.Type == bytesType:
		p.body = rawBytes
	case how == "raw" && sf.Type == readerType:
		p.body = rawReader
	default:
		err = errors.New(`a body field is body:"json", or body:"raw" of type []byte or io.Reader`)
	}
	p.whole = f
	return err
}
