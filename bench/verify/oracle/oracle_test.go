package oracle

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"millrace/bench/tally"
	"millrace/engine/event"
	"millrace/engine/window"
)

// base is the start of an hour.
const base = event.Time(1_700_000_000_000) / event.Hour * event.Hour

// path is the page of an event; the other values are the same for all.
type path string

func (p path) Describe(d *Description) {
	d.Dims[window.Page], d.Dims[window.Country], d.Dims[window.Reason] = string(p), "DE", "tool"
}

// A script has a record a line: the low, and the events, as "minute visitor page" and marks: "id="
// names it, "prev=" is the hash of the day before, "at=" when it was received, "bot", "click" is no
// pageview, "scroll" a passive one.
func play(t *testing.T, r Rules, script string) *Oracle {
	t.Helper()
	o := New(r)
	for line := range strings.Lines(script) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		low, list, _ := strings.Cut(strings.TrimSpace(line), ":")
		var events []Event
		for text := range strings.SplitSeq(list, ",") {
			if strings.TrimSpace(text) != "" {
				events = append(events, mustEvent(t, text))
			}
		}
		o.Record(0, mustTime(t, low), len(events) == 0, events)
	}
	return o
}

func mustTime(t *testing.T, text string) event.Time {
	t.Helper()
	var minutes float64
	if _, err := fmt.Sscan(text, &minutes); err != nil {
		t.Fatalf("%q is no time: %v", text, err)
	}
	return base + event.Time(minutes*float64(event.Minute))
}

func mustEvent(t *testing.T, text string) Event {
	t.Helper()
	f := strings.Fields(text)
	e := Event{Site: "a.example", Time: mustTime(t, f[0]), Pageview: true, Facts: path(f[2])}
	fmt.Sscan(f[1], &e.Visitor)
	e.Received = e.Time
	for _, mark := range f[3:] {
		key, value, _ := strings.Cut(mark, "=")
		switch key {
		case "id":
			e.ID = value
		case "prev":
			fmt.Sscan(value, &e.Prev)
		case "at":
			e.Received = mustTime(t, value)
		case "bot":
			e.Bot = true
		case "click":
			e.Pageview = false
		case "scroll":
			e.Pageview, e.Passive = false, true
		default:
			t.Fatalf("%q is no mark", mark)
		}
	}
	return e
}

// show prints the windows of a kind with some of their families, a line each, minutes from the
// base.
func show(o *Oracle, kind window.Kind, families ...window.Family) string {
	var lines []string
	for k, cells := range o.Windows() {
		if k.Kind != kind {
			continue
		}
		for key, c := range cells.All() {
			if slices.Contains(families, key.Family) {
				lines = append(lines, fmt.Sprintf("%2d %s", (k.Start-base)/event.Minute, cellText(key, c)))
			}
		}
	}
	return strings.Join(lines, "\n")
}

func cellText(k tally.Key, c *tally.Cell) string {
	value := strings.TrimSpace(k.Family.String() + " " + k.A)
	if c.Events == 0 {
		return fmt.Sprintf("%s: %d visits %d bounces %d s %d views", value, c.Visits, c.Bounces, c.Seconds, c.Views)
	}
	return fmt.Sprintf("%s: %d events %d views %d visitors", value, c.Events, c.Pageviews, len(c.Visitors))
}

func same(t *testing.T, got, want string) {
	t.Helper()
	var lines []string
	for line := range strings.Lines(want) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	var trimmed []string
	for line := range strings.Lines(got) {
		trimmed = append(trimmed, strings.TrimSpace(line))
	}
	slices.Sort(lines)
	slices.Sort(trimmed)
	if !slices.Equal(trimmed, lines) {
		t.Errorf("counted are\n%s\nwant\n%s", strings.Join(trimmed, "\n"), strings.Join(lines, "\n"))
	}
}

// On time, late, dropped, a bot's, and twice.
func TestOutcomes(t *testing.T) {
	o := play(t, Rules{Lateness: 5 * event.Minute}, `
		1:    0.5 1 /a id=x, 0.6 2 /a
		1.04: 0.5 1 /b id=x
		2:    0.7 1 /late
		9:
		9:    3.9 3 /gone, 4 3 /last, 2 4 /a bot, 5 4 /a bot
		20:   10.5 1 /a id=x at=10.5
		20:   11.5 1 /a id=x at=11.5
	`)
	same(t, show(o, window.Minute, window.Totals, window.Pages, window.Dropped, window.Bots), `
		0 page /a: 2 events 2 views 2 visitors
		0 page /late: 1 events 1 views 1 visitors
		0 totals: 3 events 3 views 2 visitors
		20 dropped: 1 events 1 views 1 visitors
		4 page /last: 1 events 1 views 1 visitors
		4 totals: 1 events 1 views 1 visitors
		5 bot tool: 1 events 1 views 1 visitors
		9 dropped: 1 events 1 views 1 visitors`)
	if got, want := fmt.Sprintf("%+v", o.Counters()), "{Records:7 Events:10 OnTime:2 Late:2 Dropped:2 Bots:2 Duplicates:2 Pings:0 Dead:0}"; got != want {
		t.Errorf("counters %s, want %s", got, want)
	}
}

