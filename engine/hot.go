package engine

import (
	"strings"

	"millrace/engine/window"
)

// hotWindows keeps the rollups of open windows in memory, so that firing a window need not read it from the store. It is
// a cache: what it holds equals the fold of the store's chunks, and losing it costs only time.
//
// Chunks are kept as they come and folded when the window fires. Tried and dropped: folding the store's chunks at each
// firing (with early firings each row was folded again and again), and folding each chunk when it comes (the maps of
// many windows by turns do not stay in the processor's caches).
type hotWindows struct {
	limit   int // cardinality budget of a window
	windows map[windowID]*hotWindow
	free    []*hotWindow
	bytes   int // held by all, by estimate
}

type hotWindow struct {
	agg     *window.Agg
	pending []byte // chunks that agg does not hold yet
	bytes   int    // of agg, when it was last folded
}

const (
	// maxHotBytes bounds the memory of a partition's hot windows. Windows that come when it is reached are folded from
	// the store.
	maxHotBytes = 64 << 20
	// cellBytes is what a value with a small sketch takes in an Agg.
	cellBytes = 250
	// maxPending is the length at which chunks are folded without a firing.
	maxPending = 512 << 10
	// maxFree is the number of emptied windows kept for their memory.
	maxFree = 64
)

func newHotWindows(limit int) hotWindows {
	return hotWindows{limit: limit, windows: map[windowID]*hotWindow{}}
}

// add takes in a chunk of a window that is hot. One that is fresh, whose first chunk this is, becomes so if there is
// room.
func (h *hotWindows) add(id windowID, chunk []byte, fresh bool) error {
	w := h.windows[id]
	if w == nil {
		if !fresh || h.bytes >= maxHotBytes {
			return nil
		}
		w = h.take()
		h.windows[windowID{id.start, strings.Clone(id.site)}] = w
	}
	w.pending = append(w.pending, chunk...)
	h.bytes += len(chunk)
	if len(w.pending) < maxPending {
		return nil
	}
	return h.fold(w)
}

// get returns the rollups of a window, or nil if it is not hot.
func (h *hotWindows) get(id windowID) (*window.Agg, error) {
	w := h.windows[id]
	if w == nil {
		return nil, nil
	}
	return w.agg, h.fold(w)
}

// put makes a window hot, if there is room, and exchanges its Agg for an empty one.
func (h *hotWindows) put(id windowID, a *window.Agg) (empty *window.Agg, ok bool) {
	if h.bytes >= maxHotBytes {
		return a, false
	}
	w := h.take()
	w.agg, empty = a, w.agg
	h.windows[id] = w
	return empty, h.fold(w) == nil
}

func (h *hotWindows) fold(w *hotWindow) error {
	err := w.agg.Add(w.pending)
	now := w.agg.Len() * cellBytes
	h.bytes += now - w.bytes - len(w.pending)
	w.bytes, w.pending = now, w.pending[:0]
	return err
}

// take returns an empty window.
func (h *hotWindows) take() *hotWindow {
	n := len(h.free)
	if n == 0 {
		return &hotWindow{agg: window.NewAgg(h.limit)}
	}
	w := h.free[n-1]
	h.free = h.free[:n-1]
	w.agg.Reset(h.limit)
	return w
}

func (h *hotWindows) drop(id windowID) {
	w := h.windows[id]
	if w == nil {
		return
	}
	delete(h.windows, id)
	h.bytes -= w.bytes + len(w.pending)
	w.bytes, w.pending = 0, w.pending[:0]
	if len(h.free) < maxFree && cap(w.pending) < maxPending {
		h.free = append(h.free, w)
	}
}
