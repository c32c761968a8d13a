package upstream

import "sync"

const (
	bufferSize = 16 << 10
	outSize    = 4 << 10
	outKept    = 64 << 10 // a request's head grown beyond this is not kept
)

// buffer holds what was read from a connection and not yet used: b[r:w].
type buffer struct {
	b    []byte
	r, w int
}

var (
	buffers = sync.Pool{New: func() any { return &buffer{b: make([]byte, bufferSize)} }}
	outs    = sync.Pool{New: func() any { b := make([]byte, 0, outSize); return &b }}
)

func newBuffer() *buffer { return buffers.Get().(*buffer) }

// free gives the buffer back; one that has grown is left to the collector.
func (b *buffer) free() {
	if b != nil && len(b.b) == bufferSize {
		b.r, b.w = 0, 0
		buffers.Put(b)
	}
}

// unread is what has been read and not yet used. A nil buffer has none.
func (b *buffer) unread() []byte {
	if b == nil {
		return nil
	}
	return b.b[b.r:b.w]
}

// room returns space to read into, moving or growing what there is.
func (b *buffer) room() []byte {
	if b.r == b.w {
		b.r, b.w = 0, 0
	}
	if b.w == len(b.b) {
		if b.r > 0 {
			b.w = copy(b.b, b.b[b.r:b.w])
			b.r = 0
		} else {
			b.b = append(b.b, make([]byte, len(b.b))...)
		}
	}
	return b.b[b.w:]
}

func freeOut(out *[]byte) {
	if out != nil && cap(*out) <= outKept {
		*out = (*out)[:0]
		outs.Put(out)
	}
}
