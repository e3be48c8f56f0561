package visit

import (
	"encoding/binary"
	"math/bits"
)

// arena keeps many short byte strings without a pointer to each: the garbage collector need not look at them, and a block
// that is freed is used again. What has once been taken from the system is kept.
type arena struct {
	classes [len(blockSizes)]blocks
	bytes   int // taken from the system
}

// blocks are those of one size.
type blocks struct {
	chunks [][]byte
	made   uint32 // blocks handed out for the first time
	free   []uint32
}

// blockSizes are the lengths of blocks; a string takes two bytes more than itself.
var blockSizes = [...]int{16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 192, 224, 256, 320, 384, 512, 768, 1024, 1536, 2048, 4096, 8192, 16384}

const (
	// chunkBytes is about how much is taken from the system at a time: little enough that a partition of few visits
	// stays small.
	chunkBytes = 16 << 10
	// maxString is the longest string.
	maxString = 16384 - 2
	classBits = 5
	indexBits = 32 - classBits
)

// ref names a string of an arena; 0 none.
type ref uint32

func classOf(n int) int {
	for c, size := range blockSizes {
		if n+2 <= size {
			return c
		}
	}
	return -1
}

// chunkShifts are the binary logarithms of the number of a class's blocks in a chunk.
var chunkShifts = func() (shifts [len(blockSizes)]uint8) {
	for class, size := range blockSizes {
		shifts[class] = uint8(bits.Len(uint(chunkBytes/size)) - 1)
	}
	return shifts
}()

// put keeps a copy of b. REQUIRES: len(b) <= maxString.
func (a *arena) put(b []byte) ref {
	class := classOf(len(b))
	c := &a.classes[class]
	var i uint32
	if n := len(c.free); n > 0 {
		i, c.free = c.free[n-1], c.free[:n-1]
	} else {
		i = c.made
		c.made++
		if int(i>>chunkShifts[class]) == len(c.chunks) {
			c.chunks = append(c.chunks, make([]byte, blockSizes[class]<<chunkShifts[class]))
			a.bytes += blockSizes[class] << chunkShifts[class]
		}
	}
	r := ref(class<<indexBits) | ref(i+1)
	a.set(r, b)
	return r
}

func (a *arena) set(r ref, b []byte) {
	block := a.block(r)
	binary.LittleEndian.PutUint16(block, uint16(len(b)))
	copy(block[2:], b)
}

// replace is free and put, without a move where the block has the right length.
func (a *arena) replace(r ref, b []byte) ref {
	if r != 0 && int(r>>indexBits) == classOf(len(b)) {
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
	block := a.block(r)
	n := int(binary.LittleEndian.Uint16(block))
	return block[2 : 2+n : 2+n]
}

func (a *arena) free(r ref) {
	if r != 0 {
		c := &a.classes[r>>indexBits]
		c.free = append(c.free, uint32(r)&(1<<indexBits-1)-1)
	}
}

func (a *arena) block(r ref) []byte {
	class := int(r >> indexBits)
	i := int(r&(1<<indexBits-1)) - 1
	shift, size := chunkShifts[class], blockSizes[class]
	pos := (i & (1<<shift - 1)) * size
	return a.classes[class].chunks[i>>shift][pos : pos+size]
}
