package hitmerge

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	pq "github.com/parquet-go/parquet-go"

	"millrace/bench"
	"millrace/emit/lake/colfile"
	"millrace/emit/lake/hitfile"
	"millrace/engine"
	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
)

var (
	hours = flag.Int("hours", 2, "how many hours TestSizes files")
	rate  = flag.Float64("rate", 3, "how many events a second")
)

// buffered is a hits.Sink that fills buffers.
type buffered struct {
	hits   *hitfile.Buffer
	visits *hitfile.VisitBuffer
	joins  hits.Joins
}

func (b *buffered) Hit(h *hits.Hit)      { b.hits.Hit(h) }
func (b *buffered) Visit(v *visit.Visit) { b.visits.Visit(v) }
func (b *buffered) Join(j hits.Join) {
	b.visits.Join(j)
	b.joins.Add(j)
}

// TestSizes measures how large rows are in files of minutes, of hours and of days, and what merging costs: with -v and, for a day,
// -hours 24 -rate 12.
func TestSizes(t *testing.T) {
	b := &buffered{hitfile.NewBuffer(), hitfile.NewVisitBuffer(event.Topic, 0), hits.Joins{}}
	l := engine.NewLedger(engine.LedgerOptions{Topic: event.Topic, Deriver: enrich.New(enrich.Options{CacheSize: 4096})})
	stream := bench.NewWorkload(bench.WorkloadOptions{Seed: 1, Rate: *rate, Sites: 50})
	rng := rand.New(rand.NewPCG(1, 1))
	var minutes, visits, hourly []*colfile.File
	recent := make([]event.Event, 60*max(1, int(*rate)))
	segments, hourBytes := 0, 0
	var spent, encoding time.Duration
	next, offset := stream.Now()+event.Minute, int64(0)
	for len(hourly) < *hours {
		var list []byte
		for i := range 1 + rng.IntN(int(*rate)*2+1) {
			if i > 0 {
				list = append(list, ',')
			}
			e := *stream.Next()
			e.Name = strings.Clone(e.Name)
			// Two of three events are of a visitor who was there a short while ago, as on real sites.
			if r := &recent[rng.IntN(len(recent))]; r.Site != "" && rng.IntN(3) > 0 {
				_, path, _ := strings.Cut(strings.TrimPrefix(e.URL, "https://"), "/")
				id, name, at := e.ID, e.Name, e.Time
				e = *r
				e.ID, e.Name, e.Time, e.Received, e.URL = id, name, at, at, "https://"+e.Site+"/"+path
			} else {
				*r = e
			}
			list = e.Append(list)
		}
		if err := l.Step(offset, event.AppendEnvelope(nil, "c1", stream.Now(), list), b); err != nil {
			t.Fatal(err)
		}
		offset++
		if stream.Now() < next {
			continue
		}
		next += event.Minute
		var out, outV bytes.Buffer
		began := time.Now()
		if err := b.hits.Encode(&out); err != nil {
			t.Fatal(err)
		}
		encoding += time.Since(began)
		segments += out.Len()
		minutes = append(minutes, open(t, hitfile.Hits, out.Bytes()))
		if b.visits.Len() > 0 {
			if err := b.visits.Encode(&outV); err != nil {
				t.Fatal(err)
			}
			visits = append(visits, open(t, hitfile.Visits, outV.Bytes()))
		}
		b.hits.Reset()
		b.visits.Reset()
		if len(minutes) == 60 {
			began := time.Now()
			f := must(t, Options{Table: hitfile.Hits, Joins: b.joins}, minutes)
			spent += time.Since(began)
			hourBytes += len(f.Body)
			hourly = append(hourly, open(t, hitfile.Hits, f.Body))
			minutes = minutes[:0]
		}
	}
	began := time.Now()
	day := must(t, Options{Table: hitfile.Hits, Joins: b.joins}, hourly)
	spent += time.Since(began)
	n := float64(day.Rows)
	t.Logf("%.0f hits: %.1f bytes each in segments, %.1f in hours, %.1f in the day; encoding %.0f ns, merging twice %.0f ns a hit", n, float64(segments)/n, float64(hourBytes)/n,
		float64(len(day.Body))/n, float64(encoding.Nanoseconds())/n, float64(spent.Nanoseconds())/n)
	if len(visits) > 0 {
		v := must(t, Options{Table: hitfile.Visits}, visits)
		t.Logf("%d visits and joins: %.1f bytes each, %.1f a hit", v.Rows, float64(len(v.Body))/float64(v.Rows), float64(len(v.Body))/n)
	}
	if perHit := float64(len(day.Body)) / n; perHit > 21 {
		t.Errorf("%.1f bytes a hit", perHit)
	}
	columns(t, day)
}

// columns logs what each column takes.
func columns(t *testing.T, day *Output) {
	f, err := pq.OpenFile(bytes.NewReader(day.Body), int64(len(day.Body)))
	if err != nil {
		t.Fatal(err)
	}
	sizes := map[string]int64{}
	for _, g := range f.Metadata().RowGroups {
		for _, c := range g.Columns {
			sizes[c.MetaData.PathInSchema[0]] += c.MetaData.TotalCompressedSize
		}
	}
	var all strings.Builder
	for _, c := range hitfile.Hits.Schema().Columns {
		if perRow := float64(sizes[c.Name]) / float64(day.Rows); perRow >= 0.05 {
			all.WriteString(c.Name + " " + time.Duration(perRow*100).String() + " ")
		}
	}
	t.Logf("hundredths of bytes a hit: %s", strings.ReplaceAll(all.String(), "ns", ""))
}

func must(tb testing.TB, o Options, files []*colfile.File) *Output {
	tb.Helper()
	out, err := Merge(tb.Context(), o, files)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}
