package commits

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/bench"
	"millrace/emit/lake/hitfile"
	"millrace/engine"
	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
)

// tableSum is what outside.py finds in a table.
type tableSum struct {
	Rows     int      `json:"rows"`
	Sites    []string `json:"sites"`
	Visitors int      `json:"visitors"`
	Days     []string `json:"days"`
	Times    int64    `json:"times"`
	Revenue  string   `json:"revenue"`
	Visits   int64    `json:"visits"`
}

// summing adds up what is written into a table, and keeps what is not written yet.
type summing struct {
	tableSum
	visitors map[event.Visitor]bool
	revenue  event.Money
}

func newSumming() *summing { return &summing{visitors: map[event.Visitor]bool{}} }

func (s *summing) row(site string, v event.Visitor, id visit.ID, at event.Time, dt event.Time) {
	s.Rows++
	if !slices.Contains(s.Sites, site) {
		s.Sites = append(s.Sites, site)
	}
	if v != 0 {
		s.visitors[v] = true
	}
	if d := dt.Std().Format(time.DateOnly); !slices.Contains(s.Days, d) {
		s.Days = append(s.Days, d)
	}
	s.Times += int64(at)
	s.Visits += int64(id)
}

func (s *summing) sum() tableSum {
	slices.Sort(s.Sites)
	slices.Sort(s.Days)
	s.Visitors = len(s.visitors)
	return s.tableSum
}

// writer writes a file of hits and one of visits for each segment and day.
type writer struct {
	c            *Chain
	w            *world
	hits, visits *summing
	byDay        map[event.Time]*hitfile.Buffer
	ended        map[event.Time]*hitfile.VisitBuffer
	files        map[string]*File
}

func (w *writer) file(t Table, dt event.Time, site string, at event.Time) *File {
	id := fmt.Sprint(t, dt)
	f := w.files[id]
	if f == nil {
		f = &File{Table: t, Day: dt, MinTime: at, MaxTime: at, MinSite: site, MaxSite: site}
		w.files[id] = f
	}
	f.MinTime, f.MaxTime = min(f.MinTime, at), max(f.MaxTime, at)
	f.MinSite, f.MaxSite = min(f.MinSite, site), max(f.MaxSite, site)
	f.Rows++
	return f
}

func (w *writer) Hit(h *hits.Hit) {
	dt := h.Time.Floor(day)
	if w.byDay[dt] == nil {
		w.byDay[dt] = hitfile.NewBuffer()
	}
	w.byDay[dt].Hit(h)
	w.file(Hits, dt, h.Site, h.Time)
	w.hits.row(h.Site, h.Row.Visitor, h.Visit, h.Time, dt)
	if h.Row.Paid {
		w.hits.revenue += h.Row.Revenue
	}
}

func (w *writer) Visit(v *visit.Visit) {
	dt := v.Begin.Floor(day)
	w.endedOn(dt).Visit(v)
	w.file(Visits, dt, v.Site, v.Begin)
	w.visits.row(v.Site, v.Visitor, v.ID, v.Begin, dt)
}

func (w *writer) Join(j hits.Join) {
	dt := j.Begin.Floor(day)
	w.endedOn(dt).Join(j)
	w.file(Visits, dt, j.Site, j.Begin)
	w.visits.row(j.Site, j.Visitor, j.Visit, j.Begin, dt)
}

func (w *writer) endedOn(dt event.Time) *hitfile.VisitBuffer {
	if w.ended[dt] == nil {
		w.ended[dt] = hitfile.NewVisitBuffer(event.Topic, 3)
	}
	return w.ended[dt]
}

// commit commits what was read from record first to next.
func (w *writer) commit(first, next int64) {
	tb := w.w.tb
	change := w.c.State().Change()
	change.Next = next
	for _, id := range []Table{Hits, Visits} {
		for dt := range 3 * 366 * 20 {
			at := event.Time(dt) * day
			f := w.files[fmt.Sprint(id, at)]
			if f == nil {
				continue
			}
			var out bytes.Buffer
			var err error
			if id == Hits {
				err = w.byDay[at].Encode(&out)
			} else {
				err = w.ended[at].Encode(&out)
			}
			if err != nil {
				tb.Fatal(err)
			}
			f.First, f.Next, f.Size = first, next, int64(out.Len())
			f.Key = FileName(event.Topic, 3, w.c.State().Base(), id, at, Segment, first, next, 0)
			if err := w.w.store.Put(tb.Context(), f.Key, out.Bytes()); err != nil {
				tb.Fatal(err)
			}
			change.Add = append(change.Add, *f)
		}
	}
	mustCommit(tb, w.c, change)
	w.files, w.byDay, w.ended = map[string]*File{}, map[event.Time]*hitfile.Buffer{}, map[event.Time]*hitfile.VisitBuffer{}
}

