package visit

import "encoding/binary"

// arena keeps many short byte strings without a pointer to each: the garbage collector need not look at them, and a block
// that is freed is used again. What has once been taken from the system is kept.
//
// It is taken in chunks, each of blocks of one size. A ref is the place of a block in all of them, so that finding it takes
// no more than the table of chunks, which is small enough to stay in the processor's caches.
type arena struct {
	chunks  []*[chunkBytes]byte // the first is none, as no ref is 0
	classOf []uint8             // of the blocks of a chunk
	classes [len(blockSizes)]blocks
}

// blocks are those of one size.
type blocks struct {
	fresh ref   // the first that has not been handed out
	left  int   // number of those in its chunk
	free  []ref // those that have been and are free
}

// blockSizes are the lengths of blocks, in multiples of a unit; a string takes two bytes more than itself.
var blockSizes = [...]int{16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 192, 224, 256, 320, 384, 512, 768, 1024, 1536, 2048, 4096, 8192, 16384}

const (
	// chunkBytes is how much is taken from the system at a time: little enough that a partition of few visits
	// stays small.
	chunkBytes = 16 << 10
	// unit is what places of blocks are counted in.
	unit      = 8
	unitBits  = 11
	unitMask  = 1<<unitBits - 1
	headBytes = 2
	// maxString is the longest string.
	maxString = chunkBytes - headBytes
)

// ref names a string of an arena: the number of its chunk and the unit in it where its block begins, of 32 GB. 0 is none.
type ref uint32

// classes are those of blocks of at least so many units.
var classes = func() (list [chunkBytes/unit + 1]uint8) {
	class := 0
	for units := range list {
		if units*unit > blockSizes[class] {
			class++
		}
		list[units] = uint8(class)
	}
	return list
}()

func classFor(n int) uint8 { return classes[(n+headBytes+unit-1)/unit] }

// put keeps a copy of b. REQUIRES: len(b) <= maxString.
func (a *arena) put(b []byte) ref {
	class := classFor(len(b))
	c := &a.classes[class]
	var r ref
	if n := len(c.free); n > 0 {
		r, c.free = c.free[n-1], c.free[:n-1]
	} else {
		if c.left == 0 {
			c.fresh, c.left = a.grow(class), chunkBytes/blockSizes[class]
		}
		r = c.fresh
		c.fresh += ref(blockSizes[class] / unit)
		c.left--
	}
	a.set(r, b)
	return r
}

// grow takes another chunk for blocks of a class.
func (a *arena) grow(class uint8) ref {
	if len(a.chunks) == 0 {
		a.chunks, a.classOf = append(a.chunks, nil), append(a.classOf, 0)
	}
	a.chunks, a.classOf = append(a.chunks, new([chunkBytes]byte)), append(a.classOf, class)
	return ref(len(a.chunks)-1) << unitBits
}

func (a *arena) set(r ref, b []byte) {
	block := a.chunks[r>>unitBits][r&unitMask*unit:]
	binary.LittleEndian.PutUint16(block, uint16(len(b)))
	copy(block[headBytes:], b)
}

// replace is free and put, without a move where the block has the right length.
func (a *arena) replace(r ref, b []byte) ref {
	if r != 0 && a.classOf[r>>unitBits] == classFor(len(b)) {
		a.set(r, b)
		return r
	}
	a.free(r)
	return a.put(b)
}

// get returns the string, nil for 0. It is valid until the block is freed or replaced.
func (a *arena) get(r ref) []byte {
	if r == 0 {
		return nil
	}
	block := a.chunks[r>>unitBits][r&unitMask*unit:]
	n := headBytes + int(binary.LittleEndian.Uint16(block))
	return block[headBytes:n:n]
}

func (a *arena) free(r ref) {
	if r != 0 {
		c := &a.classes[a.classOf[r>>unitBits]]
		c.free = append(c.free, r)
	}
}

func (a *arena) bytes() int { return len(a.chunks) * chunkBytes }
