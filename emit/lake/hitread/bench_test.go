package hitread_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"millrace/bench"
	"millrace/emit/lake/hitfile"
	"millrace/emit/lake/hitread"
	"millrace/engine"
	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
	"millrace/engine/window"
	"millrace/internal/blob"
	"millrace/query"
	"millrace/query/statsapi"
)

// dayFiles writes files of a day each, as they are once all has been merged.
type dayFiles struct {
	hits.Sink
	tb     testing.TB
	store  blob.Store
	list   *files
	day    event.Time
	hits   *hitfile.Buffer
	visits map[event.Time]*hitfile.VisitBuffer
	last   event.Time
}

func (d *dayFiles) Hit(h *hits.Hit) {
	if day := h.Time.Floor(24 * event.Hour); day != d.day {
		d.flush()
		d.day = day
	}
	d.last = max(d.last, h.Time)
	d.hits.Hit(h)
}

func (d *dayFiles) Join(j hits.Join) { d.of(j.Begin).Join(j) }

func (d *dayFiles) Visit(v *visit.Visit) { d.of(v.Begin).Visit(v) }

func (d *dayFiles) of(at event.Time) *hitfile.VisitBuffer {
	day := at.Floor(24 * event.Hour)
	if d.visits[day] == nil {
		d.visits[day] = hitfile.NewVisitBuffer(event.Topic, 0)
	}
	return d.visits[day]
}

func (d *dayFiles) put(table string, day event.Time, encode func(*bytes.Buffer) error, bounds func() hitfile.Bounds) hitread.File {
	var out bytes.Buffer
	if err := encode(&out); err != nil {
		d.tb.Fatal(err)
	}
	key := fmt.Sprintf("%s/events-0/dt=%s.parquet", table, day.Std().Format(time.DateOnly))
	if err := d.store.Put(d.tb.Context(), key, out.Bytes()); err != nil {
		d.tb.Fatal(err)
	}
	b := bounds()
	return hitread.File{Key: key, Size: int64(out.Len()), MinTime: b.MinTime, MaxTime: b.MaxTime, MinSite: b.MinSite, MaxSite: b.MaxSite, Day: day}
}

func (d *dayFiles) flush() {
	if d.hits.Len() == 0 {
		return
	}
	d.list.Hits = append(d.list.Hits, d.put("hits", d.day, d.hits.Encode, d.hits.Bounds))
	d.hits.Reset()
}

// newDays writes n events of a workload over some days, and returns where the last is.
func newDays(tb testing.TB, store blob.Store, n, days int) (*files, event.Time) {
	tb.Helper()
	d := &dayFiles{tb: tb, store: store, list: &files{}, hits: hitfile.NewBuffer(), visits: map[event.Time]*hitfile.VisitBuffer{}}
	l := engine.NewLedger(engine.LedgerOptions{Topic: event.Topic, Deriver: enrich.New(enrich.Options{})})
	stream := bench.NewWorkload(bench.WorkloadOptions{Seed: 1, Rate: float64(n) / float64(days*86400), Sites: 50})
	for offset := range n / 100 {
		var list []byte
		for i := range 100 {
			if i > 0 {
				list = append(list, ',')
			}
			e := *stream.Next()
			if i%7 == 0 {
				e.Props = []event.Prop{{Key: "plan", Value: [...]string{"free", "pro", "team"}[offset%3]}}
			}
			list = e.Append(list)
		}
		if err := l.Step(int64(offset), event.AppendEnvelope(nil, "c1", stream.Now(), list), d); err != nil {
			tb.Fatal(err)
		}
	}
	d.flush()
	for day, b := range d.visits {
		d.list.Visits = append(d.list.Visits, d.put("visits", day, b.Encode, b.Bounds))
	}
	d.list.Partitions = []hitread.Partition{{Watermark: d.last}}
	return d.list, d.last
}

// BenchmarkQuery measures queries of a month of a million events, half of which are of one site.
func BenchmarkQuery(b *testing.B) {
	dir := b.TempDir()
	if keep := os.Getenv("MILLRACE_BENCH_HITS"); keep != "" {
		dir = keep // for another program to read
	}
	store, err := blob.OpenFolder(dir)
	if err != nil {
		b.Fatal(err)
	}
	list, last := newDays(b, store, 1_000_000, 30)
	archive, err := hitread.New(hitread.Options{Store: store, Lister: list})
	if err != nil {
		b.Fatal(err)
	}
	x, err := query.New(query.Options{Reader: noRollups{last}, Hits: archive, Now: func() time.Time { return last.Std() }})
	if err != nil {
		b.Fatal(err)
	}
	api, err := statsapi.New(statsapi.Options{Executor: x})
	if err != nil {
		b.Fatal(err)
	}
	for _, site := range []struct{ name, id string }{{"large", "site-00.example"}, {"small", "site-20.example"}} {
		for _, q := range []struct{ name, text string }{
			{"page-source", `"metrics":["visitors","pageviews"],"dimensions":["event:page","visit:source"]`},
			{"filtered", `"metrics":["visitors","events"],"dimensions":["visit:country"],"filters":[["is","visit:browser",["Firefox"]],["contains","event:page",["1"]]]`},
			{"by-day", `"metrics":["visitors","events"],"dimensions":["time:day","visit:device","visit:os"]`},
			{"visits", `"metrics":["visits","bounce_rate","visit_duration"],"dimensions":["visit:source","visit:country"]`},
			{"done", `"metrics":["visitors"],"dimensions":["visit:source"],"filters":[["has_done",["is","event:props:plan",["pro"]]]]`},
			{"four", `"metrics":["events"],"dimensions":["visit:country","visit:browser","visit:os","event:page"]`},
		} {
			b.Run(site.name+"/"+q.name, func(b *testing.B) {
				body := []byte(`{"site_id":"` + site.id + `","date_range":"30d","pagination":{"limit":100},` + q.text + `}`)
				before := processorTime()
				for b.Loop() {
					if _, err := api.Answer(b.Context(), body); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64((processorTime()-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
			})
		}
	}
	if strings.HasPrefix(dir, os.TempDir()) {
		return
	}
	all, _ := filepath.Glob(filepath.Join(dir, "*/*/*"))
	b.Logf("%d files in %s", len(all), dir)
}

// processorTime is what the process has taken: other programs may be at work.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// noRollups is a query.Reader of a store without numbers.
type noRollups struct{ low event.Time }

func (noRollups) Scan(context.Context, window.Selection, func(event.Time, bool, *window.Point) error) error {
	return nil
}
func (noRollups) Sites(context.Context) ([]string, error) { return nil, nil }
func (r noRollups) Progress(context.Context) ([]window.Progress, error) {
	return []window.Progress{{Low: r.low}}, nil
}
