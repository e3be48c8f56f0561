package ingest

import (
	"sync"
	"sync/atomic"
)

// budget counts the bytes of bodies being read and of events not yet acknowledged.
//
// Everything is reserved before it exists: a body as it is read, the records of a request's events before the first
// of them is added. So used is never above most, but for one case: a request that is alone is let through however large
// it is, or it would be refused for ever. Then used is what that one request holds.
type budget struct {
	most int64
	used atomic.Int64
}

// take reserves n bytes for who holds own bytes already, unless that is over the limit. It does not count first and look
// then: others would be refused for bytes that nobody got.
func (b *budget) take(n, own int64) bool {
	for {
		used := b.used.Load()
		if used+n > b.most && used > own {
			return false
		}
		if b.used.CompareAndSwap(used, used+n) {
			return true
		}
	}
}

// give returns n bytes.
func (b *budget) give(n int64) { b.used.Add(-n) }

const (
	// recordOverhead is what a record costs in memory beside its events, roughly: batch, timer, the client's record.
	recordOverhead = 1 << 10
	// eventOverhead is the most that names, numbers and punctuation of an encoded event take; propOverhead is a property's.
	eventOverhead = 448
	propOverhead  = 6
)

// mostBytes is the most that an event can add to what is pending: its encoding, with each byte of text escaped, and a record of its
// own. Texts have no control characters, so that an escape doubles a byte and no more.
func (in *Input) mostBytes() int {
	n := max(len(in.ID), maxID) + len(in.Site) + len(in.Name) + len(in.URL) + len(in.Referrer) + len(in.UA) +
		len(in.Language) + len(in.Screen) + len(in.Country) + len(in.Region) + len(in.City) + len(in.Currency) +
		len(in.Client) + len(in.Bot)
	for _, p := range in.Props {
		n += len(p.Key) + len(p.Value) + propOverhead
	}
	return recordOverhead + eventOverhead + 2*n
}

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
