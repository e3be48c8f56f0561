package lake

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"millrace/engine/event"
)

// mustSegments returns the keys of a lake, by segment, in order of the log.
func mustSegments(t *testing.T, l *Reader) [][]Key {
	t.Helper()
	hours, err := l.Hours(context.Background(), firstHour, math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	bySegment := map[int64][]Key{}
	for _, h := range hours {
		for _, k := range h.Keys {
			bySegment[k.First] = append(bySegment[k.First], k)
		}
	}
	var list [][]Key
	for _, keys := range bySegment {
		list = append(list, keys)
	}
	slices.SortFunc(list, func(a, b []Key) int { return int(a[0].First - b[0].First) })
	return list
}

// Segments one after the other, each with its files of all hours, are the log.
func TestReadSegment(t *testing.T) {
	t.Parallel()
	l, log, end := mustLake(t)
	segments := mustSegments(t, l)
	var got []placed
	hours := 0
	for _, keys := range segments {
		hours = max(hours, len(keys))
		err := l.ReadSegment(t.Context(), keys, "", func(e *event.Event, src Source) error {
			got = append(got, placed{*e, src})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(segments) < 3 || hours < 2 {
		t.Fatalf("%d segments of at most %d hours", len(segments), hours)
	}
	sameRows(t, got, wantRows(log, 0, "", end))
}

// Of other sites only receive times are told: each minute that was the latest so far is known
// before each event of the site.
func TestReadSegmentOfSite(t *testing.T) {
	t.Parallel()
	l, log, end := mustLake(t)
	all := wantRows(log, 0, "", end)
	f := func(site string) {
		t.Helper()
		var got []placed
		told, n := 0, 0 // n of all have been passed
		var minutes []event.Time
		pass := func(minutes []event.Time, received event.Time) []event.Time {
			if m := received.Floor(event.Minute); len(minutes) == 0 || m > minutes[len(minutes)-1] {
				return append(minutes, m)
			}
			return minutes
		}
		for _, keys := range mustSegments(t, l) {
			err := l.ReadSegment(t.Context(), keys, site, func(e *event.Event, src Source) error {
				if minutes = pass(minutes, e.Received); e.Site == "" {
					told++
					return nil
				}
				var want []event.Time
				for ; n < len(all) && comparePlace(all[n].Source, src) <= 0; n++ {
				}
				for _, before := range all[:n] {
					want = pass(want, before.Received)
				}
				if !slices.Equal(minutes, want) {
					t.Fatalf("before %s the minutes are %v, want %v", src, minutes, want)
				}
				got = append(got, placed{*e, src})
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		sameRows(t, got, wantRows(log, 0, site, end))
		var want []event.Time
		for _, e := range all {
			want = pass(want, e.Received)
		}
		if !slices.Equal(minutes, want) || told > len(want)+len(mustSegments(t, l)) {
			t.Errorf("%s: the minutes are %v, want %v; %d events tell them", site, minutes, want, told)
		}
	}
	f("site0.example.com")
	f("nobody.example")
}

func TestLastReceived(t *testing.T) {
	t.Parallel()
	l, log, end := mustLake(t)
	all := wantRows(log, 0, "", end)
	segments := mustSegments(t, l)
	for i, keys := range segments {
		for _, k := range keys {
			want := event.Time(0)
			for _, e := range all {
				next := int64(math.MaxInt64)
				if i+1 < len(segments) {
					next = segments[i+1][0].First
				}
				if e.Offset >= k.First && e.Offset < next && hourOf(e.Time) == k.Hour {
					want = max(want, e.Received)
				}
			}
			if got, err := l.LastReceived(t.Context(), k); got != want || err != nil {
				t.Errorf("%s: %s, %v; want %s", k, got, err, want)
			}
		}
	}
}

func TestReadSegmentStops(t *testing.T) {
	t.Parallel()
	l, _, _ := mustLake(t)
	keys, enough, n := mustSegments(t, l), errors.New("enough"), 0
	err := l.ReadSegment(t.Context(), keys[0], "", func(*event.Event, Source) error {
		if n++; n == 3 {
			return enough
		}
		return nil
	})
	if err != enough || n != 3 {
		t.Errorf("%v after %d", err, n)
	}
	both := slices.Concat(keys[0], keys[1])
	if err := l.ReadSegment(t.Context(), both, "", func(*event.Event, Source) error { return nil }); err == nil {
		t.Error("two segments at once: no error")
	}
	if err := l.ReadSegment(t.Context(), nil, "", nil); err != nil {
		t.Errorf("no files: %v", err)
	}
	l.store.(*memory).objects[keys[0][0].String()][100] ^= 1
	if err := l.ReadSegment(t.Context(), keys[0], "", nil); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a damaged file: %v", err)
	}
	if _, err := l.LastReceived(t.Context(), keys[0][0]); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a damaged file: %v", err)
	}
}
