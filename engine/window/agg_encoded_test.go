package window

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"millrace/engine/event"
)

// TestEncoded: what is folded after a window has fired for good is what is folded without, whatever
// happens in between.
func TestEncoded(t *testing.T) {
	row := func(i int) *Row {
		return &Row{Visitor: event.Visitor(i), Dims: [NumDims]string{Page: fmt.Sprintf("/%d", i%30), Country: "EE", Browser: "Chrome"}, Goals: []string{"g"}}
	}
	visit := &VisitRow{Visits: 1, Dims: [NumDims]string{ExitPage: "/x", Country: "LV"}}
	fill := func(a *Agg) {
		for i := range 100 {
			a.AddRow(row(i))
		}
		a.AddVisitRow(visit)
	}
	minute := NewAgg(0)
	minute.AddRow(row(1000))
	changes := map[string]func(a *Agg){
		"nothing":    func(*Agg) {},
		"add rows":   func(a *Agg) { _ = a.Add(chunkOf([]Row{*row(200), *row(231)})) },
		"add folded": func(a *Agg) { _ = a.Add(minute.AppendFolded(nil)) },
		"add a row":  func(a *Agg) { a.AddRow(row(300)) },
		"new value":  func(a *Agg) { a.AddRow(&Row{Visitor: 1, Dims: [NumDims]string{Country: "FI"}}) },
		"visits": func(a *Agg) {
			a.AddVisitRow(visit)
			a.AddVisitRow(&VisitRow{Visits: 1, Dims: [NumDims]string{Country: "SE"}})
		},
		"merge": func(a *Agg) { a.Merge(minute) },
		"empty": func(a *Agg) { a.Reset(0); a.AddRow(row(1)) },
	}
	fire := map[string]func(a *Agg){
		"final": func(a *Agg) { _ = a.Records(&Window{Site: "s", Final: true}, 1<<20, func([]byte) error { return nil }) },
		"parts": func(a *Agg) { _ = a.Records(&Window{Site: "s", Final: true}, 100, func([]byte) error { return nil }) },
		"fails": func(a *Agg) {
			_ = a.Records(&Window{Site: "s", Final: true}, 100, func([]byte) error { return errors.New("full") })
		},
		"early": func(a *Agg) { _ = a.Records(&Window{Site: "s"}, 1<<20, func([]byte) error { return nil }) },
		"visits": func(a *Agg) {
			_ = a.Records(&Window{Kind: Visits, Site: "s", Final: true}, 1<<20, func([]byte) error { return nil })
		},
	}
	for how, fire := range fire {
		for what, change := range changes {
			a, want := NewAgg(0), NewAgg(0)
			fill(a)
			fill(want)
			fire(a)
			change(a)
			change(want)
			for range 2 {
				if !bytes.Equal(a.AppendFolded(nil), want.AppendFolded(nil)) {
					t.Errorf("fired %s, then %s: folded to something else", how, what)
				}
				fire(a)
			}
		}
	}
}
