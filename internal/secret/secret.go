// Package secret keeps what only its owner is to know: passwords as slow, salted
// hashes, and tokens, which are random enough for a fast one.
//
//	hash, err := secret.HashPassword("correct horse", secret.Iterations)
//	ok := secret.VerifyPassword(hash, "correct horse")
//
//	token := secret.NewToken()          // given away
//	sum := secret.Sum(token)            // kept
//	row := byHead[sum.Head()]           // found by the head of its hash
//	ok = row.sum.Equal(&sum)            // and compared whole, in constant time
package secret

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// Iterations is how much work one guess at a password is to be, by OWASP's
// advice of 2023 for PBKDF2 with HMAC-SHA-256: some 100 ms.
const Iterations = 600_000

const (
	algorithm = "pbkdf2-sha256"
	saltSize  = 16
	// A stored hash is no order to work for hours.
	maxIterations = 100_000_000
)

var base = base64.RawStdEncoding

// HashPassword returns a text from which the password cannot be had back,
// another one each time: PBKDF2 with HMAC-SHA-256 and a salt of its own. It
// tells its own iterations, so that they may be raised later.
func HashPassword(password string, iterations int) (string, error) {
	if iterations <= 0 || iterations > maxIterations {
		return "", fmt.Errorf("secret: %d iterations", iterations)
	}
	salt := make([]byte, saltSize)
	rand.Read(salt) // never fails
	key, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s$%d$%s$%s", algorithm, iterations, base.EncodeToString(salt), base.EncodeToString(key)), nil
}

// VerifyPassword reports whether the hash was made of the password, in a time
// that does not tell how much of it is right. What is no hash is nobody's.
func VerifyPassword(hash, password string) bool {
	parts := strings.Split(hash, "$")
	if len(parts) != 4 || parts[0] != algorithm {
		return false
	}
	iterations, err := strconv.Atoi(parts[1])
	if err != nil || iterations <= 0 || iterations > maxIterations {
		return false
	}
	salt, err := base.DecodeString(parts[2])
	if err != nil {
		return false
	}
	want, err := base.DecodeString(parts[3])
	if err != nil || len(want) != sha256.Size {
		return false
	}
	key, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	return err == nil && subtle.ConstantTimeCompare(key, want) == 1
}

// MaxToken is the longest token that is anybody's, in bytes.
const MaxToken = 256

// NewToken returns 256 random bits as 43 characters that need no escaping
// anywhere.
func NewToken() string {
	var b [32]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Digest is the hash of a token.
type Digest [sha256.Size]byte

// Sum hashes a token, without allocation. One longer than [MaxToken] has the
// zero Digest, which is nobody's.
func Sum(token string) Digest {
	var buf [MaxToken]byte
	if len(token) > MaxToken {
		return Digest{}
	}
	return sha256.Sum256(buf[:copy(buf[:], token)])
}

// Head is the part of a digest to look it up by, before the whole is compared:
// how long that takes tells nothing of use.
func (d *Digest) Head() uint64 { return binary.BigEndian.Uint64(d[:]) }

// Equal compares in constant time.
func (d *Digest) Equal(other *Digest) bool { return subtle.ConstantTimeCompare(d[:], other[:]) == 1 }

// Equal compares two texts in a time that tells at most their lengths.
func Equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
