package lake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/emit/lake/colfile"
	"millrace/emit/lake/commits"
	"millrace/emit/lake/hitfile"
	"millrace/emit/lake/hitmerge"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
	"millrace/internal/blob"
)

// retained is an archiver whose sites keep rows for some days, with a log and a clock that go on.
type retained struct {
	tb    testing.TB
	o     Options
	log   []record
	next  int64
	clock time.Time
	keep  Retention
	busy  string
	lines strings.Builder

	a   *Archiver
	r   *retaining
	ctx context.Context
	end context.CancelFunc
}

const testReach = 2 * event.Hour

// newRetained feeds a log of 8 days, with ticks of 8 more behind it. The first event of each tenth record of it is of some days before: late.
func newRetained(tb testing.TB, store blob.Store, seed uint64) *retained {
	g := newGenerator(seed)
	g.site, g.who = 3, 40
	r := &retained{tb: tb, log: g.log(240, 8*event.Hour*24)}
	for range 8 * 24 * 2 {
		g.now += 30 * event.Minute
		r.log = append(r.log, g.record(0))
	}
	r.o = eraseOptions(store)
	r.o.FlushInterval, r.o.keepErasures = 3*time.Hour, -1
	r.o.now = func() time.Time { return r.clock }
	r.o.Log = slog.New(slog.NewTextHandler(&r.lines, nil))
	r.o.Retain = &RetainOptions{
		Retention: func() Retention { return r.keep }, Reach: testReach, Busy: func(context.Context) (string, error) { return r.busy, nil },
	}
	return r
}

// start begins a process.
func (r *retained) start() {
	if r.end != nil {
		r.end()
	}
	r.a = mustArchiver(r.tb, r.o)
	r.ctx, r.end = context.WithCancel(context.Background())
	r.tb.Cleanup(r.end)
	r.r = r.a.newRetaining()
	r.next = r.a.Limit(testTopic, 0)
	if p, err := loadProgress(r.ctx, r.o.Store, testTopic, 0); err == nil && p != nil {
		r.next = p.NextOffset
	}
}

// feed archives records up to a part of the log, in step with the clock.
func (r *retained) feed(to int) {
	r.tb.Helper()
	for ; r.next < int64(to); r.next++ {
		for _, e := range r.log[r.next].events {
			if at := e.Received.Std(); at.After(r.clock) {
				r.clock = at
			}
		}
		if err := r.a.partition(0).consume(r.ctx, r.next, r.log[r.next].value); err != nil {
			r.tb.Fatal(err)
		}
	}
}

// tick archives the next ticks of the log, which are as long as given.
func (r *retained) tick(hours int) {
	r.tb.Helper()
	r.feed(min(int(r.next)+2*hours, len(r.log)))
	r.clock = r.clock.Add(time.Duration(hours) * time.Hour)
}

// once deletes until there is nothing to go on with.
func (r *retained) once() error {
	for range 50 {
		if more, err := r.r.once(r.ctx); err != nil || !more {
			return err
		}
	}
	return errors.New("it does not come to an end")
}

func (r *retained) mustOnce() {
	r.tb.Helper()
	if err := r.once(); err != nil {
		r.tb.Fatal(err)
	}
}

// now is the instant by which days are past.
func (r *retained) now() event.Time {
	low := must(NewReader(r.o.Store).ProgressOf(context.Background(), testTopic))[0].Low
	return min(low, event.TimeOf(r.clock))
}

// want returns the rows that a retention leaves at an instant, by its definition.
func wantRetained(rows []placed, keep Retention, now event.Time) (list []placed) {
	for _, row := range rows {
		days, own := keep.Sites[row.Site]
		if !own {
			days = keep.All
		}
		if days == 0 || hourOf(row.Time) >= now.Floor(day)-event.Time(days)*day-lag(testReach) {
			list = append(list, row)
		}
	}
	return list
}

// sound holds the archive against its own proofs, over all and over what is kept.
func (r *retained) sound() Report {
	r.tb.Helper()
	l := NewReader(r.o.Store)
	report := mustCheck(r.tb, r.o.Store)
	end := t0 + 40*day
	if err := l.Lost(context.Background(), 0, end); err != nil {
		r.tb.Error(err)
	}
	for _, from := range []event.Time{0, t0 + 4*day, r.now() - day} {
		if err := l.Whole(context.Background(), from, end); err != nil {
			r.tb.Errorf("from %s: %v", from, err)
		}
	}
	return report
}

// old makes a step in force that has been wanted for a day.
func (r *retained) old() {
	r.tb.Helper()
	r.mustOnce()
	r.tick(30)
	r.mustOnce()
}

