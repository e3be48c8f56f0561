package state

import (
	"io"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"millrace/engine/window"
)

// merger concatenates a window's chunks and lets window.Merge fold them. Folding everything at each
// merge would be the textbook form and was not taken: most windows fire before a compaction ever
// sees them, and are then folded once, by the firing. A read wants the chunks as they are, since it
// folds them itself: plain says that one is going on. A compaction that sees plain set concatenates
// too, which is as right.
func merger(limit, foldFrom int, plain *atomic.Bool) *pebble.Merger {
	return &pebble.Merger{
		Name: "millrace.window.v1",
		Merge: func(_, value []byte) (pebble.ValueMerger, error) {
			m := &valueMerger{limit: limit, foldFrom: foldFrom, plain: plain}
			return m, m.MergeNewer(value)
		},
	}
}

// valueMerger collects operands. A flush or a compaction hands them from new to old, so they are
// put together from the end.
type valueMerger struct {
	limit    int
	foldFrom int
	plain    *atomic.Bool
	buf      []byte // the operands are its end
	from     int
}

// MergeNewer implements pebble.ValueMerger. A read hands the operands over in this order.
func (m *valueMerger) MergeNewer(value []byte) error {
	m.buf = append(m.buf, value...)
	return nil
}

// MergeOlder implements pebble.ValueMerger. There is room for as much again in front of what is
// there, so that a window of many chunks is not copied once for each.
func (m *valueMerger) MergeOlder(value []byte) error {
	if m.from < len(value) {
		n := len(m.buf) - m.from
		room := max(2*(n+len(value)), minMerge)
		buf := make([]byte, room)
		copy(buf[room-n:], m.buf[m.from:])
		m.buf, m.from = buf, room-n
	}
	m.from -= len(value)
	copy(m.buf[m.from:], value)
	return nil
}

// minMerge is the least room in bytes made for several operands: one of a record is some hundred
// bytes.
const minMerge = 2 << 10

// Finish implements pebble.ValueMerger. Whole says that the operands are all there are of the
// window: only then is it known which values came first, and the budget can be applied.
func (m *valueMerger) Finish(whole bool) ([]byte, io.Closer, error) {
	chunks := m.buf[m.from:]
	if m.plain.Load() {
		return chunks, nil, nil
	}
	v, err := window.Merge(chunks, whole, m.limit, m.foldFrom)
	return v, nil, err
}
