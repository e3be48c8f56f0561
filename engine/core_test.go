package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"millrace/engine/event"
	"millrace/engine/window"
)

// TestScripts runs testdata/core, with -rewrite accepts what they print now. The commands are
//
//	rules [grace=2s] [lateness=1h] [early=5s] [silent=10s] [limit=500] [fired=bytes]     a new partition
//	record [c=c1] low=m:ss          a record of a collector; each line of the input is an event:
//	                                site m:ss [name] [bot] [page=/] [who=1] [was=yesterday's who] [id=]
//	ticks [c=c1] from=m:ss to=m:ss  a tick a second; prints the ones that did something
//	standing [c=c1] low=m:ss n=3    ticks whose low does not move
//	raw                             the input is the record's value
//	nil                             a record without a value
//	again offset=n                  a record that comes again
//	watermark                       prints it
//
// and print what the record did.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/core", func(t *testing.T, path string) {
		s := &script{values: map[int64][]byte{}}
		datadriven.RunTest(t, path, s.run)
	})
}

// script is one file of testdata/core.
type script struct {
	rig    *rig
	values map[int64][]byte // of the records, by offset
}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	switch d.Cmd {
	case "rules":
		r, limit := scanRules(t, d)
		s.rig = newRig(t, r, limit)
		return ""
	case "record":
		var low string
		d.ScanArgs(t, "low", &low)
		return s.take(envelope(collectorOf(t, d), clock(t, low), scanEvents(t, d.Input)...))
	case "ticks":
		return s.ticks(t, d)
	case "standing":
		return s.standing(t, d)
	case "raw":
		return s.take([]byte(d.Input + "\n"))
	case "nil":
		return s.take(nil)
	case "watermark":
		return since(s.rig.part.Core().Watermark())
	case "again":
		var offset int64
		d.ScanArgs(t, "offset", &offset)
		before := s.rig.part.Core().Counters()
		s.rig.at(offset, s.values[offset])
		return s.rig.summary(before)
	}
	t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
	return ""
}

// take processes the next record.
func (s *script) take(value []byte) string {
	s.values[s.rig.next] = value
	before := s.rig.part.Core().Counters()
	s.rig.process(value)
	return s.rig.summary(before)
}

func (s *script) ticks(t *testing.T, d *datadriven.TestData) string {
	var from, to string
	d.ScanArgs(t, "from", &from)
	d.ScanArgs(t, "to", &to)
	var out strings.Builder
	for at := clock(t, from); at <= clock(t, to); at += event.Second {
		if did := s.take(envelope(collectorOf(t, d), at)); did != "" {
			fmt.Fprintf(&out, "at %s\n%s", since(at), did)
		}
	}
	return out.String()
}

func (s *script) standing(t *testing.T, d *datadriven.TestData) string {
	var low string
	var n int
	d.ScanArgs(t, "low", &low)
	d.ScanArgs(t, "n", &n)
	var out strings.Builder
	for i := range n {
		if did := s.take(envelope(collectorOf(t, d), clock(t, low))); did != "" {
			fmt.Fprintf(&out, "tick %d\n%s", i+1, did)
		}
	}
	return out.String()
}

func collectorOf(t *testing.T, d *datadriven.TestData) string {
	id := "c1"
	d.MaybeScanArgs(t, "c", &id)
	return id
}

func scanRules(t *testing.T, d *datadriven.TestData) (r Rules, limit int) {
	for name, field := range map[string]*event.Time{"grace": &r.Grace, "lateness": &r.Lateness, "early": &r.EarlyEvery, "silent": &r.SilentAfter} {
		var text string
		if !d.MaybeScanArgs(t, name, &text) {
			continue
		}
		v, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		*field = event.Time(v.Milliseconds())
	}
	d.MaybeScanArgs(t, "fired", &r.FiredBytes)
	d.MaybeScanArgs(t, "limit", &limit)
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	return r, limit
}

