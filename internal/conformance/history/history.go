// Package history records what concurrent clients see of a store, and has
// porcupine say whether a store that does one call after the other could have
// answered so.
//
//	r := history.NewRecorder()
//	r.Transactions(clients, calls, seed, func() storage.Records { return store })
//	err := r.Check(history.Transactions(history.Values{}))
//
// Transactions are operations on one object, all the keys together: so what is
// checked is that they have a serial order, and that it is not against time.
// Takes are operations on all the counters together, with storage.Judge as the
// model.
package history

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/gatehouse-go/gatehouse/storage"
)

// Keys is how many keys, or counters, the clients share. Few: they are to meet.
const Keys = 5

// Values are what the keys hold; "" is nothing.
type Values [Keys]string

// Transaction reads some keys and then writes some, all the same value, which no
// other transaction writes.
type Transaction struct {
	Reads, Writes, Deletes [Keys]bool
	Value                  string
}

// Outcome is what came of a call. One that is not known may have been done, or
// may yet be.
type Outcome struct {
	Known bool
	Read  Values        // of a Transaction, for the keys that it reads
	Taken storage.Taken // of a Take
}

// Take is a call of Counters.
type Take struct {
	At       time.Time
	Counters []storage.Counter
}

// Recorder collects a history. It is safe for concurrent use.
type Recorder struct {
	mu         sync.Mutex
	operations []porcupine.Operation
	unknown    int
}

// NewRecorder returns an empty one.
func NewRecorder() *Recorder { return new(Recorder) }

// Add adds a call that lasted from one time to another, in nanoseconds on any
// clock that all clients share. Of one that is not known the end counts for
// nothing.
func (r *Recorder) Add(client int, call, end int64, in any, out Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !out.Known {
		r.unknown++
		end = math.MaxInt64
	}
	r.operations = append(r.operations, porcupine.Operation{ClientId: client, Input: in, Call: call, Output: out, Return: end})
}

// Len returns how many calls there are, and of how many the outcome is not known.
func (r *Recorder) Len() (calls, unknown int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.operations), r.unknown
}

// patience is how long a check may take; one that takes longer proves nothing.
const patience = 30 * time.Second

// Check reports how the history contradicts the model.
func (r *Recorder) Check(m porcupine.Model) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch result := porcupine.CheckOperationsTimeout(m, r.operations, patience); result {
	case porcupine.Ok:
		return nil
	case porcupine.Illegal:
		return fmt.Errorf("no order of the %d calls explains what they returned (%d of unknown outcome)", len(r.operations), r.unknown)
	default:
		return fmt.Errorf("the check of %d calls ends with %q", len(r.operations), result)
	}
}

// Transactions is the model of a store that held values at first.
func Transactions(first Values) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return first },
		Step: func(state, in, out any) (bool, any) {
			values, t, o := state.(Values), in.(Transaction), out.(Outcome)
			for i := range values {
				if o.Known && t.Reads[i] && o.Read[i] != values[i] {
					return false, state
				}
			}
			for i := range values {
				if t.Deletes[i] {
					values[i] = ""
				} else if t.Writes[i] {
					values[i] = t.Value
				}
			}
			return true, values
		},
		DescribeOperation: func(in, out any) string { return fmt.Sprint(in, " -> ", out) },
	}
}

// Takes is the model of Counters, the keys of which are those of [Recorder.Takes].
func Takes() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return [Keys]storage.Tally{} },
		Step: func(state, in, out any) (bool, any) {
			tallies, t, o := state.([Keys]storage.Tally), in.(Take), out.(Outcome)
			mine := make([]storage.Tally, len(t.Counters))
			for i, c := range t.Counters {
				mine[i] = tallies[c.Key[0]-'0']
			}
			taken := storage.Judge(t.At, t.Counters, mine)
			if o.Known && !reflect.DeepEqual(taken, o.Taken) {
				return false, state
			}
			for i, c := range t.Counters {
				tallies[c.Key[0]-'0'] = mine[i]
			}
			return true, tallies
		},
		DescribeOperation: func(in, out any) string { return fmt.Sprint(in, " -> ", out) },
	}
}

