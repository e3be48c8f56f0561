package kafka

import "sync"

// prefix tracks which of the records delivered from one partition are finished. It is rule J4: only the
// contiguous prefix of finished records may be committed.
type prefix struct {
	mu      sync.Mutex
	pending []record // delivered and not below next, in order of delivery
	next    int64    // offset after the last record of the finished prefix
}

type record struct {
	offset int64
	done   bool
}

// newPrefix starts behind a partition's committed offset.
func newPrefix(next int64) *prefix { return &prefix{next: next} }

// deliver notes a record. Offsets grow, but need not be dense.
func (p *prefix) deliver(offset int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pending = append(p.pending, record{offset: offset})
}

// finish notes that a record is done and moves the prefix over what has become contiguous.
func (p *prefix) finish(offset int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	lo, hi := 0, len(p.pending)
	for lo < hi {
		mid := (lo + hi) / 2
		if p.pending[mid].offset < offset {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == len(p.pending) || p.pending[lo].offset != offset {
		return
	}
	p.pending[lo].done = true
	n := 0
	for n < len(p.pending) && p.pending[n].done {
		p.next = p.pending[n].offset + 1
		n++
	}
	if n > 0 {
		p.pending = append(p.pending[:0], p.pending[n:]...)
	}
}

// position returns the offset that may be committed: that of the first record that is not finished.
func (p *prefix) position() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next
}
