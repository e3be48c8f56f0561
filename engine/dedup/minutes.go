package dedup

import "unsafe"

// generation is the ids that came in one minute, in the order of their coming within a site. Sites may lie in another order in a
// Set that was made from journals.
type generation struct {
	minute int64
	age    int64 // minutes that it counts as gone by since
	offset int64 // of the record that began it
	chunks []*chunk
	len    int
}

// pending is the offset of a minute that the record in hand began.
const pending = -1

// chunkIDs is the number of ids of a chunk: small enough for the minutes of an idle partition, and so many that a list of
// chunks is nothing beside them.
const chunkIDs = 256

// chunk is a part of a generation's list, 12 bytes an id. Sites lie apart so that a walk over them reads nothing else.
type chunk struct {
	sites  [chunkIDs]uint32
	hashes [chunkIDs]uint64 // 0 for one that is being forgotten
}

const chunkBytes = int(unsafe.Sizeof(chunk{}))

// chunks is where chunks come from and go to.
type chunks struct {
	free []*chunk
	used int
}

func (p *chunks) get() *chunk {
	p.used++
	n := len(p.free)
	if n == 0 {
		return new(chunk)
	}
	c := p.free[n-1]
	p.free[n-1] = nil
	p.free = p.free[:n-1]
	return c
}

// put takes a chunk back. Of those that are free as many stay as the next minute may want, an eighth of all.
func (p *chunks) put(c *chunk) {
	p.used--
	if len(p.free) <= p.used/8 {
		p.free = append(p.free, c)
	}
}

// add adds an id.
func (g *generation) add(p *chunks, site uint32, hash uint64) {
	i := g.len % chunkIDs
	if i == 0 {
		g.chunks = append(g.chunks, p.get())
	}
	c := g.chunks[len(g.chunks)-1]
	c.sites[i], c.hashes[i] = site, hash
	g.len++
}

// filled returns how many ids the chunk at i has.
func (g *generation) filled(i int) int { return min(g.len-i*chunkIDs, chunkIDs) }

// compact takes the ids out whose hash is 0.
func (g *generation) compact(p *chunks) {
	kept := 0
	for i, c := range g.chunks {
		for j := range g.filled(i) {
			if c.hashes[j] != 0 {
				to := g.chunks[kept/chunkIDs]
				to.sites[kept%chunkIDs], to.hashes[kept%chunkIDs] = c.sites[j], c.hashes[j]
				kept++
			}
		}
	}
	g.len = kept
	n := (kept + chunkIDs - 1) / chunkIDs
	for _, c := range g.chunks[n:] {
		p.put(c)
	}
	clear(g.chunks[n:])
	g.chunks = g.chunks[:n]
}
