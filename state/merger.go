package state

import (
	"io"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"millrace/engine/window"
)

// merger concatenates a window's chunks and lets window.Merge fold them. Folding everything at each merge
// would be the textbook form and was not taken: most windows fire before a compaction ever sees them, and are
// then folded once, by the firing. A read wants the chunks as they are, since it folds them itself: plain says that one
// is going on. A compaction that sees plain set concatenates too, which is as right.
func merger(limit int, plain *atomic.Bool) *pebble.Merger {
	return &pebble.Merger{
		Name: "millrace.window.v1",
		Merge: func(_, value []byte) (pebble.ValueMerger, error) {
			m := &valueMerger{limit: limit, plain: plain}
			return m, m.MergeNewer(value)
		},
	}
}

// valueMerger collects operands. Older ones come in an order from new to old, so they are kept apart.
type valueMerger struct {
	limit int
	plain *atomic.Bool
	older [][]byte
	newer []byte
}

func (m *valueMerger) MergeNewer(value []byte) error {
	m.newer = append(m.newer, value...)
	return nil
}

func (m *valueMerger) MergeOlder(value []byte) error {
	m.older = append(m.older, append([]byte{}, value...))
	return nil
}

func (m *valueMerger) Finish(whole bool) ([]byte, io.Closer, error) {
	chunks := m.newer
	if len(m.older) > 0 {
		n := len(m.newer)
		for _, v := range m.older {
			n += len(v)
		}
		chunks = make([]byte, 0, n)
		for i := len(m.older) - 1; i >= 0; i-- {
			chunks = append(chunks, m.older[i]...)
		}
		chunks = append(chunks, m.newer...)
	}
	if m.plain.Load() {
		return chunks, nil, nil
	}
	v, err := window.Merge(chunks, whole, m.limit)
	return v, nil, err
}
