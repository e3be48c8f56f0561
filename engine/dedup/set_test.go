package dedup

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"millrace/engine/event"
)

const origin event.Time = 1_700_000_040_000 // the beginning of a minute

// model is the definition: the ids of each minute remembered, oldest first.
type model struct {
	horizon int64
	max     int
	minutes []int64
	ids     map[int64][]string
}

func (m *model) add(site, id string, received event.Time) (isNew bool) {
	minute := int64(received / event.Minute)
	if n := len(m.minutes); n == 0 || m.minutes[n-1] < minute {
		m.minutes = append(m.minutes, minute)
	}
	now := m.minutes[len(m.minutes)-1]
	for now-m.minutes[0] > m.horizon {
		m.forget()
	}
	if id == "" {
		return true
	}
	id = site + " " + id
	n := 0
	for _, ids := range m.ids {
		if slices.Contains(ids, id) {
			return false
		}
		n += len(ids)
	}
	for n >= m.max && len(m.minutes) > 1 {
		n -= len(m.ids[m.minutes[0]])
		m.forget()
	}
	if n < m.max {
		m.ids[now] = append(m.ids[now], id)
	}
	return true
}

func (m *model) forget() {
	delete(m.ids, m.minutes[0])
	m.minutes = m.minutes[1:]
}

func dump(s *Set) string {
	var b bytes.Buffer
	for _, g := range s.gens {
		fmt.Fprintf(&b, "minute %d offset %d %x\n", g.minute, g.offset, g.hashes)
	}
	var ids []uint64
	for _, h := range s.ids.slots {
		if h != 0 {
			ids = append(ids, h)
		}
	}
	slices.Sort(ids)
	fmt.Fprintf(&b, "%d: %x", s.ids.len, ids)
	return b.String()
}

type journal struct {
	offset int64
	bytes  []byte
}

// TestSetIsTheModel runs a log on one set and checks what it answers against the model, and that others know all that it
// does: one that follows its journals, and those loaded from the journals a store keeps, which then run on their own.
func TestSetIsTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := Options{
			Horizon: rapid.SampledFrom([]event.Time{event.Minute, 3 * event.Minute, 10 * event.Minute}).Draw(t, "horizon"),
			MaxIDs:  rapid.SampledFrom([]int{1, 3, 8, 1 << 20}).Draw(t, "max"),
		}
		m := &model{horizon: int64(o.Horizon / event.Minute), max: o.MaxIDs, ids: map[int64][]string{}}
		master, standby := NewSet(o), NewSet(o)
		var kept []journal
		var loaded []*Set
		now, offset := origin, int64(0)
		for range rapid.IntRange(1, 20).Draw(t, "records") {
			offset += int64(rapid.IntRange(1, 2).Draw(t, "offset"))
			for range rapid.IntRange(0, 6).Draw(t, "events") {
				now += rapid.SampledFrom([]event.Time{0, 1, 30 * event.Second, event.Minute, 2 * event.Minute, 11 * event.Minute}).Draw(t, "step")
				received := now - rapid.SampledFrom([]event.Time{0, 0, event.Minute, event.Hour}).Draw(t, "behind")
				site := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "site")
				id := rapid.SampledFrom([]string{"", "1", "2", "3", "4", "5", "6"}).Draw(t, "id")
				want := m.add(site, id, received)
				if rapid.Bool().Draw(t, "ahead") { // the model knows nothing of it: it must change nothing
					master.Ahead([]event.Event{{Site: site, ID: id}, {Site: site, ID: id + "+"}, {Site: site}})
				}
				for i, s := range append(loaded, master) {
					if got := s.Add(site, id, received); got != want {
						t.Fatalf("set %d: %s %q at %d is new: %t, want %t", i, site, id, received, got, want)
					}
				}
			}
			b, from := master.Flush(offset)
			for i, s := range loaded {
				if gotB, gotFrom := s.Flush(offset); !bytes.Equal(gotB, b) || gotFrom != from {
					t.Fatalf("loaded set %d: journal %x from %d, want %x from %d", i, gotB, gotFrom, b, from)
				}
			}
			if b != nil {
				kept = append(kept, journal{offset, bytes.Clone(b)})
			}
			kept = slices.DeleteFunc(kept, func(j journal) bool { return j.offset < from })
			mustApply(t, standby, journal{offset, b})
			if rapid.IntRange(0, 3).Draw(t, "load") == 0 {
				s := NewSet(o)
				for _, j := range kept {
					mustApply(t, s, j)
				}
				loaded = append(loaded, s)
			}
			for i, s := range append(loaded, standby) {
				if got, want := dump(s), dump(master); got != want {
					t.Fatalf("set %d\ngot\n%s\nwant\n%s", i, got, want)
				}
			}
			n := 0
			for _, ids := range m.ids {
				n += len(ids)
			}
			if master.Len() != n || n > o.MaxIDs {
				t.Fatalf("%d ids, want %d, %d at most", master.Len(), n, o.MaxIDs)
			}
		}
	})
}

func mustApply(tb rapid.TB, s *Set, j journal) {
	if err := s.Apply(j.offset, j.bytes); err != nil {
		tb.Fatalf("journal %x: %v", j.bytes, err)
	}
}

// TestTable holds the hash table against a map, in tables small enough that hashes push each other on.
func TestTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tab, want := newTable(), map[uint64]bool{}
		tab.spread = 1 // so that small numbers all have the same home
		for range rapid.IntRange(0, 300).Draw(t, "steps") {
			h := rapid.Uint64Range(1, 100).Draw(t, "hash") << rapid.SampledFrom([]int{0, 57}).Draw(t, "shift")
			if h == 0 {
				continue
			}
			switch rapid.IntRange(0, 2).Draw(t, "do") {
			case 0, 1:
				tab.add(h)
				want[h] = true
			case 2:
				tab.remove(h)
				delete(want, h)
				tab.shrink()
			}
			if tab.len != len(want) || tab.has(h) != want[h] {
				t.Fatalf("%d hashes, want %d; has %x: %t", tab.len, len(want), h, tab.has(h))
			}
		}
		for h := range want {
			if !tab.has(h) {
				t.Fatalf("%x is lost", h)
			}
		}
	})
}