// TestRetainRaw: rows go from raw objects when the retention of their sites has passed: those of one retention without anything being
// written again, of two once more; and the archive is sound by its proofs at all times.
func TestRetainRaw(t *testing.T) {
	t.Parallel()
	f := func(name string, keep Retention, rewrites bool) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRetained(t, mustFolder(t), 3)
			r.start()
			r.feed(240)
			r.keep = keep
			end := r.a.Limit(testTopic, 0)
			before := rawObjects(t, r.o.Store)
			r.mustOnce()
			if now := rawObjects(t, r.o.Store); len(now) != len(before) || !strings.Contains(r.lines.String(), "level=WARN") {
				t.Errorf("%d of %d objects are left before the day is over; the log: %s", len(now), len(before), &r.lines)
			}
			r.tick(30)
			r.mustOnce()
			end = max(end, r.a.Limit(testTopic, 0))
			all := wantRows(r.log, 0, "", end)
			if n := len(readAll(t, r.o.Store, "")); n < len(wantRetained(all, keep, r.now())) {
				t.Errorf("%d rows are left", n)
			}
			r.sound() // the objects are there, and noted to be gone
			for range 3 {
				r.clock = r.clock.Add(61 * time.Minute)
				r.mustOnce()
			}
			now := r.now()
			sameRows(t, readAll(t, r.o.Store, ""), wantRetained(all, keep, now))
			s := r.a.RetainStats()
			if got := len(all) - len(wantRetained(all, keep, now)); int(s.Rows) != got || got < 5 || s.Objects+s.Rewrites < 5 {
				t.Errorf("%+v, want %d rows", s, got)
			}
			if (s.Rewrites > 0) != rewrites || s.Passed == 0 {
				t.Errorf("%+v", s)
			}
			if report := r.sound(); report.Expired+report.Erased != s.Rows || report.Unfinished > 0 {
				t.Errorf("%+v, want %d expired", report, s.Rows)
			}
			if notes := must(NewReader(r.o.Store).Notes(t.Context(), expiredNote)); len(notes) != 1 {
				t.Errorf("notes %q", notes)
			}
			// Day after day, until all have gone that go; a longer retention changes nothing of what is gone.
			for range 6 {
				r.tick(24)
				r.mustOnce()
				r.clock = r.clock.Add(61 * time.Minute)
				r.mustOnce()
			}
			r.clock = r.clock.Add(61 * time.Minute) // what was noted to be gone last
			r.mustOnce()
			r.sound()
			sameRows(t, readAll(t, r.o.Store, ""), wantRetained(all, keep, r.now()))
			left := rawObjects(t, r.o.Store)
			r.keep = Retention{}
			r.mustOnce()
			sameContents(t, rawObjects(t, r.o.Store), left)
			x := must(NewReader(r.o.Store).Expired(t.Context()))
			for site, days := range map[string]int{"site0.example.com": keep.All, "site2.example.com": keep.All} {
				if own, ok := keep.Sites[site]; ok {
					days = own
				}
				want := event.Time(0)
				if days > 0 {
					want = r.now().Floor(day) - event.Time(days)*day - lag(testReach) + testReach
				}
				if got := x.KeptFrom(site); got != want {
					t.Errorf("numbers of %s are kept from %s, want %s", site, got, want)
				}
			}
		})
	}
	f("one for all", Retention{All: 2}, false)
	f("two", Retention{All: 5, Sites: map[string]int{"site0.example.com": 1}}, true)
	f("one for ever", Retention{All: 2, Sites: map[string]int{"site1.example.com": 0}}, true)
	f("one site alone", Retention{Sites: map[string]int{"site2.example.com": 2}}, true)
}

// cutStore ends a process: all changes fail after some.
type cutStore struct {
	blob.Store
	left int
}

var errCut = errors.New("killed")

func (s *cutStore) change() error {
	if s.left == 0 {
		return errCut
	}
	s.left--
	return nil
}

func (s *cutStore) Put(ctx context.Context, key string, body []byte) error {
	if err := s.change(); err != nil {
		return err
	}
	return s.Store.Put(ctx, key, body)
}

func (s *cutStore) Delete(ctx context.Context, key string) error {
	if err := s.change(); err != nil {
		return err
	}
	return s.Store.Delete(ctx, key)
}

