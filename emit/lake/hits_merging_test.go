package lake

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"millrace/emit/lake/colfile"
	"millrace/emit/lake/commits"
	"millrace/emit/lake/hitfile"
	"millrace/emit/lake/hitmerge"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/internal/blob"
)

// mergeOften merges a few segments, and days soon after their end.
var mergeOften = MergeOptions{Policy: hitmerge.Policy{Segments: 6, Additions: 2, Settle: event.Hour}, Share: 1}

// allRows returns the rows of a table of a partition as one file, with all joins resolved.
func allRows(tb testing.TB, store blob.Store, s *commits.State, t commits.Table) []byte {
	tb.Helper()
	o := hitmerge.Options{Table: hitfile.Hits, Joins: hits.Joins{}}
	if t == commits.Visits {
		o.Table = hitfile.Visits
	}
	for _, f := range s.Files(commits.Visits) {
		if err := readJoins(tb.Context(), store, f.Key, o.Joins); err != nil {
			tb.Fatal(err)
		}
	}
	var files []*colfile.File
	for _, f := range s.Files(t) {
		body := must(store.Get(tb.Context(), f.Key))
		if int64(len(body)) != f.Size {
			tb.Errorf("%s has %d bytes, the commits say %d", f.Key, len(body), f.Size)
		}
		files = append(files, must(o.Table.Open(f.Key, bytes.NewReader(body), int64(len(body)))))
	}
	return must(hitmerge.Merge(tb.Context(), o, files)).Body
}

// sameMerged holds what is committed of a partition, merged or not, against its log.
func sameMerged(tb testing.TB, store blob.Store, chain commits.Log, log []record) *commits.State {
	tb.Helper()
	return sameMergedAs(tb, store, chain, log, newTestLedger(0))
}

// sameMergedAs is sameMerged for hits that are made as a ledger does.
func sameMergedAs(tb testing.TB, store blob.Store, chain commits.Log, log []record, l Ledger) *commits.State {
	tb.Helper()
	s := stateOf(tb, store, 0, chain)
	plain, one := rowsAsFiles(tb, s.Next, log, l)
	for _, t := range commits.Tables() {
		if got, want := allRows(tb, store, s, t), allRows(tb, plain, one, t); !bytes.Equal(got, want) {
			tb.Fatalf("%v are other rows than the log has: a file of %d bytes, want %d", t, len(got), len(want))
		}
	}
	return s
}

// rowsAsFiles returns a store with the rows that a ledger makes of a log up to a record, in a file for each table that has any, and
// the state of these.
func rowsAsFiles(tb testing.TB, next int64, log []record, l Ledger) (*memory, *commits.State) {
	tb.Helper()
	b := both{hitfile.NewBuffer(), hitfile.NewVisitBuffer(testTopic, 0)}
	for offset, r := range log[:next] {
		_ = l.Step(int64(offset), r.value, b)
	}
	plain := newMemory()
	one := commits.NewState(testTopic, 0)
	change := one.Change()
	for i, t := range []table{b.Buffer, b.VisitBuffer} {
		if t.Len() == 0 {
			continue
		}
		var out bytes.Buffer
		if err := t.Encode(&out); err != nil {
			tb.Fatal(err)
		}
		key := []string{"hits.parquet", "visits.parquet"}[i]
		plain.objects[key] = out.Bytes()
		change.Add = append(change.Add, commits.File{
			Table: commits.Tables()[i], Key: key, Size: int64(out.Len()), Rows: int64(t.Len()), Next: next,
		})
	}
	change.Next = next
	c := commits.Commit{Version: 1, Kind: commits.Changes, Epoch: 1, Base: -1, Change: change}
	if counted, why, err := one.Apply(0, c.Encode(), nil); !counted {
		tb.Fatal(why, err)
	}
	return plain, one
}

