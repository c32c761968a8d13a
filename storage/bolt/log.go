package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"sort"
	"time"

	"go.etcd.io/bbolt"

	"github.com/gatehouse-go/gatehouse/storage"
)

// bounds are what is known of a topic beside its entries.
type bounds struct {
	first, next storage.Offset // first is of the first entry not trimmed
	last        int64          // time of the last entry ever appended, in microseconds
}

var errBounds = errors.New("bolt: the bounds of a topic cannot be read")

// boundsOf returns those of an empty topic for one that was never appended to.
func boundsOf(tx *bbolt.Tx, topic string) (bounds, error) {
	v := tx.Bucket(topics).Get([]byte(topic))
	if v == nil {
		return bounds{first: 1, next: 1}, nil
	}
	if len(v) != 24 {
		return bounds{}, errBounds
	}
	return bounds{
		first: storage.Offset(binary.BigEndian.Uint64(v)),
		next:  storage.Offset(binary.BigEndian.Uint64(v[8:])),
		last:  int64(binary.BigEndian.Uint64(v[16:])),
	}, nil
}

func (b bounds) put(tx *bbolt.Tx, topic string) error {
	v := binary.BigEndian.AppendUint64(make([]byte, 0, 24), uint64(b.first))
	v = binary.BigEndian.AppendUint64(v, uint64(b.next))
	v = binary.BigEndian.AppendUint64(v, uint64(b.last))
	return tx.Bucket(topics).Put([]byte(topic), v)
}

// entryKey is the topic, by its length so that none is another's beginning, and
// the offset.
func entryKey(topic string, offset storage.Offset) []byte {
	k := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(topic)+8), uint16(len(topic)))
	return binary.BigEndian.AppendUint64(append(k, topic...), uint64(offset))
}

// An entry is its time in microseconds, in 8 bytes, and its data.
func entryTime(v []byte) time.Time {
	return time.UnixMicro(int64(binary.BigEndian.Uint64(v))).UTC()
}

// Append implements [storage.Log].
func (s *Store) Append(ctx context.Context, topic string, list ...storage.Entry) (offset storage.Offset, err error) {
	if err := s.checkTopic(ctx, topic); err != nil {
		return 0, err
	}
	for i := range list {
		if size := len(list[i].Data); size > storage.MaxValue {
			return 0, tooLarge("entry", size, storage.MaxValue)
		}
	}
	if len(list) == 0 {
		_, next, err := s.Bounds(ctx, topic)
		return next, err
	}
	err = s.write(ctx, func(g *group) (func() error, error) {
		b, err := boundsOf(g.tx, topic)
		if err != nil {
			return nil, err
		}
		offset = b.next
		return func() error { return b.append(g.tx, topic, list) }, nil
	})
	if err != nil {
		return 0, err
	}
	return offset, nil
}

func (b bounds) append(tx *bbolt.Tx, topic string, list []storage.Entry) error {
	in := tx.Bucket(entries)
	for i := range list {
		at := list[i].Time.UnixMicro()
		if b.next > 1 {
			at = max(at, b.last)
		}
		v := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(list[i].Data)), uint64(at))
		if err := in.Put(entryKey(topic, b.next), append(v, list[i].Data...)); err != nil {
			return err
		}
		b.last = at
		b.next++
	}
	return b.put(tx, topic)
}

// Read implements [storage.Log]. It reads a batch at a time, so that a slow
// consumer keeps no snapshot; one that Trim overtakes ends with
// [storage.ErrTrimmed].
func (s *Store) Read(ctx context.Context, topic string, from storage.Offset) iter.Seq2[storage.Entry, error] {
	return func(yield func(storage.Entry, error) bool) {
		if err := s.checkTopic(ctx, topic); err != nil {
			yield(storage.Entry{}, err)
			return
		}
		at, end := from, storage.Offset(0)
		for {
			batch, next, err := s.batch(ctx, topic, at, end)
			for _, e := range batch {
				if !yield(e, nil) {
					return
				}
				at = e.Offset + 1
			}
			if err != nil {
				yield(storage.Entry{}, err)
				return
			}
			if end == 0 {
				end = next
			}
			if len(batch) == 0 || at >= end {
				return
			}
		}
	}
}

