package apic

import (
	"slices"
	"testing"
	"time"
)

func sampleTraffic() []Traffic {
	row := Traffic{TrafficKey: TrafficKey{Minute: 1595576640, APIID: "api", GroupID: "group", AppID: "app"}}
	for i, v := range row.numbers() {
		*v = int64(i+1) << (3 * i)
	}
	return []Traffic{row, {TrafficKey: TrafficKey{Minute: 1595576640, APIID: "another"}}}
}

func TestTrafficIsReadAsItWasWritten(t *testing.T) {
	rows := sampleTraffic()
	at := time.Unix(1595576696, 0)
	var got []Traffic
	err := decodeTraffic(encodeTraffic(at, rows), func(row *Traffic, recorded int64) error {
		if recorded != at.Unix() {
			t.Errorf("recorded at %d, want %d", recorded, at.Unix())
		}
		got = append(got, *row)
		return nil
	})
	if err != nil || !slices.Equal(got, rows) {
		t.Errorf("%+v, %v, want %+v", got, err, rows)
	}
}

func TestTrafficThatNobodyWroteIsRefused(t *testing.T) {
	whole := encodeTraffic(time.Unix(1, 0), sampleTraffic()[:1])
	for n := range len(whole) {
		rows := 0
		err := decodeTraffic(whole[:n], func(*Traffic, int64) error { rows++; return nil })
		if rows != 0 {
			t.Errorf("%d of %d bytes: %d rows", n, len(whole), rows)
		}
		// A head alone is a record without rows.
		if head := len(encodeHead(whole)); err == nil && n != head {
			t.Errorf("%d of %d bytes: no error", n, len(whole))
		}
	}
	if decodeTraffic("\x02", nil) == nil {
		t.Error("another version: no error")
	}
}

// encodeHead is what stands before the rows of a record.
func encodeHead(record string) string {
	d := trafficDecoder{rest: []byte(record[1:])}
	d.number()
	d.number()
	return record[:len(record)-len(d.rest)]
}

func FuzzDecodeTraffic(f *testing.F) {
	f.Add(encodeTraffic(time.Unix(1595576696, 0), sampleTraffic()))
	f.Add("\x01\x02")
	f.Fuzz(func(t *testing.T, record string) {
		var rows []Traffic
		recorded := int64(0)
		err := decodeTraffic(record, func(row *Traffic, at int64) error {
			rows, recorded = append(rows, *row), at
			return nil
		})
		if err != nil || len(rows) == 0 {
			return
		}
		var again []Traffic
		err = decodeTraffic(encodeTraffic(time.Unix(recorded, 0), rows), func(row *Traffic, _ int64) error {
			again = append(again, *row)
			return nil
		})
		if err != nil || !slices.Equal(again, rows) {
			t.Errorf("%+v becomes %+v, %v", rows, again, err)
		}
	})
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1h": time.Hour, "72h": 72 * time.Hour, "90m": 90 * time.Minute, "2h45m": 165 * time.Minute, "1m": time.Minute, "0h5m": 5 * time.Minute,
		"": 0, "0h": 0, "73h": 0, "91m": 0, "1": 0, "1s": 0, "1m1h": 0, "h": 0, "-1h": 0, "1.5h": 0, "1h ": 0, "100h": 0,
	} {
		if got, ok := parseDuration(text, anyDuration); ok != (want > 0) || ok && got != want {
			t.Errorf("%q = %v, %v, want %v", text, got, ok, want)
		}
	}
	if _, ok := parseDuration("1h1m", latestDuration); ok {
		t.Error("1h1m is one of 4.21.1, which has hours or minutes")
	}
}
