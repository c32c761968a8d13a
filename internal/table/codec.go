package table

import (
	"encoding/json"
	"errors"
	"strings"
)

var errNotUTF8 = errors.New("a string of the row is not UTF-8")

// encode turns a row into the store's value: JSON, in which every string is as
// it was.
func encode(row any) (string, error) {
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

// decode fills a zero row.
func decode(value string, row any) error { return json.Unmarshal([]byte(value), row) }

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
