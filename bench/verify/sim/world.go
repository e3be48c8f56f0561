package sim

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"

	"millrace/engine/event"
	"millrace/engine/window"
)

// Rules outside package state that a schedule can take out; see the doc of the design's section 3.
// The ones inside are state.Rule.
type Rule uint8

const (
	J4  Rule = 1 << iota // commit only the contiguous prefix
	J7                   // a record is finished only when its windows are written
	J9                   // the changelog is kept longer than state lives
	J10                  // a sink never goes back to an older version
)

// logTime is the start of every simulated log.
const logStart = event.Time(1_700_000_040_000)

// record is one record of the log, and what the recount needs of it.
type record struct {
	value     []byte
	collector int
	low       event.Time
	events    []event.Event
}

// world is everything outside the owners of the partition.
type world struct {
	rng  *rand.Rand
	log  []record
	head int // records written so far

	changelog [][]byte
	expired   int // records of the changelog's beginning that are gone
	committed int64
	owner     int // generation of the group
	sink      sink
}

// newLog makes n records: batches of some collectors over three sites, some of them late, some past
// the lateness, some sent twice, some that can't be read, and ticks, with pauses of minutes between
// them, so that hours pass. More collectors than two are silent now and then, and clocks jump ahead
// and are set right. The last records are ticks that let every window fire.
func newLog(rng *rand.Rand, n int, v *variant) []record {
	var log []record
	now := logStart
	// Where the changelog's beginning expires, a leap of the watermark by half a Life can't be told
	// from a time in which nothing was written (state.Store, stale; docs/limits.md).
	leap := 2 * event.Hour
	if n > shortLog {
		leap = v.life() / 4
	}
	low := make([]event.Time, v.collectors)
	silent := make([]int, v.collectors) // the record up to which it is
	ahead := make([]event.Time, v.collectors)
	id := 0
	var sent []event.Event
	for len(log) < n {
		now += event.Time(rng.IntN(4000))
		if rng.IntN(8) == 0 {
			now += event.Time(rng.Int64N(int64(5 * event.Minute)))
		}
		c := rng.IntN(v.collectors)
		if c > 0 && v.collectors > 2 {
			if rng.IntN(12) == 0 {
				silent[c] = len(log) + rng.IntN(60)
			}
			if len(log) < silent[c] {
				c = 0
			}
		}
		if v.jumps {
			switch rng.IntN(40) {
			case 0:
				ahead[c] = event.Time(rng.Int64N(int64(leap)))
			case 1, 2, 3:
				ahead[c] = 0
			}
		}
		clock := now + ahead[c]
		low[c] = max(low[c], clock-event.Time(rng.IntN(3000)))
		r := record{collector: c, low: low[c]}
		for range rng.IntN(v.batch + 1) {
			at := clock - event.Time(rng.IntN(2000))
			switch rng.IntN(12) {
			case 0, 1:
				at -= event.Time(rng.Int64N(int64(v.rules.Lateness)))
			case 2:
				at -= v.rules.Lateness + event.Time(rng.Int64N(int64(2*event.Minute)))
			case 3:
				if v.odd && rng.IntN(3) == 0 {
					at += event.Time(rng.Int64N(int64(30 * event.Minute)))
				}
			}
			id++
			e := event.Event{
				ID: fmt.Sprint(id), Site: fmt.Sprintf("s%d.example", rng.IntN(3)), Name: event.Pageview,
				Time: at, Received: clock, Visitor: event.Visitor(rng.Uint64()%v.visitors + 1),
				URL: fmt.Sprintf("/p%d", rng.IntN(v.pages)), Country: fmt.Sprintf("C%d", rng.IntN(3)),
			}
			if rng.IntN(5) == 0 {
				e.Name = "signup"
			}
			if rng.IntN(10) == 0 {
				e.Bot = "crawler"
			}
			if v.odd && rng.IntN(15) == 0 {
				e.Visitor = 0
			}
			if v.odd && rng.IntN(15) == 0 {
				e.ID = ""
			} else if len(sent) > 0 && rng.IntN(12) == 0 {
				// Again, once, soon enough to be known for a duplicate or long after.
				k := len(sent) - 1 - rng.IntN(min(len(sent), 60))
				e = sent[k]
				e.Received = clock
				sent = append(sent[:k], sent[k+1:]...)
			} else {
				sent = append(sent, e)
			}
			if e.Visitor != 0 && rng.IntN(20) == 0 {
				e.VisitorPrev = event.Visitor(rng.Uint64()%v.visitors + 1)
			}
			r.events = append(r.events, e)
		}
		log = append(log, r.encode(rng))
	}
	for i := range tail / 2 {
		now += 15 * event.Minute
		for c := range 2 {
			low[c] = max(low[c], now+event.Time(i))
			log = append(log, (&record{collector: c, low: low[c]}).encode(nil))
		}
	}
	return log
}

// encode renders the record; one in fifty of a log's body is damaged.
func (r *record) encode(rng *rand.Rand) record {
	var list []byte
	for i := range r.events {
		if i > 0 {
			list = append(list, ',')
		}
		list = r.events[i].Append(list)
	}
	r.value = event.AppendEnvelope(nil, fmt.Sprintf("c%d", r.collector), r.low, list)
	if rng != nil && rng.IntN(50) == 0 {
		r.value = r.value[:len(r.value)/2]
		r.events, r.low = nil, 0
	}
	return *r
}

// sink keeps the last version of each window. With versions an older one is passed over (J10).
type sink struct {
	versions bool
	windows  map[string]*stored
}

// newSink returns an empty one.
func newSink(versions bool) sink { return sink{versions, map[string]*stored{}} }

// stored is a window, and its lines.
type stored struct {
	*window.Window
	text []byte
}

// write takes in a record of the windows topic.
func (s *sink) write(key string, value []byte) error {
	rec, err := window.Decode(value)
	if err != nil {
		return err
	}
	if rec.Window == nil {
		return nil
	}
	old := s.windows[key]
	switch {
	case old == nil || old.Version < rec.Window.Version || old.Version > rec.Window.Version && !s.versions:
		s.windows[key] = &stored{rec.Window, value}
	case old.Version == rec.Window.Version:
		old.add(rec.Window, value)
	}
	return nil
}

// add takes in another record of the same version: a part of the window, or one that has come
// before.
func (s *stored) add(w *window.Window, value []byte) {
	type series struct {
		window.Family
		dims [2]string
	}
	places := map[series]int{}
	for i := range s.Points {
		places[series{s.Points[i].Family, s.Points[i].Dims}] = i
	}
	lines, news := bytes.SplitAfter(s.text, []byte("\n")), bytes.SplitAfter(value, []byte("\n"))
	lines = lines[:len(s.Points)]
	for i := range w.Points {
		if at, ok := places[series{w.Points[i].Family, w.Points[i].Dims}]; ok {
			s.Points[at], lines[at] = w.Points[i], news[i]
		} else {
			s.Points, lines = append(s.Points, w.Points[i]), append(lines, news[i])
		}
	}
	s.text = bytes.Join(lines, nil)
}

// lines returns the lines of each window, sorted.
func (s *sink) lines() map[string]string {
	all := map[string]string{}
	for key, w := range s.windows {
		lines := strings.SplitAfter(string(w.text), "\n")
		sort.Strings(lines)
		all[key] = strings.Join(lines, "")
	}
	return all
}
