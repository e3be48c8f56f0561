package hitfile

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	pq "github.com/parquet-go/parquet-go"

	"millrace/bench"
	"millrace/engine"
	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
	"millrace/engine/window"
)

// watched is a hits.Sink that keeps visits and joins, and folds hits.
type watched struct {
	visits []visit.Visit
	joins  []hits.Join
	hits   collected
}

func (w *watched) Hit(h *hits.Hit) { w.hits.Hit(h) }

func (w *watched) Join(j hits.Join) {
	j.Site = strings.Clone(j.Site)
	w.joins = append(w.joins, j)
}

func (w *watched) Visit(v *visit.Visit) {
	c := *v
	c.Site = strings.Clone(c.Site)
	for d := range c.Dims {
		c.Dims[d] = strings.Clone(c.Dims[d])
	}
	w.visits = append(w.visits, c)
}

// visitsOf makes the visits of n events of which many are late, all of which have ended.
func visitsOf(tb testing.TB, n int) *watched {
	tb.Helper()
	w := &watched{}
	l := engine.NewLedger(engine.LedgerOptions{Topic: event.Topic, Partition: 2, Deriver: enrich.New(enrich.Options{CacheSize: 256})})
	stream := bench.NewWorkload(bench.WorkloadOptions{Seed: 1, Rate: 1, Sites: 5})
	rng := rand.New(rand.NewPCG(1, 2))
	step := func(offset int, low event.Time, list []byte) {
		if err := l.Step(int64(offset), event.AppendEnvelope(nil, "c1", low, list), w); err != nil {
			tb.Fatal(err)
		}
	}
	offset := 0
	for ; offset < n/10; offset++ {
		var list []byte
		for i := range 10 {
			if i > 0 {
				list = append(list, ',')
			}
			e := *stream.Next()
			e.Visitor = e.Visitor%50 + 1 // few, so that they come again
			e.Time -= event.Time(rng.Int64N(int64(50 * event.Minute)))
			if rng.IntN(10) == 0 {
				e.Name, e.Ping = "ping", true
			}
			list = e.Append(list)
		}
		step(offset, stream.Now(), list)
	}
	for i := range 10 {
		step(offset+i, stream.Now()+event.Time(i+1)*event.Hour, nil)
	}
	return w
}

// TestVisits: each visit and each join comes back as a row, in the order of site, visitor and beginning; the file is the same in
// whatever order they came; and a visit's row is the fold of its hits.
func TestVisits(t *testing.T) {
	w := visitsOf(t, 6000)
	if len(w.visits) < 100 || len(w.joins) < 20 {
		t.Fatalf("%d visits, %d joins", len(w.visits), len(w.joins))
	}
	encode := func(order *rand.Rand) []byte {
		b := NewVisitBuffer(event.Topic, 2)
		b.groupRows = 100
		b.Visit(&w.visits[0])
		b.Reset() // used memory must be clean
		add := make([]func(), 0, len(w.visits)+len(w.joins))
		for i := range w.visits {
			add = append(add, func() { b.Visit(&w.visits[i]) })
		}
		for i := range w.joins {
			add = append(add, func() { b.Join(w.joins[i]) })
		}
		if order != nil {
			order.Shuffle(len(add), func(i, j int) { add[i], add[j] = add[j], add[i] })
		}
		for _, f := range add {
			f()
		}
		if b.Len() != len(add) {
			t.Errorf("%d rows of %d", b.Len(), len(add))
		}
		var out bytes.Buffer
		if err := b.Encode(&out); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	file := encode(nil)
	if !bytes.Equal(file, encode(rand.New(rand.NewPCG(1, 1)))) {
		t.Error("visits in another order give another file")
	}
	rows, err := pq.Read[visitRow](bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != len(w.visits)+len(w.joins) {
		t.Errorf("%d rows of %d visits and %d joins", len(rows), len(w.visits), len(w.joins))
	}
	folds, joins := map[visit.ID]*hits.Fold{}, hits.Joins{}
	for _, j := range w.joins {
		joins.Add(j)
	}
	for _, h := range w.hits {
		if id := joins.Of(h.Visit); h.Visit != 0 {
			if folds[id] == nil {
				folds[id] = hits.NewFold(id)
			}
			folds[id].Add(h)
		}
	}
	byID := map[visit.ID]hits.Join{}
	for _, j := range w.joins {
		byID[j.Visit] = j
	}
	for i := range rows {
		r := &rows[i]
		if i > 0 && (rows[i-1].Site > r.Site || rows[i-1].Site == r.Site && (*rows[i-1].Visitor > *r.Visitor ||
			*rows[i-1].Visitor == *r.Visitor && rows[i-1].Begin > r.Begin)) {
			t.Errorf("row %d is out of order", i)
		}
		want := visitRow{Visit: r.Visit, Topic: event.Topic, Partition: 2}
		if j, ok := byID[visit.ID(r.Visit)]; ok {
			visitor, into := int64(j.Visitor), int64(j.Into)
			want.Site, want.Visitor, want.Into, want.Begin = j.Site, &visitor, &into, int64(j.Begin)
		} else {
			want = rowOf(folds[visit.ID(r.Visit)].Visit())
		}
		if got, want := textOf(t, r), textOf(t, &want); got != want {
			t.Fatalf("row %d is\n%s\nwant\n%s", i, got, want)
		}
	}
}

// rowOf is the row that a visit should be.
func rowOf(v *visit.Visit) visitRow {
	d, visitor, end := v.Dims, int64(v.Visitor), int64(v.End)
	return visitRow{
		Site: v.Site, Visitor: &visitor, Visit: int64(v.ID), Begin: int64(v.Begin), End: &end, Events: int32(v.Events), Pageviews: int32(v.Views),
		Interactive: v.Interactive, Pinged: v.Pinged, Bounce: v.Bounced(), Seconds: v.Seconds(), EntryPage: d[window.EntryPage], ExitPage: d[window.ExitPage],
		Hostname: d[window.Hostname], Source: d[window.Source], Referrer: d[window.Referrer],
		Channel: d[window.Channel], UTMSource: d[window.UTMSource], UTMMedium: d[window.UTMMedium], UTMCampaign: d[window.UTMCampaign],
		UTMContent: d[window.UTMContent], UTMTerm: d[window.UTMTerm], Country: d[window.Country], Region: d[window.Region], City: d[window.City],
		Language: d[window.Language], Browser: d[window.Browser], BrowserVersion: d[window.BrowserVersion], OS: d[window.OS], OSVersion: d[window.OSVersion],
		Device: d[window.Device], Screen: d[window.Screen], Topic: event.Topic, Partition: 2,
	}
}