// Plan makes up a transaction. The value must be a new one.
func Plan(rnd *rand.Rand, value string) (t Transaction) {
	t.Value = value
	for i := range Keys {
		t.Reads[i] = rnd.IntN(2) == 0
	}
	if rnd.IntN(4) > 0 {
		t.Writes[rnd.IntN(Keys)] = true
		t.Writes[rnd.IntN(Keys)] = true
	}
	if i := rnd.IntN(3 * Keys); i < Keys {
		t.Deletes[i] = true
	}
	return t
}

func (t Transaction) changes() bool { return t.Writes != [Keys]bool{} || t.Deletes != [Keys]bool{} }

// Key is the name of a key or counter.
func Key(i int) string { return fmt.Sprint(i) }

// Do makes the transaction, and returns its outcome. An error tells that nothing
// was written.
func (t Transaction) Do(ctx context.Context, s storage.Records) (o Outcome, err error) {
	read := func(r storage.Reader) error {
		o.Read = Values{}
		for i := range Keys {
			if !t.Reads[i] {
				continue
			}
			value, err := r.Get(Key(i))
			if err != nil && !errors.Is(err, storage.ErrNotFound) {
				return err
			}
			o.Read[i] = value
			runtime.Gosched() // so that transactions overlap where they can
		}
		return nil
	}
	if t.changes() {
		_, err = s.Update(ctx, func(w storage.Writer) error {
			err := read(w)
			for i := range Keys {
				switch {
				case t.Deletes[i]:
					err = errors.Join(err, w.Delete(Key(i)))
				case t.Writes[i]:
					err = errors.Join(err, w.Put(Key(i), t.Value))
				}
			}
			return err
		})
	} else {
		err = s.View(ctx, read)
	}
	if err == nil {
		o.Known = true
		return o, nil
	}
	if !t.changes() || errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrClosed) {
		return Outcome{}, err
	}
	return Outcome{}, nil // a fault of the store: it may have been written
}

// Transactions lets clients make random transactions at once, and records them.
// Each asks for its store before each call, and asks again when that was closed.
func (r *Recorder) Transactions(ctx context.Context, clients, calls int, seed uint64, store func(client int) storage.Records) {
	r.clients(clients, seed, func(id int, rnd *rand.Rand) {
		for n := 0; n < calls; {
			t := Plan(rnd, fmt.Sprint(id, "/", n))
			call := now()
			o, err := t.Do(ctx, store(id))
			if err == nil {
				r.Add(id, call, now(), t, o)
				n++
			} else if ctx.Err() != nil {
				return
			}
		}
	})
}

// noon is when all Takes are. A counter that is down to nothing may be dropped
// and its time with it, so of Takes at several times two answers could be right.
var noon = time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC)

// Takes lets clients take from counters of every kind at once, and records it.
func (r *Recorder) Takes(ctx context.Context, clients, calls int, seed uint64, counters func(client int) storage.Counters) {
	r.clients(clients, seed, func(id int, rnd *rand.Rand) {
		for range calls {
			t := Take{At: noon}
			for _, i := range rnd.Perm(Keys)[:1+rnd.IntN(3)] {
				t.Counters = append(t.Counters, storage.Counter{
					Key: Key(i), Kind: storage.Kind(i % 4), Limit: 12, Period: 24 * time.Hour,
					Cost: int64(rnd.IntN(5)) - 1, CountRefused: i == Keys-1,
				})
			}
			call := now()
			taken, err := counters(id).Take(ctx, t.At, t.Counters...)
			if ctx.Err() != nil {
				return
			}
			r.Add(id, call, now(), t, Outcome{Known: err == nil, Taken: taken})
		}
	})
}

func (r *Recorder) clients(n int, seed uint64, run func(id int, rnd *rand.Rand)) {
	var all sync.WaitGroup
	for id := range n {
		all.Go(func() { run(id, rand.New(rand.NewPCG(seed, uint64(id)))) })
	}
	all.Wait()
}

// now is a time that means the same in every process of the machine.
func now() int64 { return time.Now().UnixNano() }
