// Package id makes identifiers in the shapes that the vendors use: 32 hex
// digits, dashed, and random words of an alphabet. Numbers that grow come from a
// stored sequence instead, see package table.
package id

import (
	"crypto/rand"
	"encoding/hex"

	"github.com/google/uuid"
)

// Hex returns a new random identifier of 32 lower-case hex digits.
func Hex() string {
	u := uuid.New()
	return hex.EncodeToString(u[:])
}

// Dashed returns a new random identifier as 36 characters, 8-4-4-4-12.
func Dashed() string { return uuid.NewString() }

// Alphabets for [Random].
const (
	Digits       = "0123456789"
	Letters      = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	Alphanumeric = Digits + Letters
)

// Random returns n characters of the alphabet, which is ASCII, each as likely
// as any other and fit for a secret. It panics when the alphabet is empty or has
// more than 256 characters.
func Random(n int, alphabet string) string {
	if alphabet == "" || len(alphabet) > 256 {
		panic("id: alphabet of no or more than 256 characters")
	}
	// Bytes from fair up are drawn again: a remainder would favour the first
	// characters.
	fair := 256 - 256%len(alphabet)
	word := make([]byte, 0, max(n, 0))
	var draw [64]byte
	for len(word) < n {
		rand.Read(draw[:]) // never fails
		for _, b := range draw {
			if int(b) < fair && len(word) < n {
				word = append(word, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(word)
}
