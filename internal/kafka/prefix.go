package kafka

import (
	"sync"
	"time"
)

// Prefix tracks which of the records delivered from one partition are finished. It is rule J4: only
// the contiguous prefix of finished records may be committed. It may be used from any goroutine.
type Prefix struct {
	mu      sync.Mutex
	pending []record // delivered and not below next, in order of delivery
	next    int64    // offset after the last record of the finished prefix
	last    int64    // offset of the last record delivered
	marks   []mark   // when records were delivered, in order, at most one for each markEvery
}

// mark is that a record was delivered at a time, and those behind it up to the next mark little
// later.
type mark struct {
	offset int64
	at     time.Time
}

const markEvery = 100 * time.Millisecond

type record struct {
	offset int64
	done   bool
}

// NewPrefix starts behind a partition's committed offset.
func NewPrefix(next int64) *Prefix { return &Prefix{next: next, last: next - 1} }

// Deliver notes a record. Offsets grow, but need not be dense.
func (p *Prefix) Deliver(offset int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pending = append(p.pending, record{offset: offset})
	p.last = offset
	if now := time.Now(); len(p.marks) == 0 || now.Sub(p.marks[len(p.marks)-1].at) >= markEvery {
		p.marks = append(p.marks, mark{offset, now})
	}
}

// Oldest returns when the oldest record that is not committed was delivered, or up to markEvery
// before; the zero time if there is none. Committed only grows.
func (p *Prefix) Oldest(committed int64) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if committed > p.last {
		p.marks = p.marks[:0]
	}
	n := 0
	for n+1 < len(p.marks) && p.marks[n+1].offset <= committed {
		n++
	}
	p.marks = append(p.marks[:0], p.marks[n:]...)
	if len(p.marks) == 0 {
		return time.Time{}
	}
	return p.marks[0].at
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
