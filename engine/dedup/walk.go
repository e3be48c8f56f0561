package dedup

import "math/bits"

// walk goes over the ids of a Set, the last that came first, so that counting a site's ids gives their ranks. The counts are in a
// table. Sites too many for it are counted in several turns, each of which sees a range of their hashes and goes over
// all ids again: a table for as many sites as ids would be as large as that of the ids.
type walk struct {
	gens  []generation
	sizes map[int]int // how many sites have so many ids

	table  []tally // a power of two
	shift  uint8
	used   int
	most   int    // the length of the table at which more turns are taken rather than a longer one
	turns  uint8  // as a power of two
	full   bool   // more turns are needed
	spread uint32 // as that of the ids' table
}

// tally is a site's number of ids; the site 0 is a free place.
type tally struct{ site, ids uint32 }

// minTallies has room for the sites of a chunk.
const minTallies = 2 * chunkIDs

// maxTurns is the most turns as a power of two. With 8 turns each has an eighth of the sites on average, which fills half of a
// table that has a quarter as many places as there are ids.
const maxTurns = 5

func newWalk(s *Set) *walk {
	w := &walk{gens: s.gens, most: max(minTallies, s.max/4), spread: uint32(s.ids.spread)}
	w.resize(minTallies)
	for !w.count() {
		w.turns++
	}
	return w
}

// count fills in the sizes; false if that needs more turns.
func (w *walk) count() bool {
	w.sizes, w.full = map[int]int{}, false
	for turn := range uint32(1) << w.turns {
		w.turn(turn, func(int, *chunk, int, int) {})
		if w.full {
			return false
		}
		for _, t := range w.table {
			if t.site != 0 {
				w.sizes[int(t.ids)]++
			}
		}
	}
	return true
}

// each calls fn for each id: the minute's place, and the id's in a chunk; its rank. Only ids of one site come in order. Fn may
// change hashes.
func (w *walk) each(fn func(gen int, in *chunk, i, rank int)) {
	for turn := range uint32(1) << w.turns {
		w.turn(turn, fn)
	}
}

// turn calls fn for the ids of one range of sites. It stops early if the table is full.
func (w *walk) turn(turn uint32, fn func(gen int, in *chunk, i, rank int)) {
	clear(w.table)
	w.used = 0
	for g := len(w.gens) - 1; g >= 0; g-- {
		gen := &w.gens[g]
		for c := len(gen.chunks) - 1; c >= 0; c-- {
			if (w.used+chunkIDs)*4 > len(w.table)*3 {
				if w.full = len(w.table) >= w.most && w.turns < maxTurns; w.full {
					return
				}
				w.grow()
			}
			in := gen.chunks[c]
			for i := gen.filled(c) - 1; i >= 0; i-- {
				spread := in.sites[i] * w.spread
				if w.turns > 0 && spread>>(32-w.turns) != turn {
					continue
				}
				t := w.find(in.sites[i], spread)
				t.ids++
				fn(g, in, i, int(t.ids))
			}
		}
	}
}

// find returns the place of a site, which is new if it has no ids. REQUIRES: there is a free one.
func (w *walk) find(site, spread uint32) *tally {
	mask := len(w.table) - 1
	i := int(spread << w.turns >> w.shift)
	for w.table[i].site != site {
		if w.table[i].site == 0 {
			w.table[i].site = site
			w.used++
			break
		}
		i = (i + 1) & mask
	}
	return &w.table[i]
}

func (w *walk) grow() {
	old := w.table
	w.resize(2 * len(old))
	w.used = 0
	for _, t := range old {
		if t.site != 0 {
			*w.find(t.site, t.site*w.spread) = t
		}
	}
}

func (w *walk) resize(n int) {
	w.table, w.shift = make([]tally, n), uint8(33-bits.Len(uint(n)))
}
