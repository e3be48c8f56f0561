package ingest

import (
	"sync"
	"sync/atomic"
)

// budget counts the bytes of bodies being read and of events not yet acknowledged.
type budget struct {
	most int64
	used atomic.Int64
}

// take reserves n bytes unless that is over the limit.
func (b *budget) take(n int64) bool {
	if b.used.Add(n) <= b.most {
		return true
	}
	b.used.Add(-n)
	return false
}

// add counts n bytes more, or less, whatever the limit: what was admitted is finished.
func (b *budget) add(n int64) { b.used.Add(n) }

// buffers is a pool of byte slices. Those over maxPooled are left to the garbage collector: one huge request must
// not pin its memory.
type buffers struct{ pool sync.Pool }

const maxPooled = 1 << 20

func (p *buffers) get() []byte {
	if b, ok := p.pool.Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return nil
}

func (p *buffers) put(b []byte) {
	if cap(b) > 0 && cap(b) <= maxPooled {
		p.pool.Put(&b)
	}
}

// idSource makes event ids that no other event has: the collector's id, a part that is drawn at start, and a
// counter.
type idSource struct {
	prefix  string
	counter atomic.Uint64
}

func (s *idSource) append(dst []byte) []byte {
	dst = append(dst, s.prefix...)
	return appendBase36(dst, s.counter.Add(1))
}

func appendBase36(dst []byte, n uint64) []byte {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
	var b [13]byte
	i := len(b)
	for {
		i--
		b[i] = digits[n%36]
		if n /= 36; n == 0 {
			return append(dst, b[i:]...)
		}
	}
}
