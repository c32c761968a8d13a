package acl

import (
	"fmt"
	"iter"
	"strings"
	"sync"

	"github.com/tidwall/btree"
)

// Accounts is a set of account names or of account ids. Like [Addresses] it is
// an immutable value of which changed copies share what did not change. The zero
// value is empty. It is safe for concurrent use.
//
// Items are compared byte by byte: the vendor's document does not say that case
// is ignored, and two accounts must never be taken for one.
type Accounts struct {
	set *accountSet
}

type accountSet struct {
	mu   sync.Mutex // copying a btree.Map marks the original; reading one does not
	tree btree.Map[string, struct{}]
}

// ParseNames reads account names: 1 to 64 printable ASCII characters without
// blanks and commas, not digits alone, which would be an id. Blanks around are
// trimmed; duplicates are refused. All errors are joined, each an [*ItemError]
// with the item's number.
func ParseNames(texts []string) (Accounts, error) { return parseAccounts(texts, checkName) }

// ParseIDs reads account ids: 32 letters or digits each, otherwise as
// [ParseNames].
func ParseIDs(texts []string) (Accounts, error) { return parseAccounts(texts, checkID) }

func parseAccounts(texts []string, check func(string) string) (Accounts, error) {
	first := make(map[string]int, len(texts))
	items := make([]string, 0, len(texts))
	var errs itemErrors
	for i, s := range texts {
		s = strings.Trim(s, " \t\r\n")
		if reason := check(s); reason != "" {
			errs.add(i+1, &ItemError{Text: s, Reason: reason, kind: ErrItem})
		} else if at, ok := first[s]; ok {
			errs.add(i+1, duplicateOf(s, at))
		} else {
			first[s] = i + 1
			items = append(items, s)
		}
	}
	if err := errs.join(); err != nil {
		return Accounts{}, err
	}
	return Accounts{}.With(items...), nil
}

func checkName(s string) string {
	if len(s) < 1 || len(s) > 64 {
		return fmt.Sprintf("is not an account name: it has %d characters, want 1 to 64", len(s))
	}
	digits := true
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == ',' {
			return "is not an account name: want printable ASCII without blanks"
		} else if c < '0' || c > '9' {
			digits = false
		}
	}
	if digits {
		return "is not an account name: it is all digits"
	}
	return ""
}

func checkID(s string) string {
	if len(s) != 32 {
		return fmt.Sprintf("is not an account id: it has %d characters, want 32", len(s))
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return "is not an account id: want letters and digits"
		}
	}
	return ""
}

// Len returns the number of items.
func (as Accounts) Len() int {
	if as.set == nil {
		return 0
	}
	return as.set.tree.Len()
}

// Contains reports whether the account is in the set. The empty account is in
// none. It does not allocate.
func (as Accounts) Contains(account string) bool {
	if as.set == nil || account == "" {
		return false
	}
	_, ok := as.set.tree.Get(account)
	return ok
}

// With returns a copy that also has the items; empty ones are left out. It costs
// in proportion to the items given, not to the set.
func (as Accounts) With(items ...string) Accounts {
	return as.change(func(t *btree.Map[string, struct{}]) {
		for _, s := range items {
			if s != "" {
				t.Set(s, struct{}{})
			}
		}
	})
}

// Without returns a copy that does not have the items.
func (as Accounts) Without(items ...string) Accounts {
	return as.change(func(t *btree.Map[string, struct{}]) {
		for _, s := range items {
			t.Delete(s)
		}
	})
}

// Union returns the items of both sets.
func (as Accounts) Union(other Accounts) Accounts {
	if as.Len() < other.Len() {
		as, other = other, as
	}
	return as.change(func(t *btree.Map[string, struct{}]) {
		for s := range other.All() {
			t.Set(s, struct{}{})
		}
	})
}

func (as Accounts) change(f func(*btree.Map[string, struct{}])) Accounts {
	made := new(accountSet)
	if as.set != nil {
		as.set.mu.Lock()
		made.tree = *as.set.tree.Copy()
		as.set.mu.Unlock()
	}
	f(&made.tree)
	return Accounts{made}
}

// All yields the items in bytewise order.
func (as Accounts) All() iter.Seq[string] {
	return func(yield func(string) bool) {
		if as.set != nil {
			as.set.tree.Scan(func(s string, _ struct{}) bool { return yield(s) })
		}
	}
}

// MarshalText writes the items in order, separated by commas; [SplitItems] and
// [ParseNames] or [ParseIDs] read it back.
func (as Accounts) MarshalText() ([]byte, error) {
	var b []byte
	for s := range as.All() {
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = append(b, s...)
	}
	return b, nil
}