// TestRetainKilled: it is killed before any change of the archive, and whoever goes on comes to the same; nothing is ever taken for lost.
func TestRetainKilled(t *testing.T) {
	t.Parallel()
	cut := &cutStore{Store: newMemory(), left: -1}
	r := newRetained(t, cut, 4)
	r.keep = Retention{All: 4, Sites: map[string]int{"site0.example.com": 1}}
	r.start()
	r.feed(240)
	r.old()
	kills := 0
	rng := rand.New(rand.NewPCG(9, 9))
	for done := false; !done; {
		if kills++; kills > 2000 {
			t.Fatal("it never ends")
		}
		r.start()
		r.feed(int(r.next) + 1)
		if err := r.once(); err != nil { // what is noted here is deleted an hour later
			t.Fatal(err)
		}
		r.clock = r.clock.Add(61 * time.Minute)
		cut.left = rng.IntN(4)
		err := r.once()
		done = err == nil
		cut.left = -1
		if err != nil && !errors.Is(err, errCut) {
			t.Fatal(err)
		}
		if kills%8 == 0 || done {
			r.sound()
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	for range 3 {
		r.clock = r.clock.Add(61 * time.Minute)
		r.mustOnce()
	}
	all := wantRows(r.log, 0, "", r.a.Limit(testTopic, 0))
	sameRows(t, readAll(t, cut, ""), wantRetained(all, r.keep, r.now()))
	if kills < 10 {
		t.Errorf("it was killed %d times", kills)
	}
}

// TestRetainLate: events of days that are gone, which come late or with an import, do not stay; that is so too for a file that is imported
// again, and nothing is deleted beside a command.
func TestRetainLate(t *testing.T) {
	t.Parallel()
	r := newRetained(t, newMemory(), 5)
	r.keep = Retention{All: 2, Sites: map[string]int{"site1.example.com": 0}}
	r.start()
	r.feed(240)
	topic := must(ImportTopic([]byte{1, 2, 3, 4, 5, 6, 7, 8}))
	must(runImport(t.Context(), r.o.Store, topic))
	r.busy = "import"
	if more, err := r.r.once(r.ctx); !more || err != nil || r.a.RetainStats().Waiting > 0 {
		t.Errorf("beside a command: %v, %v", more, err)
	}
	r.busy = ""
	r.old()
	late := newGenerator(77)
	late.site = 3
	rec := late.record(20)
	rec.value = []byte(strings.Replace(string(rec.value), fmt.Sprint(late.now-event.Second), fmt.Sprint(r.now()), 1)) // low is of today
	r.log = slices.Insert(r.log, int(r.next), rec)
	r.tick(24)
	for range 3 {
		r.clock = r.clock.Add(61 * time.Minute)
		r.mustOnce()
	}
	all := wantRows(r.log, 0, "", r.a.Limit(testTopic, 0))
	events, _ := importEvents()
	want := len(wantRetained(all, r.keep, r.now()))
	for _, e := range events {
		want += len(wantRetained([]placed{{Event: e}}, r.keep, r.now()))
	}
	check := func(when string) {
		t.Helper()
		if got := len(readAll(t, r.o.Store, "")); got != want || want < 100 {
			t.Errorf("%s: %d rows, want %d", when, got, want)
		}
		r.sound()
	}
	check("late and imported")
	must(runImport(t.Context(), r.o.Store, topic))
	check("imported again")
	r.start()
	r.feed(int(r.next) + 1)
	for range 3 {
		r.clock = r.clock.Add(61 * time.Minute)
		r.mustOnce()
	}
	check("later")
	for k := range rawObjects(t, r.o.Store) {
		if key := must(ParseKey(k)); key.Hour < r.now()-4*day && len(must(NewReader(r.o.Store).readObject(t.Context(), key, ""))) == 0 {
			t.Errorf("%s is there and has no row", k)
		}
	}
}

// TestRetainStep: what moves by a day moves at once; what would delete more waits for a day, and can be taken back.
func TestRetainStep(t *testing.T) {
	t.Parallel()
	const now = 1000 * day
	at := func(all event.Time, sites ...any) *Expired {
		x := newExpired()
		x.All = all
		for i := 0; i < len(sites); i += 2 {
			x.Sites[sites[i].(string)] = sites[i+1].(event.Time)
		}
		return x
	}
	f := func(name string, inForce, want *Expired, waits map[string]waiting, next *Expired, still map[string]waiting) {
		t.Helper()
		got, wait := step(inForce, want, waits, now)
		if got.All != next.All || !maps.Equal(got.Sites, next.Sites) || !maps.Equal(wait, still) {
			t.Errorf("%s: %+v %+v, want %+v %+v", name, got, wait, next, still)
		}
	}
	none := map[string]waiting{}
	f("nothing", at(0), at(0), nil, at(0), none)
	f("a day", at(600*day), at(601*day), nil, at(601*day), none)
	f("first", at(0), at(600*day), nil, at(0), map[string]waiting{"": {600 * day, now}})
	f("waits", at(0), at(600*day), map[string]waiting{"": {600 * day, now - day + 1}}, at(0), map[string]waiting{"": {600 * day, now - day + 1}})
	f("over", at(0), at(601*day), map[string]waiting{"": {600 * day, now - day}}, at(600*day), none)
	f("taken back", at(500*day), at(501*day), map[string]waiting{"": {900 * day, now - day}}, at(501*day), none)
	f("taken back in part", at(500*day), at(700*day), map[string]waiting{"": {900 * day, now - day}}, at(700*day), none)
	f("shorter still", at(500*day), at(950*day), map[string]waiting{"": {900 * day, now - day}}, at(500*day), map[string]waiting{"": {950 * day, now}})
	f("clock set back", at(500*day), at(900*day), map[string]waiting{"": {900 * day, now + day}}, at(500*day), map[string]waiting{"": {900 * day, now}})
	f("longer", at(600*day), at(0), nil, at(600*day), none)
	f("a site for ever", at(600*day), at(601*day, "a", event.Time(0)), nil, at(601*day, "a", 600*day), none)
	f("a site shorter", at(600*day), at(601*day, "a", 900*day), nil, at(601*day, "a", 600*day), map[string]waiting{"a": {900 * day, now}})
	f("a site no more", at(600*day, "a", 300*day), at(601*day), nil, at(601*day, "a", 300*day), map[string]waiting{"a": {601 * day, now}})
	f("a site that was shorter", at(600*day, "a", 700*day), at(601*day), nil, at(601*day, "a", 700*day), none)
}

// TestExpiredNotes: two processes that note what is gone at once forget nothing of each other, and a note that can't be read is an error.
func TestExpiredNotes(t *testing.T) {
	t.Parallel()
	ctx, store := t.Context(), newMemory()
	l := NewReader(store)
	x := newExpired()
	x.All, x.Reach = 10*day, testReach
	x.log("t", 1).add(segment{First: 0, Next: 10, Rows: 5}, 0, 5)
	x.log("t", 1).add(segment{First: 10, Next: 20, Before: 5, Rows: 7}, 0, 3)
	if _, err := putExpired(ctx, store, x, nil); err != nil {
		t.Fatal(err)
	}
	one, names, _ := l.readExpired(ctx)
	two := one.clone()
	one.log("t", 1).add(segment{First: 10, Next: 20, Before: 5, Rows: 7}, event.Hour, 4)
	one.log("t", 1).tidy()
	two.All, two.Sites["a"] = 12*day, 11*day
	two.log("t", 1).add(segment{First: 20, Next: 30, Before: 12, Rows: 2}, 0, 2)
	must(putExpired(ctx, store, one, names))
	must(putExpired(ctx, store, two, names))
	got, names, err := l.readExpired(ctx)
	if err != nil || len(names) != 2 {
		t.Fatal(names, err)
	}
	g := got.of("t", 1)
	if got.All != 12*day || got.Before("a") != 11*day || got.KeptFrom("b") != 12*day+testReach || !g.all(0, 14) || g.all(0, 15) || len(g.Runs) != 1 || len(g.Parts) != 0 {
		t.Errorf("%+v, %+v", got, g)
	}
	if !g.object(Key{First: 25}) || g.object(Key{First: 30}) {
		t.Error("which objects are gone is wrong")
	}
	if err := PutNote(ctx, store, expiredNote+"00", "{"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Expired(ctx); !errors.Is(err, ErrExpired) {
		t.Errorf("a damaged note: %v", err)
	}
	if _, err := l.Check(ctx); !errors.Is(err, ErrExpired) {
		t.Errorf("a damaged note: %v", err)
	}
}

// agedSink is a hits.Sink that leaves out what lies in a day past a site's retention.
type agedSink struct {
	hits.Sink
	x *Expired
}

func (s agedSink) old(site string, at event.Time) bool { return at.Floor(day) < s.x.Before(site) }

func (s agedSink) Hit(h *hits.Hit) {
	at := h.Time
	if h.Visit != 0 {
		at = h.VisitBegan
	}
	if !s.old(h.Site, at) {
		s.Sink.Hit(h)
	}
}

func (s agedSink) Join(j hits.Join) {
	if !s.old(j.Site, j.Begin) {
		s.Sink.Join(j)
	}
}

func (s agedSink) Visit(v *visit.Visit) {
	if !s.old(v.Site, v.Begin) {
		s.Sink.Visit(v)
	}
}

// TestRetainHits: files of hits and visits, merged or not, lose the rows that are past the retention of their sites, through the chain of
// commits: who has a snapshot can read it for an hour. All other rows are as they were.
func TestRetainHits(t *testing.T) {
	t.Parallel()
	seeds := uint64(2)
	if *thorough {
		seeds = 10
	}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 6))
		store, chain := newMemory(), &commitLog{}
		r := newRetained(t, store, seed)
		r.keep = []Retention{{All: 10}, {All: 12, Sites: map[string]int{"site0.example.com": 9, "site2.example.com": 0}}}[seed%2]
		r.o.Hits = testHits([]*commitLog{chain}, [][]record{r.log})
		r.o.Hits.Merges = mergeOften
		r.start()
		m := &merging{a: r.a, o: r.o.Hits.Merges.withDefaults(), aside: map[mergeDay]time.Time{}}
		var snapshot *commits.State
		for len(r.log) > int(r.next) {
			before := r.a.HitsState(0)
			r.feed(int(r.next) + 1)
			if r.next > 240 {
				r.clock = r.clock.Add(30 * time.Minute)
			}
			for seed%2 == 1 && rng.IntN(20) == 0 && m.once(r.ctx) {
			}
			if r.next%8 == 0 && r.next > 200 {
				if _, err := r.r.once(r.ctx); err != nil {
					t.Fatal(err)
				}
			}
			if s := r.a.HitsState(0); before != nil && s != before && snapshot == nil && r.a.RetainStats().Files > 0 {
				snapshot = before // a reader's, of just before the first files went
				for _, f := range append(snapshot.Files(commits.Hits), snapshot.Files(commits.Visits)...) {
					if _, err := store.Get(t.Context(), f.Key); err != nil {
						t.Errorf("seed %d: in the grace: %v", seed, err)
					}
				}
			}
			if rng.IntN(100) == 0 { // killed
				r.start()
				m.a = r.a
			}
		}
		s := stateOf(t, store, 0, chain)
		x := must(NewReader(store).Expired(t.Context()))
		if snapshot == nil || x.All < t0 && x.greatest() < t0+2*day {
			t.Fatalf("seed %d: nothing has gone: %+v", seed, x)
		}
		for _, table := range commits.Tables() {
			for _, f := range s.Files(table) {
				if f.Day < x.least() {
					t.Errorf("seed %d: %s is there", seed, f.Key)
				}
			}
			got := allRows(t, store, s, table)
			want := rowsOfLog(t, s, r.log, table, x)
			if string(got) != string(want) {
				t.Errorf("seed %d: %v are other rows than the log has: a file of %d bytes, want %d", seed, table, len(got), len(want))
			}
		}
		for key := range store.objects {
			if strings.HasPrefix(key, "hits/") && strings.HasSuffix(key, ".parquet") && !strings.Contains(key, "_delta_log") && !s.Names(key) {
				t.Errorf("seed %d: %s is there, and nothing names it", seed, key)
			}
		}
		r.sound()
		if t.Failed() {
			t.FailNow()
		}
	}
}