// TestMerging: over days of a log, with owners that are killed, files are merged in the background, none of the rows is lost or double,
// a day ends with few files, and those that were replaced are deleted an hour later.
func TestMerging(t *testing.T) {
	t.Parallel()
	seeds := uint64(1)
	if *thorough {
		seeds = 3
	}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 3))
		g := newGenerator(seed)
		g.site, g.who = 3, 40
		log := g.log(900, 40*event.Hour)
		for range 200 { // ticks, until the last day is over
			g.now += 20 * event.Minute
			log = append(log, g.record(0))
		}
		store, chain := newMemory(), &commitLog{}
		clock := time.Unix(1_800_000_000, 0)
		o := smallOptions(store)
		o.now = func() time.Time { return clock }
		o.Hits = testHits([]*commitLog{chain}, [][]record{log})
		o.Hits.Merges = mergeOften
		var total HitStats
		var a *Archiver
		var m *merging
		var ctx context.Context
		var end context.CancelFunc
		from := int64(0)
		begin := func() {
			a = mustArchiver(t, o)
			m = &merging{a: a, o: o.Hits.Merges.withDefaults(), aside: map[mergeDay]time.Time{}}
			ctx, end = context.WithCancel(t.Context())
		}
		count := func() {
			s := a.HitStats()
			total.Merges += s.Merges
			total.Swept += s.Swept
			total.MergedRows += s.MergedRows
			if s.MergesFailed > 0 || s.MergesOff > 0 {
				t.Errorf("seed %d: %+v", seed, s)
			}
		}
		begin()
		for from < int64(len(log)) {
			if err := a.partition(0).consume(ctx, from, log[from].value); err != nil {
				t.Fatal(err)
			}
			from++
			clock = clock.Add(2 * time.Minute)
			if rng.IntN(2) == 0 {
				m.once(ctx)
			}
			if rng.IntN(150) == 0 { // killed
				count()
				from = a.Limit(testTopic, 0)
				end()
				begin()
			}
		}
		count()
		end()
		s := sameMerged(t, store, chain, log)
		files := map[string]int{}
		for _, table := range commits.Tables() {
			for _, f := range s.Files(table) {
				files[table.String()+f.Day.String()]++
			}
		}
		for day, n := range files {
			if n > 4 {
				t.Errorf("seed %d: %d files of %s", seed, n, day)
			}
		}
		live := map[string]bool{}
		for _, r := range s.Removed() {
			live[r.Key] = true
		}
		for key := range store.objects {
			if _, named := commits.BaseOf(key); named && strings.HasSuffix(key, ".parquet") && !strings.Contains(key, "/_") && s.File(key) == nil && !live[key] {
				t.Errorf("seed %d: %s is left over", seed, key)
			}
		}
		if total.Merges < 20 || total.Swept < 50 || len(s.Removed()) > 60 {
			t.Errorf("seed %d: %+v, %d removed", seed, total, len(s.Removed()))
		}
	}
}

// TestMergingFails: a day with a damaged file is set aside and said to be, and others are merged.
func TestMergingFails(t *testing.T) {
	t.Parallel()
	log := newGenerator(5).log(600, 30*event.Hour)
	store, chain := newMemory(), &commitLog{}
	o := smallOptions(store)
	var said bytes.Buffer
	o.Log = slog.New(slog.NewTextHandler(&said, nil))
	o.Hits = testHits([]*commitLog{chain}, [][]record{log})
	o.Hits.Merges = mergeOften
	a := mustArchiver(t, o)
	if err := feed(session(t), a, log, 0); err != nil {
		t.Fatal(err)
	}
	m := &merging{a: a, o: o.Hits.Merges.withDefaults(), aside: map[mergeDay]time.Time{}}
	state, _ := a.offersOf(0).plannable()
	plan := hitmerge.Plan(m.filesOf(0, state), state.Next, state.Watermark, m.o.Policy)
	bad := plan.Inputs[1].Key
	store.objects[bad] = bytes.Clone(store.objects[bad])
	store.objects[bad][len(store.objects[bad])/3] ^= 1
	if m.once(t.Context()) {
		t.Error("a damaged file was merged")
	}
	if st := a.HitStats(); st.MergesFailed != 1 || !strings.Contains(said.String(), bad) {
		t.Errorf("%+v\n%s", st, said.String())
	}
	if !m.once(t.Context()) {
		t.Error("the other days are not merged")
	}
	if m.once(t.Context()) {
		t.Error("a merge is planned while another waits for its commit")
	}
}

// TestPacer: the work done is that share of the time, and a context ends the wait.
func TestPacer(t *testing.T) {
	p := &pacer{share: 0.5, resumed: time.Now().Add(-20 * time.Millisecond)}
	began := time.Now()
	if err := p.wait(t.Context()); err != nil || time.Since(began) < 19*time.Millisecond {
		t.Error(err, time.Since(began))
	}
	p.resumed = time.Now().Add(-time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.wait(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
