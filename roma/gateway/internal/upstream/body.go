package upstream

import (
	"bytes"
	"errors"
	"io"
	"net/http"
)

// bodyKind is how an answer's body ends.
type bodyKind uint8

const (
	noBody      bodyKind = iota
	sizedBody            // after Content-Length bytes
	chunkedBody          // with the last chunk and the trailers
	endlessBody          // with the connection
)

// States of a body. A Close may come while another goroutine reads: it then
// only ends the connection, and the reader, who alone uses the buffer, cleans
// up when it is woken.
const (
	bodyOpen    = iota
	bodyReading // a Read or WriteTo is in progress
	bodyClosing // and a Close has come meanwhile
	bodyEnded   // by err, which every further Read returns
	bodyClosed
)

// direct is the space in a reader's slice from which on the buffer is passed by.
const direct = 2 << 10

// enter claims the body for a reader.
func (x *exchange) enter() error {
	if x.state.CompareAndSwap(bodyOpen, bodyReading) {
		return nil
	}
	switch x.state.Load() {
	case bodyEnded:
		return x.err
	case bodyReading:
		return errConcurrentRead
	}
	return http.ErrBodyReadAfterClose
}

// leave gives the body back. An error is its end: the connection is released,
// and kept after an end in good order.
func (x *exchange) leave(err error) error {
	if err != nil && err != io.EOF {
		err = x.cause(err)
	}
	x.err = err
	after := int32(bodyOpen)
	if err != nil {
		after = bodyEnded
	}
	if x.state.CompareAndSwap(bodyReading, after) {
		if err != nil {
			x.finish(err == io.EOF && x.keep && len(x.in.unread()) == 0)
		}
		return err
	}
	x.finish(false) // closed meanwhile
	x.state.Store(bodyClosed)
	if err == nil {
		err = http.ErrBodyReadAfterClose
	}
	return err
}

// finish ends the exchange. Only who has moved the state on from open or
// reading may call it.
func (x *exchange) finish(keep bool) {
	if !x.freed {
		x.release(keep)
	}
	x.in.free()
	x.in = nil
}

// Read reads the answer's body.
func (x *exchange) Read(p []byte) (int, error) {
	if err := x.enter(); err != nil {
		return 0, err
	}
	n, err := x.readBody(p)
	return n, x.leave(err)
}

// Close gives the body up. What has come of it already is skipped; if that is
// not all, the connection is closed.
func (x *exchange) Close() error {
	for {
		switch x.state.Load() {
		case bodyOpen:
			if x.state.CompareAndSwap(bodyOpen, bodyClosed) {
				x.finish(false)
				return nil
			}
		case bodyReading:
			if x.state.CompareAndSwap(bodyReading, bodyClosing) {
				if !x.freed {
					x.c.nc.Close()
				}
				return nil
			}
		case bodyEnded:
			x.state.CompareAndSwap(bodyEnded, bodyClosed)
		default:
			return nil
		}
	}
}

// WriteTo writes the body to w as it comes, a buffer at a time.
func (x *exchange) WriteTo(w io.Writer) (n int64, err error) {
	if err := x.enter(); err != nil {
		if err == io.EOF {
			err = nil
		}
		return 0, err
	}
	for err == nil {
		var p []byte
		p, err = x.next()
		if len(p) == 0 {
			continue
		}
		m, werr := w.Write(p)
		n += int64(m)
		if werr == nil && m < len(p) {
			werr = io.ErrShortWrite
		}
		if werr != nil {
			// The reader's trouble is no fault of the body's, but its rest is
			// of no use to anyone.
			x.leave(werr)
			return n, werr
		}
	}
	if err = x.leave(err); err == io.EOF {
		err = nil
	}
	return n, err
}

// next returns what is in the buffer of the body, reading if there is nothing.
// It is valid until the next call. Bytes may come with an error.
func (x *exchange) next() ([]byte, error) {
	if x.kind == chunkedBody {
		if err := x.nextChunk(true); err != nil {
			return nil, err
		}
	}
	if len(x.in.unread()) == 0 {
		if err := x.fill(); err != nil {
			return nil, x.cutShort(err)
		}
	}
	p := x.in.unread()
	if x.kind != endlessBody {
		p = p[:min(int64(len(p)), x.left)]
	}
	x.in.r += len(p)
	return p, x.used(len(p))
}

// used counts bytes of the body, and returns io.EOF when those were its last
// and that is known already.
func (x *exchange) used(n int) error {
	switch x.kind {
	case sizedBody:
		if x.left -= int64(n); x.left == 0 {
			return io.EOF
		}
	case chunkedBody:
		if x.left -= int64(n); x.left == 0 {
			x.chunk = chunkEndLine
			if err := x.nextChunk(false); err != errNotYet {
				return err
			}
		}
	}
	return nil
}

// cutShort is the error of a connection that ended within a body.
func (x *exchange) cutShort(err error) error {
	if x.kind == endlessBody {
		return err
	}
	return unexpected(err)
}

