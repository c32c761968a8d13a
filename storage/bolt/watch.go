package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/gatehouse-go/gatehouse/storage"
)

// Watch implements [storage.Records]. It reads from the file, whatever its
// position, and holds no one up while it works.
func (s *Store) Watch(ctx context.Context, after storage.Position, prefix string) iter.Seq2[storage.Commit, error] {
	return func(yield func(storage.Commit, error) bool) {
		after := after
		for {
			// Before the reading: a commit that comes after that closes it.
			news := s.wait()
			commits, last, err := s.since(ctx, after, prefix)
			for _, c := range commits {
				if err := s.alive(ctx); err != nil {
					yield(storage.Commit{}, err)
					return
				}
				if !yield(c, nil) {
					return
				}
			}
			if err != nil {
				yield(storage.Commit{}, err)
				return
			}
			if last > after {
				after = last
				continue
			}
			select {
			case <-news:
			case <-ctx.Done():
			case <-s.closing:
			}
		}
	}
}

// wait returns a channel that the next commit of records closes.
func (s *Store) wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.news == nil {
		s.news = make(chan struct{})
	}
	return s.news
}

func (s *Store) announce() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.news != nil {
		close(s.news)
		s.news = nil
	}
}

// A watcher reads commits in batches of this size at most, but one at least.
const (
	batchCommits = 64
	batchBytes   = 1 << 20
)

// since returns what of the next commits after a position has the prefix, and
// how far it has looked.
func (s *Store) since(ctx context.Context, after storage.Position, prefix string) (commits []storage.Commit, last storage.Position, err error) {
	if err := ctx.Err(); err != nil {
		return nil, after, err
	}
	tx, err := s.begin()
	if err != nil {
		return nil, after, err
	}
	defer s.end(tx)
	b := tx.Bucket(changes)
	if uint64(after) < b.Sequence() {
		return nil, after, storage.ErrLagged
	}
	last = after
	if after == storage.Position(tx.Bucket(records).Sequence()) {
		return nil, last, nil
	}
	c, read := b.Cursor(), 0
	for k, v := c.Seek(positionKey(after + 1)); k != nil && len(commits) < batchCommits && read < batchBytes; k, v = c.Next() {
		last = storage.Position(binary.BigEndian.Uint64(k))
		read += len(v)
		list, err := decodeChanges(v, prefix)
		if err != nil {
			return nil, after, err
		}
		if len(list) > 0 {
			commits = append(commits, storage.Commit{Position: last, Changes: list})
		}
	}
	return commits, last, nil
}

// keep writes a commit behind those that are kept for watchers, and drops the
// oldest of these when they are too many. Each has before it the bytes of all
// that ever came before, so that those between two are known.
func (s *Store) keep(b *bbolt.Bucket, c storage.Commit) error {
	b.FillPercent = 1 // keys only grow
	cursor := b.Cursor()
	var total int64
	if k, v := cursor.Last(); k != nil {
		total = bytesBefore(v) + int64(len(v))
	}
	value := encodeChanges(total, c.Changes)
	if int64(len(value)) > s.config.WatchBytes {
		return s.drop(b, c.Position+1, total, 0)
	}
	if err := b.Put(positionKey(c.Position), value); err != nil {
		return err
	}
	first, v := b.Cursor().First()
	kept := c.Position - storage.Position(binary.BigEndian.Uint64(first)) + 1
	total += int64(len(value))
	// Some at a time, so that few commits have to touch the first page.
	if most := storage.Position(s.config.WatchCommits); kept > most+most/16 || total-bytesBefore(v) > s.config.WatchBytes {
		return s.drop(b, c.Position+1-min(most, kept), total, s.config.WatchBytes-s.config.WatchBytes/16)
	}
	return nil
}

// drop drops the commits before a position, and more until what is kept of all
// the bytes that ever came is no more than most, or nothing.
func (s *Store) drop(b *bbolt.Bucket, before storage.Position, total, most int64) error {
	floor := storage.Position(b.Sequence())
	for {
		c := b.Cursor()
		k, v := c.First()
		if k == nil {
			floor = max(floor, before-1)
			break
		}
		at := storage.Position(binary.BigEndian.Uint64(k))
		if at >= before && total-bytesBefore(v) <= most {
			break
		}
		floor = at
		if err := c.Delete(); err != nil {
			return err
		}
	}
	return b.SetSequence(uint64(floor))
}

func positionKey(p storage.Position) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(p))
}

func bytesBefore(value []byte) int64 { return int64(binary.BigEndian.Uint64(value)) }

var errChanges = errors.New("bolt: a commit that is kept for watchers cannot be read")

// encodeChanges is the value kept for a commit: the bytes of those before it and
// then, for each change, the length of its key with one bit for a deletion, its
// key, and the length of its value and the value unless it was deleted.
func encodeChanges(before int64, list []storage.Change) []byte {
	size := 8
	for i := range list {
		size += 2*binary.MaxVarintLen32 + len(list[i].Key) + len(list[i].Value)
	}
	b := binary.BigEndian.AppendUint64(make([]byte, 0, size), uint64(before))
	for i := range list {
		c := &list[i]
		length := uint64(len(c.Key)) << 1
		if c.Deleted {
			length |= 1
		}
		b = append(binary.AppendUvarint(b, length), c.Key...)
		if !c.Deleted {
			b = append(binary.AppendUvarint(b, uint64(len(c.Value))), c.Value...)
		}
	}
	return b
}

// decodeChanges returns the changes whose keys have the prefix. They share one
// string.
func decodeChanges(value []byte, prefix string) (list []storage.Change, err error) {
	if len(value) < 8 {
		return nil, errChanges
	}
	rest := string(value[8:])
	text := func(n uint64) (part string) {
		part, rest = rest[:n], rest[n:]
		return part
	}
	for rest != "" {
		length, ok := cutUvarint(&rest)
		if !ok || length>>1 > uint64(len(rest)) {
			return nil, errChanges
		}
		c := storage.Change{Key: text(length >> 1), Deleted: length&1 == 1}
		if !c.Deleted {
			if length, ok = cutUvarint(&rest); !ok || length > uint64(len(rest)) {
				return nil, errChanges
			}
			c.Value = text(length)
		}
		if strings.HasPrefix(c.Key, prefix) {
			list = append(list, c)
		} else if c.Key > prefix {
			break // in the order of keys: none comes any more
		}
	}
	return list, nil
}

func cutUvarint(s *string) (uint64, bool) {
	var n uint64
	for i := range min(len(*s), binary.MaxVarintLen64) {
		c := (*s)[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			*s = (*s)[i+1:]
			return n, true
		}
	}
	return 0, false
}
