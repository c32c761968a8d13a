package thinkingdata

import "github.com/gatehouse-go/gatehouse/internal/secret"

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

// Hash implements [Hasher].
func (p PBKDF2) Hash(password string) (string, error) {
	if p.Iterations == 0 {
		p.Iterations = secret.Iterations
	}
	return secret.HashPassword(password, p.Iterations)
}

// Verify implements [Hasher].
func (PBKDF2) Verify(hash, password string) bool { return secret.VerifyPassword(hash, password) }
