package ingest

import "sync"

// buffers is a pool of byte slices. Those over maxPooled are left to the garbage collector: one
// huge request must not pin its memory.
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
