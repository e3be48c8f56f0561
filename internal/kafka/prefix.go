package kafka

import "sync"

// Prefix tracks which of the records delivered from one partition are finished. It is rule J4: only the
// contiguous prefix of finished records may be committed. It may be used from any goroutine.
type Prefix struct {
	mu      sync.Mutex
	pending []record // delivered and not below next, in order of delivery
	next    int64    // offset after the last record of the finished prefix
}

type record struct {
	offset int64
	done   bool
}

// NewPrefix starts behind a partition's committed offset.
func NewPrefix(next int64) *Prefix { return &Prefix{next: next} }

// Deliver notes a record. Offsets grow, but need not be dense.
func (p *Prefix) Deliver(offset int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pending = append(p.pending, record{offset: offset})
}

// Finish notes that a record is done and moves the prefix over what has become contiguous.
func (p *Prefix) Finish(offset int64) {
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

// Position returns the offset that may be committed: that of the first record that is not finished.
func (p *Prefix) Position() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next
}
