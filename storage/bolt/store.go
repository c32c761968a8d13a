package bolt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/gatehouse-go/gatehouse/storage"
)

// Defaults of a [Config].
const (
	// DefaultWatchCommits is how many commits are kept for watchers.
	DefaultWatchCommits = 1 << 14
	// DefaultWatchBytes is how many bytes of changes are kept for watchers.
	DefaultWatchBytes = 64 << 20
)

// Errors of Open.
var (
	// ErrLocked is returned when another process, or another Store of this one,
	// has the file open.
	ErrLocked = errors.New("bolt: file is in use")
	// ErrNotAStore is returned for a file that is something else, or that a
	// later version of this package has made.
	ErrNotAStore = errors.New("bolt: not a store of this version")
)

// Config sets what a [Store] keeps. The zero value is ready for use.
type Config struct {
	// WatchCommits is how many of the last commits are kept for watchers to
	// catch up, at least; it may be some more. One that asks for an earlier
	// commit gets [storage.ErrLagged]. 0 or less means [DefaultWatchCommits].
	WatchCommits int
	// WatchBytes bounds the keys and values of the commits kept for watchers. A
	// commit that is larger alone is not kept: every watcher that has yet to see
	// it is told that it lags. 0 or less means [DefaultWatchBytes].
	WatchBytes int64
	// Wait is how long Open waits for another process to let go of the file. 0
	// or less means not at all.
	Wait time.Duration
}

// Store is a [storage.Store] in one file. Make one with [Open]; it is safe for
// concurrent use. It starts no goroutine.
type Store struct {
	db     *bbolt.DB
	config Config
	commit func(*bbolt.Tx) error // bbolt.Tx.Commit, but in tests

	baton baton
	group *group // the open one, for who holds the baton
	hand  []byte // the counter to look at next, for who holds the baton

	mu      sync.Mutex
	news    chan struct{} // closed by the next commit of records
	broken  error         // why nothing can be written any more
	closed  bool
	closing chan struct{}  // closed by Close
	freed   chan struct{}  // closed when Close has freed everything
	readers sync.WaitGroup // counts up only under mu and before closed
}

var _ interface {
	storage.Store
	io.WriterTo
} = (*Store)(nil)

// The file's buckets. The sequence of records is the position of the last
// commit, that of changes the position up to which changes were dropped.
var (
	about    = []byte("gatehouse") // what the file is
	records  = []byte("records")   // key: value
	changes  = []byte("changes")   // position: what a commit changed
	topics   = []byte("topics")    // topic: its bounds
	entries  = []byte("entries")   // topic and offset: an entry
	counters = []byte("counters")  // key: a tally and until when it is kept
)

// format is the layout of the file, kept in the bucket about.
const format = "1"

var formatKey = []byte("format")

// Open opens the store in the file at path, which is made when it is missing;
// its directory must be there. The file is readable by its owner alone, for
// systems keep secrets in it.
func Open(path string, config Config) (*Store, error) {
	if config.WatchCommits <= 0 {
		config.WatchCommits = DefaultWatchCommits
	}
	if config.WatchBytes <= 0 {
		config.WatchBytes = DefaultWatchBytes
	}
	if err := create(path); err != nil {
		return nil, fmt.Errorf("bolt: making %q: %w", path, err)
	}
	db, err := openFile(path, config.Wait)
	if err != nil {
		return nil, err
	}
	if err := prepare(db); err != nil {
		return nil, fmt.Errorf("bolt: opening %q: %w", path, errors.Join(err, db.Close()))
	}
	return &Store{
		db:      db,
		config:  config,
		commit:  (*bbolt.Tx).Commit,
		closing: make(chan struct{}),
		freed:   make(chan struct{}),
	}, nil
}

