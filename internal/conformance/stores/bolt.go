package stores

import (
	"path/filepath"
	"testing"

	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/bolt"
)

// boltFile is a store that knows where it is kept.
type boltFile struct {
	*bolt.Store
	path string
}

var boltStore = Store{
	Name: "bolt",
	Open: func(tb testing.TB) storage.Store {
		tb.Helper()
		return openBolt(tb, filepath.Join(tb.TempDir(), "store"))
	},
	Reopen: func(tb testing.TB, old storage.Store) storage.Store {
		tb.Helper()
		return openBolt(tb, old.(boltFile).path)
	},
	Address: func(s storage.Store) string { return s.(boltFile).path },
	At: func(path string) (storage.Store, error) {
		s, err := bolt.Open(path, bolt.Config{})
		return boltFile{s, path}, err
	},
}

func openBolt(tb testing.TB, path string) storage.Store {
	tb.Helper()
	s, err := bolt.Open(path, bolt.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	return boltFile{s, path}
}
