package visit

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"millrace/engine/event"
	"millrace/engine/window"
)

// zero is 0:00 of the scripts, the start of a window.
const zero = origin / (15 * event.Minute) * (15 * event.Minute)

// TestScripts runs testdata, with -rewrite accepts what they print now. The commands are
//
//	rules [timeout=30m] [length=12h] [lateness=1h] [max=n]  an empty table
//	record          a record, each line of the input an event of it:
//	                SITE h:mm[:ss] VISITOR PAGE [source=] [was=VISITOR]  a pageview
//	                SITE h:mm[:ss] VISITOR event [silent] [was=]         an event that is none; silent: not interactive
//	                SITE h:mm[:ss] VISITOR ping [was=]                   a ping
//	watermark h:mm  forgets the visits that no event can touch any more
//	visits          prints the live visits
//	checkpoint      takes one, in the place of the journals since the last
//	load [skip] [tail]  what checkpoints and journals make: "the same", or its visits. With skip the
//	                    first journal is gone; tail: that is known
//
// A record prints the events that have no visit and what its visits changed in their windows.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		if strings.HasPrefix(path, "testdata/fuzz") {
			return
		}
		s := &script{}
		datadriven.RunTest(t, path, s.run)
	})
}

// script runs one script.
type script struct {
	rules     Rules
	table     *Table
	kept      *store
	watermark event.Time
}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	switch d.Cmd {
	case "rules":
		s.rules = scanRules(t, d)
		s.table, s.kept, s.watermark = NewTable(s.rules), &store{}, 0
		return ""
	case "record":
		return s.record(t, d.Input)
	case "watermark":
		s.watermark = instant(t, d.CmdArgs[0].Key)
		s.table.Expire(s.watermark)
		audit(t, s.table)
		return fmt.Sprintf("%d live", s.table.Len())
	case "visits":
		return visits(s.table)
	case "checkpoint":
		s.kept.checkpoint(s.table, s.watermark)
		return ""
	case "load":
		return s.load(t, d.HasArg("skip"), d.HasArg("tail"))
	}
	t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
	return ""
}

func scanRules(t *testing.T, d *datadriven.TestData) (r Rules) {
	for name, field := range map[string]*event.Time{"timeout": &r.Timeout, "length": &r.MaxLength, "lateness": &r.Lateness} {
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
	d.MaybeScanArgs(t, "max", &r.MaxPerSite)
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	return r
}

func (s *script) record(t *testing.T, input string) string {
	var out strings.Builder
	for line := range strings.Lines(input) {
		e := scanSeen(t, line)
		untracked := s.table.Untracked()
		_, found := observe(s.table, e)
		switch {
		case e.ping && !found:
			fmt.Fprintf(&out, "%s %s: no visit for the ping\n", e.site, shown(e.at))
		case s.table.Untracked() != untracked:
			fmt.Fprintf(&out, "%s %s: untracked\n", e.site, shown(e.at))
		}
	}
	did := flush(s.table)
	s.kept.journals = append(s.kept.journals, did.journal)
	audit(t, s.table)
	for _, a := range did.adds {
		agg := window.NewAgg(0)
		if err := agg.Add(a.chunk); err != nil {
			t.Fatal(err)
		}
		w := window.Window{Kind: window.Visits}
		agg.Fill(&w)
		fmt.Fprintf(&out, "%s %s%s\n", a.site, shown(a.start), changes(&w))
	}
	return out.String()
}

// changes renders the families that a script shows.
func changes(w *window.Window) string {
	var b strings.Builder
	for _, p := range w.Points {
		switch p.Family {
		case window.Totals:
			fmt.Fprintf(&b, " visits %+d bounces %+d seconds %+d views %+d", p.Visits, p.Bounces, p.Seconds, p.Views)
		case window.EntryPages, window.ExitPages, window.Sources:
			if p.Visits != 0 {
				fmt.Fprintf(&b, ", %s %s %+d", p.Family, p.Dims[0], p.Visits)
			}
		}
	}
	return b.String()
}

func scanSeen(t *testing.T, line string) seen {
	f := strings.Fields(line)
	if len(f) < 4 {
		t.Fatalf("%q", line)
	}
	e := seen{site: f[0], at: instant(t, f[1]), visitor: scanVisitor(t, f[2])}
	switch f[3] {
	case "event":
	case "ping":
		e.ping = true
	default:
		e.pageview = true
		e.dims[window.Page] = f[3]
	}
	for _, arg := range f[4:] {
		key, value, _ := strings.Cut(arg, "=")
		switch key {
		case "source":
			e.dims[window.Source] = value
		case "was":
			e.prev = scanVisitor(t, value)
		case "silent":
			e.nonInteractive = true
		default:
			t.Fatalf("%q", line)
		}
	}
	return e
}

func scanVisitor(t *testing.T, text string) event.Visitor {
	t.Helper()
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return event.Visitor(n)
}

// instant reads hours, minutes and seconds after zero.
func instant(t *testing.T, text string) event.Time {
	t.Helper()
	at := zero
	for i, part := range strings.Split(text, ":") {
		n, err := strconv.Atoi(part)
		if err != nil || i > 2 {
			t.Fatalf("time %q", text)
		}
		at += event.Time(n) * []event.Time{event.Hour, event.Minute, event.Second}[i]
	}
	return at
}

func shown(at event.Time) string {
	at -= zero
	sign := ""
	if at < 0 {
		at, sign = -at, "-"
	}
	text := fmt.Sprintf("%s%d:%02d", sign, at/event.Hour, at%event.Hour/event.Minute)
	if s := at % event.Minute / event.Second; s != 0 {
		text += fmt.Sprintf(":%02d", s)
	}
	return text
}

// visits renders the live visits of a table.
func visits(t *Table) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(t.names)) {
		s := t.names[name]
		for _, visitor := range slices.Sorted(maps.Keys(firsts(t, s))) {
			for i := t.first(s, visitor); i != 0; i = t.visits.at(i).next {
				v := t.visits.at(i)
				fmt.Fprintf(&b, "%s %d: %s to %s, views %d", name, uint64(visitor), shown(v.first), shown(v.last()), v.views)
				if v.views > 0 {
					fmt.Fprintf(&b, ", from %s to %s", entryPage(t.arena.get(v.dims)), t.exitPage(v))
				}
				if v.flags&interactive != 0 {
					b.WriteString(", interactive")
				}
				if v.flags&pinged != 0 {
					b.WriteString(", pinged")
				}
				b.WriteByte('\n')
			}
		}
	}
	return b.String()
}

func (s *script) load(t *testing.T, skip, tail bool) string {
	loaded := NewTable(s.rules)
	for _, b := range s.kept.blobs {
		mustApply(t, loaded, b.bytes)
	}
	journals := s.kept.journals
	if skip {
		journals = journals[1:]
	}
	for _, j := range journals {
		apply := loaded.Apply
		if tail {
			apply = loaded.ApplyTail
		}
		if err := apply(j); err != nil {
			return fmt.Sprintf("error: %v", err)
		}
	}
	loaded.Expire(s.watermark)
	audit(t, loaded)
	if dump(loaded) == dump(s.table) {
		return "the same"
	}
	return visits(loaded)
}