// TestHorizon shows how long an id is known.
func TestHorizon(t *testing.T) {
	f := func(after event.Time, wantNew bool) {
		t.Helper()
		s := NewSet(Options{})
		s.Add("a", "1", origin+30*event.Second)
		s.Add("a", "", origin+30*event.Second+after) // moves the clock, which is enough
		if got := s.Add("a", "1", origin); got != wantNew {
			t.Errorf("after %d ms: new is %t", after, got)
		}
	}
	f(0, false)
	f(10*event.Minute, false)
	f(10*event.Minute+30*event.Second-1, false)
	f(10*event.Minute+30*event.Second, true)
	f(11*event.Minute, true)
}

// TestLimit shows what is forgotten when there is no room.
func TestLimit(t *testing.T) {
	s := NewSet(Options{MaxIDs: 3})
	add := func(id string, minute event.Time, wantNew bool, wantLen int, wantForgotten int64) {
		t.Helper()
		if got := s.Add("a", id, origin+minute*event.Minute); got != wantNew || s.Len() != wantLen || s.Forgotten() != wantForgotten {
			t.Errorf("id %s: new %t, %d ids, %d forgotten; want %t, %d, %d", id, got, s.Len(), s.Forgotten(), wantNew, wantLen, wantForgotten)
		}
	}
	add("1", 0, true, 1, 0)
	add("2", 0, true, 2, 0)
	add("3", 1, true, 3, 0)
	add("2", 1, false, 3, 0)
	add("4", 1, true, 2, 2) // minute 0 goes
	add("1", 1, true, 3, 2)
	add("5", 1, true, 3, 3) // is not remembered
	add("5", 1, true, 3, 4)
	add("4", 1, false, 3, 4)
	add("5", 2, true, 1, 7)
}

func TestSitesAndIDsDoNotRunTogether(t *testing.T) {
	s := NewSet(Options{})
	for i, e := range [][2]string{{"a", "b"}, {"ab", ""}, {"b", "b"}, {"a", "bb"}, {"ab", "b"}} {
		if !s.Add(e[0], e[1], origin) {
			t.Errorf("%d: %q is not new", i, e)
		}
	}
}

func TestValidate(t *testing.T) {
	f := func(o Options, want string) {
		t.Helper()
		got := ""
		if err := o.Validate(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(Options{}, "")
	f(Options{Horizon: 90 * event.Second, MaxIDs: -1}, "dedup options: horizon 90000 ms is not a number of minutes within a day; max ids -1 is not within 1 and 2^30")
}

func TestApplyRefuses(t *testing.T) {
	f := func(want string, b ...byte) {
		t.Helper()
		err := NewSet(Options{}).Apply(1, b)
		if !errors.Is(err, ErrJournal) || err.Error() != "malformed journal of ids: "+want {
			t.Errorf("%x: %v", b, err)
		}
	}
	id := binary.LittleEndian.AppendUint64
	f("unknown format 9", 9)
	f("number cut short or too large", 1, 5)
	f("part at no possible time or cut short", 1, 5, 6, 0)
	f("part at no possible time or cut short", 1, 5, 0, 2, 1, 1, 1, 1, 1, 1, 1, 1)
	f("id 0", id([]byte{1, 5, 0, 1}, 0)...)
	s := NewSet(Options{})
	s.Add("a", "1", origin)
	if err := s.Apply(1, []byte{1, 5, 0, 0}); !errors.Is(err, ErrJournal) {
		t.Errorf("a journal from before the clock: %v", err)
	}
}

func FuzzApply(f *testing.F) {
	s := NewSet(Options{})
	for i := range 40 {
		s.Add("a", strconv.Itoa(i), origin+event.Time(i)*event.Minute/2)
		if i%7 == 0 {
			b, _ := s.Flush(int64(i))
			f.Add(bytes.Clone(b))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := NewSet(Options{})
		if err := s.Apply(1, b); err != nil {
			if !errors.Is(err, ErrJournal) {
				t.Fatalf("error without a reason: %v", err)
			}
			return
		}
		if s.Bytes() > 64*len(b)+8*minSlots+1024 {
			t.Fatalf("%d bytes for a journal of %d", s.Bytes(), len(b))
		}
		s.Add("a", "1", origin)
		s.Flush(2)
	})
}

// BenchmarkAdd measures an event with a new id, and what ids take, in a full set and in one of a small partition.
func BenchmarkAdd(b *testing.B) {
	for _, perMinute := range []int{2_000, 360_000} {
		b.Run(fmt.Sprintf("%d per minute", perMinute), func(b *testing.B) {
			s := NewSet(Options{})
			i := 0
			var id [16]byte
			next := func() {
				binary.LittleEndian.PutUint64(id[:], uint64(i)*0x9e3779b97f4a7c15)
				s.Add("www.example.com", string(id[:]), origin+event.Time(i)*event.Minute/event.Time(perMinute))
				if i++; i%100 == 0 {
					s.Flush(int64(i))
				}
			}
			for i < 12*perMinute {
				next()
			}
			b.ReportAllocs()
			for b.Loop() {
				next()
			}
			b.ReportMetric(float64(s.Bytes())/float64(s.Len()), "B/id")
			b.ReportMetric(float64(s.Len()), "ids")
		})
	}
}
