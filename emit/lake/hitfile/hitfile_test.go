package hitfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
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

// collected is a hits.Sink that keeps hits.
type collected []*hits.Hit

func (c *collected) Hit(h *hits.Hit)  { *c = append(*c, h.Clone()) }
func (*collected) Join(hits.Join)     {}
func (*collected) Visit(*visit.Visit) {}

// hitsOf makes the hits of n events: of a workload, with now and then a bot, an amount, a ping, an event of nobody known and one
// that comes too late.
func hitsOf(tb testing.TB, n int) collected {
	tb.Helper()
	var all collected
	l := engine.NewLedger(engine.LedgerOptions{Topic: event.Topic, Partition: 2, Deriver: enrich.New(enrich.Options{CacheSize: 256})})
	stream := bench.NewWorkload(bench.WorkloadOptions{Seed: 1, Rate: 20, Sites: 5})
	rng := rand.New(rand.NewPCG(1, 2))
	for offset := range n / 50 {
		var list []byte
		for i := range 50 {
			if i > 0 {
				list = append(list, ',')
			}
			e := *stream.Next()
			switch rng.IntN(40) {
			case 0:
				e.Bot = "datacenter"
			case 1:
				e.Name, e.Amount, e.Currency = "purchase", event.Money(rng.IntN(3))*19_900, "EUR"
			case 2:
				e.Name, e.Ping, e.Engaged, e.Scroll = "ping", true, event.Time(rng.IntN(9000)), event.PercentOf(rng.Int64N(102)-1)
			case 3:
				e.Visitor = 0
			case 4:
				e.Time -= 2 * event.Hour
			case 5:
				e.Name, e.NonInteractive = "seen", true
			}
			list = e.Append(list)
		}
		if err := l.Step(int64(offset), event.AppendEnvelope(nil, "c1", stream.Now(), list), &all); err != nil {
			tb.Fatal(err)
		}
	}
	return all
}

