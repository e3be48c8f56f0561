package replay

import (
	"context"
	"reflect"
	"slices"
	"testing"

	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
	"millrace/engine/window"
)

// summing adds up the hits and visits of a partition.
type summing struct {
	t       *testing.T
	minutes map[windowID]*window.Agg
	visits  map[windowID]window.Rollup
	events  map[visit.ID]uint32 // that hits say a visit has, less those that it says
	joins   hits.Joins
	done    []event.Time
	rows    int
}

func (s *summing) Hit(h *hits.Hit) {
	s.rows++
	if h.Visit != 0 && h.Class != hits.Ping {
		s.events[h.Visit]++
	}
	if h.Class != hits.Human && h.Class != hits.Bot {
		return
	}
	id := windowID{site: h.Site, start: h.Minute}
	if s.minutes[id] == nil {
		s.minutes[id] = window.NewAgg(0)
	}
	var w window.RowWriter
	w.Add(h.Row)
	if err := s.minutes[id].Add(w.AppendChunk(nil)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *summing) Join(j hits.Join) { s.joins.Add(j) }

func (s *summing) Visit(v *visit.Visit) {
	id := windowID{site: v.Site, start: v.Begin.Floor(15 * event.Minute)}
	r := s.visits[id]
	r.Visits++
	r.Seconds += v.Seconds()
	r.Views += int64(v.Views)
	if v.Bounced() {
		r.Bounces++
	}
	s.visits[id] = r
	s.events[v.ID] -= v.Events
	if n := len(s.done); n > 0 && v.Begin < s.done[n-1] {
		s.t.Errorf("a visit that began at %s came after all of before %s", v.Begin, s.done[n-1])
	}
}

func (s *summing) Done(_ context.Context, before event.Time) error {
	s.done = append(s.done, before)
	return nil
}

// TestHitsOfRun: hits and visits that a run gives beside windows are what these are sums of, in all families; each visit has the events that its
// hits say; and the windows are those of a run that gives none.
func TestHitsOfRun(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		events := slices.DeleteFunc(traffic(seed, 3000, noon-90*event.Minute, 40*event.Hour), func(e logged) bool { return e.topic == "import-0" })
		expect := want(events, 0)
		sinks := map[int32]*summing{}
		lake, store := &memLake{events: events, seed: seed}, newStore()
		mustRun(t, Options{Lake: lake, Reader: store, Sink: store, Hits: func(partition int32) HitsSink {
			if partition == 2 {
				return nil
			}
			sinks[partition] = &summing{t: t, minutes: map[windowID]*window.Agg{}, visits: map[windowID]window.Rollup{}, events: map[visit.ID]uint32{}, joins: hits.Joins{}}
			return sinks[partition]
		}})
		same(t, store, expect)
		if len(sinks) != 2 {
			t.Fatalf("%d partitions give hits", len(sinks))
		}
		for partition, s := range sinks {
			own := want(slices.DeleteFunc(slices.Clone(events), func(e logged) bool { return e.partition != partition }), 0)
			minutes, quarters := 0, 0
			for id, w := range own.windows {
				switch id.kind {
				case window.Minute:
					minutes++
					got := &window.Window{Kind: window.Minute, Site: id.site, Start: id.start, Version: w.Version, Final: true}
					if a := s.minutes[id.windowID]; a != nil {
						a.Fill(got)
					}
					if !reflect.DeepEqual(got.Points, w.Points) {
						t.Fatalf("seed %d: hits of %v: %s\nwant %s", seed, id, lines(t, got), lines(t, w))
					}
				case window.Visits:
					quarters++
					p := w.Points[0].Rollup
					if want := (window.Rollup{Visits: p.Visits, Seconds: p.Seconds, Views: p.Views, Bounces: p.Bounces}); !reflect.DeepEqual(s.visits[id.windowID], want) {
						t.Fatalf("seed %d: visits of %v: %+v, want %+v", seed, id, s.visits[id.windowID], want)
					}
				}
			}
			if minutes != len(s.minutes) || quarters != len(s.visits) || minutes < 100 || quarters < 50 {
				t.Errorf("%d minutes of %d, %d quarters of %d", len(s.minutes), minutes, len(s.visits), quarters)
			}
			left := map[visit.ID]uint32{}
			for id, n := range s.events {
				left[s.joins.Of(id)] += n
			}
			for id, n := range left {
				if n != 0 {
					t.Fatalf("seed %d: visit %d has %d events more or less than its hits say", seed, id, int32(n))
				}
			}
			if last := s.done[len(s.done)-1]; last != EndOfTime || !slices.IsSorted(s.done) {
				t.Errorf("done is told of %v", s.done)
			}
		}
	}
}
