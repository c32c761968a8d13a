package bolt_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/bolt"
	"github.com/gatehouse-go/gatehouse/storage/storagetest"
)

// file is a store that knows where it is kept.
type file struct {
	*bolt.Store
	path string
}

func open(t testing.TB, path string) storage.Store {
	t.Helper()
	s, err := bolt.Open(path, bolt.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return file{s, path}
}

var ctx = context.Background()

func fresh(t testing.TB) storage.Store { return open(t, filepath.Join(t.TempDir(), "store")) }

func TestStore(t *testing.T) {
	storagetest.Run(t, func(t *testing.T) storage.Store { return fresh(t) },
		storagetest.Features[storage.Store]{
			Reopen: func(t *testing.T, old storage.Store) storage.Store { return open(t, old.(file).path) },
			// Nothing that has returned is anywhere but in the file: a copy of
			// it, with the store still open, is what a kill would leave.
			Crash: func(t *testing.T, old storage.Store) storage.Store {
				path := filepath.Join(t.TempDir(), "left")
				copyFile(t, path, old.(file).path)
				return open(t, path)
			},
		})
}

func copyFile(t testing.TB, to, from string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
