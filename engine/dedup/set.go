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
	// MaxIDs is the most ids remembered; past it the oldest minute is forgotten early. Default 4,194,304, which is 7,000
	// events a second for 10 minutes and takes 100 MB at most.
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
// per minute, by which they are taken out of the table again. Tried on paper and dropped: a table per minute (eleven
// look-ups for each new id), and the minute in some bits of the hash (more false duplicates, and sweeps of the table).
type Set struct {
	horizon int64 // in minutes
	max     int
	ids     table
	// gens holds the minutes remembered, oldest first; the last is the current one. Empty before the first event.
	gens  []generation
	spare [][]uint64

	forgotten int64
	digest    xxhash.Digest

	record // what the record in hand has done
	ahead  ahead
}

// generation is the ids that came in one minute.
type generation struct {
	minute int64
	offset int64 // of the record that began it
	hashes []uint64
}

// pending is the offset of a minute that the record in hand began.
const pending = -1

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
	h := s.hash(site, id)
	if s.ids.has(h) {
		return false
	}
	if s.ids.len >= s.max && len(s.gens) > 1 {
		for s.ids.len >= s.max && len(s.gens) > 1 {
			s.forgotten += int64(len(s.gens[0].hashes))
			s.drop()
		}
		s.note()
	}
	if s.ids.len >= s.max {
		s.forgotten++
		return true
	}
	if len(s.parts) == 0 {
		s.note()
	}
	s.news = append(s.news, h)
	s.remember(h)
	return true
}

// hash returns the hash of an id; 0 means a free place in the table, so there is none such.
func (s *Set) hash(site, id string) uint64 {
	s.digest.Reset()
	_, _ = s.digest.WriteString(site)
	_, _ = s.digest.Write(zero[:])
	_, _ = s.digest.WriteString(id)
	return max(s.digest.Sum64(), 1)
}

var zero [1]byte

// tick moves the clock.
func (s *Set) tick(minute int64) {
	if n := len(s.gens); n > 0 && minute <= s.gens[n-1].minute {
		return
	}
	s.begin(minute, pending)
	for s.gens[0].minute < minute-s.horizon {
		s.drop()
	}
	s.note()
}

// begin makes a minute the current one.
func (s *Set) begin(minute, offset int64) {
	g := generation{minute: minute, offset: offset}
	if n := len(s.spare); n > 0 {
		g.hashes, s.spare = s.spare[n-1], s.spare[:n-1]
	}
	s.gens = append(s.gens, g)
}

// remember adds an id to the current minute.
func (s *Set) remember(h uint64) {
	g := &s.gens[len(s.gens)-1]
	g.hashes = append(g.hashes, h)
	s.ids.add(h)
}

// drop forgets the oldest minute.
func (s *Set) drop() {
	g := s.gens[0]
	for _, h := range g.hashes {
		s.ids.remove(h)
	}
	s.ids.shrink()
	if len(s.spare) < 2 {
		s.spare = append(s.spare, g.hashes[:0])
	}
	n := copy(s.gens, s.gens[1:])
	s.gens[n] = generation{}
	s.gens = s.gens[:n]
	s.dropped = true
}

// Len returns the number of ids remembered.
func (s *Set) Len() int { return s.ids.len }

// Bytes returns the memory of the set.
func (s *Set) Bytes() int {
	n := len(s.ids.slots) + cap(s.news)
	for _, g := range s.gens {
		n += cap(g.hashes)
	}
	for _, list := range s.spare {
		n += cap(list)
	}
	return n * int(unsafe.Sizeof(uint64(0)))
}

// Forgotten returns the number of ids forgotten early because of MaxIDs, since the set was made.
func (s *Set) Forgotten() int64 { return s.forgotten }
