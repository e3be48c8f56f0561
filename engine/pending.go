package engine

// pending holds the chunks of a hot window that have not been folded, one after the other in blocks. A chunk lies in one
// block, so that each block is a sequence of chunks.
type pending struct {
	blocks [][]byte
	bytes  int // of the chunks
	room   int // of the blocks
}

// blockBytes are the sizes of a window's blocks, the last for all that follow: most windows are of small sites, whose minute
// is some hundred bytes, and a large one should not need many.
var blockBytes = [...]int{512, 4 << 10, 16 << 10}

// maxFreeBlocks bounds the blocks of each size that are kept for their memory: 2 MiB of the largest.
const maxFreeBlocks = 128

// blockPool hands out blocks, and takes them back. Tried and dropped: one buffer a window, which grows. Growing it copied each chunk some
// times, and cost as much as the folding.
type blockPool struct {
	free [len(blockBytes)][][]byte
}

// append adds a chunk.
func (p *blockPool) append(w *pending, chunk []byte) {
	n := len(w.blocks)
	if n == 0 || cap(w.blocks[n-1])-len(w.blocks[n-1]) < len(chunk) {
		b := p.take(n, len(chunk))
		w.blocks = append(w.blocks, b)
		w.room += cap(b)
		n++
	}
	w.blocks[n-1] = append(w.blocks[n-1], chunk...)
	w.bytes += len(chunk)
}

// take returns the block number n of a window, with room for so many bytes at least.
func (p *blockPool) take(n, bytes int) []byte {
	for class := min(n, len(blockBytes)-1); class < len(blockBytes); class++ {
		if blockBytes[class] < bytes {
			continue
		}
		free := p.free[class]
		if n := len(free); n > 0 {
			p.free[class] = free[:n-1]
			return free[n-1][:0]
		}
		return make([]byte, 0, blockBytes[class])
	}
	return make([]byte, 0, bytes)
}

// clear gives a window's blocks back.
func (p *blockPool) clear(w *pending) {
	for i, b := range w.blocks {
		w.blocks[i] = nil
		for class, size := range blockBytes {
			if cap(b) == size && len(p.free[class]) < maxFreeBlocks {
				p.free[class] = append(p.free[class], b)
			}
		}
	}
	w.blocks, w.bytes, w.room = w.blocks[:0], 0, 0
}
