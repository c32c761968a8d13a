package redis

import (
	"context"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gatehouse-go/gatehouse/storage"
)

// Config is what a host may set. The zero Config works.
type Config struct {
	// Prefix goes before all keys, in braces. Systems that share a server and
	// not their counts have different ones. It has no braces itself. ""
	// is "gatehouse".
	Prefix string
	// Timeout is the longest that a Take waits for the server. 0 is 500 ms;
	// below 0 only the context of the call ends it.
	Timeout time.Duration
}

// Counters implements [storage.Counters] on a Redis server, from version 6 on.
// Make one with [Open] or [New]. It is safe for concurrent use.
type Counters struct {
	client  redis.UniversalClient
	own     bool
	prefix  string
	timeout time.Duration
	closed  atomic.Bool
}

var _ storage.Counters = (*Counters)(nil)

// Open returns the counters on the server of a URL, such as
// redis://user:password@host:6379/0, or rediss:// for TLS. The parameters that
// go-redis reads from it (pool_size, dial_timeout and others) hold, but that no
// Take is ever sent twice. It does not connect: a server that is away now may
// be there later. The error is about the URL or the Config, and has no password
// in it.
func Open(address string, c Config) (*Counters, error) {
	options, err := redis.ParseURL(address)
	if err != nil {
		if broken, ok := errors.AsType[*url.Error](err); ok {
			err = broken.Err // without the URL
		}
		return nil, fmt.Errorf("storage/redis: the address is no Redis URL: %w", err)
	}
	options.MaxRetries = -1
	options.DialerRetries = 1 // who is away is said to be, at once
	options.ContextTimeoutEnabled = true
	s, err := New(redis.NewClient(options), c)
	if err != nil {
		return nil, err
	}
	s.own = true
	return s, nil
}

// New returns the counters on a caller's own client, to one server, a cluster
// or sentinels, which stays the caller's to close. So that no Take counts twice
// when its answer is lost, the client's MaxRetries must be -1, and for contexts
// to end a call its ContextTimeoutEnabled true.
func New(client redis.UniversalClient, c Config) (*Counters, error) {
	if c.Prefix == "" {
		c.Prefix = "gatehouse"
	}
	if strings.ContainsAny(c.Prefix, "{}") {
		return nil, fmt.Errorf("storage/redis: prefix %q has braces", c.Prefix)
	}
	if c.Timeout == 0 {
		c.Timeout = 500 * time.Millisecond
	}
	return &Counters{client: client, prefix: "{" + c.Prefix + "}", timeout: c.Timeout}, nil
}

// Close ends the counters: later calls return [storage.ErrClosed]. It closes
// the connections that [Open] made. Closing twice is allowed.
func (s *Counters) Close() error {
	if s.closed.Swap(true) || !s.own {
		return nil
	}
	return s.client.Close()
}

//go:embed take.lua
var source string

var script = redis.NewScript(source)

// How long a counter is kept after it has nothing more to say, in
// milliseconds: when the server told the time, and when the caller did.
const (
	graceOwn    = int64(time.Second / time.Millisecond)
	graceCaller = int64(time.Hour / time.Millisecond)
)

// latest is the latest time, before and after 1970, that Take can judge at; the
// server's numbers are exact no further.
const latest = 1<<53 - 1 - 9*int64(storage.MaxPeriod/time.Microsecond)/8

// Take implements [storage.Counters]. Beside what the port says: a given time is
// within 170 years of 1970, else the error is [storage.ErrBadCounter].
func (s *Counters) Take(ctx context.Context, at time.Time, counters ...storage.Counter) (storage.Taken, error) {
	if err := ctx.Err(); err != nil {
		return storage.Taken{}, err
	}
	if err := storage.CheckCounters(counters...); err != nil {
		return storage.Taken{}, err
	}
	if s.closed.Load() {
		return storage.Taken{}, storage.ErrClosed
	}
	keys, args, err := s.question(at, counters)
	if err != nil {
		return storage.Taken{}, err
	}
	asking := ctx
	if s.timeout > 0 {
		var cancel context.CancelFunc
		asking, cancel = context.WithTimeout(ctx, s.timeout)
		defer cancel()
	}
	answer, err := script.Run(asking, s.client, keys, args...).Int64Slice()
	switch {
	case err == nil:
		return read(answer, len(counters))
	case ended(ctx) != nil:
		return storage.Taken{}, ended(ctx)
	case errors.Is(err, redis.ErrClosed) && s.closed.Load():
		return storage.Taken{}, storage.ErrClosed
	case ended(asking) != nil:
		return storage.Taken{}, fmt.Errorf("storage/redis: no answer within %v", s.timeout)
	}
	return storage.Taken{}, fmt.Errorf("storage/redis: %w", err)
}

// ended is the context's error, also when the connection has noticed its
// deadline a moment before the context does.
func ended(ctx context.Context) error {
	if at, ok := ctx.Deadline(); ok && ctx.Err() == nil && !time.Now().Before(at) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// fields is how many numbers a counter is asked with, answers how many numbers
// its answer has, after the first three.
const (
	fields  = 7
	answers = 5
)

// question returns the keys and arguments of the script.
func (s *Counters) question(at time.Time, counters []storage.Counter) (keys []string, args []any, err error) {
	keys = make([]string, len(counters))
	now, grace, packed := "", graceOwn, make([]byte, 0, fields*8*len(counters))
	if !at.IsZero() {
		t := at.UnixMicro()
		if t < -latest || t > latest {
			return nil, nil, fmt.Errorf("%w: time %v is too far from 1970", storage.ErrBadCounter, at)
		}
		now, grace = strconv.FormatInt(t, 10), graceCaller
	}
	for i := range counters {
		c := &counters[i]
		keys[i] = s.prefix + c.Key
		capacity := c.Limit
		if c.Kind == storage.Bucket && c.Burst > 0 && c.Limit > 0 {
			capacity = c.Burst
		}
		period, phase := c.Period.Microseconds(), int64(0)
		if c.Kind == storage.Fixed && !c.Anchor.IsZero() {
			if phase = c.Anchor.UnixMicro() % period; phase < 0 {
				phase += period
			}
		}
		counts := int64(0)
		if c.CountRefused {
			counts = 1
		}
		for _, n := range [fields]int64{int64(c.Kind), c.Limit, capacity, period, phase, c.Cost, counts} {
			packed = binary.LittleEndian.AppendUint64(packed, math.Float64bits(float64(n)))
		}
	}
	return keys, []any{now, grace, packed}, nil
}

// read turns the script's answer into what was taken.
func read(answer []int64, n int) (storage.Taken, error) {
	if len(answer) != 3+answers*n {
		return storage.Taken{}, fmt.Errorf("storage/redis: the server answers with %d numbers, want %d", len(answer), 3+answers*n)
	}
	taken := storage.Taken{
		OK:      answer[0] == 1,
		Refused: int(answer[1]),
		At:      time.UnixMicro(answer[2]).UTC(),
		Counts:  make([]storage.Count, n),
	}
	for i := range taken.Counts {
		a := answer[3+answers*i:]
		c := storage.Count{Used: a[0], Left: a[1], Reset: time.UnixMicro(a[2]).UTC()}
		if a[4] == 0 {
			c.Retry = time.UnixMicro(a[3]).UTC()
		}
		taken.Counts[i] = c
	}
	return taken, nil
}
