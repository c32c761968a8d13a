package token

import (
	"encoding/binary"
	"maps"
	"slices"
)

// The two versions pack numbers little-endian, strings behind a 16-bit length,
// and privileges as a 16-bit count of (16-bit number, 32-bit value), ascending.

func appendString(b []byte, s string) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

func appendPrivileges(b []byte, values map[Privilege]uint32) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(len(values)))
	for _, p := range slices.Sorted(maps.Keys(values)) {
		b = binary.LittleEndian.AppendUint16(b, uint16(p))
		b = binary.LittleEndian.AppendUint32(b, values[p])
	}
	return b
}

// reader takes packed values from the front of a byte slice. Past the end it
// gives zeros and stays short, so that a caller checks once.
type reader struct {
	rest  []byte
	short bool
}

func (r *reader) bytes(n int) []byte {
	if n > len(r.rest) {
		r.short, r.rest = true, nil
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) uint16() uint16 {
	if b := r.bytes(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) string() []byte { return r.bytes(int(r.uint16())) }

// privilegeList is a packed list of privileges, read in place.
type privilegeList []byte

const privilegeSize = 6

func (r *reader) privileges() privilegeList {
	return privilegeList(r.bytes(int(r.uint16()) * privilegeSize))
}

// get returns the value of a privilege. Of several entries with the same
// number, which no builder makes, the last counts, as in the builders' maps.
func (l privilegeList) get(p Privilege) (uint32, bool) {
	for i := len(l) - privilegeSize; i >= 0; i -= privilegeSize {
		if Privilege(binary.LittleEndian.Uint16(l[i:])) == p {
			return binary.LittleEndian.Uint32(l[i+2:]), true
		}
	}
	return 0, false
}
