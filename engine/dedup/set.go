package dedup

import (
	"cmp"
	"fmt"
	"strings"
	"unsafe"

	"github.com/cespare/xxhash/v2"

	"millrace/engine/event"
)

// Options of a Set. The zero value of a field is its default.
type Options struct {
	// Horizon is how long an id is known, in log time; whole minutes. Default 10 min.
	Horizon event.Time
	// MaxIDs is the most ids remembered; past it the sites that have most forget their oldest early. Default 4 million, which is
	// 6,700 events a second for 10 minutes and takes 118 MB at most: 28 bytes an id, and half a byte in chunks not full.
	MaxIDs int
	// Holes says that the events are only some of their log's: then a great step between two receive times is the time that
	// went by, and neither a silence nor a jump of the clock.
	Holes bool
}

// WithDefaults returns the options with each zero value replaced by its default.
func (o Options) WithDefaults() Options {
	o.Horizon = cmp.Or(o.Horizon, 10*event.Minute)
	o.MaxIDs = cmp.Or(o.MaxIDs, 4_000_000)
	return o
}

// Validate reports all options that make no sense.
func (o Options) Validate() error {
	o = o.WithDefaults()
	var bad []string
	if o.Horizon < event.Minute || o.Horizon%event.Minute != 0 || o.Horizon > 24*event.Hour {
		bad = append(bad, fmt.Sprintf("horizon %d ms is not a number of minutes within a day", o.Horizon))
	}
	if o.MaxIDs < 1 || o.MaxIDs > 1<<30 {
		bad = append(bad, fmt.Sprintf("max ids %d is not within 1 and 2^30", o.MaxIDs))
	}
	if len(bad) > 0 {
		return fmt.Errorf("dedup options: %s", strings.Join(bad, "; "))
	}
	return nil
}

// Set is the ids seen in the horizon.
//
// They are in one table, so that an id is looked up once and not in each minute, and in the order of their coming in a list
// per minute, with their sites, by which they are taken out of the table again. How many ids a site has is counted when there is no
// room and not as they come. Tried on paper and dropped: a table per minute (eleven look-ups for each new id), the minute
// in some bits of the hash (more false duplicates, and sweeps of the table), runs of ids of the same site (no shorter than 4 bytes an id
// where events of many sites are mixed, and twice that at worst), a list per site (there may be as many sites as ids).
type Set struct {
	horizon int64 // in minutes
	max     int
	holes   bool
	ids     table
	// gens holds the minutes remembered, oldest first; the last is the current one. Empty before the first event.
	gens   []generation
	chunks chunks

	forgotten int64

	record // what the record in hand has done
	ahead  ahead
}

// NewSet returns an empty set. REQUIRES: o.Validate() is nil.
func NewSet(o Options) *Set {
	o = o.WithDefaults()
	return &Set{horizon: int64(o.Horizon / event.Minute), max: o.MaxIDs, holes: o.Holes, ids: newTable()}
}

// Add takes in the next event of the log and reports whether its id is new. An empty id is always new. REQUIRES: it is called
// for each event, also for one without an id, because each may move the clock.
func (s *Set) Add(site, id string, received event.Time) (isNew bool) {
	s.tick(int64(max(received, 0) / event.Minute))
	if id == "" {
		return true
	}
	of, h, repeat := hashes(site, id, received)
	if s.ids.has(h) || repeat && (s.ids.has(beside(h, -1)) || s.ids.has(beside(h, +1))) {
		return false
	}
	if s.ids.len >= s.max {
		s.makeRoom()
	}
	if len(s.parts) == 0 {
		s.note(nil)
	}
	s.news = append(s.news, newID{h, of})
	s.remember(of, h)
	return true
}

// hashes returns the hash of a site and that of its id. 0 means a free place in tables, so there is none such. That of a repeat
// id is of its fingerprint in a slot of the receive time.
func hashes(site, id string, received event.Time) (of uint32, hash uint64, repeat bool) {
	h := xxhash.Sum64String(site)
	if print, ok := event.CutRepeat(id); ok {
		slot := uint64(max(received, 0) / repeatSlot)
		return max(uint32(h), 1), max(h*siteFactor+xxhash.Sum64String(print)+slot*slotFactor, 1), true
	}
	return max(uint32(h), 1), max(h*siteFactor+xxhash.Sum64String(id), 1), false
}

// beside returns what the hash of a repeat id is in the slot before or after.
func beside(hash uint64, slots int) uint64 { return max(hash+uint64(slots)*slotFactor, 1) }

// repeatSlot is the grain in which the receive times of repeat ids are compared: of two events with one fingerprint the second
// is the first sent again if they are of the same slot or of neighbours, so what is up to 4 s apart always is, and what is 8 s
// apart never. A browser that repeats a request does so at once; the second may still wait for a collector that takes over. Twice
// as long would take more of what visitors do twice for one.
const repeatSlot = 4 * event.Second

// slotFactor is another odd number of which any few multiples differ in all bits: the square root of 3 in 64 bits.
const slotFactor = 0xbb67ae8584caa73b

// siteFactor is odd, so that no two sites' hashes become one, and large, so that the sum says which was the site and which the
// id: the golden ratio in 64 bits.
const siteFactor = 0x9e3779b97f4a7c15

// tick moves the clock.
func (s *Set) tick(minute int64) {
	if n := len(s.gens); n > 0 && minute <= s.gens[n-1].minute {
		return
	}
	s.begin(minute, pending)
	for s.gens[0].age > s.horizon {
		s.drop()
	}
	s.dropEmpty()
	s.note(nil)
}

// begin makes a minute the current one. A step of more than one and a half horizons makes those before older by one minute only.
func (s *Set) begin(minute, offset int64) {
	if n := len(s.gens); n > 0 {
		step := minute - s.gens[n-1].minute
		if step > s.horizon*3/2 && !s.holes {
			step = 1
		}
		for i := range s.gens {
			s.gens[i].age += step
		}
	}
	s.gens = append(s.gens, generation{minute: minute, offset: offset})
}

// remember adds an id to the current minute.
func (s *Set) remember(site uint32, hash uint64) {
	s.gens[len(s.gens)-1].add(&s.chunks, site, hash)
	s.ids.add(hash)
}

// drop forgets the oldest minute.
func (s *Set) drop() {
	g := &s.gens[0]
	for i, c := range g.chunks {
		for _, h := range c.hashes[:g.filled(i)] {
			s.ids.remove(h)
		}
		s.chunks.put(c)
	}
	s.ids.shrink()
	n := copy(s.gens, s.gens[1:])
	s.gens[n] = generation{}
	s.gens = s.gens[:n]
	s.dropped = true
}

// dropEmpty lets go of the oldest minutes if they have no ids, so that no journals are kept for them.
func (s *Set) dropEmpty() {
	for len(s.gens) > 1 && s.gens[0].len == 0 {
		s.drop()
	}
}

// Len returns the number of ids remembered.
func (s *Set) Len() int { return s.ids.len }

// Bytes returns the memory of the set. While it makes room it takes up to 3 bytes an id more, if there are many sites.
func (s *Set) Bytes() int {
	n := 8*len(s.ids.slots) + chunkBytes*(s.chunks.used+len(s.chunks.free)) + 8*cap(s.ahead.places) + s.record.bytes()
	for i := range s.gens {
		n += int(unsafe.Sizeof(s.gens[i])) + 8*cap(s.gens[i].chunks)
	}
	return n
}

// Forgotten returns the number of ids forgotten early because of MaxIDs, since the set was made.
func (s *Set) Forgotten() int64 { return s.forgotten }
