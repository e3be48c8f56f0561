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
	// MaxIDs is the most ids remembered; past it the sites that have most forget their oldest early. Default 4,194,304, which is
	// 7,000 events a second for 10 minutes and takes 118 MB at most: 28 bytes an id, and half a byte in chunks not full.
	MaxIDs int
}

func (o Options) withDefaults() Options {
	o.Horizon = cmp.Or(o.Horizon, 10*event.Minute)
	o.MaxIDs = cmp.Or(o.MaxIDs, 1<<22)
	return o
}

// Validate reports all options that make no sense.
func (o Options) Validate() error {
	o = o.withDefaults()
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
	o = o.withDefaults()
	return &Set{horizon: int64(o.Horizon / event.Minute), max: o.MaxIDs, ids: newTable()}
}

// Add takes in the next event of the log and reports whether its id is new. An empty id is always new. REQUIRES: it is called
// for each event, also for one without an id, because each may move the clock.
func (s *Set) Add(site, id string, received event.Time) (isNew bool) {
	s.tick(int64(max(received, 0) / event.Minute))
	if id == "" {
		return true
	}
	of, h := hashes(site, id)
	if s.ids.has(h) {
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

// hashes returns the hash of a site and that of its id. 0 means a free place in tables, so there is none such.
func hashes(site, id string) (of uint32, hash uint64) {
	h := xxhash.Sum64String(site)
	return max(uint32(h), 1), max(h*siteFactor+xxhash.Sum64String(id), 1)
}

// siteFactor is odd, so that no two sites' hashes become one, and large, so that the sum says which was the site and which the
// id: the golden ratio in 64 bits.
const siteFactor = 0x9e3779b97f4a7c15

// tick moves the clock.
func (s *Set) tick(minute int64) {
	if n := len(s.gens); n > 0 && minute <= s.gens[n-1].minute {
		return
	}
	s.begin(minute, pending)
	for s.gens[0].minute < minute-s.horizon {
		s.drop()
	}
	s.dropEmpty()
	s.note(nil)
}

// begin makes a minute the current one.
func (s *Set) begin(minute, offset int64) {
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