// A pause of exactly the time-out is none; an event between two visits joins them; a click makes a
// view no bounce, a scroll does not; a visit goes on under the hash of a new day.
func TestVisits(t *testing.T) {
	visits := func(script string) string {
		return show(play(t, Rules{}, script), window.Visits, window.Totals, window.EntryPages, window.ExitPages)
	}
	same(t, visits(`
		0: 1 1 /a, 31 1 /b
		0: 61.01 1 /c
		0: 1 2 /a click, 1 3 /a, 2 3 /a scroll, 1 4 /a, 3 4 /a click
	`), `
		0 entry_page /a: 3 visits 1 bounces 1920 s 4 views
		0 exit_page /a: 2 visits 1 bounces 120 s 2 views
		0 exit_page /b: 1 visits 0 bounces 1800 s 2 views
		0 totals: 4 visits 1 bounces 1920 s 4 views
		60 entry_page /c: 1 visits 1 bounces 0 s 1 views
		60 exit_page /c: 1 visits 1 bounces 0 s 1 views
		60 totals: 1 visits 1 bounces 0 s 1 views`)
	// The first to come is not the first; of two at one time the later in the log is the exit.
	same(t, visits("0: 40 1 /c, 1 1 /a, 20 1 /b, 40 1 /d"), `
		0 entry_page /a: 1 visits 0 bounces 2340 s 4 views
		0 exit_page /d: 1 visits 0 bounces 2340 s 4 views
		0 totals: 1 visits 0 bounces 2340 s 4 views`)
	same(t, visits("0: 1 1 /a, 10 2 /b prev=1, 20 2 /c prev=1"), `
		0 entry_page /a: 1 visits 0 bounces 1140 s 3 views
		0 exit_page /c: 1 visits 0 bounces 1140 s 3 views
		0 totals: 1 visits 0 bounces 1140 s 3 views`)
	// The visit of the new hash that begins later is in the way of the old one's.
	same(t, visits("0: 1 1 /a, 20 1 /x, 45 2 /c, 10 2 /b prev=1"), `
		0 entry_page /a: 1 visits 0 bounces 1140 s 2 views
		0 entry_page /b: 1 visits 1 bounces 0 s 1 views
		0 exit_page /x: 1 visits 0 bounces 1140 s 2 views
		0 exit_page /b: 1 visits 1 bounces 0 s 1 views
		0 totals: 2 visits 1 bounces 1140 s 3 views
		45 entry_page /c: 1 visits 1 bounces 0 s 1 views
		45 exit_page /c: 1 visits 1 bounces 0 s 1 views
		45 totals: 1 visits 1 bounces 0 s 1 views`)
}

// A visit lasts no longer than the most, and a site has no more visits than the most.
func TestBounds(t *testing.T) {
	o := play(t, Rules{VisitLength: 40 * event.Minute}, "0: 1 1 /a, 25 1 /b, 45 1 /c")
	same(t, show(o, window.Visits, window.Totals), `
		0 totals: 1 visits 0 bounces 1440 s 2 views
		45 totals: 1 visits 1 bounces 0 s 1 views`)
	o = play(t, Rules{MaxVisits: 1}, "0: 1 1 /a, 2 2 /b, 3 2 /b, 4 1 /a")
	same(t, show(o, window.Visits, window.Totals), "0 totals: 1 visits 0 bounces 180 s 2 views")
	if o.Untracked() != 2 {
		t.Errorf("%d events are of no visit", o.Untracked())
	}
	o = play(t, Rules{Limit: 1}, "0: 1 1 /a, 1 1 /b, 2 1 /b, 2 1 /b")
	same(t, show(o, window.Minute, window.Pages), `
		1 page (other): 1 events 1 views 1 visitors
		1 page /a: 1 events 1 views 1 visitors
		2 page /b: 2 events 2 views 1 visitors`)
	same(t, show(o, window.Hour, window.Pages), `
		0 page (other): 2 events 2 views 1 visitors
		0 page /b: 2 events 2 views 1 visitors`)
}

// The watermark is the least of the lows of those that are not silent, and never goes back.
func TestClock(t *testing.T) {
	c := NewClock(10*event.Second, 0)
	f := func(collector int, low, want float64) {
		t.Helper()
		at := func(s float64) event.Time { return base + event.Time(s*1000) }
		c.Observe(collector, at(low), true)
		if c.Watermark() != at(want) {
			t.Errorf("after %v of collector %d the watermark is %v, want %v", low, collector, float64(c.Watermark()-base)/1000, want)
		}
	}
	f(0, 1, 1)
	f(1, 0.5, 1)
	f(0, 3, 1)
	f(1, 2, 2)
	f(0, 12, 2) // a step of the log counts as 5 s of silence at most
	f(0, 17, 2)
	f(0, 17.5, 17.5) // the other one has been silent for longer than 10 s
	f(1, 3, 17.5)
	f(0, 30, 17.5)
}
