package lake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/emit/lake/colfile"
	"millrace/emit/lake/commits"
	"millrace/emit/lake/hitfile"
	"millrace/emit/lake/hitmerge"
	"millrace/engine"
	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/replay"
	"millrace/engine/visit"
	"millrace/engine/window"
	"millrace/internal/blob"
)

// rawLake is a Reader as package replay reads it.
type rawLake struct{ *Reader }

func (l rawLake) Files(ctx context.Context, from, to event.Time) (files []replay.File, err error) {
	hours, err := l.Reader.Hours(ctx, from, to)
	for _, h := range hours {
		for _, k := range h.Keys {
			files = append(files, replay.File(k))
		}
	}
	return files, err
}

func (l rawLake) ReadSegment(ctx context.Context, files []replay.File, site string, fn func(e *event.Event, offset int64, index int) error) error {
	var keys []Key
	for _, f := range files {
		keys = append(keys, Key(f))
	}
	return l.Reader.ReadSegment(ctx, keys, site, func(e *event.Event, s Source) error { return fn(e, s.Offset, int(s.Index)) })
}

func (l rawLake) LastReceived(ctx context.Context, f replay.File) (event.Time, error) {
	return l.Reader.LastReceived(ctx, Key(f))
}

func (l rawLake) Began(ctx context.Context) (event.Time, error) {
	return l.Reader.Began(ctx, testTopic)
}

func (l rawLake) CompleteUntil(ctx context.Context) (event.Time, bool, error) {
	until, err := l.Reader.CompleteUntil(ctx, testTopic)
	return until, err == nil, err
}

// noRollups is a store without windows, which takes all.
type noRollups struct{}

func (noRollups) Replace(context.Context, []*window.Window) error { return nil }
func (noRollups) Sites(context.Context) ([]string, error)         { return nil, nil }
func (noRollups) Scan(context.Context, window.Selection, func(event.Time, bool, *window.Point) error) error {
	return nil
}

// onTime are rules by which the generator's events are never too late, and later ones under which visits are others.
var (
	onTime  = engine.Rules{Lateness: 2 * event.Hour, VisitTimeout: 5 * event.Minute}
	widened = engine.Rules{Lateness: 2 * event.Hour, VisitTimeout: 9 * event.Minute}
	joined  = engine.Rules{Lateness: 2 * event.Hour, VisitTimeout: 60 * event.Minute}
)

func ledgerOf(rules engine.Rules) *engine.Ledger {
	return engine.NewLedger(engine.LedgerOptions{Topic: testTopic, Rules: rules, Deriver: enrich.New(enrich.Options{CacheSize: 64})})
}

// recountWorld is an archive of a log of some days, most of whose files are merged.
type recountWorld struct {
	log   []record
	store *memory
	chain *commitLog
	o     Options
	a     *Archiver
	m     *merging
	ctx   context.Context
	next  int64 // that the archiver has not read
	clock time.Time
}

func newRecountWorld(t *testing.T, log []record, n int) *recountWorld {
	t.Helper()
	w := &recountWorld{log: log, store: newMemory(), chain: &commitLog{}, clock: time.Unix(1_800_000_000, 0)}
	w.o = smallOptions(w.store)
	w.o.FlushInterval = 20 * time.Minute
	w.o.keepErasures = -1
	w.o.now = func() time.Time { return w.clock }
	w.o.Hits = testHits([]*commitLog{w.chain}, [][]record{log})
	w.o.Hits.NewLedger = func(int32) Ledger { return ledgerOf(onTime) }
	w.o.Hits.Merges = mergeOften
	w.a = mustArchiver(t, w.o)
	w.m = &merging{a: w.a, o: w.o.Hits.Merges.withDefaults(), aside: map[mergeDay]time.Time{}}
	w.ctx = session(t)
	w.archive(t, n)
	return w
}

// copy returns the archive as it is, with another archiver.
func (w *recountWorld) copy(t *testing.T) *recountWorld {
	t.Helper()
	c := *w
	c.store, c.chain = newMemory(), &commitLog{records: slices.Clone(w.chain.records)}
	maps.Copy(c.store.objects, w.store.objects)
	c.o.Store = c.store
	h := *w.o.Hits
	h.Commits = func(int32) commits.Log { return c.chain }
	c.o.Hits = &h
	c.a = mustArchiver(t, c.o)
	c.m = &merging{a: c.a, o: h.Merges.withDefaults(), aside: map[mergeDay]time.Time{}}
	c.next = c.a.Limit(testTopic, 0)
	return &c
}