// batch returns some entries from an offset on, before an end that is the
// topic's own when 0, and the offset that the topic's next entry will get.
func (s *Store) batch(ctx context.Context, topic string, from, end storage.Offset) (batch []storage.Entry, next storage.Offset, err error) {
	err = s.look(ctx, topic, func(tx *bbolt.Tx, b bounds) error {
		next = b.next
		if end == 0 {
			end = b.next
		}
		if from == 0 {
			from = b.first
		}
		if from < b.first {
			return storage.ErrTrimmed
		}
		if from >= end {
			return nil
		}
		c, size := tx.Bucket(entries).Cursor(), 0
		_, v := c.Seek(entryKey(topic, from))
		for ; from < end && len(batch) < patience && size < batchBytes; _, v = c.Next() {
			if len(v) < 8 {
				return errors.New("bolt: an entry cannot be read")
			}
			batch = append(batch, storage.Entry{Offset: from, Time: entryTime(v), Data: string(v[8:])})
			size += len(v)
			from++
		}
		return nil
	})
	return batch, next, err
}

// Seek implements [storage.Log].
func (s *Store) Seek(ctx context.Context, topic string, at time.Time) (offset storage.Offset, err error) {
	err = s.look(ctx, topic, func(tx *bbolt.Tx, b bounds) error {
		in := tx.Bucket(entries)
		i := sort.Search(int(b.next-b.first), func(i int) bool {
			v := in.Get(entryKey(topic, b.first+storage.Offset(i)))
			return len(v) >= 8 && !entryTime(v).Before(at)
		})
		offset = b.first + storage.Offset(i)
		return nil
	})
	return offset, err
}

// Bounds implements [storage.Log].
func (s *Store) Bounds(ctx context.Context, topic string) (first, next storage.Offset, err error) {
	err = s.look(ctx, topic, func(_ *bbolt.Tx, b bounds) error {
		first, next = b.first, b.next
		return nil
	})
	return first, next, err
}

// trimBatch is how many entries Trim deletes in one transaction.
const trimBatch = 1 << 10

// Trim implements [storage.Log]. The entries are gone for every reader at once;
// their pages are freed in several transactions. What is left of them when it is
// interrupted the next Trim frees.
func (s *Store) Trim(ctx context.Context, topic string, before storage.Offset) error {
	if err := s.checkTopic(ctx, topic); err != nil {
		return err
	}
	for more := true; more; {
		err := s.write(ctx, func(g *group) (func() error, error) {
			b, err := boundsOf(g.tx, topic)
			if err != nil {
				return nil, err
			}
			moved := before > b.first && b.first < b.next
			b.first = max(b.first, min(before, b.next))
			more = below(g.tx, topic, b.first) != nil
			if !moved && !more {
				return nil, nil
			}
			return func() error {
				for range trimBatch {
					c := below(g.tx, topic, b.first)
					if more = c != nil; !more {
						break
					}
					if err := c.Delete(); err != nil {
						return err
					}
				}
				return b.put(g.tx, topic)
			}, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// below returns a cursor at some entry of the topic below an offset, or nil.
func below(tx *bbolt.Tx, topic string, offset storage.Offset) *bbolt.Cursor {
	c := tx.Bucket(entries).Cursor()
	if k, _ := c.Seek(entryKey(topic, 0)); k == nil || bytes.Compare(k, entryKey(topic, offset)) >= 0 {
		return nil
	}
	return c
}

// look runs fn on a snapshot.
func (s *Store) look(ctx context.Context, topic string, fn func(*bbolt.Tx, bounds) error) error {
	if err := s.checkTopic(ctx, topic); err != nil {
		return err
	}
	tx, err := s.begin()
	if err != nil {
		return err
	}
	defer s.end(tx)
	b, err := boundsOf(tx, topic)
	if err != nil {
		return err
	}
	return fn(tx, b)
}

func (s *Store) checkTopic(ctx context.Context, topic string) error {
	if err := s.alive(ctx); err != nil {
		return err
	}
	return checkKey("topic", topic)
}
