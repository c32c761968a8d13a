package postgres

import (
	"testing"

	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/storagetest"
)

func BenchmarkStore(b *testing.B) {
	storagetest.Bench(b, func(t testing.TB) storage.Store { return open(t, Config{Schema: schema(t)}) })
}