// rowsOfLog returns the rows of a log's table as one file, without those that are expired.
func rowsOfLog(tb testing.TB, s *commits.State, log []record, t commits.Table, x *Expired) []byte {
	tb.Helper()
	b := both{hitfile.NewBuffer(), hitfile.NewVisitBuffer(testTopic, 0)}
	l := newTestLedger(0)
	for offset, rec := range log[:s.Next] {
		_ = l.Step(int64(offset), rec.value, agedSink{b, x})
	}
	store := newMemory()
	for _, of := range commits.Tables() {
		store.objects[of.String()] = encoded(tb, []table{b.Buffer, b.VisitBuffer}[of])
	}
	o := hitmerge.Options{Table: tableOf(t), Joins: hits.Joins{}}
	if err := readJoins(tb.Context(), store, commits.Visits.String(), o.Joins); err != nil {
		tb.Fatal(err)
	}
	return mergedOf(tb, o, store.objects[t.String()])
}

func encoded(tb testing.TB, t table) []byte {
	tb.Helper()
	var out bytes.Buffer
	if err := t.Encode(&out); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func mergedOf(tb testing.TB, o hitmerge.Options, body []byte) []byte {
	tb.Helper()
	f := must(o.Table.Open("want", bytes.NewReader(body), int64(len(body))))
	return must(hitmerge.Merge(tb.Context(), o, []*colfile.File{f})).Body
}
