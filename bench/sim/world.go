package sim

import (
	"fmt"
	"math/rand/v2"

	"millrace/engine/event"
	"millrace/engine/window"
)

// Rules outside package state that a schedule can take out; see the doc of the design's section 3. The ones inside
// are state.Rule.
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

// newLog makes n records: batches of two collectors over three sites, some of them late, some past the lateness, some
// sent twice, some that can't be read, and ticks, with pauses of minutes between them, so that hours pass. The last ones
// are ticks that let every window fire.
func newLog(rng *rand.Rand, n int, lateness event.Time) []record {
	var log []record
	now := logStart
	low := [2]event.Time{logStart, logStart}
	id := 0
	var sent []event.Event
	for len(log) < n {
		now += event.Time(rng.IntN(4000))
		if rng.IntN(8) == 0 {
			now += event.Time(rng.Int64N(int64(5 * event.Minute)))
		}
		c := rng.IntN(2)
		low[c] = now - event.Time(rng.IntN(3000))
		r := record{collector: c, low: low[c]}
		for range rng.IntN(4) {
			at := now - event.Time(rng.IntN(2000))
			switch rng.IntN(12) {
			case 0, 1:
				at -= event.Time(rng.Int64N(int64(lateness)))
			case 2:
				at -= lateness + event.Time(rng.Int64N(int64(2*event.Minute)))
			}
			id++
			e := event.Event{
				ID: fmt.Sprint(id), Site: fmt.Sprintf("s%d.example", rng.IntN(3)), Name: event.Pageview,
				Time: at, Received: now, Visitor: event.Visitor(rng.Uint64()%40 + 1),
				URL: fmt.Sprintf("/p%d", rng.IntN(5)), Country: fmt.Sprintf("C%d", rng.IntN(3)),
			}
			if rng.IntN(5) == 0 {
				e.Name = "signup"
			}
			if rng.IntN(10) == 0 {
				e.Bot = "crawler"
			}
			if len(sent) > 0 && rng.IntN(12) == 0 {
				// Again, once, soon enough to be known for a duplicate or long after.
				k := len(sent) - 1 - rng.IntN(min(len(sent), 60))
				e = sent[k]
				if age := now - e.Received; age > dedupHorizon-event.Minute && age < dedupHorizon+event.Minute {
					continue
				}
				e.Received = now
				sent = append(sent[:k], sent[k+1:]...)
			} else {
				sent = append(sent, e)
			}
			if rng.IntN(20) == 0 {
				e.VisitorPrev = event.Visitor(rng.Uint64()%40 + 1)
			}
			r.events = append(r.events, e)
		}
		log = append(log, r.encode(rng))
	}
	for i := range tail / 2 {
		now += 10 * event.Minute
		for c := range 2 {
			log = append(log, (&record{collector: c, low: now + event.Time(i)}).encode(nil))
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

// deriver is a Deriver whose rows the recount can predict without parsing.
type deriver struct{}

func (deriver) Row(e *event.Event, r *window.Row) {
	*r = window.Row{Visitor: e.Visitor}
	if e.Name == event.Pageview {
		r.Flags |= window.PageviewRow
	}
	if e.Bot != "" {
		r.Flags |= window.BotRow
		r.Dims[window.Reason] = e.Bot
	}
	r.Dims[window.Page] = e.URL
	r.Dims[window.Name] = e.Name
}

func (deriver) Origin(e *event.Event, r *window.Row) { r.Dims[window.Country] = e.Country }

// sink keeps the last window written per key. With versions an older one is passed over (J10).
type sink struct {
	versions bool
	windows  map[string]*window.Window
	lines    map[string]string
}

func (s *sink) write(key string, value []byte) error {
	rec, err := window.Decode(value)
	if err != nil {
		return err
	}
	if rec.Window == nil {
		return nil
	}
	if old := s.windows[key]; s.versions && old != nil && old.Version > rec.Window.Version {
		return nil
	}
	s.windows[key], s.lines[key] = rec.Window, string(value)
	return nil
}
