package engine

import (
	"strings"

	"millrace/engine/window"
)

// hotWindows keeps the rollups of open windows in memory, folded row by row as the records come, so that firing a window
// need not read it from the store. It is a cache: what it holds equals the fold of the store's chunks, and losing it
// costs only time.
//
// Tried and dropped: folding the store's chunks at each firing. With early firings every 5 s each row was then folded
// again and again.
type hotWindows struct {
	limit int // cardinality budget of a window
	aggs  map[windowID]*window.Agg
	free  []*window.Agg
	cells int // values held, as of the last count
	adds  int // since then
}

// maxHotCells bounds the memory of a partition's hot windows: a value with a small sketch takes some 250 bytes, so these
// are 64 MB. Windows that come when it is reached are folded from the store.
const maxHotCells = 256 << 10

// maxFree is the number of emptied Aggs kept for their memory.
const maxFree = 64

func newHotWindows(limit int) hotWindows {
	return hotWindows{limit: limit, aggs: map[windowID]*window.Agg{}}
}

func (h *hotWindows) get(id windowID) *window.Agg { return h.aggs[id] }

// add folds a chunk into a window that is hot. One that is fresh, whose first chunk this is, becomes so.
func (h *hotWindows) add(id windowID, chunk []byte, fresh bool) error {
	a := h.aggs[id]
	if a == nil {
		if !fresh || !h.room() {
			return nil
		}
		a = h.take()
		h.aggs[windowID{id.start, strings.Clone(id.site)}] = a
	}
	return a.Add(chunk)
}

// put makes a window hot, if there is room, and takes over its Agg.
func (h *hotWindows) put(id windowID, a *window.Agg) bool {
	if !h.room() {
		return false
	}
	h.aggs[id] = a
	return true
}

// take returns an empty Agg.
func (h *hotWindows) take() *window.Agg {
	n := len(h.free)
	if n == 0 {
		return window.NewAgg(h.limit)
	}
	a := h.free[n-1]
	h.free = h.free[:n-1]
	a.Reset(h.limit)
	return a
}

func (h *hotWindows) drop(id windowID) {
	a := h.aggs[id]
	if a == nil {
		return
	}
	delete(h.aggs, id)
	h.cells -= a.Len()
	if len(h.free) < maxFree {
		h.free = append(h.free, a)
	}
}

// room reports whether another window may become hot. Counting the values of all is not free, so it is done once in a
// while.
func (h *hotWindows) room() bool {
	if h.adds++; h.adds >= 256 {
		h.adds, h.cells = 0, 0
		for _, a := range h.aggs {
			h.cells += a.Len()
		}
	}
	return h.cells < maxHotCells
}
