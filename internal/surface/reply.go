package surface

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
)

// A Reply is an answer before it is written.
type Reply struct {
	Status int         // 0 is 200
	Header http.Header // added to the answer's; may be nil
	Body   any         // written as JSON; nil for no body at all
}

// An Envelope is a vendor's way to wrap what it answers. It is used by many
// requests at once.
type Envelope interface {
	// Success wraps the result of an operation; status is the route's. The
	// result is [None]{} when there is none.
	Success(r *http.Request, status int, result any) Reply
	// Failure says how err is answered: whatever an operation or the
	// Authenticate hook returned, or a [*BindError], a [*RouteError] or
	// [ErrInternal] of this package's own. See [StatusOf]. An error it does
	// not know must not have its text shown.
	Failure(r *http.Request, err error) Reply
}

// Answer is implemented by results that are written past the envelope, as
// [Raw] is.
type Answer interface {
	// WriteAnswer writes status, headers and body. An error after the first
	// byte breaks the connection off, so that the client does not take a part
	// for the whole; one before it is answered as any error.
	WriteAnswer(w http.ResponseWriter, r *http.Request) error
}

// Raw is a result that is not JSON: a download, a file, text. It is written as
// it is, past the envelope.
type Raw struct {
	Status      int         // 0 is 200
	Header      http.Header // may be nil
	ContentType string      // empty is application/octet-stream
	Body        io.Reader   // copied to the client and closed if it is an io.Closer; may be nil
	Size        int64       // of Body, 0 if unknown
}

// Bytes returns b as a result of the given content type.
func Bytes(contentType string, b []byte) Raw {
	return Raw{ContentType: contentType, Body: bytes.NewReader(b), Size: int64(len(b))}
}

// WriteAnswer implements [Answer].
func (a Raw) WriteAnswer(w http.ResponseWriter, r *http.Request) error {
	if c, ok := a.Body.(io.Closer); ok {
		defer c.Close()
	}
	addHeader(w, a.Header)
	status := a.Status
	if status == 0 {
		status = http.StatusOK
	}
	if !hasBody(status) {
		w.WriteHeader(status)
		return nil
	}
	if a.ContentType != "" {
		w.Header().Set("Content-Type", a.ContentType)
	} else if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/octet-stream")
	}
	if a.Size > 0 || a.Body == nil {
		w.Header().Set("Content-Length", strconv.FormatInt(a.Size, 10))
	}
	w.WriteHeader(status)
	if a.Body == nil || r.Method == http.MethodHead {
		return nil
	}
	_, err := io.Copy(w, a.Body)
	return err
}

// With is a result with its own status and headers; the envelope wraps Value.
type With[T any] struct {
	Status int         // 0 is the route's
	Header http.Header // may be nil
	Value  T
}

func (a With[T]) parts() (int, http.Header, any) { return a.Status, a.Header, a.Value }

type withParts interface {
	parts() (int, http.Header, any)
}

func addHeader(w http.ResponseWriter, h http.Header) {
	for name, values := range h {
		w.Header()[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
}

// hasBody reports whether an answer of the status may have one.
func hasBody(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// keepBuffer is how large a buffer may be to be kept for the next answer.
const keepBuffer = 64 << 10

// write writes a reply. Nothing is sent when it returns an error: the body is
// made whole first.
func (p Reply) write(w http.ResponseWriter, r *http.Request) error {
	status := p.Status
	if status == 0 {
		status = http.StatusOK
	}
	if p.Body == nil || !hasBody(status) {
		addHeader(w, p.Header)
		if hasBody(status) {
			w.Header().Set("Content-Length", "0")
		}
		w.WriteHeader(status)
		return nil
	}
	buf := buffers.Get().(*bytes.Buffer)
	defer func() {
		if buf.Cap() <= keepBuffer {
			buf.Reset()
			buffers.Put(buf)
		}
	}()
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(p.Body); err != nil {
		return err
	}
	body := bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	addHeader(w, p.Header)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // an error means the client has gone; Observe sees the bytes that went
	}
	return nil
}
