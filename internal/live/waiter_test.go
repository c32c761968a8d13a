package live

import (
	"context"
	"testing"

	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

// Callers that give up, on a store that is away for long, must not pile up.
func TestGivenUpWaitersAreForgotten(t *testing.T) {
	f, err := Follow(t.Context(), memory.New(memory.Config{}), Config[int]{
		Build: func(storage.Reader) (*int, error) { return new(int), nil },
		Apply: func(s *int, _ storage.Commit) (*int, error) { return s, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range storage.Position(10) {
		f.Wait(ctx, f.Position()+1+i)
	}
	if n := len(f.waiters); n != 0 {
		t.Errorf("%d waiters are kept", n)
	}
}
