package engine

import (
	"millrace/engine/event"
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
	bounds  Bounds
	windows map[windowID]*hotWindow
	free    []*hotWindow
	blocks  blockPool
	bytes   int // held by all
}

type hotWindow struct {
	agg     *window.Agg
	pending pending // chunks that agg does not hold yet
	bytes   int     // of agg, when it was last folded
	chunks  int     // bytes of the chunks that the store holds for it, since the last try to compact them
}

// entryBytes is what an entry of hot windows or hours takes beside its Agg: the id with the site's name, the map's slot.
const entryBytes = 256

// maxFree is the number of emptied windows kept for their memory.
const maxFree = 64

func newHotWindows(limit int, b Bounds) hotWindows {
	return hotWindows{limit: limit, bounds: b, windows: map[windowID]*hotWindow{}}
}

// add takes in a chunk of a window that is hot. One that is fresh, whose first chunk this is, becomes so if there is
// room.
func (h *hotWindows) add(id windowID, chunk []byte, fresh bool) error {
	w := h.windows[id]
	if w == nil {
		if !fresh || h.bytes >= h.bounds.HotWindows {
			return nil
		}
		w = h.take()
		h.windows[id.clone()] = w
		w.bytes = w.agg.Bytes() + entryBytes
		h.bytes += w.bytes
	}
	before := w.pending.room
	h.blocks.append(&w.pending, chunk)
	w.chunks += len(chunk)
	h.bytes += w.pending.room - before
	if w.pending.bytes < h.bounds.Pending {
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

// toCompact returns the bytes of the chunks that a hot window came in since this was last asked.
func (h *hotWindows) toCompact(id windowID) int {
	w := h.windows[id]
	if w == nil || w.chunks < h.bounds.Compact {
		return 0
	}
	n := w.chunks
	w.chunks = 0
	return n
}

// put makes a window hot, if there is room, and exchanges its Agg for an empty one. The store holds so many bytes of it.
func (h *hotWindows) put(id windowID, a *window.Agg, bytes int) (empty *window.Agg, ok bool) {
	if h.bytes >= h.bounds.HotWindows {
		return a, false
	}
	w := h.take()
	w.agg, empty, w.chunks = a, w.agg, bytes
	h.windows[id] = w
	return empty, h.fold(w) == nil
}

// dropVisits drops the windows of visits that will not fire again soon.
func (h *hotWindows) dropVisits(isOpen func(windowID) bool) {
	for id := range h.windows {
		if id.kind == window.Visits && !isOpen(id) {
			h.drop(id)
		}
	}
}

func (h *hotWindows) fold(w *hotWindow) error {
	for _, b := range w.pending.blocks {
		if err := w.agg.Add(b); err != nil {
			return err
		}
	}
	now := w.agg.Bytes() + entryBytes
	h.bytes += now - w.bytes - w.pending.room
	w.bytes = now
	h.blocks.clear(&w.pending)
	return nil
}

// take returns an empty window.
func (h *hotWindows) take() *hotWindow {
	n := len(h.free)
	if n == 0 {
		return &hotWindow{agg: window.NewAgg(h.limit)}
	}
	w := h.free[n-1]
	h.free = h.free[:n-1]
	return w
}

func (h *hotWindows) drop(id windowID) {
	w := h.windows[id]
	if w == nil {
		return
	}
	delete(h.windows, id)
	h.bytes -= w.bytes + w.pending.room
	w.bytes, w.chunks = 0, 0
	h.blocks.clear(&w.pending)
	if len(h.free) < maxFree {
		w.agg.Reset(h.limit)
		h.free = append(h.free, w)
	}
}

// hotHours keeps the rollups of hours that have not fired in memory: each minute is merged in when it has become final. A
// cache too: an hour that is not here is folded from its minutes in the store.
//
// What an hour took is not kept for the next, unlike a minute's: the sketches of an Agg that is used again and again come to
// the size of the largest that any value ever had in their place.
type hotHours struct {
	limit int
	most  int // bytes
	hours map[windowID]*hotHour
	bytes int // held by all
}

type hotHour struct {
	agg   *window.Agg
	bytes int // of agg, when a minute last came. An empty Agg has some too, and one that was read has more.
}

func newHotHours(limit int, b Bounds) hotHours {
	return hotHours{limit: limit, most: b.HotHours, hours: map[windowID]*hotHour{}}
}

// hourOf returns the hour of a minute.
func hourOf(id windowID) windowID {
	return windowID{window.Hour, id.start.Floor(event.Hour), id.site}
}

// add merges a minute into its hour, which is made if need be. It reports false if there is no room, and drops the hour
// if it is the one that takes more than its part of it.
func (h *hotHours) add(hour windowID, minute *window.Agg) bool {
	o := h.hours[hour]
	if o == nil {
		if h.bytes >= h.most {
			return false
		}
		o = &hotHour{agg: window.NewAgg(h.limit)}
		h.hours[hour.clone()] = o
	}
	o.agg.Merge(minute)
	now := o.agg.Bytes() + entryBytes
	h.bytes += now - o.bytes
	o.bytes = now
	if h.bytes > h.most && o.bytes > h.most/len(h.hours) {
		h.drop(hour)
		return false
	}
	return true
}

// get returns the rollups of an hour, nil if it is not hot.
func (h *hotHours) get(hour windowID) *window.Agg {
	if o := h.hours[hour]; o != nil {
		return o.agg
	}
	return nil
}

func (h *hotHours) drop(hour windowID) {
	o := h.hours[hour]
	if o == nil {
		return
	}
	delete(h.hours, hour)
	h.bytes -= o.bytes
}
