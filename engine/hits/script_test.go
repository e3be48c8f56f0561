package hits_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"millrace/engine"
	"millrace/engine/derivetest"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
	"millrace/engine/window"
)

// TestScripts runs testdata, with -rewrite accepts what they print now. The commands are
//
//	ledger [maxvisits=n]        a new partition
//	record low=d/hh:mm[:ss]     the next record; each line of the input is an event:
//	                            d/hh:mm[:ss] [name] [page=/] [who=1] [was=who] [id=] [bot=reason] [from=country] [ping] [silent]
//	restart                     a checkpoint, and a new Ledger that goes on after it
//	folds                       prints the visits so far as folds of their hits
//
// and print what the record gave. A day is 1 or 2; a visit is named by the place of its first event.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var s script
		datadriven.RunTest(t, path, s.run)
	})
}

type script struct {
	options engine.Rules
	ledger  *engine.Ledger
	chain   chain
	next    int64
	out     strings.Builder
	kept    *kept
}

func (s *script) newLedger() *engine.Ledger {
	return engine.NewLedger(engine.LedgerOptions{Topic: event.Topic, Rules: s.options, Deriver: derivetest.Deriver{}})
}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	s.out.Reset()
	switch d.Cmd {
	case "ledger":
		*s = script{kept: newKept()}
		d.MaybeScanArgs(t, "maxvisits", &s.options.MaxVisits)
		s.ledger = s.newLedger()
	case "record":
		var low string
		d.ScanArgs(t, "low", &low)
		var list []byte
		for line := range strings.Lines(d.Input) {
			e := scanEvent(t, strings.Fields(line))
			if len(list) > 0 {
				list = append(list, ',')
			}
			list = e.Append(list)
		}
		if err := s.ledger.Step(s.next, event.AppendEnvelope(nil, "c1", instant(t, low), list), s); err != nil {
			t.Fatal(err)
		}
		s.next++
	case "restart":
		s.chain.add(t, s.ledger.Checkpoint(nil))
		s.ledger = s.newLedger()
		if err := s.ledger.Load(s.chain.blobs); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&s.out, "%d of %d checkpoints are needed\n", len(s.chain.blobs), len(s.chain.all))
	case "folds":
		folds := s.kept.folds()
		for _, id := range slices.Sorted(maps.Keys(folds)) {
			s.writeVisit("", folds[id].Visit())
		}
	default:
		t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
	}
	return s.out.String()
}

// Hit implements hits.Sink.
func (s *script) Hit(h *hits.Hit) {
	s.kept.Hit(h)
	dims := h.Dims()
	fmt.Fprintf(&s.out, "hit %d.%d %s who=%d", h.Offset, h.Index, h.Class, h.Row.Visitor)
	if h.Visit != 0 {
		fmt.Fprintf(&s.out, " visit=%s entry=%s", name(h.Visit), dims[window.EntryPage])
	}
	fmt.Fprintf(&s.out, " %s", clock(h.Time))
	if h.Minute != h.Time.Floor(event.Minute) {
		fmt.Fprintf(&s.out, " counted at %s", clock(h.Minute))
	}
	for _, d := range []window.Dim{window.Name, window.Page, window.Country, window.Reason} {
		if dims[d] != "" {
			fmt.Fprintf(&s.out, " %s", dims[d])
		}
	}
	s.out.WriteByte('\n')
}

// Join implements hits.Sink.
func (s *script) Join(j hits.Join) {
	s.kept.Join(j)
	fmt.Fprintf(&s.out, "join %s into %s\n", name(j.Visit), name(j.Into))
}

// Visit implements hits.Sink.
func (s *script) Visit(v *visit.Visit) {
	s.kept.Visit(v)
	s.writeVisit("end of ", v)
}

func (s *script) writeVisit(what string, v *visit.Visit) {
	fmt.Fprintf(&s.out, "%svisit %s who=%d %s to %s events=%d views=%d seconds=%d bounced=%v entry=%s exit=%s %s\n", what, name(v.ID), v.Visitor,
		clock(v.Begin), clock(v.End), v.Events, v.Views, v.Seconds(), v.Bounced(), v.Dims[window.EntryPage], v.Dims[window.ExitPage], v.Dims[window.Country])
}

func name(id visit.ID) string {
	offset, index := id.Place()
	return fmt.Sprintf("%d.%d", offset, index)
}

// firstDay is day 1 of the scripts.
const firstDay = event.Time(1_699_920_000_000)

// instant reads d/hh:mm or d/hh:mm:ss.
func instant(t *testing.T, s string) event.Time {
	t.Helper()
	day, at, _ := strings.Cut(s, "/")
	if strings.Count(at, ":") == 1 {
		at += ":00"
	}
	of, err := time.Parse(time.TimeOnly, at)
	if err != nil || day < "1" || day > "9" {
		t.Fatalf("%q is not a time d/hh:mm:ss", s)
	}
	return firstDay + event.Time(day[0]-'1')*24*event.Hour + event.Time(of.Sub(of.Truncate(24*time.Hour)).Milliseconds())
}

func clock(at event.Time) string {
	day := (at - firstDay) / (24 * event.Hour)
	return fmt.Sprintf("%d/%s", day+1, at.Std().Format(time.TimeOnly))
}

func scanEvent(t *testing.T, words []string) event.Event {
	t.Helper()
	e := event.Event{Site: "s.example", Name: event.Pageview, Time: instant(t, words[0]), URL: "/", Visitor: 1}
	e.Received = e.Time
	for i, w := range words[1:] {
		key, value, named := strings.Cut(w, "=")
		var err error
		switch {
		case w == "ping":
			e.Name, e.Ping = "ping", true
		case w == "silent":
			e.NonInteractive = true
		case !named && i == 0:
			e.Name = w
		case key == "page":
			e.URL = value
		case key == "who":
			e.Visitor, err = event.ParseVisitor(value)
		case key == "was":
			e.VisitorPrev, err = event.ParseVisitor(value)
		case key == "id":
			e.ID = value
		case key == "bot":
			e.Bot = value
		case key == "from":
			e.Country = value
		default:
			t.Fatalf("%q", w)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return e
}
