package thinkingdata

import (
	"context"

	"github.com/gatehouse-go/gatehouse/storage"
)

// Check returns what in the store is not as the tables would have it: orphans,
// above all.
func (s *System) Check(ctx context.Context) error {
	return s.store.View(ctx, func(r storage.Reader) error { return of(s).tables.schema.Check(r) })
}
