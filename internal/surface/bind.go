package surface

import (
	"cmp"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// A File is an uploaded file. It is held in memory, so the surface's limit on
// bodies is also the limit on files; what is to be streamed instead is taken
// with an io.Reader field tagged body:"raw".
type File struct {
	Name        string // as the client calls it, without directories; from outside, so never a path to open
	ContentType string // as the client says
	Data        []byte // nil when there was no such part
}

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

// readBody reads what the plan wants of the body. Members of a JSON object are
// only found and kept here; bindField decodes them, in the order of the fields,
// so that errors come in the order in which a vendor lists its parameters.
func (p *plan) readBody(cfg *Config, r *http.Request, b *binding, in reflect.Value) error {
	switch p.body {
	case noBody:
		return nil
	case rawReader:
		in.FieldByIndex(p.whole.index).Set(reflect.ValueOf(&bodyReader{r: r}))
		return nil
	case rawBytes:
		data, err := ReadBody(r)
		if err == nil && len(data) == 0 && p.whole.required {
			err = &BindError{Kind: Missing, Place: InBody}
		}
		in.FieldByIndex(p.whole.index).SetBytes(data)
		return err
	}
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return p.noBody()
	}
	if r.ContentLength < 0 && !p.takesFile {
		// Only its end tells whether a body of unknown length is one.
		if data, err := ReadBody(r); err != nil || len(data) == 0 {
			return cmp.Or(err, p.noBody())
		}
	}
	media, params, err := p.contentType(cfg, r)
	if err != nil {
		return err
	}
	if media == "multipart/form-data" {
		return p.readMultipart(cfg, r, b, params["boundary"])
	}
	data, err := ReadBody(r)
	if err != nil {
		return err
	}
	if media == "application/x-www-form-urlencoded" {
		if b.form, err = parsePairs(b.form, string(data), InForm, cfg.MaxParams); err != nil {
			return err
		}
		return checkPairs(b.form, p.form, InForm, cfg.Unknown)
	}
	return p.readJSON(cfg, data, b, in)
}

func (p *plan) noBody() error {
	if p.body == wholeJSON && p.whole.required {
		return &BindError{Kind: Missing, Place: InBody}
	}
	return nil
}

// contentType returns the media type by which the body is to be read.
func (p *plan) contentType(cfg *Config, r *http.Request) (string, map[string]string, error) {
	const asJSON = "application/json"
	header := r.Header.Get("Content-Type")
	refused := func() (string, map[string]string, error) {
		want := make([]string, 0, 3)
		if p.takesJSON || p.body == wholeJSON {
			want = append(want, asJSON)
		}
		if p.takesForm {
			want = append(want, "application/x-www-form-urlencoded")
		}
		if p.takesForm || p.takesFile {
			want = append(want, "multipart/form-data")
		}
		return "", nil, &BindError{Kind: WrongContentType, Place: InHeader, Name: "Content-Type",
			Value: Quote(header), Want: strings.Join(want, " or ")}
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return "", nil, &BindError{Kind: WrongContentType, Place: InHeader, Name: "Content-Encoding", Value: Quote(encoding), Want: "identity"}
	}
	media, params, err := mime.ParseMediaType(header)
	if errors.Is(err, mime.ErrInvalidMediaParameter) {
		err = nil
	}
	switch {
	case err == nil && p.takesForm && media == "application/x-www-form-urlencoded",
		err == nil && (p.takesForm || p.takesFile) && media == "multipart/form-data":
		return media, params, nil
	case !p.takesJSON && p.body != wholeJSON:
		return refused()
	case cfg.ContentType == AnyContentType:
		return asJSON, nil, nil
	case header == "" && cfg.ContentType == MissingContentType:
		return asJSON, nil, nil
	case err != nil || media != asJSON && !strings.HasSuffix(media, "+json"):
		return refused()
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return refused()
	}
	return asJSON, nil, nil
}

