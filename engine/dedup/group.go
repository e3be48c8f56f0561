package dedup

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// grouper puts the ids of a part together by site: its memory.
type grouper struct {
	places []int32 // by hash of the site: its group + 1, 0 is free; a power of two
	groups []group
	next   []int32 // by id: the next of the same site
}

// group is the ids of a site.
type group struct {
	site        uint32
	ids         int32
	first, last int32
}

// append appends the sites of ids and their ids, as a journal has them.
func (g *grouper) append(b []byte, ids []newID) []byte {
	g.group(ids)
	b = binary.AppendUvarint(b, uint64(len(g.groups)))
	for i := range g.groups {
		at := &g.groups[i]
		b = binary.LittleEndian.AppendUint32(b, at.site)
		b = binary.AppendUvarint(b, uint64(at.ids))
		for j := at.first; ; j = g.next[j] {
			b = binary.LittleEndian.AppendUint64(b, ids[j].hash)
			if j == at.last {
				break
			}
		}
	}
	return b
}

// group fills in the groups, in the order of their first ids.
func (g *grouper) group(ids []newID) {
	g.groups = g.groups[:0]
	if len(ids) == 0 {
		return
	}
	size := 1 << bits.Len(uint(2*len(ids)))
	g.places = slices.Grow(g.places[:0], size)[:size]
	g.next = slices.Grow(g.next[:0], len(ids))[:len(ids)]
	clear(g.places)
	var at *group
	for i := range ids {
		if site := ids[i].site; at == nil || at.site != site {
			at = g.find(site, int32(i))
		}
		g.next[at.last] = int32(i)
		at.last = int32(i)
		at.ids++
	}
}

// find returns the group of a site, made for the id at i if there is none.
func (g *grouper) find(site uint32, i int32) *group {
	mask := len(g.places) - 1
	for h := int(site); ; h++ {
		switch place := &g.places[h&mask]; {
		case *place == 0:
			g.groups = append(g.groups, group{site: site, first: i, last: i})
			*place = int32(len(g.groups))
			return &g.groups[len(g.groups)-1]
		case g.groups[*place-1].site == site:
			return &g.groups[*place-1]
		}
	}
}

func (g *grouper) bytes() int { return 4*cap(g.places) + 4*cap(g.next) + 16*cap(g.groups) }
