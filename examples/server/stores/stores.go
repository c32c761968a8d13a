// Package stores opens a store by its name on a command line.
package stores

import (
	"context"
	"fmt"
	"strings"

	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/bolt"
	"github.com/gatehouse-go/gatehouse/storage/memory"
	"github.com/gatehouse-go/gatehouse/storage/postgres"
	"github.com/gatehouse-go/gatehouse/storage/redis"
)

// Names are what Open takes, for the usage of a flag.
const Names = "memory, bolt:PATH or postgres://..."

// Open opens the store of a name. It is the caller's to close. Errors do not
// show the name, which may have a password in it.
func Open(ctx context.Context, name string) (storage.Store, error) {
	path, file := strings.CutPrefix(name, "bolt:")
	switch {
	case name == "memory":
		return memory.New(memory.Config{}), nil
	case file && path != "":
		return opened(bolt.Open(path, bolt.Config{}))
	case strings.HasPrefix(name, "postgres://"), strings.HasPrefix(name, "postgresql://"):
		return opened(postgres.Open(ctx, name, postgres.Config{}))
	}
	return nil, fmt.Errorf("the store is none of %s", Names)
}

// opened keeps a nil pointer from becoming a store that is not nil.
func opened[S storage.Store](s S, err error) (storage.Store, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Counters opens the counters of a URL, redis://... "" is none, nil: limits are
// then counted in the process. What is returned is the caller's to close.
func Counters(address string) (*redis.Counters, error) {
	if address == "" {
		return nil, nil
	}
	return redis.Open(address, redis.Config{})
}
