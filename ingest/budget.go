package ingest

import "sync/atomic"

// budget counts the bytes of bodies being read and of events not yet acknowledged.
//
// Everything is reserved before it exists: a body as it is read, the records of a request's events
// before the first of them is added. So used is never above most, but for one case: a request that
// is alone is let through however large it is, or it would be refused for ever. Then used is what
// that one request holds.
type budget struct {
	most int64
	used atomic.Int64
}

// take reserves n bytes for who holds own bytes already, unless that is over the limit. It does not
// count first and look then: others would be refused for bytes that no request
// got.
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

// recordOverhead is what a record costs in memory beside its events, roughly: batch, timer, the
// client's record. An event may need a record of its own.
const recordOverhead = 1 << 10

// reservation is what one request holds of a budget. It implements protocol.Memory.
type reservation struct {
	budget *budget
	held   int
}

// Reserve takes n bytes more, or reports that there are none.
func (r *reservation) Reserve(n int) bool {
	if !r.budget.take(int64(n), int64(r.held)) {
		return false
	}
	r.held += n
	return true
}

// Reserved returns how many bytes are held.
func (r *reservation) Reserved() int { return r.held }

// handOver ends the reservation of some bytes, of which the used ones now are others' to give back.
func (r *reservation) handOver(most, used int) {
	r.held -= most
	r.budget.give(int64(most - used))
}

// release gives everything back.
func (r *reservation) release() {
	r.budget.give(int64(r.held))
	r.held = 0
}