func (p *plan) readJSON(cfg *Config, data []byte, b *binding, in reflect.Value) error {
	d := decoder{cursor{data: data}, cfg.policy()}
	if d.peek() == 0 && len(data) == d.pos { // nothing but space
		return p.noBody()
	}
	if err := scanJSON(data, cfg.MaxDepth, cfg.MaxValues); err != nil {
		return err
	}
	d.pos = 0
	if p.body == wholeJSON {
		given, err := p.whole.decodeJSON(&d, in.FieldByIndex(p.whole.index))
		if err != nil {
			err.Place = InBody
			return err
		}
		if !given {
			return p.noBody()
		}
		return nil
	}
	switch d.peek() {
	case 'n':
		if cfg.NullRefused {
			return &BindError{Kind: WrongType, Place: InBody, Value: "null", Want: "an object"}
		}
		return nil
	case '{':
	default:
		err := wrong(d.raw(), "an object")
		err.Place = InBody
		if len(err.Value) > 0 && err.Value != "[...]" {
			err.Value = "" // a lone string may be anything
		}
		return err
	}
	for len(b.members) < len(p.fields) {
		b.members = append(b.members, nil)
	}
	d.enter()
	for d.more() {
		key := d.key()
		i, known := p.json[string(key)]
		if !known && d.unknown == RefuseUnknown {
			return &BindError{Kind: Unknown, Place: InBody, Name: Quote(string(key))}
		}
		raw := d.raw()
		if !known {
			continue
		}
		if b.members[i] != nil {
			switch d.duplicates {
			case RefuseDuplicates:
				return &BindError{Kind: Duplicate, Place: InBody, Name: p.fields[i].json}
			case FirstWins:
				continue
			}
		}
		b.members[i] = raw
	}
	return nil
}

// readMultipart reads the parts that are parameters and skips the others.
func (p *plan) readMultipart(cfg *Config, r *http.Request, b *binding, boundary string) error {
	if boundary == "" {
		return &BindError{Kind: Malformed, Place: InHeader, Name: "Content-Type", Want: "multipart/form-data with a boundary"}
	}
	body := &bodyReader{r: r}
	broken := func(err error) error {
		if body.err != nil {
			return body.err
		}
		return &BindError{Kind: Malformed, Place: InForm, Want: "multipart/form-data", Err: err}
	}
	mr := multipart.NewReader(body, boundary)
	for n := 0; ; n++ {
		part, err := mr.NextPart()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return broken(err)
		}
		if n == cfg.MaxParams {
			return &BindError{Kind: TooLarge, Place: InForm, Want: "at most " + strconv.Itoa(cfg.MaxParams) + " parts"}
		}
		name := part.FormName()
		if !p.form[name] && !p.file[name] {
			if cfg.Unknown == RefuseUnknown {
				return &BindError{Kind: Unknown, Place: InForm, Name: Quote(name)}
			}
			continue
		}
		data, err := io.ReadAll(part)
		if err != nil {
			return broken(err)
		}
		if p.file[name] {
			if data == nil {
				data = []byte{}
			}
			b.files = append(b.files, namedFile{name, File{part.FileName(), part.Header.Get("Content-Type"), data}})
			continue
		}
		if !utf8.Valid(data) {
			return &BindError{Kind: BadEncoding, Place: InForm, Name: name, Want: "UTF-8"}
		}
		b.form = append(b.form, pair{name, string(data)})
	}
}

// bodyError says why a body could not be read to its end.
func bodyError(err error) error {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &BindError{Kind: TooLarge, Place: InBody, Want: "at most " + strconv.FormatInt(tooLarge.Limit, 10) + " bytes", Err: err}
	}
	return &BindError{Kind: Incomplete, Place: InBody, Want: "a whole body", Err: err}
}

// ReadBody reads the body of r whole, within the surface's limit, and leaves it
// to be read again, by this function for nothing: a signature is checked over
// the same bytes that are bound later. The bytes are not to be changed. Errors
// are of type [*BindError].
func ReadBody(r *http.Request) ([]byte, error) {
	if kept, ok := r.Body.(*keptBody); ok {
		kept.pos = 0
		return kept.data, nil
	}
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	var data []byte
	var err error
	if n := r.ContentLength; n > 0 && n <= 64<<10 {
		data = make([]byte, n)
		_, err = io.ReadFull(r.Body, data)
	} else {
		data, err = io.ReadAll(r.Body)
	}
	if err != nil {
		return nil, bodyError(err)
	}
	r.Body = &keptBody{data: data, closer: r.Body}
	return data, nil
}

// keptBody is a body that was read already.
type keptBody struct {
	data   []byte
	pos    int
	closer io.Closer
}

func (k *keptBody) Read(p []byte) (int, error) {
	if k.pos == len(k.data) {
		return 0, io.EOF
	}
	n := copy(p, k.data[k.pos:])
	k.pos += n
	return n, nil
}

func (k *keptBody) Close() error { return k.closer.Close() }

// bodyReader reads the body with this package's errors, and keeps the one it
// ended with.
type bodyReader struct {
	r   *http.Request
	err error
}

func (b *bodyReader) Read(p []byte) (int, error) {
	n, err := b.r.Body.Read(p)
	if err != nil && err != io.EOF {
		err = bodyError(err)
		b.err = err
	}
	return n, err
}
