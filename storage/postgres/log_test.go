package postgres

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
)

var noon = time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC)

func TestALargeAppendIsWhole(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Schema: schema(t)})
	if _, err := s.Append(t.Context(), "a", storage.Entry{Time: noon.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	var entries []storage.Entry
	for i := range partChanges + 5 {
		entries = append(entries, storage.Entry{Time: noon.Add(time.Duration(i) * time.Second), Data: fmt.Sprint(i)})
	}
	big := strings.Repeat("v", partBytes/5)
	for range 6 {
		entries = append(entries, storage.Entry{Time: noon, Data: big})
	}
	first, err := s.Append(t.Context(), "a", entries...)
	if err != nil || first != 2 {
		t.Fatalf("Append = %d, %v, want 2", first, err)
	}
	got := collect(t, s.Read(t.Context(), "a", 2))
	if len(got) != len(entries) {
		t.Fatalf("%d entries, want %d", len(got), len(entries))
	}
	last := noon.Add(time.Hour)
	for i, e := range got {
		if entries[i].Time.After(last) {
			last = entries[i].Time
		}
		if want := (storage.Entry{Offset: storage.Offset(i + 2), Time: last, Data: entries[i].Data}); e != want {
			t.Fatalf("entry %d is at %d, %v with %.20q; want %v", i, e.Offset, e.Time, e.Data, want.Time)
		}
	}
	if next, err := s.Append(t.Context(), "a"); err != nil || int(next) != len(entries)+2 {
		t.Errorf("the next offset is %d, %v", next, err)
	}
}

func TestAWalkWhoseEntriesAreTrimmed(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Schema: schema(t)})
	entries := make([]storage.Entry, 2*pageFirst)
	if _, err := s.Append(t.Context(), "a", entries...); err != nil {
		t.Fatal(err)
	}
	for _, from := range []storage.Offset{0, 1} {
		n := 0
		var last error
		for e, err := range s.Read(t.Context(), "a", from) {
			if last = err; err != nil {
				break
			}
			if n++; e.Offset != storage.Offset(n) {
				t.Fatalf("entry %d has the offset %d", n, e.Offset)
			}
			if n == pageFirst-1 && from == 1 {
				if err := s.Trim(t.Context(), "a", 2*pageFirst); err != nil {
					t.Fatal(err)
				}
			}
		}
		if from == 0 && (last != nil || n != 2*pageFirst) {
			t.Errorf("%d entries, %v", n, last)
		}
		if from == 1 && (!errors.Is(last, storage.ErrTrimmed) || n != pageFirst) {
			t.Errorf("the walk ends with %v after %d entries, want ErrTrimmed after the %d it held", last, n, pageFirst)
		}
	}
}

// Seek of a long topic agrees with its times, trimmed and not.
func TestSeekEverywhere(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Schema: schema(t)})
	var entries []storage.Entry
	for i := range 101 {
		entries = append(entries, storage.Entry{Time: noon.Add(time.Duration(i/3*2) * time.Microsecond)})
	}
	if _, err := s.Append(t.Context(), "a", entries...); err != nil {
		t.Fatal(err)
	}
	for _, before := range []storage.Offset{0, 50, 101, 102} {
		if err := s.Trim(t.Context(), "a", before); err != nil {
			t.Fatal(err)
		}
		for us := -1; us < 70; us++ {
			at := noon.Add(time.Duration(us) * time.Microsecond)
			want := max(before, 1)
			for int(want) <= len(entries) && entries[want-1].Time.Before(at) {
				want++
			}
			if got, err := s.Seek(t.Context(), "a", at); err != nil || got != want {
				t.Errorf("trimmed before %d, Seek(%d us) = %d, %v, want %d", before, us, got, err, want)
			}
		}
	}
}
