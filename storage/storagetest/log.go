package storagetest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
)

// noon is when most logs of the kit begin.
var noon = time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC)

func after(d time.Duration) time.Time { return noon.Add(d) }

var logging = []check[storage.Log]{
	{"offsets count from 1", "The first entry of a topic has offset 1 and each next one more; Append returns the offset of the first.", func(t *trial[storage.Log]) {
		s := t.open()
		wantBounds(t, s, "a", 1, 1)
		wantAppended(t, s, "a", 1, entry(after(0), "1"))
		wantAppended(t, s, "a", 2, entry(after(1), "2"), entry(after(2), "3"), entry(after(3), "4"))
		wantAppended(t, s, "a", 5, entry(after(4), "5"))
		wantBounds(t, s, "a", 1, 6)
		for i, e := range read(t, s, "a", 0) {
			if e.Offset != storage.Offset(i+1) || e.Data != fmt.Sprint(i+1) {
				t.Errorf("entry %d is %v, want offset and data %[1]d", i+1, e)
			}
		}
	}},
	{"topics are apart", "Log is a set of topics, each with its own offsets; any byte is allowed in their names.", func(t *trial[storage.Log]) {
		s := t.open()
		for i, topic := range oddKeys {
			wantAppended(t, s, topic, 1, entry(noon, topic))
			for range i % 3 {
				appended(t, s, topic, entry(noon, topic))
			}
		}
		trim(t, s, "a", 2)
		for i, topic := range oddKeys {
			if topic == "a" {
				continue
			}
			wantBounds(t, s, topic, 1, storage.Offset(i%3+2))
			for _, e := range read(t, s, topic, 1) {
				if e.Data != topic {
					t.Errorf("topic %q has the entry %v", topic, e)
				}
			}
		}
	}},
	{"a topic that was never written is empty", "A topic that was never appended to is an empty one.", func(t *trial[storage.Log]) {
		s := t.open()
		appended(t, s, "other", entry(noon, ""))
		wantBounds(t, s, "a", 1, 1)
		for _, from := range []storage.Offset{0, 1, 2, 1 << 40} {
			if all := read(t, s, "a", from); len(all) > 0 {
				t.Errorf("Read(%d) yields %v", from, all)
			}
		}
		wantSeek(t, s, "a", noon, 1)
		trim(t, s, "a", 5)
		wantBounds(t, s, "a", 1, 1)
		wantAppended(t, s, "a", 1, entry(noon, "first"))
	}},
	{"Read starts where it is told", "Read yields the entries from the given offset on, in order; 0 means the first kept entry; one past the end yields nothing.", func(t *trial[storage.Log]) {
		s := t.open()
		for i := range 10 {
			appended(t, s, "a", entry(noon, fmt.Sprint(i+1)))
		}
		for from := range storage.Offset(14) {
			var want []string
			for i := max(from, 1); i <= 10; i++ {
				want = append(want, fmt.Sprint(i))
			}
			var got []string
			for _, e := range read(t, s, "a", from) {
				got = append(got, e.Data)
			}
			if !slices.Equal(got, want) {
				t.Errorf("Read(%d) yields %q, want %q", from, got, want)
			}
		}
	}},
	{"appending nothing writes nothing", "No entries: nothing is written, and the offset is the one the next entry will get.", func(t *trial[storage.Log]) {
		s := t.open()
		wantAppended(t, s, "a", 1)
		wantAppended(t, s, "a", 1, entry(noon, "x"))
		wantAppended(t, s, "a", 2)
		wantBounds(t, s, "a", 1, 2)
		trim(t, s, "a", 2)
		wantAppended(t, s, "a", 2)
	}},
	{"offsets in the argument are ignored", "Offsets given in the argument are ignored.", func(t *trial[storage.Log]) {
		s := t.open()
		arg := []storage.Entry{{Offset: 77, Time: noon, Data: "x"}, {Offset: 5, Time: noon, Data: "y"}}
		wantAppended(t, s, "a", 1, arg...)
		want := []storage.Entry{{Offset: 1, Time: noon, Data: "x"}, {Offset: 2, Time: noon, Data: "y"}}
		wantEntries(t, read(t, s, "a", 0), want)
		if arg[0].Offset != 77 || arg[1].Offset != 5 {
			t.Errorf("Append changed its argument to %v", arg)
		}
	}},
	{"times are cut to the microsecond, in UTC", "Times are cut to the microsecond; an entry's time is in UTC.", func(t *trial[storage.Log]) {
		s := t.open()
		zone := time.FixedZone("odd", -(3*3600 + 1800))
		early := time.Date(1969, 12, 31, 23, 59, 59, 999_999_999, time.UTC)
		appended(t, s, "a", entry(early, ""), entry(noon.Add(1999).In(zone), ""), entry(noon.Add(2001), ""), entry(noon.Add(2999), ""))
		want := []time.Time{early.Add(-999), noon.Add(1000), noon.Add(2000), noon.Add(2000)}
		for i, e := range read(t, s, "a", 0) {
			if !e.Time.Equal(want[i]) || e.Time.Location() != time.UTC {
				t.Errorf("entry %d has the time %v, want %v", e.Offset, e.Time, want[i])
			}
		}
	}},
	{"times never fall", "Times are raised to the time of the entry before where they are earlier, so that times never fall along a topic.", func(t *trial[storage.Log]) {
		s := t.open()
		appended(t, s, "a", entry(after(time.Hour), "1"), entry(after(time.Minute), "2"), entry(after(2*time.Hour), "3"))
		appended(t, s, "a", entry(after(0), "4"), entry(after(2*time.Hour+1), "5"), entry(after(3*time.Hour), "6"))
		want := []time.Duration{time.Hour, time.Hour, 2 * time.Hour, 2 * time.Hour, 2 * time.Hour, 3 * time.Hour}
		all := read(t, s, "a", 0)
		if len(all) != len(want) {
			t.Fatalf("Read yields %d entries, want %d", len(all), len(want))
		}
		for i, e := range all {
			if !e.Time.Equal(after(want[i])) {
				t.Errorf("entry %d has the time %v, want %v", e.Offset, e.Time, after(want[i]))
			}
		}
		trim(t, s, "a", 7)
		appended(t, s, "a", entry(after(0), "7"))
		if e := read(t, s, "a", 0)[0]; !e.Time.Equal(after(3 * time.Hour)) {
			t.Errorf("after everything was trimmed the time falls to %v, want %v", e.Time, after(3*time.Hour))
		}
		appended(t, s, "b", entry(after(0), "another topic has times of its own"))
		if e := read(t, s, "b", 0)[0]; !e.Time.Equal(after(0)) {
			t.Errorf("the first entry of another topic has the time %v, want %v", e.Time, after(0))
		}
	}},
	{"an Append is whole or not at all", "Append adds the entries, all or none; what is too large is refused before anything is written.", func(t *trial[storage.Log]) {
		s := t.open()
		appended(t, s, "a", entry(noon, "1"))
		large := strings.Repeat("x", storage.MaxValue)
		_, err := s.Append(t.Context(), "a", entry(noon, "2"), entry(noon, large+"x"), entry(noon, "3"))
		wantErr(t, "Append of data too long", err, storage.ErrTooLarge)
		wantBounds(t, s, "a", 1, 2)
		wantAppended(t, s, "a", 2, entry(noon, large))
		if all := read(t, s, "a", 2); len(all) != 1 || all[0].Data != large {
			t.Errorf("data of %d bytes did not come back", len(large))
		}
	}},
	{"a topic has 1 to MaxKey bytes", "ErrBadKey is returned for an empty topic, ErrTooLarge for a long one.", func(t *trial[storage.Log]) {
		s := t.open()
		long := strings.Repeat("t", storage.MaxKey)
		wantAppended(t, s, long, 1, entry(noon, "x"))
		wantBounds(t, s, long, 1, 2)
		_, err := s.Append(t.Context(), long+"t", entry(noon, "x"))
		wantErr(t, "Append to a topic too long", err, storage.ErrTooLarge)
		_, err = s.Append(t.Context(), "", entry(noon, "x"))
		wantErr(t, "Append to an empty topic", err, storage.ErrBadKey)
	}},
	{"data may be any bytes", "An entry's data is opaque to the store.", func(t *trial[storage.Log]) {
		s := t.open()
		var all []storage.Entry
		for _, key := range append([]string{""}, oddKeys...) {
			all = append(all, entry(noon, key))
		}
		appended(t, s, "a", all...)
		for i, e := range read(t, s, "a", 0) {
			if e.Data != all[i].Data {
				t.Errorf("entry %d has the data %q, want %q", e.Offset, e.Data, all[i].Data)
			}
		}
	}},
	{"Seek finds the first entry not earlier", "Seek returns the offset of the first kept entry that is not earlier than at, or the one the next entry will get when there is none.", func(t *trial[storage.Log]) {
		s := t.open()
		appended(t, s, "a", entry(after(1*time.Minute), ""), entry(after(2*time.Minute), ""), entry(after(2*time.Minute), ""),
			entry(after(2*time.Minute), ""), entry(after(4*time.Minute), ""))
		for _, c := range []struct {
			at   time.Duration
			want storage.Offset
		}{
			{-time.Hour * 24 * 365 * 100, 1}, {0, 1}, {time.Minute - 1, 1}, {time.Minute, 1}, {time.Minute + 1, 2}, {time.Minute + time.Microsecond, 2},
			{2*time.Minute - time.Microsecond, 2}, {2 * time.Minute, 2}, {2*time.Minute + 1, 5}, {3 * time.Minute, 5},
			{4 * time.Minute, 5}, {4*time.Minute + 1, 6}, {4*time.Minute + time.Microsecond, 6}, {time.Hour, 6},
		} {
			wantSeek(t, s, "a", after(c.at), c.want)
		}
		wantSeek(t, s, "a", after(2*time.Minute).In(time.FixedZone("odd", 12345)), 2)
		wantSeek(t, s, "a", time.Time{}, 1)
		trim(t, s, "a", 4)
		wantSeek(t, s, "a", after(0), 4)
		wantSeek(t, s, "a", after(3*time.Minute), 5)
		trim(t, s, "a", 6)
		wantSeek(t, s, "a", after(0), 6)
	}},
	{"Trim drops what is below", "Trim drops the entries below the given offset; trimming what is gone already is no error; Bounds returns the offset of the first kept entry.", func(t *trial[storage.Log]) {
		s := t.open()
		for i := range 10 {
			appended(t, s, "a", entry(noon, fmt.Sprint(i+1)))
		}
		trim(t, s, "a", 0)
		trim(t, s, "a", 1)
		wantBounds(t, s, "a", 1, 11)
		trim(t, s, "a", 4)
		wantBounds(t, s, "a", 4, 11)
		trim(t, s, "a", 4)
		trim(t, s, "a", 2)
		wantBounds(t, s, "a", 4, 11)
		for _, from := range []storage.Offset{0, 4} {
			if all := read(t, s, "a", from); len(all) != 7 || all[0].Offset != 4 || all[0].Data != "4" {
				t.Errorf("Read(%d) after Trim(4) yields %v", from, all)
			}
		}
	}},
	{"reading what was trimmed is ErrTrimmed", "A from below the first kept entry yields ErrTrimmed alone.", func(t *trial[storage.Log]) {
		s := t.open()
		for range 5 {
			appended(t, s, "a", entry(noon, ""))
		}
		trim(t, s, "a", 4)
		for _, from := range []storage.Offset{1, 3} {
			all, err := gather(s.Read(t.Context(), "a", from))
			wantErr(t, fmt.Sprintf("Read(%d) after Trim(4)", from), err, storage.ErrTrimmed)
			if len(all) > 0 {
				t.Errorf("Read(%d) after Trim(4) yields %v before its error", from, all)
			}
		}
		trim(t, s, "a", 6)
		_, err := gather(s.Read(t.Context(), "a", 5))
		wantErr(t, "Read(5) after Trim(6)", err, storage.ErrTrimmed)
		for _, from := range []storage.Offset{0, 6, 7} {
			if all := read(t, s, "a", from); len(all) > 0 {
				t.Errorf("Read(%d) of a topic trimmed whole yields %v", from, all)
			}
		}
	}},
	{"offsets are never given twice", "An offset is never given twice, not even when everything was trimmed; a before past the end drops all.", func(t *trial[storage.Log]) {
		s := t.open()
		appended(t, s, "a", entry(noon, "1"), entry(noon, "2"), entry(noon, "3"))
		trim(t, s, "a", 1000)
		wantBounds(t, s, "a", 4, 4)
		wantAppended(t, s, "a", 4, entry(noon, "4"))
		trim(t, s, "a", 5)
		wantBounds(t, s, "a", 5, 5)
		wantAppended(t, s, "a", 5, entry(after(1), "5"), entry(after(2), "6"))
		wantBounds(t, s, "a", 5, 7)
	}},
	{"a walk ends where the topic ended", "Read yields the entries up to the end that the topic had when the walk began.", func(t *trial[storage.Log]) {
		s := t.open()
		appended(t, s, "a", entry(noon, "1"), entry(noon, "2"), entry(noon, "3"))
		n := 0
		for e, err := range s.Read(t.Context(), "a", 1) {
			if err != nil {
				t.Fatalf("Read: %v", err)
			}
			if n++; e.Offset != storage.Offset(n) || n > 3 {
				t.Fatalf("Read yields %v as entry %d of 3", e, n)
			}
			appended(t, s, "a", entry(noon, "more"), entry(noon, "and more"))
		}
		if n != 3 {
			t.Errorf("Read yields %d entries, want 3", n)
		}
		wantBounds(t, s, "a", 1, 10)
	}},
	{"a walk can be left and begun again", "Read yields the entries from the given offset on, in order; walks are independent.", func(t *trial[storage.Log]) {
		s := t.open()
		const total = 2500
		for i := range total / 100 {
			var batch []storage.Entry
			for j := range 100 {
				batch = append(batch, entry(noon, fmt.Sprint(i*100+j+1)))
			}
			appended(t, s, "a", batch...)
		}
		var next storage.Offset = 1
		for next <= total {
			n := 0
			for e, err := range s.Read(t.Context(), "a", next) {
				if err != nil {
					t.Fatalf("Read: %v", err)
				}
				if e.Offset != next || e.Data != fmt.Sprint(next) {
					t.Fatalf("Read yields %v, want entry %d", e, next)
				}
				next++
				if n++; n == 999 {
					break
				}
			}
			if n == 0 {
				t.Fatalf("Read(%d) yields nothing, want entries up to %d", next, total)
			}
		}
	}},
	{"entries outlive their walk", "A value stays what it was after its transaction has ended and after the store has been closed.", func(t *trial[storage.Log]) {
		s := t.open()
		var k kept
		for i := range 50 {
			appended(t, s, "a", entry(noon, fmt.Sprintf("entry%03d of the log", i)))
		}
		for _, e := range read(t, s, "a", 0) {
			k.keep(e.Data)
		}
		for i := range 50 {
			appended(t, s, "a", entry(noon, fmt.Sprintf("ENTRY%03d OF THE LOG", i)))
		}
		read(t, s, "a", 51)
		trim(t, s, "a", 60)
		k.check(t, "after later calls")
		if closes(t, s) {
			k.check(t, "after Close")
		}
	}},
	{"appends do not mix", "Append adds the entries in order and without another's entries between them.", func(t *trial[storage.Log]) {
		s := t.open()
		wantUnmixed(t, s, s)
	}},
	{"a walk beside an Append has no gap", "Read yields the entries in order, up to an end that is not before the last Append that returned.", func(t *trial[storage.Log]) {
		s := t.open()
		const total = 300
		var writer sync.WaitGroup
		writer.Go(func() {
			for i := range total {
				if _, err := s.Append(t.Context(), "a", entry(after(time.Duration(i)*time.Millisecond), fmt.Sprint(i+1))); err != nil {
					t.Errorf("Append: %v", err)
					return
				}
			}
		})
		defer writer.Wait()
		for next := storage.Offset(1); next <= total; {
			_, end, err := s.Bounds(t.Context(), "a")
			if err != nil {
				t.Fatalf("Bounds: %v", err)
			}
			from := next
			for e, err := range s.Read(t.Context(), "a", next) {
				if err != nil || e.Offset != next || e.Data != fmt.Sprint(next) {
					t.Fatalf("Read yields %v, %v, want entry %d", e, err, next)
				}
				next++
			}
			if next < end {
				t.Fatalf("Read(%d) ends before %d, while Bounds had returned %d", from, next, end)
			}
			if t.Context().Err() != nil {
				t.Fatalf("%d of %d entries arrived", next-1, total)
			}
		}
	}},
	{"random calls agree with a list", "Append, Read, Seek, Bounds and Trim, together.", func(t *trial[storage.Log]) {
		s := t.open()
		rnd := newRand(t)
		var kept []storage.Entry
		var next storage.Offset = 1
		var last time.Time // never falls
		for step := range 200 {
			// About a second a step, and some times earlier than those before.
			now := func() time.Time { return after(time.Duration(step+rnd.IntN(9)) * time.Second) }
			switch rnd.IntN(5) {
			case 0, 1:
				var batch []storage.Entry
				for range rnd.IntN(4) {
					batch = append(batch, entry(now(), fmt.Sprint(rnd.IntN(1000))))
				}
				wantAppended(t, s, "a", next, batch...)
				for _, e := range batch {
					if e.Offset = next; e.Time.Before(last) {
						e.Time = last
					}
					next, last, kept = next+1, e.Time, append(kept, e)
				}
			case 2:
				if rnd.IntN(2) == 0 {
					before := next - storage.Offset(rnd.IntN(2)*rnd.IntN(len(kept)+1))
					trim(t, s, "a", before)
					kept = slices.DeleteFunc(kept, func(e storage.Entry) bool { return e.Offset < before })
				}
			case 3:
				at := now()
				if len(kept) > 0 && rnd.IntN(2) == 0 {
					at = kept[rnd.IntN(len(kept))].Time
				}
				want := next
				if i := slices.IndexFunc(kept, func(e storage.Entry) bool { return !e.Time.Before(at) }); i >= 0 {
					want = kept[i].Offset
				}
				wantSeek(t, s, "a", at, want)
			default:
				from := next - storage.Offset(len(kept)) + storage.Offset(rnd.IntN(2)*rnd.IntN(len(kept)+2))
				want := slices.DeleteFunc(slices.Clone(kept), func(e storage.Entry) bool { return e.Offset < from })
				wantEntries(t, read(t, s, "a", from), want)
			}
			wantBounds(t, s, "a", next-storage.Offset(len(kept)), next)
		}
	}},
}