// hitsByDay returns the hits of each day of their time, but for the names of their visits.
func (w *recountWorld) hitsByDay(t *testing.T) map[event.Time]string {
	t.Helper()
	days := map[event.Time]string{}
	for _, row := range rowsOf(t, allRows(t, w.store, stateOf(t, w.store, 0, w.chain), commits.Hits)) {
		at, plain := plainHit(t, row)
		days[at.Floor(day)] += plain + "\n"
	}
	return days
}

// archive has the archiver go on by so many records.
func (w *recountWorld) archive(t *testing.T, n int) {
	t.Helper()
	for to := min(w.next+int64(n), int64(len(w.log))); w.next < to; w.next++ {
		if err := w.a.partition(0).consume(w.ctx, w.next, w.log[w.next].value); err != nil {
			t.Fatal(err)
		}
		w.clock = w.clock.Add(2 * time.Minute)
		if w.next%3 == 0 {
			w.m.once(w.ctx)
		}
	}
}

// recount counts a range again.
func (w *recountWorld) recount(ctx context.Context, store blob.Store, from, to event.Time, rules engine.Rules, batch int64) (RecountStats, error) {
	next, err := NewReader(w.store).ProgressOf(ctx, testTopic)
	if err != nil {
		return RecountStats{}, err
	}
	r, err := OpenRecount(ctx, RecountOptions{
		Store: store, Topic: testTopic, Commits: w.chain, From: from, To: to, Next: next[0].NextOffset, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return RecountStats{}, err
	}
	r.batch, r.cut = batch, 500
	_, err = replay.Run(ctx, replay.Options{
		Lake: rawLake{NewReader(w.store)}, Reader: noRollups{}, Sink: noRollups{}, From: from, To: to, Rules: rules,
		NewDeriver: func() engine.Deriver { return enrich.New(enrich.Options{CacheSize: 64}) },
		Hits:       func(int32) replay.HitsSink { return r },
	})
	return r.Stats(), err
}

// recountLog is a log of four days and what comes until they are over.
func recountLog(seed uint64) []record {
	g := newGenerator(seed)
	g.site, g.who = 3, 40
	g.now = t0
	log := g.log(500, 84*event.Hour)
	for range 200 {
		g.now += 20 * event.Minute
		log = append(log, g.record(0))
	}
	return log
}

// TestRecountSame: days that are counted again by the rules of before have the rows of before, in one range or in several, in one commit or
// in many, beside an archiver or without one; the second time nothing changes. What was replaced goes after an hour.
func TestRecountSame(t *testing.T) {
	t.Parallel()
	first := t0.Floor(day)
	for n, batch := range []int64{1, 1 << 30} {
		log := recountLog(uint64(n))
		w := newRecountWorld(t, log, 650)
		lost := int64(0)
		for _, days := range [][2]event.Time{{2, 3}, {0, 4}} {
			store := &faultyStore{Store: w.store, n: -1}
			if days[1] == 4 { // in the midst of puts the archiver goes on
				store.hook = func(after bool) error {
					if after && w.next < 660 {
						w.archive(t, 3)
					}
					return nil
				}
			}
			from, to := first+days[0]*day, first+days[1]*day
			st, err := w.recount(t.Context(), store, from, to, onTime, batch)
			if err != nil {
				t.Fatal(err)
			}
			lost += st.Lost
			if st.Hits < 500 || st.Visits < 50 || st.Commits == 0 || st.Added == 0 {
				t.Errorf("%s to %s: %+v", from, to, st)
			}
			if one := st.Commits == 1; days[1] == 4 && one != (batch > 1) {
				t.Errorf("%d commits with batches of %d bytes", st.Commits, batch)
			}
			sameMergedAs(t, w.store, w.chain, log, ledgerOf(onTime))
			objects := len(w.store.objects)
			again, err := w.recount(t.Context(), w.store, from, to, onTime, batch)
			if err != nil || again.Commits != 0 || again.Kept == 0 || len(w.store.objects) != objects {
				t.Errorf("%s to %s, again: %+v, %v; %d objects, were %d", from, to, again, err, len(w.store.objects), objects)
			}
		}
		if lost == 0 {
			t.Error("no commit came after the archiver's")
		}
		removed := stateOf(t, w.store, 0, w.chain).Removed()
		w.archive(t, len(log))
		sameMergedAs(t, w.store, w.chain, log, ledgerOf(onTime))
		if st := w.a.HitStats(); st.Passed == 0 || st.Anew > 0 || st.MergesFailed > 0 {
			t.Errorf("%+v", st)
		}
		for _, r := range removed {
			if w.store.objects[r.Key] != nil {
				t.Errorf("%s is there hours after it was replaced", r.Key)
			}
		}
		mustCheck(t, w.store)
	}
}

// TestRecountOthers: by other rules the rows of the range are those of a reading by these, and around it those of before; each event has one
// hit.
func TestRecountOthers(t *testing.T) {
	t.Parallel()
	log := recountLog(3)
	w := newRecountWorld(t, log, 650)
	first := t0.Floor(day)
	from, to := first+day, first+3*day
	if _, err := w.recount(t.Context(), w.store, from, to, widened, 1); err != nil {
		t.Fatal(err)
	}
	w.archive(t, len(log))
	s := stateOf(t, w.store, 0, w.chain)
	within := func(at event.Time) bool { return at >= from && at < to }
	for _, table := range commits.Tables() {
		var want []string
		for _, of := range []struct {
			rules engine.Rules
			in    bool
		}{{onTime, false}, {widened, true}} {
			b, joins := both{hitfile.NewBuffer(), hitfile.NewVisitBuffer(testTopic, 0)}, hits.Joins{}
			l, sink := ledgerOf(of.rules), choosing{b, func(at event.Time) bool { return within(at) == of.in }, joins}
			for offset, r := range log[:s.Next] {
				_ = l.Step(int64(offset), r.value, sink)
			}
			var out bytes.Buffer
			if err := []interface{ Encode(*bytes.Buffer) error }{b.Buffer, b.VisitBuffer}[table].Encode(&out); err != nil {
				t.Fatal(err)
			}
			o := hitmerge.Options{Table: tableOf(table)}
			if table == commits.Hits {
				o.Joins = joins
			}
			f := must(o.Table.Open("want", bytes.NewReader(out.Bytes()), int64(out.Len())))
			want = append(want, rowsOf(t, must(hitmerge.Merge(t.Context(), o, []*colfile.File{f})).Body)...)
		}
		got := rowsOf(t, allRows(t, w.store, s, table))
		if table == commits.Hits {
			got, want = plainOutside(t, got, within), plainOutside(t, want, within)
		}
		slices.Sort(got)
		slices.Sort(want)
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Fatalf("row %d of %v is\n%s\nwant\n%s", i, table, got[i], want[i])
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d rows of %v, want %d", len(got), table, len(want))
		}
	}
}

