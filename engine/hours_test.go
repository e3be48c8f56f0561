package engine

import (
	"fmt"
	"testing"

	"millrace/engine/event"
	"millrace/engine/window"
)

// The memory that hot hours are held to have is given back with them, also where an hour's memory is used again.
func TestHotHoursBytes(t *testing.T) {
	h := newHotHours(0, Bounds{}.withDefaults())
	minute := window.NewAgg(0)
	for v := range 2000 {
		minute.AddRow(&window.Row{Visitor: event.Visitor(v + 1), Dims: [window.NumDims]string{window.Page: fmt.Sprintf("/%d", v)}})
	}
	id := windowID{window.Hour, event.Hour, "s.example"}
	for range 3 {
		if !h.add(id, minute) {
			t.Fatal("no room")
		}
		if h.bytes <= 0 {
			t.Errorf("%d bytes with an hour", h.bytes)
		}
		err := h.get(id).Records(&window.Window{Kind: window.Hour, Site: id.site, Start: id.start}, 1<<20, func([]byte) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		if h.drop(id); h.bytes != 0 {
			t.Errorf("%d bytes without one", h.bytes)
		}
	}
}
