package surface

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"reflect"
	"strconv"
	"strings"
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
	if len(bytes.Trim(data, " \t\r\n")) == 0 {
		return p.noBody()
	}
	if err := scanJSON(data, cfg.MaxDepth, cfg.MaxValues); err != nil {
		return err
	}
	d := decoder{cursor{data: data}, cfg.policy()}
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
