package memory

import (
	"slices"
	"strings"

	"github.com/tidwall/btree"

	"github.com/gatehouse-go/gatehouse/storage"
)

// writeSet is what a transaction has written, one change for each key. A small
// one is a slice in the order of keys, which becomes the commit as it is; one
// that outgrows that is a tree.
type writeSet struct {
	small []storage.Change
	large *btree.Map[string, storage.Change] // in use when not nil
}

// smallSet is the most changes that the slice holds.
const smallSet = 64

func (s *writeSet) search(key string) (int, bool) {
	return slices.BinarySearchFunc(s.small, key, func(c storage.Change, key string) int {
		return strings.Compare(c.Key, key)
	})
}

func (s *writeSet) get(key string) (storage.Change, bool) {
	if s.large != nil {
		return s.large.Get(key)
	}
	if i, ok := s.search(key); ok {
		return s.small[i], true
	}
	return storage.Change{}, false
}

func (s *writeSet) put(c storage.Change) {
	if s.large != nil {
		s.large.Set(c.Key, c)
		return
	}
	i, ok := s.search(c.Key)
	switch {
	case ok:
		s.small[i] = c
	case len(s.small) < smallSet:
		s.small = slices.Insert(s.small, i, c)
	default:
		s.large = new(btree.Map[string, storage.Change])
		for _, c := range s.small {
			s.large.Load(c.Key, c)
		}
		s.small = nil
		s.large.Set(c.Key, c)
	}
}

func (s *writeSet) remove(key string) {
	if s.large != nil {
		s.large.Delete(key)
	} else if i, ok := s.search(key); ok {
		s.small = slices.Delete(s.small, i, i+1)
	}
}

// above returns the first change from key on, or after it.
func (s *writeSet) above(key string, after bool) (found storage.Change, ok bool) {
	if s.large != nil {
		s.large.Ascend(key, func(k string, c storage.Change) bool {
			if after && k == key {
				return true
			}
			found, ok = c, true
			return false
		})
		return found, ok
	}
	i, held := s.search(key)
	if held && after {
		i++
	}
	if i == len(s.small) {
		return storage.Change{}, false
	}
	return s.small[i], true
}

// below returns the last change before key, or the last of all when key is "".
func (s *writeSet) below(key string) (found storage.Change, ok bool) {
	if s.large != nil {
		descend(s.large, key, func(_ string, c storage.Change) bool {
			found, ok = c, true
			return false
		})
		return found, ok
	}
	i := len(s.small)
	if key != "" {
		i, _ = s.search(key)
	}
	if i == 0 {
		return storage.Change{}, false
	}
	return s.small[i-1], true
}

// changes returns all in ascending order of keys. The set is over with that.
func (s *writeSet) changes() []storage.Change {
	if s.large != nil {
		return s.large.Values()
	}
	return s.small
}
