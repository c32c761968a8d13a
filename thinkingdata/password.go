package thinkingdata

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// Hasher turns passwords into what is stored. It is safe for concurrent use.
type Hasher interface {
	// Hash returns a text from which the password cannot be had back, another
	// one each time.
	Hash(password string) (string, error)
	// Verify reports whether the hash was made of the password, in a time that
	// does not tell how much of it is right.
	Verify(hash, password string) bool
}

// PBKDF2 is the Hasher of the standard library: PBKDF2 with HMAC-SHA-256. The
// zero value works.
type PBKDF2 struct {
	// Iterations is how much work a guess is; 0 is 600,000. Verify does as
	// much as the hash says.
	Iterations int
}

const (
	pbkdf2Name       = "pbkdf2-sha256"
	pbkdf2Iterations = 600_000
	pbkdf2Most       = 100_000_000
)

// Hash implements [Hasher].
func (p PBKDF2) Hash(password string) (string, error) {
	n := p.Iterations
	if n <= 0 {
		n = pbkdf2Iterations
	}
	salt := make([]byte, 16)
	rand.Read(salt)
	key, err := pbkdf2.Key(sha256.New, password, salt, n, sha256.Size)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s$%d$%s$%s", pbkdf2Name, n,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key)), nil
}

// Verify implements [Hasher].
func (PBKDF2) Verify(hash, password string) bool {
	parts := strings.Split(hash, "$")
	if len(parts) != 4 || parts[0] != pbkdf2Name {
		return false
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil || n <= 0 || n > pbkdf2Most {
		return false
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[2])
	if err != nil {
		return false
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[3])
	if err != nil || len(want) != sha256.Size {
		return false
	}
	key, err := pbkdf2.Key(sha256.New, password, salt, n, sha256.Size)
	return err == nil && subtle.ConstantTimeCompare(key, want) == 1
}
