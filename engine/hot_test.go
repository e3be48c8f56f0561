package engine

import (
	"bytes"
	"fmt"
	"testing"
	"unsafe"

	"millrace/engine/event"
	"millrace/engine/window"
)

func chunk(rows ...window.Row) []byte {
	var w window.RowWriter
	for i := range rows {
		w.Add(&rows[i])
	}
	return w.AppendChunk(nil)
}

func lines(t *testing.T, a *window.Agg) string {
	t.Helper()
	b, err := a.Window("s.example", 0, event.Minute, 1, true).AppendLines(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A hot window is the fold of its chunks, whether they were folded in between or not, and its memory is given back.
func TestHotWindows(t *testing.T) {
	const limit = 5
	h := newHotWindows(limit, Bounds{}.withDefaults())
	id := windowID{window.Minute, event.Minute, "s.example"}
	want := window.NewAgg(limit)
	for i := range 20_000 {
		c := chunk(window.Row{Visitor: event.Visitor(i%900 + 1), Dims: [window.NumDims]string{window.Page: fmt.Sprintf("/a-page-with-a-name-that-takes-room/%d", i%9)}})
		if err := h.add(id, c, i == 0); err != nil {
			t.Fatal(err)
		}
		if err := want.Add(c); err != nil {
			t.Fatal(err)
		}
		if n := h.windows[id].pending.bytes; n >= h.bounds.Pending {
			t.Fatalf("%d bytes pending", n)
		}
		if i%7000 == 0 {
			a, err := h.get(id)
			if err != nil || lines(t, a) != lines(t, want) {
				t.Fatalf("after %d rows: not the fold of the chunks: %v", i+1, err)
			}
		}
	}
	a, err := h.get(id)
	if err != nil || lines(t, a) != lines(t, want) {
		t.Fatalf("not the fold of the chunks: %v", err)
	}
	h.drop(id)
	if h.bytes != 0 || len(h.windows) != 0 {
		t.Errorf("%d bytes in %d windows are left", h.bytes, len(h.windows))
	}
	// The memory is used again, and must be clean.
	if err := h.add(id, chunk(window.Row{Visitor: 1}), true); err != nil {
		t.Fatal(err)
	}
	one := window.NewAgg(limit)
	one.AddRow(&window.Row{Visitor: 1})
	if a, err := h.get(id); err != nil || lines(t, a) != lines(t, one) {
		t.Errorf("a window in used memory: %v", err)
	}
}

// A window that is not fresh stays out: part of it is only in the store. So does one that comes when memory is used up.
func TestHotWindowsStayOut(t *testing.T) {
	h := newHotWindows(0, Bounds{}.withDefaults())
	id := windowID{window.Minute, event.Minute, "s.example"}
	if err := h.add(id, chunk(window.Row{Visitor: 1}), false); err != nil {
		t.Fatal(err)
	}
	if a, _ := h.get(id); a != nil {
		t.Error("a window became hot in its middle")
	}
	h.bytes = h.bounds.HotWindows
	if err := h.add(id, chunk(window.Row{Visitor: 1}), true); err != nil {
		t.Fatal(err)
	}
	if a, _ := h.get(id); a != nil {
		t.Error("a window became hot without room")
	}
	if _, ok := h.put(id, window.NewAgg(0), 0); ok {
		t.Error("put without room")
	}
}

// Chunks come out of a window's blocks as they went in, whatever their size, and blocks are used again.
func TestPending(t *testing.T) {
	var pool blockPool
	var w pending
	for range 3 {
		var want []byte
		for i := range 300 {
			c := bytes.Repeat([]byte{byte(i)}, i*i%40_000+1)
			pool.append(&w, c)
			want = append(want, c...)
		}
		if got := bytes.Join(w.blocks, nil); !bytes.Equal(got, want) || w.bytes != len(want) || w.room < len(want) {
			t.Fatalf("%d bytes, counted %d in %d; want %d", len(got), w.bytes, w.room, len(want))
		}
		pool.clear(&w)
		if w.bytes != 0 || w.room != 0 || len(w.blocks) != 0 {
			t.Fatalf("%+v is not empty", w)
		}
	}
	if len(pool.free[0]) != 1 || len(pool.free[2]) == 0 {
		t.Errorf("%d and %d free blocks", len(pool.free[0]), len(pool.free[2]))
	}
}

// Windows of visits that will not fire again leave memory, fired or not; others stay.
func TestHotVisitsEnd(t *testing.T) {
	h := newHotWindows(0, Bounds{}.withDefaults())
	past, open := windowID{window.Visits, 0, "a.example"}, windowID{window.Visits, event.Hour, "a.example"}
	minute := windowID{window.Minute, 0, "a.example"}
	for _, id := range []windowID{past, open, minute} {
		if err := h.add(id, chunk(window.Row{Visitor: 1}), true); err != nil {
			t.Fatal(err)
		}
	}
	h.dropVisits(func(id windowID) bool { return id == open })
	if h.windows[past] != nil || h.windows[open] == nil || h.windows[minute] == nil {
		t.Errorf("left: %v", h.windows)
	}
}

// A window that did not become hot for want of room does not become so in its middle, by a late event that comes
// before the timer has seen that its minute is over.
func TestHotNotInMiddle(t *testing.T) {
	g := newRig(t, Rules{EarlyEvery: -1, SilentAfter: event.Hour}, 0)
	g.part.Bound(Bounds{HotWindows: 100 << 10, Pending: 120 << 10})
	events := func(site string, n int) []event.Event {
		list := make([]event.Event, n)
		for i := range list {
			list[i] = event.Event{Site: site, Time: base, Received: base, Name: event.Pageview, URL: fmt.Sprintf("/%d", i%2), Visitor: 1}
		}
		return list
	}
	g.process(envelope("c2", base+50*event.Second))
	g.process(envelope("c1", base+64*event.Second, append(events("a", 21_000), events("b", 1)...)...))
	b := windowID{window.Minute, base, "b"}
	if g.part.hot.windows[b] != nil {
		t.Fatalf("%d bytes leave room", g.part.hot.bytes)
	}
	g.process(envelope("c2", base+63*event.Second))
	g.process(envelope("c1", base+64*event.Second, append(events("a", 21_000), events("b", 1)...)...))
	if g.part.hot.bytes >= g.part.hot.bounds.HotWindows {
		t.Fatalf("%d bytes leave no room", g.part.hot.bytes)
	}
	g.process(envelope("c1", base+65*event.Second)) // the rig compares what fires with the store
	if g.final[window.RecordKey(window.Minute, "b", base, 0)] == nil {
		t.Fatal("the window has not fired")
	}
}

// TestHotHoursGiveBackTheirMemory: what a large hour took does not stay with a small one that comes after it.
func TestHotHoursGiveBackTheirMemory(t *testing.T) {
	hours := newHotHours(500, Bounds{}.withDefaults())
	minute := window.NewAgg(500)
	fill := func(values int) {
		minute.Reset(500)
		for i := range 20 * values {
			minute.AddRow(&window.Row{Flags: window.PageviewRow, Visitor: event.Visitor(uint64(i+1) * 0x9e3779b97f4a7c15), Dims: [window.NumDims]string{
				window.Page: fmt.Sprint("/", i%values), window.Name: event.Pageview,
			}})
		}
	}
	first := windowID{window.Hour, 0, "a.example"}
	fill(400)
	hours.add(first, minute)
	large := hours.bytes
	hours.drop(first)
	fill(1)
	hours.add(windowID{window.Hour, event.Hour, "b.example"}, minute)
	if hours.bytes > large/10 {
		t.Errorf("%d bytes after an hour of %d", hours.bytes, large)
	}
}

// TestHotWindowsOfManySites: windows of a single event are bounded by what they take, which is more than their values do.
func TestHotWindowsOfManySites(t *testing.T) {
	const bound = 1 << 20
	h := newHotWindows(500, Bounds{HotWindows: bound}.withDefaults())
	hours := newHotHours(500, Bounds{HotHours: bound}.withDefaults())
	empty := window.NewAgg(500)
	least := int(unsafe.Sizeof(*empty))
	for i := range 10_000 {
		id := windowID{window.Minute, 0, fmt.Sprintf("site%d.example", i)}
		if err := h.add(id, nil, true); err != nil {
			t.Fatal(err)
		}
		hours.add(hourOf(id), empty)
	}
	for name, n := range map[string]int{"windows": len(h.windows), "hours": len(hours.hours)} {
		if n == 0 || n > bound/least+1 {
			t.Errorf("%d hot %s of %d bytes or more each in a bound of %d", n, name, least, bound)
		}
	}
	for id := range h.windows {
		h.drop(id)
	}
	for id := range hours.hours {
		hours.drop(id)
	}
	if h.bytes != 0 || hours.bytes != 0 {
		t.Errorf("%d and %d bytes are held by nothing", h.bytes, hours.bytes)
	}
}
