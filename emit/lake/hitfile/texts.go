package hitfile

import (
	"slices"
	"strings"
	"unsafe"

	"millrace/engine/window"
)

// texts holds strings, each once, and origins by the bytes in which package visit keeps them.
type texts struct {
	table   []string          // table[0] is ""
	ids     map[string]uint32 // index in table
	origins [][]uint32        // values of originDims, as indexes of table
	origin  map[string]uint32 // index in origins, by the encoded origin
	chunk   []byte            // where strings are being copied to
	scratch []byte
	size    int // bytes of all strings
}

// chunkBytes is the size of the pieces that strings are copied into.
const chunkBytes = 64 << 10

func newTexts() texts { return texts{ids: map[string]uint32{}, origin: map[string]uint32{}} }

func (b *texts) reset() {
	clear(b.ids)
	clear(b.origin)
	clear(b.table)
	clear(b.origins)
	b.table, b.origins, b.chunk, b.size = append(b.table[:0], ""), b.origins[:0], nil, 0
}

// internOrigin returns the index of an encoded origin. Dims is memory to work with.
func (b *texts) internOrigin(origin []byte, dims *[window.NumDims]string) uint32 {
	if i, ok := b.origin[string(origin)]; ok {
		return i
	}
	window.ReadOrigin(origin, dims)
	values := make([]uint32, len(originDims))
	for i, d := range originDims {
		values[i] = b.intern(dims[d])
	}
	i := uint32(len(b.origins))
	b.origins = append(b.origins, values)
	b.origin[b.copy(view(origin))] = i
	return i
}

func (b *texts) intern(s string) uint32 {
	if s == "" {
		return 0
	}
	if id, ok := b.ids[s]; ok {
		return id
	}
	s = b.copy(s)
	id := uint32(len(b.table))
	b.table = append(b.table, s)
	b.size += len(s)
	b.ids[s] = id
	return id
}

// again is intern for a string that is likely the one of the row before, which has index last.
func (b *texts) again(s string, last uint32) uint32 {
	if b.table[last] == s {
		return last
	}
	return b.intern(s)
}

// copy returns a copy of s that lives as long as the buffer is not reset.
func (b *texts) copy(s string) string {
	if len(s) > cap(b.chunk)-len(b.chunk) {
		b.chunk = make([]byte, 0, max(chunkBytes, len(s)))
	}
	start := len(b.chunk)
	b.chunk = append(b.chunk, s...)
	// The view stays valid: a chunk's bytes are written once and a full chunk is left, not moved.
	return view(b.chunk[start:])
}

// ranks returns, by their indexes in the table, the places of some strings among them. Each calls yield with each index.
func (b *texts) ranks(each func(yield func(uint32))) []uint32 {
	rank := make([]uint32, len(b.table))
	var list []uint32
	each(func(s uint32) {
		if rank[s] == 0 {
			rank[s] = 1
			list = append(list, s)
		}
	})
	slices.SortFunc(list, func(x, y uint32) int { return strings.Compare(b.table[x], b.table[y]) })
	for i, s := range list {
		rank[s] = uint32(i)
	}
	return rank
}

// view returns b as a string without a copy.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// clone returns a copy of a string of the table.
func (b *texts) clone(i uint32) string { return strings.Clone(b.table[i]) }
