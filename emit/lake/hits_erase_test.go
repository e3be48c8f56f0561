package lake

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"millrace/emit/lake/colfile"
	"millrace/emit/lake/commits"
	"millrace/emit/lake/hitfile"
	"millrace/emit/lake/hitmerge"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
)

// sparing is a hits.Sink that leaves out what an erasure takes away, by its definition.
type sparing struct {
	hits.Sink
	e *commits.Erasure
}

func (s sparing) Hit(h *hits.Hit) {
	if h.Site != s.e.Site || h.Row.Visitor != s.e.Visitor || h.Offset >= s.e.Until && h.Received >= s.e.Before {
		s.Sink.Hit(h)
	}
}

func (s sparing) visit(site string, who event.Visitor, id visit.ID, begin event.Time) bool {
	offset, _ := id.Place()
	return site != s.e.Site || who != s.e.Visitor || offset >= s.e.Until && begin >= s.e.Before
}

func (s sparing) Join(j hits.Join) {
	if s.visit(j.Site, j.Visitor, j.Visit, j.Begin) {
		s.Sink.Join(j)
	}
}

func (s sparing) Visit(v *visit.Visit) {
	if s.visit(v.Site, v.Visitor, v.ID, v.Begin) {
		s.Sink.Visit(v)
	}
}

// erasedRows returns the rows of a state's table as one file, without those that are erased, and how many of these are there.
func erasedRows(tb testing.TB, store *memory, s *commits.State, t commits.Table) (body []byte, erased int64) {
	tb.Helper()
	o := hitmerge.Options{Table: tableOf(t), Joins: hits.Joins{}, Erased: leftOut(s, t)}
	for _, f := range s.Files(commits.Visits) {
		if err := readJoins(tb.Context(), store, f.Key, o.Joins); err != nil {
			tb.Fatal(err)
		}
	}
	var files []*colfile.File
	for _, f := range s.Files(t) {
		body := must(store.Get(tb.Context(), f.Key))
		files = append(files, must(o.Table.Open(f.Key, bytes.NewReader(body), int64(len(body)))))
	}
	out := must(hitmerge.Merge(tb.Context(), o, files))
	return out.Body, out.Erased
}

// wantErased returns the rows of a log's table as one file, without those that are erased.
func wantErased(tb testing.TB, s *commits.State, log []record, e *commits.Erasure, t commits.Table) []byte {
	tb.Helper()
	return wantErasedBy(tb, s, log, e, t, func() Ledger { return newTestLedger(0) })
}

// wantErasedBy is wantErased for hits that are made as ledgers do.
func wantErasedBy(tb testing.TB, s *commits.State, log []record, e *commits.Erasure, t commits.Table, newLedger func() Ledger) []byte {
	tb.Helper()
	all := both{hitfile.NewBuffer(), hitfile.NewVisitBuffer(testTopic, 0)}
	b := both{hitfile.NewBuffer(), hitfile.NewVisitBuffer(testTopic, 0)}
	l, plain := newLedger(), newLedger()
	for offset, r := range log[:s.Next] {
		_ = l.Step(int64(offset), r.value, sparing{b, e})
		_ = plain.Step(int64(offset), r.value, all)
	}
	of := []table{b.Buffer, b.VisitBuffer}[t]
	if n := []table{all.Buffer, all.VisitBuffer}[t].Len() - of.Len(); n < 3 {
		tb.Errorf("only %d rows of %v are erased", n, t)
	}
	var out, joins bytes.Buffer
	if err := of.Encode(&out); err != nil {
		tb.Fatal(err)
	}
	if err := all.VisitBuffer.Encode(&joins); err != nil {
		tb.Fatal(err)
	}
	store := newMemory()
	store.objects["joins"] = joins.Bytes()
	o := hitmerge.Options{Table: tableOf(t), Joins: hits.Joins{}}
	if err := readJoins(tb.Context(), store, "joins", o.Joins); err != nil {
		tb.Fatal(err)
	}
	f := must(o.Table.Open("want", bytes.NewReader(out.Bytes()), int64(out.Len())))
	return must(hitmerge.Merge(tb.Context(), o, []*colfile.File{f})).Body
}

