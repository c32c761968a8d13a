package table

import (
	"encoding/json"
	"errors"
	"strings"
)

// Codec turns a row into the store's value and back. It is safe for concurrent
// use. Decode is given a zero row and must not keep parts of it for later.
//
// Whatever a key or an index is computed from must come back from Decode as it
// was given to Encode, or the entries could not be found again.
//
// A table uses encoding/json unless [Table.SetCodec] says otherwise. That leaves
// out unexported fields and those tagged "-", and would replace what is not
// UTF-8, so a row with such a string is refused.
type Codec[T any] interface {
	Encode(row *T) (string, error)
	Decode(value string, row *T) error
}

// SetCodec replaces encoding/json for the rows of t. It belongs to the
// declaration, before the first use.
func (t *Table[T]) SetCodec(c Codec[T]) { t.codec = c }

var errNotUTF8 = errors.New("a string of the row is not UTF-8")

type jsonCodec[T any] struct{}

func (jsonCodec[T]) Encode(row *T) (string, error) {
	b, err := json.Marshal(row)
	if err != nil {
		return "", err
	}
	value := string(b)
	if replaced(value) {
		return "", errNotUTF8
	}
	return value, nil
}

func (jsonCodec[T]) Decode(value string, row *T) error {
	return json.Unmarshal([]byte(value), row)
}

// replaced reports whether encoding/json had to replace bytes that are not
// UTF-8. It writes those as an escape and a true U+FFFD as itself; the same
// letters in a text come after an escaped backslash.
func replaced(value string) bool {
	const escape = `\ufffd`
	for from := 0; ; {
		at := strings.Index(value[from:], escape)
		if at < 0 {
			return false
		}
		at += from
		before := at
		for before > 0 && value[before-1] == '\\' {
			before--
		}
		if (at-before)%2 == 0 {
			return true
		}
		from = at + len(escape)
	}
}
