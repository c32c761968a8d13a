package storagetest

import (
	"testing"

	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

func BenchmarkMemory(b *testing.B) {
	Bench(b, func(testing.TB) storage.Store { return memory.New(memory.Config{}) })
}

func BenchmarkParts(b *testing.B) {
	l := Load{Records: 100, Value: 10}
	BenchRecords(b, func(testing.TB) storage.Records { return memory.New(memory.Config{}) }, l)
	BenchLog(b, func(testing.TB) storage.Log { return memory.New(memory.Config{}) }, l)
	BenchCounters(b, func(testing.TB) storage.Counters { return memory.New(memory.Config{}) }, l)
}