// TestErasedHits: a visitor is erased at some time of a log that is archived and merged by owners that are killed. From the commit on no
// reader sees his rows of before, whatever is merged before, meanwhile and after; then they are gone from all files; and all other rows
// are as they were, also his own of after.
func TestErasedHits(t *testing.T) {
	t.Parallel()
	seeds := uint64(2)
	if *thorough {
		seeds = 10
	}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 5))
		log := hitLogOver(seed, 300, 20*event.Hour)
		store, chain := newMemory(), &commitLog{}
		clock := time.Unix(1_800_000_000, 0)
		o := eraseOptions(store)
		o.now, o.keepErasures = func() time.Time { return clock }, -1
		o.Hits = testHits([]*commitLog{chain}, [][]record{log})
		o.Hits.Merges = mergeOften
		var a *Archiver
		var m *merging
		var ctx context.Context
		var end context.CancelFunc
		begin := func() {
			a = mustArchiver(t, o)
			m = &merging{a: a, o: o.Hits.Merges.withDefaults(), aside: map[mergeDay]time.Time{}}
			ctx, end = context.WithCancel(t.Context())
		}
		begin()
		who, ask := mostSeen(log), 150+rng.IntN(100)
		var e *commits.Erasure
		for from := int64(0); from < int64(len(log)); from++ {
			if from == int64(ask) {
				before := event.Time(0)
				for _, r := range log[:ask-20+rng.IntN(50)] {
					for _, e := range r.events {
						before = max(before, e.Received)
					}
				}
				mustErase(t, store, who, before)
			}
			if err := a.partition(0).consume(ctx, from, log[from].value); err != nil {
				t.Fatal(err)
			}
			clock = clock.Add(2 * time.Minute)
			if rng.IntN(2) == 0 {
				m.once(ctx)
			}
			if rng.IntN(60) == 0 { // killed
				if s := a.HitStats(); s.MergesFailed > 0 {
					t.Errorf("seed %d: %+v", seed, s)
				}
				from = a.Limit(testTopic, 0) - 1
				end()
				begin()
			}
			if s := a.HitsState(0); e == nil && s != nil && s.Erased(who.Site, who.Visitor) != nil {
				e = s.Erased(who.Site, who.Visitor)
				if e.Until < int64(ask)/2 || e.Until > from {
					t.Errorf("seed %d: erased up to record %d, and asked for at %d", seed, e.Until, ask)
				}
			}
		}
		end()
		s := stateOf(t, store, 0, chain)
		if e == nil || *s.Erased(who.Site, who.Visitor) != *e {
			t.Fatalf("seed %d: %+v, then %+v", seed, e, s.Erasures())
		}
		if n := len(s.Unclean()); n > 0 {
			t.Errorf("seed %d: %d files are not clean in the end", seed, n)
		}
		for _, table := range commits.Tables() {
			got, erased := erasedRows(t, store, s, table)
			if want := wantErased(t, s, log, e, table); !bytes.Equal(got, want) {
				t.Errorf("seed %d: %v are other rows than the log has: a file of %d bytes, want %d", seed, table, len(got), len(want))
			}
			if erased > 0 {
				t.Errorf("seed %d: %d rows of %v are hidden and not gone", seed, erased, table)
			}
		}
		limit := must(NewReader(store).ProgressOf(t.Context(), testTopic))[0].NextOffset
		sameRows(t, readAll(t, store, ""), left(wantRows(log, 0, "", limit), commits.Erasure{Site: who.Site, Visitor: who.Visitor, Before: e.Before}))
		if t.Failed() {
			t.FailNow()
		}
	}
}

// hitLogOver is hitLog over a time, with ticks behind it until all has settled.
func hitLogOver(seed uint64, n int, over event.Time) []record {
	g := newGenerator(seed)
	g.site, g.who = 3, 40
	log := g.log(n, over)
	for range 60 {
		g.now += 20 * event.Minute
		log = append(log, g.record(0))
	}
	return log
}