// create makes an empty database, if there is none. It gets its name only when it
// is whole and on the disk, so that a process that is killed in between leaves
// nothing that could not be opened.
func create(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir := filepath.Dir(path)
	made, err := os.CreateTemp(dir, filepath.Base(path)+".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(made.Name())
	if err := made.Close(); err != nil {
		return err
	}
	db, err := bbolt.Open(made.Name(), 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	// Of two processes that get here at once the second must not replace the
	// file of the first, which is in use: a link, unlike a rename, does not.
	if err := os.Link(made.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		if err := os.Rename(made.Name(), path); err != nil { // a file system without links
			return err
		}
	}
	return syncDir(dir)
}

// syncDir makes a new name in a directory durable, where the system can.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	if err := d.Sync(); err != nil && runtime.GOOS != "windows" {
		return errors.Join(err, d.Close())
	}
	return d.Close()
}

// reserve is the address space that the file is mapped into. As long as the file
// is smaller it never has to be mapped anew, for which a writer would have to
// wait for all Views to end, and new Views for the writer. It costs no memory.
// Windows makes the file as large as its mapping, and 32 bits are not enough.
func reserve() int {
	if strconv.IntSize < 64 || runtime.GOOS == "windows" {
		return 0
	}
	var gigabytes int = 64
	return gigabytes << 30
}

func openFile(path string, wait time.Duration) (*bbolt.DB, error) {
	options := bbolt.Options{
		Timeout:         max(wait, time.Nanosecond), // 0 would be for ever
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: reserve(),
		NoStatistics:    true,
	}
	for {
		db, err := bbolt.Open(path, 0o600, &options)
		switch {
		case err == nil:
			return db, nil
		case errors.Is(err, bolterrors.ErrTimeout):
			return nil, fmt.Errorf("%w: %q", ErrLocked, path)
		case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrVersionMismatch), errors.Is(err, bolterrors.ErrChecksum):
			return nil, fmt.Errorf("%w: %q: %w", ErrNotAStore, path, err)
		case options.InitialMmapSize < 1<<20 || !scarce(err):
			return nil, fmt.Errorf("bolt: opening %q: %w", path, err)
		}
		options.InitialMmapSize /= 4 // the process may not have so much
	}
}

// prepare makes a store of a database in which there is nothing, and reports what
// makes any other not one of ours.
func prepare(db *bbolt.DB) error {
	empty := false
	err := db.View(func(tx *bbolt.Tx) error {
		if first, _ := tx.Cursor().First(); first == nil {
			empty = true
			return nil
		}
		b := tx.Bucket(about)
		if b == nil {
			return fmt.Errorf("no bucket %q", about)
		}
		if got := b.Get(formatKey); string(got) != format {
			return fmt.Errorf("format %q, want %q", got, format)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotAStore, err)
	}
	if !empty {
		return nil
	}
	return db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{about, records, changes, topics, entries, counters} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return tx.Bucket(about).Put(formatKey, []byte(format))
	})
}

// Close implements [storage.Store]. It is not to be called from a closure of
// View or Update, for which it would wait.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		<-s.freed
		return nil
	}
	s.closed = true
	close(s.closing)
	s.mu.Unlock()

	_ = s.baton.take(context.Background(), nil) // and keep it: nobody writes any more
	s.settle()
	s.readers.Wait()
	err := s.db.Close()
	s.baton.pass(nil)
	close(s.freed)
	return err
}

// begin opens a snapshot, for end to close.
func (s *Store) begin() (*bbolt.Tx, error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, storage.ErrClosed
	}
	s.readers.Add(1)
	s.mu.Unlock()
	tx, err := s.db.Begin(false)
	if err != nil {
		s.readers.Done()
	}
	return tx, err
}

func (s *Store) end(tx *bbolt.Tx) {
	_ = tx.Rollback() // it fails only for a transaction that is over
	s.readers.Done()
}

// WriteTo writes a copy of the whole store to w, as it is at one moment, which
// [Open] can open from a file. Others read and write meanwhile. It implements
// [io.WriterTo].
func (s *Store) WriteTo(w io.Writer) (int64, error) {
	tx, err := s.begin()
	if err != nil {
		return 0, err
	}
	defer s.end(tx)
	return tx.WriteTo(w)
}