// wantUnmixed appends batches through two handles on one log at once.
func wantUnmixed(t testingT, a, b storage.Log) {
	t.Helper()
	const writers, batches, size = 4, 25, 3
	var all sync.WaitGroup
	var mu sync.Mutex
	given := map[storage.Offset]string{}
	for id := range writers {
		s := []storage.Log{a, b}[id%2]
		all.Go(func() {
			for n := range batches {
				name := fmt.Sprint(id, "/", n, "/")
				var batch []storage.Entry
				for i := range size {
					batch = append(batch, entry(after(time.Duration(n)*time.Second), fmt.Sprint(name, i)))
				}
				first, err := s.Append(t.Context(), "a", batch...)
				if err != nil {
					t.Errorf("Append: %v", err)
					return
				}
				mu.Lock()
				if other, ok := given[first]; ok {
					t.Errorf("Append returned offset %d to %s and to %s", first, other, name)
				}
				given[first] = name
				mu.Unlock()
			}
		})
	}
	all.Wait()
	for _, s := range []storage.Log{a, b} {
		got := read(t, s, "a", 0)
		if len(got) != writers*batches*size {
			t.Fatalf("the topic has %d entries, want %d", len(got), writers*batches*size)
		}
		for i, e := range got {
			first := storage.Offset(i/size*size + 1)
			if want := fmt.Sprint(given[first], i%size); e.Offset != storage.Offset(i+1) || e.Data != want {
				t.Fatalf("entry %d is %v, want offset %d and data %q", i+1, e, i+1, want)
			}
			if i > 0 && e.Time.Before(got[i-1].Time) {
				t.Fatalf("the time falls from %v to %v at entry %d", got[i-1].Time, e.Time, e.Offset)
			}
		}
	}
}

