package dedup

import (
	"bytes"
	"cmp"
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

// model is the definition: the ids of each site, in the order of their coming.
type model struct {
	horizon int64
	max     int
	minutes []int64 // in which events came
	sites   map[string][]known
	len     int

	forgotten int64
}

type known struct {
	id     string
	slot   int64 // of a repeat id
	minute int64
	age    int64
}

func (m *model) add(site, id string, received event.Time) (isNew bool) {
	minute := int64(received / event.Minute)
	step := int64(0)
	if n := len(m.minutes); n == 0 || m.minutes[n-1] < minute {
		if n > 0 {
			step = minute - m.minutes[n-1]
		}
		m.minutes = append(m.minutes, minute)
	}
	if step > m.horizon+m.horizon/2 {
		step = 1
	}
	now := m.minutes[len(m.minutes)-1]
	for s, ids := range m.sites {
		for i := range ids {
			ids[i].age += step
		}
		for len(ids) > 0 && ids[0].age > m.horizon {
			ids = ids[1:]
			m.len--
		}
		m.sites[s] = ids
	}
	if id == "" {
		return true
	}
	slot := int64(0)
	if print, ok := event.CutRepeat(id); ok {
		id, slot = print, int64(received)/4000
	}
	if slices.ContainsFunc(m.sites[site], func(k known) bool { return k.id == id && k.slot >= slot-1 && k.slot <= slot+1 }) {
		return false
	}
	if m.len == m.max {
		for m.len > m.max-max(m.max/16, 1) {
			m.forget()
		}
	}
	m.sites[site] = append(m.sites[site], known{id, slot, now, 0})
	m.len++
	return true
}

// forget forgets the oldest id of the site that has most.
func (m *model) forget() {
	most := ""
	for s, ids := range m.sites {
		if len(ids) == 0 {
			continue
		}
		if of := m.sites[most]; len(of) == 0 || cmp.Or(
			cmp.Compare(len(of), len(ids)), cmp.Compare(ids[0].minute, of[0].minute), cmp.Compare(siteHash(s), siteHash(most))) < 0 {
			most = s
		}
	}
	m.sites[most] = m.sites[most][1:]
	m.len--
	m.forgotten++
}

func siteHash(site string) uint32 {
	of, _, _ := hashes(site, "", 0)
	return of
}

// dump writes down all that a set is, but for the order of sites in a minute.
func dump(s *Set) string {
	var b bytes.Buffer
	for i := range s.gens {
		g := &s.gens[i]
		fmt.Fprintf(&b, "minute %d offset %d:", g.minute, g.offset)
		var ids []newID
		for i, c := range g.chunks {
			for j := range g.filled(i) {
				ids = append(ids, newID{c.hashes[j], c.sites[j]})
			}
		}
		slices.SortStableFunc(ids, func(a, b newID) int { return cmp.Compare(a.site, b.site) })
		fmt.Fprintf(&b, " %x\n", ids)
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
	ids := []string{""}
	for i := range 20 {
		ids = append(ids, strconv.Itoa(i))
	}
	for i := range 6 {
		ids = append(ids, string(event.AppendRepeatPrefix(nil, uint64(i%3)))+strconv.Itoa(i))
	}
	rapid.Check(t, func(t *rapid.T) {
		o := Options{
			Horizon: rapid.SampledFrom([]event.Time{event.Minute, 3 * event.Minute, 10 * event.Minute}).Draw(t, "horizon"),
			MaxIDs:  rapid.SampledFrom([]int{1, 3, 8, 16, 40, 1 << 20}).Draw(t, "max"),
		}
		m := &model{horizon: int64(o.Horizon / event.Minute), max: o.MaxIDs, sites: map[string][]known{}}
		master, standby := NewSet(o), NewSet(o)
		var kept []journal
		var loaded []*Set
		now, offset := origin, int64(0)
		for range rapid.IntRange(1, 20).Draw(t, "records") {
			offset += int64(rapid.IntRange(1, 2).Draw(t, "offset"))
			for range rapid.IntRange(0, 20).Draw(t, "events") {
				now += rapid.SampledFrom([]event.Time{0, 0, 0, 1, 1500, 4000, 30 * event.Second, event.Minute, 2 * event.Minute, 11 * event.Minute, event.Hour}).Draw(t, "step")
				received := now - rapid.SampledFrom([]event.Time{0, 0, 1, 4000, event.Minute, event.Hour}).Draw(t, "behind")
				site := rapid.SampledFrom([]string{"a", "a", "a", "b", "b", "c", "d", "e"}).Draw(t, "site")
				id := rapid.SampledFrom(ids).Draw(t, "id")
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
			if master.Len() != m.len || m.len > o.MaxIDs || master.Forgotten() != m.forgotten {
				t.Fatalf("%d ids, want %d, %d at most; %d forgotten, want %d", master.Len(), m.len, o.MaxIDs, master.Forgotten(), m.forgotten)
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

// TestHoles: where the events are only some of their log's, a great step is the time that went by.
func TestHoles(t *testing.T) {
	for _, holes := range []bool{false, true} {
		s := NewSet(Options{Holes: holes})
		s.Add("a", "1", origin)
		if got := s.Add("a", "1", origin+2*event.Hour); got != holes {
			t.Errorf("holes %t: new after two hours is %t", holes, got)
		}
	}
}

// TestRepeat: what a browser has sent again by itself is known by its fingerprint for some seconds of receive time, in either
// order, and is another event afterwards.
func TestRepeat(t *testing.T) {
	first, again, other := "~00000000000000ab.c1-1", "~00000000000000ab.c2-7", "~00000000000000ac.c1-2"
	f := func(from, to event.Time, wantNew bool) {
		t.Helper()
		s := NewSet(Options{})
		if !s.Add("a", first, from) || !s.Add("a", other, from) || !s.Add("b", first, from) {
			t.Fatal("the first is not new")
		}
		if got := s.Add("a", again, to); got != wantNew {
			t.Errorf("from %d to %d: new is %t", from, to, got)
		}
	}
	at := origin.Floor(4 * event.Second)
	for _, slot := range []event.Time{0, 1, 3999} {
		f(at+slot, at+slot, false)
		f(at+slot, at+slot+4000, false)
		f(at+slot, at+slot-4000, false) // through another collector, the later one is first in the log
		f(at+slot, at+slot+8000, true)
		f(at+slot, at+slot-8000, true)
		f(at+slot, at+slot+10*event.Minute, true)
	}
	f(at, at+7999, false)
	f(at+3999, at+8000, true)
	// A duplicate does not make it known for longer: who does the same every three seconds has done it every eight.
	s, n := NewSet(Options{}), 0
	for i := range event.Time(24) {
		if s.Add("a", first, at+i*3*event.Second) {
			n++
		}
	}
	if n != 9 {
		t.Errorf("of 24 in 72 s %d are new, want 9", n)
	}
	// The id of a sender that looks nearly so is like any other.
	for _, id := range []string{"~00000000000000ab", "~00000000000000AB.1", "~00000000000000ag.1", "~0000000000000ab.1", "-00000000000000ab.1", "~00000000000000ab,1"} {
		s := NewSet(Options{})
		if s.Add("a", id, at); s.Add("a", id, at+9*event.Minute) || !s.Add("a", id+"x", at) {
			t.Errorf("%s is taken for a repeat id", id)
		}
	}
}

// TestJumpForgetsNothing: a receive time that is far ahead pushes no id out, and neither does a collector that stays ahead before
// as many minutes have gone by as the horizon has.
func TestJumpForgetsNothing(t *testing.T) {
	for _, jump := range []event.Time{16 * event.Minute, 2 * event.Hour, 365 * 24 * event.Hour} {
		s := NewSet(Options{})
		s.Add("a", "before", origin)
		s.Flush(1)
		s.Add("a", "ahead", origin+jump)
		b, from := s.Flush(2)
		if s.Add("a", "before", origin+jump) {
			t.Errorf("a jump of %d ms pushes an id out", jump)
		}
		for i := range event.Time(10) {
			s.Add("a", "", origin+jump+i*event.Minute)
			s.Add("a", "", origin+i*event.Minute) // by another collector's clock
		}
		if from != 0 || s.Add("a", "before", origin) || s.Add("a", "ahead", origin+9*event.Minute) {
			t.Errorf("%d ms ahead for 9 minutes push an id out; journals are needed from %d", jump, from)
		}
		if err := NewSet(Options{}).Apply(2, b); err != nil {
			t.Errorf("the journal of a jump of %d ms: %v", jump, err)
		}
		if s.Add("a", "", origin+jump+10*event.Minute); !s.Add("a", "before", origin) {
			t.Error("an id is known for longer than the horizon")
		}
	}
}

// TestLimit shows what is forgotten when there is no room.
func TestLimit(t *testing.T) {
	s := NewSet(Options{MaxIDs: 4})
	f := func(site, id string, minute event.Time, wantNew bool, wantLen int, wantForgotten int64) {
		t.Helper()
		if got := s.Add(site, id, origin+minute*event.Minute); got != wantNew || s.Len() != wantLen || s.Forgotten() != wantForgotten {
			t.Errorf("id %s of %s: new %t, %d ids, %d forgotten; want %t, %d, %d", id, site, got, s.Len(), s.Forgotten(), wantNew, wantLen, wantForgotten)
		}
	}
	f("b", "1", 0, true, 1, 0)
	f("a", "1", 0, true, 2, 0)
	f("a", "2", 1, true, 3, 0)
	f("a", "3", 1, true, 4, 0)
	f("a", "2", 1, false, 4, 0)
	f("a", "4", 1, true, 4, 1) // a's 1 goes, though b's is older
	f("b", "1", 1, false, 4, 1)
	f("a", "5", 1, true, 4, 2) // a's 2, though it is of this minute
	f("b", "2", 1, true, 4, 3)
	f("a", "3", 1, true, 4, 4) // b has as many and the older one
	f("b", "1", 1, true, 4, 5) // a's 4
	f("b", "2", 1, false, 4, 5)
	f("a", "5", 1, false, 4, 5)
	f("a", "3", 1, false, 4, 5)
}

// TestQuietSites shows what it is for: one site's flood makes no other site forget, however many there are of them.
func TestQuietSites(t *testing.T) {
	s := NewSet(Options{MaxIDs: 10_000})
	id := func(i int) string { return strconv.Itoa(i) }
	for i := range 5000 {
		s.Add("site "+id(i%50), id(i), origin+event.Time(i)*event.Minute/1000)
	}
	for i := range 100_000 {
		if !s.Add("flood", id(i), origin+5*event.Minute+event.Time(i)*event.Minute/50_000) {
			t.Fatalf("%d of the flood is not new", i)
		}
	}
	for i := range 5000 {
		if s.Add("site "+id(i%50), id(i), origin+7*event.Minute) {
			t.Fatalf("id %d of a quiet site is forgotten", i)
		}
	}
	for i := 100_000 - 4000; i < 100_000; i++ { // and all of the rest of the room is the flood's
		if s.Add("flood", id(i), origin+7*event.Minute) {
			t.Fatalf("the flood's %d is forgotten", i)
		}
	}
	if s.Forgotten() == 0 {
		t.Error("there was room")
	}
}

// TestNoRoomForMany shows that sites who all have the same, one id or several, make room as seldom as a flood does, and in
// the same memory.
func TestNoRoomForMany(t *testing.T) {
	const most, added = 1 << 13, 1 << 16
	for _, sites := range []int{1, 2, 50, 1000, 5000, added} {
		s := NewSet(Options{MaxIDs: most})
		cuts := 0
		for i := range added {
			if !s.Add(strconv.Itoa(i%sites), strconv.Itoa(i), origin+event.Time(i)*event.Minute/10_000) {
				t.Fatalf("%d sites: %d is not new", sites, i)
			}
			if i%100 == 99 {
				for _, p := range s.parts {
					if p.isCut {
						cuts++
					}
				}
				s.Flush(int64(i))
			}
			if i > most && s.Len() < most-most/16 {
				t.Fatalf("%d sites: %d ids left", sites, s.Len())
			}
		}
		if want := (added-most)/(most/16) + 1; cuts > want || cuts == 0 {
			t.Errorf("%d sites: room made %d times, want %d at most", sites, cuts, want)
		}
		if want := 28*most + (s.chunks.used+1-most/chunkIDs)*chunkBytes + 16<<10; s.Bytes() > want {
			t.Errorf("%d sites: %d bytes, want %d at most", sites, s.Bytes(), want)
		}
	}
}

// TestSeenFromOfAFlood shows that no journals are kept for minutes of which nothing is left.
func TestSeenFromOfAFlood(t *testing.T) {
	s := NewSet(Options{MaxIDs: 100})
	var b []byte
	from := int64(0)
	for i := range 300 {
		s.Add("flood", strconv.Itoa(i), origin+event.Time(i)*event.Minute/60)
		j, f := s.Flush(int64(i))
		from = max(from, f)
		b = append(b[:0], j...)
	}
	if from < 180 {
		t.Errorf("journals are kept from %d on, with 100 ids and minutes of 60", from)
	}
	if err := NewSet(Options{}).Apply(1, b); err != nil {
		t.Error(err)
	}
}

// TestWalkTurns counts more sites than have a place in the table at a time.
func TestWalkTurns(t *testing.T) {
	const sites = 10_000
	s := NewSet(Options{MaxIDs: 1 << 14})
	for i := range sites {
		s.Add(strconv.Itoa(i), "1", origin)
	}
	for i := range 5000 {
		s.Add(strconv.Itoa(i), strconv.Itoa(2+i%2), origin+event.Minute)
	}
	w := newWalk(s)
	if w.turns == 0 || len(w.table) > s.max/4 {
		t.Errorf("2^%d turns with a table of %d", w.turns, len(w.table))
	}
	if len(w.sizes) != 2 || w.sizes[1] != 5000 || w.sizes[2] != 5000 {
		t.Errorf("number of sites by size: %v", w.sizes)
	}
	seen := map[uint32]int{}
	w.each(func(gen int, in *chunk, i, rank int) {
		if seen[in.sites[i]]++; seen[in.sites[i]] != rank || gen == 1 && rank != 1 {
			t.Fatalf("site %x has rank %d in minute %d after %d ids", in.sites[i], rank, gen, seen[in.sites[i]])
		}
	})
	if len(seen) != sites {
		t.Errorf("%d sites, want %d", len(seen), sites)
	}
	for i := sites; s.Forgotten() == 0; i++ {
		s.Add(strconv.Itoa(i), "1", origin+2*event.Minute)
	}
	if want := 1<<14 - 1<<10 + 1; s.Len() != want || s.Forgotten() != 1<<10 {
		t.Errorf("%d ids and %d forgotten, want %d and %d", s.Len(), s.Forgotten(), want, 1<<10)
	}
	for i := range sites { // half of the sites had two ids, and the older one of minute 0 goes from some of them
		if newest := strconv.Itoa(2 + i%2); i < 5000 && s.Add(strconv.Itoa(i), newest, origin) {
			t.Fatalf("the newest id of site %d is forgotten", i)
		}
	}
}

func TestSitesAndIDsDoNotRunTogether(t *testing.T) {
	s := NewSet(Options{})
	for i, e := range [][2]string{{"a", "b"}, {"ab", ""}, {"b", "b"}, {"a", "a"}, {"b", "a"}, {"a", "bb"}, {"ab", "b"}} {
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
	f("data of a newer Millrace (format 9; this one reads 2): use the newer program", 9)
	f("unknown format 1", 1, 5, 0, 0)
	f("number cut short", 2, 5)
	f("number cut short", 2, 5, 0, 0)
	f("number too large", 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1)
	f("part at no possible time", 2, 5, 6, 0, 0)
	f("part at no possible time", 2, 5, 0, 1, 6, 1, 1, 1, 1, 0)
	f("number cut short", 2, 5, 0, 1, 5, 1, 1, 1)
	f("number cut short", 2, 5, 0, 0, 1, 1, 1, 1)
	f("ids cut short", 2, 5, 0, 0, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1, 1)
	f("site 0", id([]byte{2, 5, 0, 0, 1, 0, 0, 0, 0, 1}, 1)...)
	f("id 0", id([]byte{2, 5, 0, 0, 1, 1, 0, 0, 0, 1}, 0)...)
	s := NewSet(Options{})
	s.Add("a", "1", origin)
	if err := s.Apply(1, []byte{2, 5, 0, 0, 0}); !errors.Is(err, ErrJournal) {
		t.Errorf("a journal from before the clock: %v", err)
	}
}

func FuzzApply(f *testing.F) {
	s := NewSet(Options{MaxIDs: 10})
	for i := range 40 {
		s.Add(strconv.Itoa(i%3), strconv.Itoa(i), origin+event.Time(i)*event.Minute/2)
		if i%7 == 0 {
			b, _ := s.Flush(int64(i))
			f.Add(bytes.Clone(b))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := NewSet(Options{MaxIDs: 20})
		if err := s.Apply(1, b); err != nil {
			if !errors.Is(err, ErrJournal) {
				t.Fatalf("error without a reason: %v", err)
			}
			return
		}
		if most := (64+chunkBytes/8)*len(b) + 8*minSlots + 1024; s.Bytes() > most {
			t.Fatalf("%d bytes for a journal of %d", s.Bytes(), len(b))
		}
		n := 0
		for i := range s.gens {
			n += s.gens[i].len
		}
		if n != s.Len() {
			t.Fatalf("%d ids in the minutes, %d in the table", n, s.Len())
		}
		s.Add("a", "1", origin)
		if s.Add("a", "1", origin) {
			t.Fatal("an id is forgotten at once")
		}
		s.Flush(2)
	})
}

// BenchmarkAdd measures an event with a new id, 40 sites and 100 events a record, and what ids take, in a full set and in one of a
// small partition.
func BenchmarkAdd(b *testing.B) {
	for _, perMinute := range []int{2_000, 360_000} {
		b.Run(fmt.Sprintf("%d per minute", perMinute), func(b *testing.B) { benchmark(b, 40, perMinute, 12*perMinute) })
	}
}

// BenchmarkNoRoom measures the same where ids are forgotten for want of room, with so many sites that have as many ids each.
func BenchmarkNoRoom(b *testing.B) {
	for _, sites := range []int{1, 50, 10_000, 1_000_000, 1 << 30} {
		b.Run(fmt.Sprintf("%d sites", sites), func(b *testing.B) { benchmark(b, sites, 1_000_000, 1<<22) })
	}
}

func benchmark(b *testing.B, sites, perMinute, before int) {
	s := NewSet(Options{})
	i, journals := 0, 0
	var site [24]byte
	copy(site[:], "www.########.example.com")
	var id [16]byte
	next := func() {
		binary.LittleEndian.PutUint64(id[:], uint64(i)*0x9e3779b97f4a7c15)
		n := uint32(i) * 0x9e3779b1 >> 2 % uint32(sites)
		binary.LittleEndian.PutUint32(site[4:], n)
		s.Add(string(site[:]), string(id[:]), origin+event.Time(i)*event.Minute/event.Time(perMinute))
		if i++; i%100 == 0 {
			j, _ := s.Flush(int64(i))
			journals += len(j)
		}
	}
	for i < before {
		next()
	}
	b.ReportAllocs()
	for b.Loop() {
		next()
	}
	b.ReportMetric(float64(s.Bytes())/float64(s.Len()), "B/id")
	b.ReportMetric(float64(s.Len()), "ids")
	b.ReportMetric(float64(journals)/float64(i), "journal-B/event")
}
