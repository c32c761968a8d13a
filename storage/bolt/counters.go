package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/gatehouse-go/gatehouse/storage"
)

// Take implements [storage.Counters]. The store's own clock is time.Now. A Take
// that counts nothing, for it only looks or is refused, needs no sync.
//
// Each Take that counts also looks at a few other counters and drops those whose
// time is over, so what is kept stays in proportion to what is in use. Whether
// it is over is asked of the time of that Take: callers that give a time should
// all be of one clock.
func (s *Store) Take(ctx context.Context, at time.Time, cs ...storage.Counter) (taken storage.Taken, err error) {
	if err := s.alive(ctx); err != nil {
		return storage.Taken{}, err
	}
	if err := storage.CheckCounters(cs...); err != nil {
		return storage.Taken{}, err
	}
	err = s.write(ctx, func(g *group) (func() error, error) {
		at := at
		if at.IsZero() {
			at = time.Now() // read while nobody else counts: never before an earlier Take's
		}
		b := g.tx.Bucket(counters)
		tallies := make([]storage.Tally, len(cs))
		for i := range cs {
			if tallies[i], _, err = tally(b.Get([]byte(cs[i].Key))); err != nil {
				return nil, err
			}
		}
		before := slices.Clone(tallies)
		taken = storage.Judge(at, cs, tallies)
		if slices.Equal(tallies, before) {
			return nil, nil
		}
		return func() error {
			for i := range cs {
				if tallies[i] != before[i] {
					if err := putTally(b, cs[i].Key, tallies[i], taken.Counts[i].Reset); err != nil {
						return err
					}
				}
			}
			return s.sweep(b, at, sweepStep*len(cs))
		}, nil
	})
	if err != nil {
		return storage.Taken{}, err
	}
	return taken, nil
}

// sweepStep is how many other counters a Take looks at for each of its own: with
// two, n live counters are looked through within n/2 Takes, while at most one new
// counter comes with each.
const sweepStep = 2

// sweep looks at the next counters and drops those that are over. The caller
// holds the baton.
func (s *Store) sweep(b *bbolt.Bucket, now time.Time, steps int) error {
	c := b.Cursor()
	k, v := c.Seek(s.hand)
	for range steps {
		if k == nil {
			s.hand = nil
			return nil
		}
		_, expires, err := tally(v)
		if err != nil {
			return err
		}
		next := bytes.Clone(k)
		if !expires.After(now) {
			if err := c.Delete(); err != nil {
				return err
			}
			c = b.Cursor() // a deletion moves what the old one points to
			k, v = c.Seek(next)
		} else {
			k, v = c.Next()
		}
		s.hand = append(next, 0) // the least key after it
	}
	return nil
}

// A counter is kept as the time until when, in microseconds and 8 bytes, and its
// tally.
func putTally(b *bbolt.Bucket, key string, t storage.Tally, expires time.Time) error {
	v, err := t.AppendBinary(binary.BigEndian.AppendUint64(nil, uint64(expires.UnixMicro())))
	if err != nil {
		return err
	}
	return b.Put([]byte(key), v)
}

// tally reads what putTally has written; the zero Tally when that is nothing.
func tally(v []byte) (t storage.Tally, expires time.Time, err error) {
	if v == nil {
		return t, expires, nil
	}
	if len(v) < 8 {
		return t, expires, fmt.Errorf("bolt: a counter of %d bytes cannot be read", len(v))
	}
	err = t.UnmarshalBinary(v[8:])
	return t, time.UnixMicro(int64(binary.BigEndian.Uint64(v))), err
}
