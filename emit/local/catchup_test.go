package local

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"

	"millrace/emit/emittest"
	"millrace/engine/event"
	"millrace/engine/window"
)

// firings makes windows of sites with some 100 points each.
type firings struct {
	r               *rand.Rand
	minutes, visits []*window.Agg // by site
	version         int64
	fired, points   int
}

func newFirings(sites int) *firings {
	f := &firings{r: rand.New(rand.NewPCG(1, 1))}
	for range sites {
		f.minutes, f.visits = append(f.minutes, window.NewAgg(500)), append(f.visits, window.NewAgg(500))
	}
	return f
}

func (f *firings) dims() (d [window.NumDims]string) {
	value := func(name string, n int) string { return fmt.Sprint(name, f.r.IntN(n)) }
	d[window.Page], d[window.EntryPage] = value("/articles/", 60), value("/articles/", 60)
	d[window.Country], d[window.Language] = value("C", 20), value("l", 20)
	d[window.Browser], d[window.OS], d[window.Device] = value("B", 5), value("O", 5), "desktop"
	return d
}

// minute fires a minute of all sites, the quarter of visits that it is in, or both, at each fifth of
// it from the step given.
func (f *firings) minute(m event.Time, step int, emit func(w *window.Window)) {
	for first := step; step < 5; step++ {
		for i, a := range f.minutes {
			if step == first {
				a.Reset(500)
			}
			if step == first && m%15 == 0 {
				f.visits[i].Reset(500)
			}
			for range 5 {
				d := f.dims()
				a.AddRow(&window.Row{Flags: window.PageviewRow, Visitor: event.Visitor(f.r.Uint64()), Dims: d})
				f.visits[i].AddVisitRow(&window.VisitRow{Dims: d, Visits: 1, Views: 2, Seconds: 60})
			}
			f.version++
			site := fmt.Sprintf("site-%d.example", i)
			f.fire(a.Window(site, 0, m*event.Minute, f.version, step == 4), emit)
			if step%2 == 0 {
				w := f.visits[i].Window(site, 0, (m * event.Minute).Floor(window.Visits.Length()), f.version, false)
				w.Kind = window.Visits
				f.fire(w, emit)
			}
		}
	}
}

func (f *firings) fire(w *window.Window, emit func(*window.Window)) {
	f.fired++
	f.points += len(w.Points)
	emit(w)
}

// BenchmarkCatchUp is emit that has fallen behind, for -benchtime 1x: half an hour of 50 sites waits in
// the topic, minutes that fired each 12 s and quarters of visits that fired three times a minute. The
// store has the hour before.
func BenchmarkCatchUp(b *testing.B) {
	const sites, minutes = 50, 30
	s, f := mustOpen(b, Options{Dir: b.TempDir()}), newFirings(sites)
	for m := range event.Time(60) {
		var ws []*window.Window
		f.minute(m-60, 4, func(w *window.Window) { ws = append(ws, w) })
		mustWrite(b, s, ws...)
	}
	f.fired, f.points = 0, 0
	k := emittest.NewKafka(b)
	for m := range event.Time(minutes) {
		var values [emittest.Partitions][][]byte
		f.minute(m, 0, func(w *window.Window) {
			v, err := w.AppendLines(nil)
			if err != nil {
				b.Fatal(err)
			}
			p := event.Partition(w.Site, 0, emittest.Partitions)
			values[p] = append(values[p], v)
		})
		for p, list := range values {
			k.Produce(int32(p), event.Key(int32(p)), list...)
		}
	}
	c := k.Consumer(s)
	b.ResetTimer()
	before := processorSeconds(b)
	stop := k.Start(c)
	k.WaitCommitted(Group)
	b.StopTimer()
	cpu := processorSeconds(b) - before
	b.ReportMetric(float64(f.fired)/b.Elapsed().Seconds(), "firings/s")
	b.ReportMetric(float64(f.fired)/cpu, "firings/core-s")
	b.ReportMetric(float64(f.points)/cpu, "points/core-s")
	b.ReportMetric(float64(c.Stats().Windows)/float64(f.fired), "written/firing")
	if err := stop(); err != nil {
		b.Fatal(err)
	}
}

// processorSeconds is user plus system time of the process.
func processorSeconds(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