func encode(tb testing.TB, list collected, groupRows int) []byte {
	tb.Helper()
	b := NewBuffer()
	b.groupRows = groupRows
	// Used memory must be clean.
	b.Hit(list[0])
	b.Reset()
	for _, h := range list {
		b.Hit(h)
	}
	if b.Len() != len(list) {
		tb.Fatalf("%d hits in the buffer, %d were added", b.Len(), len(list))
	}
	var out bytes.Buffer
	if err := b.Encode(&out); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// TestFile: each hit comes back as a row, with all it has, in the order of site, visitor and time; and a file is the same in
// whatever order its hits came.
func TestFile(t *testing.T) {
	list := hitsOf(t, 4000)
	file := encode(t, list, 1000)
	shuffled := slices.Clone(list)
	rand.New(rand.NewPCG(3, 4)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	if !bytes.Equal(file, encode(t, shuffled, 1000)) {
		t.Error("hits in another order give another file")
	}
	rows, err := pq.Read[row](bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != len(list) {
		t.Fatalf("%d rows of %d hits", len(rows), len(list))
	}
	byPlace, classes := map[string]*hits.Hit{}, map[string]int{}
	for _, h := range list {
		byPlace[fmt.Sprintf("%d.%d", h.Offset, h.Index)] = h
		classes[h.Class.String()]++
	}
	if len(classes) != hits.NumClasses {
		t.Errorf("the hits are of the classes %v", classes)
	}
	for i := range rows {
		h := byPlace[fmt.Sprintf("%d.%d", rows[i].Offset, rows[i].Index)]
		if got, want := textOf(t, &rows[i]), wantOf(t, h); got != want {
			t.Fatalf("row %d is\n%s\nwant\n%s", i, got, want)
		}
		if i > 0 && orderOf(&rows[i-1]) >= orderOf(&rows[i]) {
			t.Fatalf("row %d: %s comes after %s", i, orderOf(&rows[i]), orderOf(&rows[i-1]))
		}
	}
	f, err := pq.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil || len(f.RowGroups()) != (len(list)+999)/1000 {
		t.Errorf("%d row groups, %v", len(f.RowGroups()), err)
	}
}

func orderOf(r *row) string {
	visitor := uint64(0)
	if r.Visitor != nil {
		visitor = uint64(*r.Visitor)
	}
	return fmt.Sprintf("%s %020d %d %09d %04d", r.Site, visitor, r.Time, r.Offset, r.Index)
}

func textOf(t *testing.T, r any) string {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), `,"`, "\n\"")
}

// wantOf is the row that a hit should be.
func wantOf(t *testing.T, h *hits.Hit) string {
	t.Helper()
	d := *h.Dims()
	r := row{
		Site: h.Site, Time: int64(h.Time), Class: h.Class.String(), Name: d[window.Name], Pageview: h.Pageview(), NonInteractive: h.NonInteractive,
		Page: d[window.Page], Hostname: d[window.Hostname], EntryPage: d[window.EntryPage], Source: d[window.Source], Referrer: d[window.Referrer],
		Channel: d[window.Channel], UTMSource: d[window.UTMSource], UTMMedium: d[window.UTMMedium], UTMCampaign: d[window.UTMCampaign],
		UTMContent: d[window.UTMContent], UTMTerm: d[window.UTMTerm], Country: d[window.Country], Region: d[window.Region], City: d[window.City],
		Language: d[window.Language], Browser: d[window.Browser], BrowserVersion: d[window.BrowserVersion], OS: d[window.OS], OSVersion: d[window.OSVersion],
		Device: d[window.Device], Screen: d[window.Screen], Reason: d[window.Reason], Currency: h.Currency,
		Topic: h.Topic, Partition: h.Partition, Offset: h.Offset, Index: h.Index,
	}
	if v := int64(h.Row.Visitor); v != 0 {
		r.Visitor = &v
	}
	if v := int64(h.Visit); v != 0 {
		r.Visit = &v
	}
	if v := int64(h.Minute); h.Class == hits.Dropped {
		r.Counted = &v
	}
	if v := int64(h.Row.Revenue); h.Row.Paid {
		r.Revenue = &v
	}
	if v := int64(h.Engaged); v != 0 {
		r.Engaged = &v
	}
	if v, ok := h.Scroll.Value(); ok {
		n := int32(v)
		r.Scroll = &n
	}
	if len(h.Row.Props) > 0 {
		r.Props = string(event.AppendProps(nil, h.Row.Props))
	}
	return textOf(t, &r)
}

// TestBytes: a file of hits is small. The bound is a third above what was measured.
func TestBytes(t *testing.T) {
	list := hitsOf(t, 40_000)
	file := encode(t, list, RowGroupRows)
	perHit := float64(len(file)) / float64(len(list))
	t.Logf("%d hits, %.1f bytes each", len(list), perHit)
	if perHit > 30 {
		t.Errorf("%.1f bytes a hit", perHit)
	}
}

// BenchmarkEncode measures a hit: from the buffer to the file.
// TestLetsGo: a buffer that is used again keeps no text of what it has written: each would keep a piece of memory of its segment.
func TestLetsGo(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	list := hitsOf(t, 1000)
	b, e := NewBuffer(), &encoder[packed]{layout: hitLayout}
	b.encoder.encode = e.encode
	for _, n := range []int{len(list), 1} {
		for _, h := range list[:n] {
			b.Hit(h)
		}
		if err := b.Encode(&out); err != nil {
			t.Fatal(err)
		}
		b.Reset()
	}
	texts := 0
	for i, v := range e.columns {
		for _, s := range v.Dict[:cap(v.Dict)] {
			if texts++; s != "" {
				t.Fatalf("the dictionary of column %d still has %q", i, s)
			}
		}
	}
	if texts < 500 {
		t.Errorf("%d texts were in dictionaries", texts)
	}
}

func BenchmarkEncode(b *testing.B) {
	list := hitsOf(b, 40_000)
	buf := NewBuffer()
	var out bytes.Buffer
	n := 0
	for b.Loop() {
		buf.Reset()
		out.Reset()
		for _, h := range list {
			buf.Hit(h)
		}
		if err := buf.Encode(&out); err != nil {
			b.Fatal(err)
		}
		n += len(list)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/hit")
	b.ReportMetric(float64(out.Len())/float64(len(list)), "B/hit")
}
