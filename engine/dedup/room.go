package dedup

import (
	"maps"
	"slices"
)

// cut says which ids are forgotten for want of room. The rank of an id is its place among those of its site, counted from the
// last that came, which has 1. Ids of a higher rank than the cut's go, and of those with this rank the ones of a minute before the
// cut's, or of that minute and a site with a smaller hash.
//
// A Set that lacks the oldest minutes gives the ids it has the ranks they have in the whole Set. So a cut does the same in
// both, and is all that a journal need say. A list of what goes could be as long as that of the sites.
type cut struct {
	rank   int
	minute int64
	site   uint32
}

// has reports whether an id goes.
func (c cut) has(rank int, minute int64, site uint32) bool {
	if rank != c.rank {
		return rank > c.rank
	}
	return minute < c.minute || minute == c.minute && site < c.site
}

// makeRoom forgets ids until a sixteenth of the room is free: again and again the oldest id of the site that has most. Of
// several such sites it takes the one whose oldest id is of the oldest minute, then the one with the smallest hash.
func (s *Set) makeRoom() {
	w := newWalk(s)
	c := w.level(s.max - max(s.max/16, 1))
	s.forgotten += int64(s.cut(w, c))
	s.dropEmpty()
	s.note(&c)
}

// cut forgets the ids that a cut has and returns their number.
func (s *Set) cut(w *walk, c cut) int {
	before := s.ids.len
	w.each(func(gen int, in *chunk, i, rank int) {
		if rank >= c.rank && c.has(rank, s.gens[gen].minute, in.sites[i]) {
			s.ids.remove(in.hashes[i])
			in.hashes[i] = 0
		}
	})
	for i := range s.gens {
		s.gens[i].compact(&s.chunks)
	}
	s.ids.shrink()
	return before - s.ids.len
}

// level returns the cut after which so many ids are left: that of the greatest rank of which all, or all of lower ones and
// some of it, can stay. As water finds its level.
func (w *walk) level(keep int) cut {
	above := 0 // sites that have n ids or more
	for _, sites := range w.sizes {
		above += sites
	}
	n := 0
	for _, n = range slices.Sorted(maps.Keys(w.sizes)) {
		if n*above > keep {
			break
		}
		keep -= n * w.sizes[n]
		above -= w.sizes[n]
	}
	if above == 0 {
		return cut{rank: n}
	}
	if some := keep % above; some > 0 {
		return w.nth(keep/above+1, some)
	}
	return cut{rank: keep / above}
}

// nth returns the cut that leaves n of the ids of a rank: a search by digits of 16 bits, of which the first is the place of the
// minute and the others are the site's.
func (w *walk) nth(rank, n int) cut {
	var count [1 << 16]uint32
	var key uint64
	for shift := 32; shift >= 0; shift -= 16 {
		clear(count[:])
		w.each(func(gen int, in *chunk, i, r int) {
			if k := uint64(gen)<<32 | uint64(in.sites[i]); r == rank && k>>(shift+16) == key>>(shift+16) {
				count[k>>shift&0xffff]++
			}
		})
		digit := len(count) - 1
		for ; int(count[digit]) < n; digit-- {
			n -= int(count[digit])
		}
		key |= uint64(digit) << shift
	}
	return cut{rank, w.gens[key>>32].minute, uint32(key)}
}
