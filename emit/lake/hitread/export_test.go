package hitread

import "context"

// CountPartitions is for tests.
func CountPartitions(ctx context.Context, p *Published) (int64, error) { return p.count(ctx) }

// Reads returns how many requests were made of the store, of how many bytes, and how many footers were read.
func (a *Archive) Reads() (requests, bytes, footers int64) {
	reads := &a.inner.(*archive).reads
	return reads.requests.Load(), reads.bytes.Load(), reads.files.Load()
}
