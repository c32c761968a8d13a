package storagetest

import (
	"flag"
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

// The benchmarks run, once each, with every test of the package.
func TestBenchRuns(t *testing.T) {
	benchtime := flag.Lookup("test.benchtime").Value
	was := benchtime.String()
	defer flag.Set("test.benchtime", was)
	flag.Set("test.benchtime", "1x")
	for name, bench := range map[string]func(*testing.B){"Bench": BenchmarkMemory, "its parts": BenchmarkParts} {
		ran, failed := false, false
		testing.Benchmark(func(b *testing.B) {
			defer func() { failed = b.Failed() }()
			bench(b)
			ran = true
		})
		if !ran || failed {
			t.Errorf("%s: ran to the end: %v, failed: %v", name, ran, failed)
		}
	}
}