func entry(at time.Time, data string) storage.Entry { return storage.Entry{Time: at, Data: data} }

// appended appends entries, or ends the test.
func appended(t testingT, s storage.Log, topic string, entries ...storage.Entry) storage.Offset {
	t.Helper()
	first, err := s.Append(t.Context(), topic, entries...)
	if err != nil {
		t.Fatalf("Append(%.20q): %v", topic, err)
	}
	return first
}

func wantAppended(t testingT, s storage.Log, topic string, want storage.Offset, entries ...storage.Entry) {
	t.Helper()
	if got := appended(t, s, topic, entries...); got != want {
		t.Errorf("Append of %d entries returns offset %d, want %d", len(entries), got, want)
	}
}

// read collects a walk, or ends the test.
func read(t testingT, s storage.Log, topic string, from storage.Offset) []storage.Entry {
	t.Helper()
	all, err := gather(s.Read(t.Context(), topic, from))
	if err != nil {
		t.Fatalf("Read(%.20q, %d): %v", topic, from, err)
	}
	return all
}

func wantEntries(t testingT, got, want []storage.Entry) {
	t.Helper()
	same := func(a, b storage.Entry) bool {
		return a.Offset == b.Offset && a.Time.Equal(b.Time) && a.Data == b.Data
	}
	if !slices.EqualFunc(got, want, same) {
		t.Errorf("Read yields %.200q, want %.200q", fmt.Sprint(got), fmt.Sprint(want))
	}
}

func wantBounds(t testingT, s storage.Log, topic string, first, next storage.Offset) {
	t.Helper()
	gotFirst, gotNext, err := s.Bounds(t.Context(), topic)
	if err != nil || gotFirst != first || gotNext != next {
		t.Errorf("Bounds(%.20q) = %d, %d, %v, want %d, %d", topic, gotFirst, gotNext, err, first, next)
	}
}

func wantSeek(t testingT, s storage.Log, topic string, at time.Time, want storage.Offset) {
	t.Helper()
	if got, err := s.Seek(t.Context(), topic, at); err != nil || got != want {
		t.Errorf("Seek(%.20q, %v) = %d, %v, want %d", topic, at, got, err, want)
	}
}

func trim(t testingT, s storage.Log, topic string, before storage.Offset) {
	t.Helper()
	if err := s.Trim(t.Context(), topic, before); err != nil {
		t.Fatalf("Trim(%.20q, %d): %v", topic, before, err)
	}
}