func scanEvents(t *testing.T, input string) []event.Event {
	var list []event.Event
	for line := range strings.Lines(input) {
		f := strings.Fields(line)
		e := event.Event{Site: f[0], Time: clock(t, f[1]), Name: event.Pageview, URL: "/", Visitor: 1}
		e.Received = e.Time
		for i, v := range f[2:] {
			key, value, named := strings.Cut(v, "=")
			switch {
			case v == "ping":
				e.Ping = true
			case !named && i == 0:
				e.Name = v
			case !named:
				e.Bot = v
			case key == "page":
				e.URL = value
			case key == "id":
				e.ID = value
			case key == "who":
				e.Visitor = visitorOf(t, value)
			case key == "was":
				e.VisitorPrev = visitorOf(t, value)
			default:
				t.Fatalf("%q", line)
			}
		}
		list = append(list, e)
	}
	return list
}

// kindOf names the kind of a window, but for minutes.
func kindOf(k window.Kind) string {
	if k == window.Minute {
		return ""
	}
	return " " + k.String()
}

// points renders the points of the families that a script shows.
func points(w *window.Window) string {
	var b strings.Builder
	for _, p := range w.Points {
		switch {
		case w.Kind == window.Visits && p.Family == window.Totals:
			fmt.Fprintf(&b, " visits=%d bounces=%d seconds=%d views=%d", p.Visits, p.Bounces, p.Seconds, p.Views)
		case w.Kind == window.Visits && (p.Family == window.EntryPages || p.Family == window.ExitPages):
			fmt.Fprintf(&b, " %s %s=%d", p.Family, p.Dims[0], p.Visits)
		case w.Kind != window.Visits && (len(p.Family.Dims()) == 0 || p.Family == window.Bots):
			fmt.Fprintf(&b, " %s=%d", p.Family, p.Events)
		}
	}
	return b.String()
}

func visitorOf(t *testing.T, s string) event.Visitor {
	v, err := event.ParseVisitor(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// summary tells what the last record did: nothing is "".
func (g *rig) summary(before Counters) string {
	var b strings.Builder
	for _, a := range g.delta.Adds {
		agg := window.NewAgg(0)
		if err := agg.Add(a.Chunk); err != nil {
			g.tb.Fatal(err)
		}
		w := &window.Window{Kind: a.Kind, Site: a.Site, Start: a.Start}
		agg.Fill(w)
		fmt.Fprintf(&b, "add%s %s %s%s\n", kindOf(a.Kind), a.Site, since(a.Start), points(w))
	}
	for _, rec := range g.windows {
		if p := rec.Progress; p != nil {
			fmt.Fprintf(&b, "progress %s, hours %s\n", since(p.Low), since(p.Hours))
			continue
		}
		w := rec.Window
		how := "early"
		if w.Final {
			how = "final"
		}
		fmt.Fprintf(&b, "fire%s %s %s %s%s\n", kindOf(w.Kind), w.Site, since(w.Start), how, points(w))
	}
	if g.delta.Horizon != 0 {
		fmt.Fprintf(&b, "horizon %s, of visits %s\n", since(g.delta.Horizon), since(g.delta.VisitHorizon))
	}
	if g.dead != nil {
		fmt.Fprintf(&b, "dead: %v\n", g.dead)
	}
	now := g.part.Core().Counters()
	var counts []string
	for _, c := range []struct {
		name     string
		was, now uint64
	}{
		{"on time", before.OnTime, now.OnTime},
		{"late", before.Late, now.Late},
		{"dropped", before.Dropped, now.Dropped},
		{"bots", before.Bots, now.Bots},
		{"duplicates", before.Duplicates, now.Duplicates},
		{"pings", before.Pings, now.Pings},
		{"dead", before.Dead, now.Dead},
	} {
		if n := c.now - c.was; n != 0 {
			counts = append(counts, fmt.Sprintf("%s +%d", c.name, n))
		}
	}
	if len(counts) > 0 {
		fmt.Fprintf(&b, "%s\n", strings.Join(counts, ", "))
	}
	if b.Len() > 0 {
		fmt.Fprintf(&b, "watermark %s, %d open\n", since(g.part.Core().Watermark()), g.part.Core().Snapshot().OpenWindows)
	}
	if now.OnTime+now.Late+now.Dropped+now.Duplicates+now.Bots+now.Pings != now.Events {
		g.tb.Errorf("the counters don't add up: %+v", now)
	}
	return b.String()
}
