package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"millrace/engine/delta"
	"millrace/engine/derivetest"
	"millrace/engine/event"
	"millrace/engine/visit"
	"millrace/engine/window"
	"millrace/engine/wire"
)

// The same events in records of other sizes, with the same low at the end of each second, give the same windows, byte for
// byte but for the version. So they do where a record may fire few of them at once.
func TestBatchSizeDoesNotMatter(t *testing.T) {
	t.Parallel()
	seeds, seconds := uint64(1), 250
	if *thorough {
		seeds = 3
	}
	for seed := range seeds {
		var want map[string]string
		for i, size := range []int{1, 3, 1000} {
			got := batched(t, seed, seconds, size, []int{0, 50, 60}[i])
			if want == nil {
				want = got
			}
			if len(got) != len(want) || len(got) < 10 {
				t.Fatalf("seed %d: %d windows in records of %d, %d in records of 1", seed, len(got), size, len(want))
			}
			for key, w := range want {
				if got[key] != w {
					t.Fatalf("seed %d: in records of %d window %s is\n%s\nin records of 1\n%s", seed, size, key, got[key], w)
				}
			}
		}
	}
}

// batched runs a seeded log of so many seconds in records of at most size events, which fire names of so many bytes at once, and
// returns the last firing of each window.
func batched(t *testing.T, seed uint64, seconds, size, fired int) map[string]string {
	rng := rand.New(rand.NewPCG(seed, 2))
	g := newRig(t, Rules{Lateness: 2 * event.Minute, FiredBytes: fired}, 3)
	now := base
	for range seconds {
		var list []event.Event
		for range rng.IntN(6) {
			at := now + event.Time(rng.IntN(1000))
			if rng.IntN(8) == 0 {
				at -= event.Time(rng.IntN(200)) * event.Second
			}
			list = append(list, event.Event{
				Site: fmt.Sprintf("s%d", rng.IntN(3)), Time: at, Name: event.Pageview,
				URL: fmt.Sprintf("/%d", rng.IntN(8)), Visitor: event.Visitor(rng.IntN(30) + 1),
			})
		}
		low := now // what the records before the last one say: nothing new
		now += event.Second
		for len(list) > size {
			g.process(envelope("c", low, list[:size]...))
			list = list[size:]
		}
		g.process(envelope("c", now, list...))
	}
	for range 9 {
		now += 10 * event.Minute
		for range 60 { // time for what did not fit
			now += event.Second
			g.process(envelope("c", now))
		}
	}
	out := map[string]string{}
	for key, w := range g.final {
		if !w.Final {
			t.Errorf("window %s ended with an early firing", key)
		}
		w.Version = 0
		if w.Kind == window.Visits {
			// Values that a visit has only passed through within a record leave no trace, so that what is kept of a budget
			// may differ.
			w.Points = slices.DeleteFunc(w.Points, func(p window.Point) bool { return p.Family != window.Totals })
		}
		b, err := w.AppendLines(nil)
		if err != nil {
			t.Fatal(err)
		}
		out[key] = string(b)
	}
	return out
}

// No record that decodes stops a partition, whatever its times are: each comes through Process, is loaded from the store
// again (the rig does) and fires.
func TestExtremeTimes(t *testing.T) {
	for _, at := range []event.Time{math.MinInt64, math.MinInt64 + 1, -1 << 53, -1, 1, 1 << 53, math.MaxInt64 - 62_001, math.MaxInt64} {
		for _, low := range []event.Time{math.MinInt64, -1, 0, 1, math.MaxInt64} {
			t.Run(fmt.Sprintf("ts %d low %d", at, low), func(t *testing.T) {
				g := newRig(t, Rules{}, 0)
				e := event.Event{Site: "a", Name: "x", Time: at, Visitor: 1}
				g.process(envelope("c", base, event.Event{Site: "a", Name: "x", Time: base}))
				g.process(envelope("c", low, e))
				g.process(envelope("d", low, e))
				g.process(envelope("c", base+2*event.Second, e))
				g.process(envelope("c", base+10*event.Second))
				g.process(envelope("c", base+event.Hour))
			})
		}
	}
}

func TestRulesValidate(t *testing.T) {
	f := func(r Rules, want ...string) {
		t.Helper()
		err := r.Validate()
		if (err == nil) != (len(want) == 0) {
			t.Fatalf("%+v: %v", r, err)
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%+v: %q does not say %q", r, err, w)
			}
		}
	}
	f(Rules{})
	f(Rules{Grace: event.Minute, Lateness: event.Minute, EarlyEvery: -1, SilentAfter: event.Second})
	f(Rules{Grace: -1}, "grace")
	f(Rules{Grace: event.Minute + 1}, "grace")
	f(Rules{Lateness: 1999}, "lateness 1999 ms is below the grace of 2000 ms")
	f(Rules{Lateness: -1}, "lateness")
	f(Rules{Lateness: 30 * 24 * event.Hour})
	f(Rules{Lateness: 30*24*event.Hour + 1}, "lateness 2592000001 ms is more than 30 days")
	f(Rules{SilentAfter: 999}, "silent-after")
	f(Rules{FiredBytes: -1}, "the -1 bytes of names that a record fires are negative")
	f(Rules{Grace: -1, Lateness: -2, SilentAfter: -1}, "grace", "lateness", "silent-after") // all at once
}