// plainHit returns the time of a hit, and its row without the name of its visit.
func plainHit(t *testing.T, row string) (at event.Time, plain string) {
	t.Helper()
	visit, when := strings.Index(row, " 2:")+1, strings.Index(row, " 3:")+1
	if _, err := fmt.Sscanf(row[when:], "3:0 %d", &at); err != nil || visit == 0 {
		t.Fatal(row, err)
	}
	return at, row[:visit] + row[when:]
}

// plainOutside takes the names of visits from hits outside of a range: some are of visits that were others in it.
func plainOutside(t *testing.T, rows []string, within func(event.Time) bool) []string {
	t.Helper()
	for i, row := range rows {
		if at, plain := plainHit(t, row); !within(at) {
			rows[i] = plain
		}
	}
	return rows
}

// choosing takes the rows of some times.
type choosing struct {
	both
	takes func(at event.Time) bool
	joins hits.Joins
}

func (c choosing) Hit(h *hits.Hit) {
	if c.takes(h.Time) {
		c.both.Hit(h)
	}
}

func (c choosing) Join(j hits.Join) {
	c.joins.Add(j)
	if c.takes(j.Begin) {
		c.both.Join(j)
	}
}

func (c choosing) Visit(v *visit.Visit) {
	if c.takes(v.Begin) {
		c.both.Visit(v)
	}
}