// TestOutsiders: libraries of others read the tables, with and without a checkpoint, and find in them what was written.
func TestOutsiders(t *testing.T) {
	python := os.Getenv("MILLRACE_TEST_DELTA")
	if python == "" {
		t.Skip("MILLRACE_TEST_DELTA is not set: the Python that has deltalake, polars and duckdb")
	}
	w := newWorld(t)
	wr := &writer{c: w.mustOpen(), w: w, hits: newSumming(), visits: newSumming(), files: map[string]*File{},
		byDay: map[event.Time]*hitfile.Buffer{}, ended: map[event.Time]*hitfile.VisitBuffer{}}
	l := engine.NewLedger(engine.LedgerOptions{Topic: event.Topic, Partition: 3, Deriver: enrich.New(enrich.Options{CacheSize: 256})})
	stream := bench.NewWorkload(bench.WorkloadOptions{Seed: 1, Rate: 1, Sites: 5})
	const segments = foldEvery + 10
	for i := range int64(segments) {
		var list []byte
		for j := range 20 {
			if j > 0 {
				list = append(list, ',')
			}
			e := *stream.Next()
			e.Time += event.Time(i) * event.Hour // two days
			if j == 3 {
				e.Name, e.Amount, e.Currency = "purchase", 19_900, "EUR"
			}
			list = e.Append(list)
		}
		if err := l.Step(i, event.AppendEnvelope(nil, "c1", stream.Now()+event.Time(i)*event.Hour, list), wr); err != nil {
			t.Fatal(err)
		}
		wr.commit(i, i+1)
		if i == 10 || i == segments-1 {
			wr.compare(t, python)
		}
	}
	// What is before the checkpoint is not needed.
	for _, table := range Tables() {
		for v := range wr.c.folded {
			if err := w.store.Delete(t.Context(), wr.c.at.entryKey(table, v)); err != nil {
				t.Fatal(err)
			}
		}
	}
	wr.compare(t, python)
	var refused []string
	mustPython(t, python, &refused, "write", filepath.Join(w.dir, Dir(Hits, event.Topic, 3)))
	if len(refused) != 1 || !strings.Contains(refused[0], writerFeature) {
		t.Errorf("somebody else's write: %q", refused)
	}
}

func (w *writer) compare(t *testing.T, python string) {
	t.Helper()
	wantHits, wantVisits := w.hits.sum(), w.visits.sum()
	wantHits.Revenue, wantVisits.Revenue = fmt.Sprintf("%d.%04d", w.hits.revenue/event.MoneyScale, w.hits.revenue%event.MoneyScale), "0"
	s := w.c.State()
	dirs := []string{filepath.Join(w.w.dir, Dir(Hits, event.Topic, 3)), filepath.Join(w.w.dir, Dir(Visits, event.Topic, 3))}
	for _, tool := range []string{"polars", "duckdb"} {
		var got []tableSum
		mustPython(t, python, &got, tool, dirs...)
		if fmt.Sprint(got) != fmt.Sprint([]tableSum{wantHits, wantVisits}) {
			t.Errorf("at version %d %s finds\n%+v\nwant\n%+v", s.Version, tool, got, []tableSum{wantHits, wantVisits})
		}
	}
	var about []struct {
		Version int64    `json:"version"`
		Files   int      `json:"files"`
		Columns []string `json:"columns"`
	}
	mustPython(t, python, &about, "deltalake", dirs...)
	for i, table := range Tables() {
		if a := about[i]; a.Version != s.Version || a.Files != len(s.Files(table)) || a.Columns[0] != "site" {
			t.Errorf("%v: deltalake has %+v, want version %d and %d files", table, a, s.Version, len(s.Files(table)))
		}
	}
}

func mustPython(t *testing.T, python string, to any, tool string, dirs ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), python, append([]string{"testdata/outside.py", tool}, dirs...)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, to)
	}
	if err != nil {
		t.Fatalf("%s: %v: %s", tool, err, errs.String())
	}
}
