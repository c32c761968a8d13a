package secret_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/internal/secret"
)

func TestPasswordsVerifyAgainstTheirOwnHash(t *testing.T) {
	for _, password := range []string{"p", "", " ", "naïve ☃", "a\x00b", strings.Repeat("x", 10_000)} {
		hash, err := secret.HashPassword(password, 3)
		if err != nil {
			t.Fatal(err)
		}
		if !secret.VerifyPassword(hash, password) || secret.VerifyPassword(hash, password+"x") {
			t.Errorf("the hash of %.20q is not its own alone", password)
		}
		again, err := secret.HashPassword(password, 3)
		if err != nil || again == hash {
			t.Errorf("two hashes of %.20q are the same, %v", password, err)
		}
		if password != "" && len(password) > 3 && strings.Contains(hash, password) {
			t.Errorf("the hash has the password in it")
		}
	}
}

func TestWhatIsNoHashIsNobodys(t *testing.T) {
	hash, err := secret.HashPassword("p", 3)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(hash, "$")
	for _, bad := range []string{
		"", "p", "$$$", strings.Join(parts[:3], "$"), hash + "$",
		"bcrypt$" + strings.Join(parts[1:], "$"),
		fmt.Sprintf("%s$0$%s$%s", parts[0], parts[2], parts[3]),
		fmt.Sprintf("%s$-3$%s$%s", parts[0], parts[2], parts[3]),
		fmt.Sprintf("%s$100000001$%s$%s", parts[0], parts[2], parts[3]),
		fmt.Sprintf("%s$x$%s$%s", parts[0], parts[2], parts[3]),
		fmt.Sprintf("%s$3$!$%s", parts[0], parts[3]),
		fmt.Sprintf("%s$3$%s$!", parts[0], parts[2]),
		fmt.Sprintf("%s$3$%s$%s", parts[0], parts[2], parts[3][:8]),
		fmt.Sprintf("%s$4$%s$%s", parts[0], parts[2], parts[3]),
	} {
		if secret.VerifyPassword(bad, "p") {
			t.Errorf("%q is taken for a hash of p", bad)
		}
	}
	for _, n := range []int{0, -1, 100_000_001} {
		if _, err := secret.HashPassword("p", n); err == nil {
			t.Errorf("%d iterations are accepted", n)
		}
	}
}

func TestTokensAreFoundByTheirDigest(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		token := secret.NewToken()
		if len(token) != 43 || seen[token] {
			t.Fatalf("token %q", token)
		}
		seen[token] = true
	}
	a, b, same := secret.Sum("a"), secret.Sum("b"), secret.Sum("a")
	if a.Equal(&b) || !a.Equal(&same) || a.Head() != same.Head() || a.Head() == b.Head() {
		t.Error("digests do not tell tokens apart")
	}
	long := secret.Sum(strings.Repeat("x", secret.MaxToken+1))
	if long != (secret.Digest{}) {
		t.Error("a token that is too long has a digest")
	}
	if !secret.Equal("a", "a") || secret.Equal("a", "b") || secret.Equal("a", "ab") {
		t.Error("Equal is not")
	}
	if n := testing.AllocsPerRun(100, func() { a = secret.Sum("a token of some length, as they are") }); n != 0 {
		t.Errorf("Sum allocates %v times", n)
	}
}

func FuzzVerifyPassword(f *testing.F) {
	hash, _ := secret.HashPassword("p", 3)
	f.Add(hash, "p")
	f.Add("pbkdf2-sha256$3$$", "")
	f.Fuzz(func(t *testing.T, stored, password string) {
		// Work is bounded by what is stored, so keep it small here.
		if n := strings.Split(stored, "$"); len(n) == 4 && len(n[1]) > 3 {
			return
		}
		if secret.VerifyPassword(stored, password) && !strings.HasPrefix(stored, "pbkdf2-sha256$") {
			t.Errorf("%q verifies", stored)
		}
	})
}

func Example() {
	hash, err := secret.HashPassword("correct horse", 1000)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(secret.VerifyPassword(hash, "correct horse"), secret.VerifyPassword(hash, "battery staple"))
	// Output: true false
}
