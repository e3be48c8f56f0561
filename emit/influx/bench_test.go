package influx

import (
	"fmt"
	"testing"

	"millrace/engine/event"
	"millrace/engine/window"
)

// BenchmarkWrite writes a minute of 50 sites with 100 points each, sketches of ten visitors, into
// the real InfluxDB.
func BenchmarkWrite(b *testing.B) {
	for _, plain := range []bool{false, true} {
		b.Run(fmt.Sprintf("plain=%v", plain), func(b *testing.B) {
			s, _ := mustSink(b, realDB(b), func(o *Options) { o.PlainText = plain })
			ws := make([]*window.Window, 50)
			for i := range ws {
				w := &window.Window{Site: fmt.Sprintf("site%d.example", i), Points: []window.Point{{Family: window.Totals}}}
				for p := range 99 {
					w.Points = append(w.Points, window.Point{Family: window.Pages, Dims: [2]string{fmt.Sprintf("/section/page-%d.html", p)}})
				}
				for p := range w.Points {
					sketch := make([]byte, 40)
					for j := range sketch {
						sketch[j] = byte(i*7 + p*13 + j*j*31)
					}
					w.Points[p].Rollup = window.Rollup{Events: int64(p + 1), Pageviews: int64(p + 1), Visitors: 10, Sketch: sketch}
				}
				ws[i] = w
			}
			n := 0
			for b.Loop() {
				for _, w := range ws {
					w.Start, w.Version = event.Time(n+1)*event.Minute, int64(n)
				}
				if err := s.Write(b.Context(), ws); err != nil {
					b.Fatal(err)
				}
				n++
			}
			b.ReportMetric(float64(s.Stats().Points)/b.Elapsed().Seconds(), "points/s")
		})
	}
}