// The core's own state reads back as it was, and no bytes make it panic.
func FuzzMeta(f *testing.F) {
	m := meta{last: 7, logTime: base, watermark: base - 1, counters: Counters{Records: 8, Dead: 1}, collectors: []collector{{"c1", base, base, 7, 1}}}
	f.Add(m.append(nil))
	f.Add([]byte{metaVersion})
	f.Add([]byte{metaVersion + 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		var m, again meta
		if m.decode(b) != nil || len(b) == 0 {
			return
		}
		if err := again.decode(m.append(nil)); err != nil || fmt.Sprintf("%+v", again) != fmt.Sprintf("%+v", m) {
			t.Fatalf("%+v reads back as %+v, %v", m, again, err)
		}
	})
}

// What a newer build has written is refused by its number.
func TestNewerFormats(t *testing.T) {
	f := func(err error, want string) {
		t.Helper()
		if !errors.Is(err, wire.ErrNewer) || !strings.HasSuffix(err.Error(), want+": use the newer program") {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f(new(meta).decode([]byte{metaVersion + 1}), "(format 6; this one reads 2 to 5)")
	var d delta.Delta
	b := d.Append(nil)
	b[0]++
	f(d.Decode(b), "(format 5; this one reads 4)")
	_, err := DecodeRules(bytes.Replace(EncodeRules(Rules{}), []byte(`"version":1`), []byte(`"version":2`), 1))
	f(err, "(format 2; this one reads 1)")
}

func TestMetaRoundTrip(t *testing.T) {
	m := meta{
		last: 7, logTime: base, beat: base - 12, watermark: base - 1, lastTimer: base - 2, lastEarly: base - 3, announced: base - 4, finals: base - 5,
		firedTo: base - 6, firedSite: "a.example", closed: base - 7,
		counters:   Counters{Records: 8, Events: 7, OnTime: 6, Late: 5, Dropped: 4, Bots: 3, Duplicates: 2, Dead: 1, Pings: 9},
		collectors: []collector{{"c1", base - 8, base - 9, 999, 2}, {"c2", base - 10, base - 11, unmarked, 0}},
	}
	var got meta
	if err := got.decode(m.append(nil)); err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("%+v reads back as %+v, %v", m, got, err)
	}
}

// A state of version 4 is read: its clock was the largest low.
func TestMetaOfVersion4(t *testing.T) {
	b := []byte{4}
	for _, v := range []int64{7, 100, 99, 98, 97, 96, 95, 94, 93} { // last, logTime, …, firedTo, closed, finals
		b = binary.AppendVarint(b, v)
	}
	b = append(b, 1, 'a')
	b = append(b, 8, 7, 6, 5, 4, 3, 2, 1)
	b = append(b, 1, 2, 'c', '1')
	b = binary.AppendVarint(binary.AppendVarint(b, 92), 91)
	want := meta{
		last: 7, logTime: 100, beat: 100, watermark: 99, lastTimer: 98, lastEarly: 97, announced: 96, firedTo: 95, closed: 94, finals: 93, firedSite: "a",
		counters:   Counters{Records: 8, Events: 7, OnTime: 6, Late: 5, Dropped: 4, Bots: 3, Duplicates: 2, Dead: 1},
		collectors: []collector{{"c1", 92, 91, unmarked, 0}},
	}
	var got meta
	if err := got.decode(b); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}

// bare is a State of nothing but a meta record.
type bare string

func (b bare) Meta() []byte                                                           { return []byte(b) }
func (bare) Visits() *visit.Table                                                     { return visit.NewTable(visit.Rules{}) }
func (bare) Seen(func(int64, []byte) error) error                                     { return nil }
func (bare) Windows(func(window.Kind, string, event.Time, window.Status) error) error { return nil }

// A core can't be loaded from what is no state.
func TestLoadDamaged(t *testing.T) {
	c := NewCore(Rules{}, derivetest.Deriver{})
	if err := c.Load(bare("x")); err == nil {
		t.Error("no error")
	}
	if err := c.Load(bare("")); err != nil || c.Watermark() != 0 {
		t.Errorf("of an empty store: %v", err)
	}
}
