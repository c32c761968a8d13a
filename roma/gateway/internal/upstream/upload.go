package upstream

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// uploadWait is how long the end of an exchange waits for a body's writer,
// which may have written all and only not said so yet.
const uploadWait = 50 * time.Millisecond

// upload writes a request's body on a goroutine of its own.
type upload struct {
	done    chan struct{} // closed at the end; then the fields below are set
	bodyErr error         // the body could not be read, or was not of its length
	connErr error         // the connection took no more: the answer may say why
}

var chunks = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// chunkRoom is left before a chunk for its size, and chunkEnd after it.
const (
	chunkRoom = 6 // 4 digits, CRLF
	chunkEnd  = 2
)

func startUpload(nc net.Conn, req *http.Request, length int64, trace *httptrace.ClientTrace) *upload {
	u := &upload{done: make(chan struct{})}
	go func() {
		if length >= 0 {
			u.sized(nc, req.Body, length)
		} else {
			u.chunked(nc, req)
		}
		req.Body.Close()
		err := errors.Join(u.bodyErr, u.connErr)
		if trace != nil && trace.WroteRequest != nil {
			trace.WroteRequest(httptrace.WroteRequestInfo{Err: err})
		}
		close(u.done)
		// The reader of the answer is woken when there can be none. Done comes
		// first: by it the reader knows not to keep the connection.
		if u.bodyErr != nil {
			nc.Close()
		}
	}()
	return u
}

// finished waits a little for the end and reports whether all was written.
func (u *upload) finished() bool {
	select {
	case <-u.done:
	default:
		timer := time.NewTimer(uploadWait)
		defer timer.Stop()
		select {
		case <-u.done:
		case <-timer.C:
			return false
		}
	}
	return u.bodyErr == nil && u.connErr == nil
}

// failure returns the error of reading the body, if that has ended the upload.
func (u *upload) failure() error {
	select {
	case <-u.done:
		return u.bodyErr
	default:
		return nil
	}
}

func (u *upload) sized(nc net.Conn, body io.Reader, length int64) {
	buf := chunks.Get().(*[32 << 10]byte)
	defer chunks.Put(buf)
	var sent int64
	for sent < length {
		n, err := body.Read(buf[:min(int64(len(buf)), length-sent)])
		if n > 0 {
			if _, u.connErr = nc.Write(buf[:n]); u.connErr != nil {
				return
			}
			sent += int64(n)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			u.bodyErr = err
			return
		}
	}
	if sent < length {
		u.bodyErr = bodyLengthError(length, sent)
		return
	}
	// What comes after the announced length must be the end. The backend has
	// its whole request by now, so a slow end delays nobody's answer.
	switch n, err := io.ReadFull(body, buf[:1]); {
	case n > 0:
		u.bodyErr = fmt.Errorf("upstream: ContentLength=%d with a longer body", length)
	case err != io.EOF:
		u.bodyErr = err
	}
}

func bodyLengthError(length, sent int64) error {
	return fmt.Errorf("upstream: ContentLength=%d with body length %d", length, sent)
}

// chunked sends what each Read of the body gives as a chunk, at once.
func (u *upload) chunked(nc net.Conn, req *http.Request) {
	buf := chunks.Get().(*[32 << 10]byte)
	defer chunks.Put(buf)
	for {
		n, err := req.Body.Read(buf[chunkRoom : len(buf)-chunkEnd])
		if n > 0 {
			start, end := chunkRoom-2, chunkRoom+n+chunkEnd
			copy(buf[start:], "\r\n")
			copy(buf[end-chunkEnd:], "\r\n")
			for rest := n; rest > 0; rest >>= 4 {
				start--
				buf[start] = "0123456789abcdef"[rest&15]
			}
			if _, u.connErr = nc.Write(buf[start:end]); u.connErr != nil {
				return
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			u.bodyErr = err
			return
		}
	}
	last := append(buf[:0], "0\r\n"...)
	for name, values := range req.Trailer {
		name = http.CanonicalHeaderKey(name)
		for _, value := range values {
			if name == "" || !all(name, tokenByte) || framing(name) || !all(value, valueByte) {
				u.bodyErr = fmt.Errorf("upstream: invalid trailer %q", name)
				return
			}
			last = appendField(last, name, value)
		}
	}
	_, u.connErr = nc.Write(append(last, "\r\n"...))
}
