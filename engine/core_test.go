package engine

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"millrace/engine/event"
	"millrace/engine/window"
)

// TestScripts runs testdata/core. The commands are
//
//	rules [grace=2s] [lateness=1h] [early=5s] [silent=10s] [limit=500] [fired=bytes]     a new partition
//	record [c=c1] low=m:ss          a record of a collector; each line of the input is an event:
//	                                site m:ss [name] [bot] [page=/] [who=1] [was=yesterday's who] [id=]
//	ticks [c=c1] from=m:ss to=m:ss  a tick a second; prints the ones that did something
//	raw                             the input is the record's value, as it is
//	nil                             a record without a value
//	again offset=n                  a record that comes again
//	watermark                       prints it
//
// and print what the record did.
func TestScripts(t *testing.T) {
	runScripts(t, "testdata/core", func() func(*testing.T, *command) string {
		var g *rig
		values := map[int64][]byte{}
		return func(t *testing.T, c *command) string {
			if c.name == "rules" {
				r, limit := scanRules(t, c)
				g = newRig(t, r, limit)
				return ""
			}
			g.tb = t
			take := func(value []byte) string {
				values[g.next] = value
				before := g.part.Core().Counters()
				g.process(value)
				return g.summary(before)
			}
			collector := c.arg("c", "c1")
			switch c.name {
			case "record":
				return take(envelope(collector, clock(t, c.args["low"]), scanEvents(t, c.input)...))
			case "ticks":
				var out strings.Builder
				for at := clock(t, c.args["from"]); at <= clock(t, c.args["to"]); at += event.Second {
					if s := take(envelope(collector, at)); s != "" {
						fmt.Fprintf(&out, "at %s\n%s", since(at), s)
					}
				}
				return out.String()
			case "raw":
				return take([]byte(c.input))
			case "nil":
				return take(nil)
			case "watermark":
				return since(g.part.Core().Watermark()) + "\n"
			case "again":
				offset, err := strconv.ParseInt(c.args["offset"], 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				before := g.part.Core().Counters()
				g.at(offset, values[offset])
				return g.summary(before)
			}
			t.Fatalf("unknown command %q", c.name)
			return ""
		}
	})
}

func scanRules(t *testing.T, c *command) (r Rules, limit int) {
	for name, field := range map[string]*event.Time{"grace": &r.Grace, "lateness": &r.Lateness, "early": &r.EarlyEvery, "silent": &r.SilentAfter} {
		s, ok := c.args[name]
		if !ok {
			continue
		}
		v, err := time.ParseDuration(s)
		if err != nil {
			t.Fatal(err)
		}
		*field = event.Time(v.Milliseconds())
	}
	var err error
	if r.FiredBytes, err = strconv.Atoi(c.arg("fired", "0")); err != nil {
		t.Fatal(err)
	}
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	limit, err = strconv.Atoi(c.arg("limit", "0"))
	if err != nil {
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
	if now.OnTime+now.Late+now.Dropped+now.Duplicates+now.Bots != now.Events {
		g.tb.Errorf("the counters don't add up: %+v", now)
	}
	return b.String()
}