// TestRecountKilled: killed before or after any put or commit, a Recount leaves the days as they were or as they are to be, and done again it
// gives what one that nobody kills gives.
func TestRecountKilled(t *testing.T) {
	t.Parallel()
	log := recountLog(4)
	first := t0.Floor(day)
	whole := newRecountWorld(t, log, 650)
	var last *recountWorld
	var before, afterwards map[event.Time]string
	run := func(n int, after bool) (killed bool, content map[string]string) {
		w := whole.copy(t)
		store := &faultyStore{Store: w.store, n: -1}
		if n >= 0 {
			ctx, kill := context.WithCancel(t.Context())
			crash := cutter{n: n, kill: kill, after: after}
			store.hook = crash.at
			w.chain.before, w.chain.after = func() error { return crash.at(false) }, func() error { return crash.at(true) }
			_, err := w.recount(ctx, store, first, first+3*day, joined, 1)
			if killed = err != nil; killed && ctx.Err() == nil {
				t.Fatal(err)
			}
			kill()
			store.hook, w.chain.before, w.chain.after = nil, nil, nil
			for of, rows := range w.hitsByDay(t) {
				if old, new := before[of], afterwards[of]; killed && rows != old && rows != new {
					t.Fatalf("killed at place %d, after it %v: hits of %s are neither those of before nor those of after", n, after, of)
				}
			}
		}
		w.archive(t, 5)
		if _, err := w.recount(t.Context(), store, first, first+3*day, joined, 1); err != nil {
			t.Fatal(err)
		}
		last = w
		s := stateOf(t, w.store, 0, w.chain)
		content = map[string]string{}
		for _, table := range commits.Tables() {
			content[table.String()] = string(allRows(t, w.store, s, table))
			for _, f := range s.Files(table) {
				if f.Day >= first && f.Day < first+3*day {
					content[fmt.Sprint(table, f.Day)] += string(must(w.store.Get(t.Context(), f.Key)))
				}
			}
		}
		return killed, content
	}
	_, want := run(-1, false)
	before, afterwards = whole.hitsByDay(t), last.hitsByDay(t)
	if reflect.DeepEqual(before, afterwards) {
		t.Fatal("the rules make no difference")
	}
	places := []int{1, 6}
	if *thorough {
		places = nil
		for n := range 40 {
			places = append(places, n)
		}
	}
	kills := 0
	for _, n := range places {
		for _, after := range []bool{false, true} {
			killed, got := run(n, after)
			if killed {
				kills++
			}
			for name, rows := range want {
				if got[name] != rows {
					t.Fatalf("killed at place %d, after it %v: %s is something else than without", n, after, name)
				}
			}
		}
	}
	if kills < 3 {
		t.Errorf("killed %d times", kills)
	}
}

// TestRecountErased: who is erased does not come back, neither from the log nor from files that stay in part, and files are clean.
func TestRecountErased(t *testing.T) {
	t.Parallel()
	log := recountLog(5)
	w := newRecountWorld(t, log, 640)
	first := t0.Floor(day)
	who := mostSeen(log)
	mustErase(t, w.store, who, t0+5*day)
	w.archive(t, 20) // the owner commits it
	s := stateOf(t, w.store, 0, w.chain)
	e := s.Erased(who.Site, who.Visitor)
	if e == nil {
		t.Fatal("the erasure is not committed")
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 3 {
		from := first + event.Time(rng.IntN(3))*day
		if _, err := w.recount(t.Context(), w.store, from, from+day, onTime, 1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.recount(t.Context(), w.store, first, first+4*day, onTime, 1); err != nil {
		t.Fatal(err)
	}
	s = stateOf(t, w.store, 0, w.chain)
	for _, table := range commits.Tables() {
		got, erased := erasedRows(t, w.store, s, table)
		if want := wantErasedBy(t, s, log, e, table, func() Ledger { return ledgerOf(onTime) }); !bytes.Equal(got, want) {
			t.Errorf("%v are other rows than the log has: a file of %d bytes, want %d", table, len(got), len(want))
		}
		for _, f := range s.Unclean() {
			if f.Day >= first && f.Day < first+3*day {
				t.Errorf("%s is not clean", f.Key)
			}
		}
		if erased > 0 {
			t.Logf("%d rows of %v wait to be taken out of files outside of the range", erased, table)
		}
	}
}

// TestRecountRefused: what can't be counted again is an error before anything is changed.
func TestRecountRefused(t *testing.T) {
	t.Parallel()
	w := newRecountWorld(t, recountLog(6), 400)
	first := t0.Floor(day)
	objects, records := len(w.store.objects), len(w.chain.records)
	for _, o := range []RecountOptions{
		{From: first, To: first + event.Hour}, {From: first, To: first}, {From: first, To: first + day, Next: 1 << 40}, {From: first, To: first + day, Partition: 7},
	} {
		o.Store, o.Topic, o.Commits, o.Log = w.store, testTopic, w.chain, slog.New(slog.DiscardHandler)
		if o.Partition > 0 {
			o.Commits = &commitLog{}
		}
		if _, err := OpenRecount(t.Context(), o); err == nil || o.Next+int64(o.Partition) > 0 && !errors.Is(err, ErrNoHits) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if len(w.store.objects) != objects || len(w.chain.records) != records {
		t.Error("something has changed")
	}
}
