package window

import (
	"fmt"
	"testing"

	"millrace/engine/event"
)

// minuteOf counts one view of each page by a visitor of its own.
func minuteOf(limit int, pages ...string) *Agg {
	a := NewAgg(limit)
	for i, page := range pages {
		a.AddRow(&Row{Flags: PageviewRow, Visitor: event.Visitor(i + 1), Dims: [NumDims]string{Page: page, Hostname: "a.example"}})
	}
	return a
}

func numbered(prefix string, from, n int) (pages []string) {
	for i := range n {
		pages = append(pages, fmt.Sprintf("%s%05d", prefix, from+i))
	}
	return pages
}

func repeat(page string, n int) (pages []string) {
	for range n {
		pages = append(pages, page)
	}
	return pages
}

// pagesOf returns the views by page of an hour, and their sum.
func pagesOf(a *Agg) (views map[string]int64, sum int64) {
	w := Window{Kind: Hour}
	a.Fill(&w)
	views = map[string]int64{}
	for _, p := range w.Points {
		if p.Family == Pages {
			views[p.Dims[0]] = p.Pageviews
			sum += p.Pageviews
		}
	}
	return views, sum
}

// TestHourKeepsMost: what is read most has a row in the hour, however many pages came before it.
func TestHourKeepsMost(t *testing.T) {
	const limit = 500
	minutes := []*Agg{minuteOf(limit, numbered("/", 0, 300)...), minuteOf(limit, numbered("/", 300, 300)...), minuteOf(limit, repeat("/hot", 1000)...)}
	f := func(order ...int) {
		t.Helper()
		hour := NewAgg(limit)
		for _, i := range order {
			hour.Merge(minutes[i])
		}
		views, sum := pagesOf(hour)
		if views["/hot"] != 1000 || sum != 1600 || len(views) != limit+1 {
			t.Errorf("order %v: /hot has %d views, all %d, of %d values", order, views["/hot"], sum, len(views))
		}
		// Of the pages of one view the first ones in the order of values stay.
		if views[Other] != 101 || views["/00498"] != 1 || views["/00499"] != 0 {
			t.Errorf("order %v: other has %d views, the last pages %d and %d", order, views[Other], views["/00498"], views["/00499"])
		}
	}
	f(0, 1, 2)
	f(2, 1, 0)
	f(1, 2, 0)
}

// TestHourRoom: an hour of which each minute has values of its own holds a bounded number of them
// while it is under way, and what is read most still comes out, whenever it came. The sums are
// exact.
func TestHourRoom(t *testing.T) {
	const limit = 20
	for _, at := range []int{0, 30, 59} {
		hour := NewAgg(limit)
		for m := range 60 {
			pages := numbered("/attack", m*limit, limit)
			if m == at {
				pages = append(repeat("/hot", 50), pages...)
			}
			hour.Merge(minuteOf(limit, pages...))
			if n := hour.fams[Pages].kept(); n > (hourRoom+1)*limit {
				t.Fatalf("minute %d: %d values", m, n)
			}
		}
		views, sum := pagesOf(hour)
		if views["/hot"] != 50 || sum != 60*limit+50 || len(views) != limit+1 {
			t.Errorf("hot in minute %d: %d views, all %d, of %d values", at, views["/hot"], sum, len(views))
		}
	}
}
