package window

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"millrace/engine/event"
	"millrace/engine/sketch"
)

// drawRow draws a row from few values, so that they repeat, and now and then from hostile ones.
func drawRow(t *rapid.T) Row {
	value := func(label string) string {
		switch rapid.IntRange(0, 9).Draw(t, label) {
		case 0:
			return ""
		case 1:
			return Clean(rapid.String().Draw(t, label+" text"))
		case 2:
			return Other
		}
		return fmt.Sprintf("%s%d", label, rapid.IntRange(0, 5).Draw(t, label+" number"))
	}
	r := Row{
		Flags:   Flags(rapid.SampledFrom([]int{0, 1, 1, 1, 2, 3, 4, 5, 7}).Draw(t, "flags")),
		Visitor: event.Visitor(rapid.Uint64Range(0, 12).Draw(t, "visitor")),
	}
	for d := range r.Dims {
		r.Dims[d] = value(Dim(d).String())
	}
	return r
}

func chunkOf(rows []Row) []byte {
	var w RowWriter
	for i := range rows {
		w.Add(&rows[i])
	}
	return w.AppendChunk(nil)
}

func mustLines(tb testing.TB, w *Window) string {
	tb.Helper()
	b, err := w.AppendLines(nil)
	if err != nil {
		tb.Fatalf("AppendLines: %v", err)
	}
	return string(b)
}

// naive counts rows the slow way, by the text of the package comment, and shares no code with Agg.
func naive(rows []Row, limit int) []Point {
	type count struct {
		events, views int64
		visitors      map[event.Visitor]bool
	}
	var points []Point
	for f := range NumFamilies {
		counts := map[[2]string]*count{}
		kept := 0
		for _, r := range rows {
			isBot, isDropped := r.Flags&BotRow != 0, r.Flags&DroppedRow != 0
			switch f {
			case Dropped:
				if !isDropped {
					continue
				}
			case Bots:
				if isDropped || !isBot {
					continue
				}
			default:
				if isDropped || isBot {
					continue
				}
			}
			var key [2]string
			missing := false
			for i, d := range f.Dims() {
				key[i] = r.Dims[d]
				missing = missing || key[i] == ""
			}
			if missing {
				continue
			}
			other := [2]string{}
			for i := range f.Dims() {
				other[i] = Other
			}
			if counts[key] == nil && key != other {
				if limit > 0 && kept == limit {
					key = other
				} else {
					kept++
				}
			}
			c := counts[key]
			if c == nil {
				c = &count{visitors: map[event.Visitor]bool{}}
				counts[key] = c
			}
			c.events++
			if r.Flags&PageviewRow != 0 {
				c.views++
			}
			if r.Visitor != 0 {
				c.visitors[r.Visitor] = true
			}
		}
		var keys [][2]string
		for k := range counts {
			keys = append(keys, k)
		}
		slices.SortFunc(keys, func(x, y [2]string) int {
			if ox, oy := len(f.Dims()) > 0 && isOther(f, x), len(f.Dims()) > 0 && isOther(f, y); ox != oy {
				if ox {
					return 1
				}
				return -1
			}
			if c := strings.Compare(x[0], y[0]); c != 0 {
				return c
			}
			return strings.Compare(x[1], y[1])
		})
		for _, k := range keys {
			c := counts[k]
			var sk sketch.Sketch
			for v := range c.visitors {
				sk.Add(uint64(v))
			}
			points = append(points, Point{Family: f, Dims: k, Rollup: Rollup{
				Events: c.events, Pageviews: c.views, Visitors: uint64(len(c.visitors)), Sketch: sk.AppendBinary(nil),
			}})
		}
	}
	return points
}

func isOther(f Family, dims [2]string) bool {
	for i := range f.Dims() {
		if dims[i] != Other {
			return false
		}
	}
	return true
}