func (x *exchange) readBody(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	if x.kind == chunkedBody {
		if err := x.nextChunk(true); err != nil {
			return 0, err
		}
	}
	for {
		space := p[n:]
		if x.kind != endlessBody {
			space = space[:min(int64(len(space)), x.left)]
		}
		m := copy(space, x.in.unread())
		switch {
		case m > 0:
			x.in.r += m
		case n > 0:
			return n, nil // what there is; the rest would have to be waited for
		case len(space) >= direct:
			m, err = x.read(space)
		default:
			if err = x.fill(); err == nil {
				m = copy(space, x.in.unread())
				x.in.r += m
			}
		}
		if err != nil {
			return n, x.cutShort(err)
		}
		n += m
		if err = x.used(m); err != nil || n == len(p) || x.kind == endlessBody {
			return n, err
		}
		if x.kind == chunkedBody && x.chunk != chunkData {
			return n, nil
		}
	}
}

// chunkPart is what comes next of a chunked body.
type chunkPart uint8

const (
	chunkSizeLine chunkPart = iota
	chunkData
	chunkEndLine
	chunkTrailer
)

// Bounds of what a chunked body may hold besides data; those of net/http.
const (
	maxChunkLine   = 4 << 10
	maxChunkExcess = 16 << 10
)

// errNotYet says that the line wanted has not come.
var errNotYet = errors.New("upstream: incomplete chunk")

// nextChunk reads what is between chunks, so that data come next. It returns
// io.EOF at the end of the body and, unless it may wait, errNotYet when it
// would have to.
func (x *exchange) nextChunk(wait bool) error {
	for {
		var err error
		switch x.chunk {
		case chunkData:
			return nil
		case chunkSizeLine:
			err = x.readChunkSize(wait)
		case chunkEndLine:
			err = x.readChunkEnd(wait)
		case chunkTrailer:
			if err = x.readTrailer(wait); err == nil {
				return io.EOF
			}
		}
		if err != nil {
			return err
		}
	}
}

// more reads more bytes if it may wait.
func (x *exchange) more(wait bool) error {
	if !wait {
		return errNotYet
	}
	return unexpected(x.fill())
}

func (x *exchange) readChunkSize(wait bool) error {
	var line []byte
	for {
		b := x.in.unread()
		i := bytes.IndexByte(b, '\n')
		if i >= maxChunkLine || i < 0 && len(b) >= maxChunkLine {
			return malformed("chunk line too long")
		}
		if i >= 0 {
			if i == 0 || b[i-1] != '\r' {
				return malformed("chunk line ended by bare LF")
			}
			line = b[:i-1]
			x.in.r += i + 1
			break
		}
		if err := x.more(wait); err != nil {
			return err
		}
	}
	size, ok := chunkSize(line)
	if !ok {
		return malformed("chunk size")
	}
	// Tiny chunks and long extensions are allowed, but not without bound.
	x.excess = max(x.excess+int64(len(line))+4-16-2*size, 0)
	if x.excess > maxChunkExcess {
		return malformed("chunks of little but overhead")
	}
	x.left = size
	if x.chunk = chunkData; size == 0 {
		x.chunk = chunkTrailer
	}
	return nil
}

// chunkSize reads a chunk's size, hexadecimal, and skips its extensions. Blanks
// after the size alone are allowed, since old servers pad it.
func chunkSize(line []byte) (size int64, ok bool) {
	digits := 0
	for ; digits < len(line); digits++ {
		c := line[digits]
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return size, digits > 0 && chunkExtension(line[digits:])
		}
		if digits == 15 {
			return 0, false
		}
		size = size<<4 | int64(c)
	}
	return size, digits > 0
}

func chunkExtension(rest []byte) bool {
	for _, c := range rest {
		if classes[c]&valueByte == 0 {
			return false
		}
	}
	return rest[0] == ';' || len(bytes.Trim(rest, " \t")) == 0
}

func (x *exchange) readChunkEnd(wait bool) error {
	for len(x.in.unread()) < 2 {
		if err := x.more(wait); err != nil {
			return err
		}
	}
	if b := x.in.unread(); b[0] != '\r' || b[1] != '\n' {
		return malformed("chunk longer than its size")
	}
	x.in.r += 2
	x.chunk = chunkSizeLine
	return nil
}

// readTrailer reads the trailers, if any, into the answer.
func (x *exchange) readTrailer(wait bool) error {
	scanned := 0
	for {
		b := x.in.unread()
		end, next, err := headEnd(b, scanned)
		switch limit := x.t.config.MaxHeader; {
		case err != nil:
			return err
		case end > limit, end == 0 && len(b) >= limit:
			return ErrHeadTooLarge
		case end == 2:
			x.in.r += 2
			return nil
		case end > 0:
			x.in.r += end
			return x.setTrailer(string(b[:end]))
		}
		scanned = next
		if err := x.more(wait); err != nil {
			return err
		}
	}
}

func (x *exchange) setTrailer(block string) error {
	trailer := http.Header{}
	if err := fields(trailer, block, nil); err != nil {
		return err
	}
	for name, values := range trailer {
		if framing(name) {
			return malformed("trailer %q", name)
		}
		if x.res.Trailer == nil {
			x.res.Trailer = http.Header{}
		}
		x.res.Trailer[name] = values
	}
	return nil
}
