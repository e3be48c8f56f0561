package lake

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"millrace/emit/lake/commits"
	"millrace/engine/event"
	"millrace/internal/blob"
)

// TestHitsOfTwoOwners: two archivers have a partition at a time, each of which thinks that it is its own, and one is stopped for a
// while before or after any put or commit. One of them gets every commit through, and no row is there twice.
func TestHitsOfTwoOwners(t *testing.T) {
	t.Parallel()
	log := hitLog(3, 120)
	seeds := uint64(3)
	if *thorough {
		seeds = 12
	}
	passed := int64(0)
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 3))
		store, chain := newMemory(), &commitLog{}
		turn := make(chan struct{}, 1) // one of the two goes on at a time
		turn <- struct{}{}
		run := func(a *Archiver, done chan error) {
			<-turn
			done <- feed(session(t), a, log, 0)
			turn <- struct{}{}
		}
		// Each gives way now and then: the other goes on by as much as it likes.
		yield := func(bool) error {
			if rng.IntN(3) == 0 {
				turn <- struct{}{}
				<-turn
			}
			return nil
		}
		var archivers []*Archiver
		var ends []chan error
		for range 2 {
			o := smallOptions(&faultyStore{Store: store, hook: yield, n: -1})
			// Segments of other lengths have other files: they can't go on in each other's.
			o.FlushInterval = 20 * time.Minute
			o.Hits = testHits([]*commitLog{chain}, [][]record{log})
			archivers, ends = append(archivers, mustArchiver(t, o)), append(ends, make(chan error, 1))
		}
		for i, a := range archivers {
			go run(a, ends[i])
		}
		for i, end := range ends {
			if err := <-end; err != nil {
				t.Fatalf("seed %d, archiver %d: %v", seed, i, err)
			}
			passed += archivers[i].HitStats().Passed
		}
		sameHits(t, store, 0, chain, log)
		mustCheck(t, store)
	}
	if passed == 0 { // who goes on when is the scheduler's
		t.Error("no commit came after another's")
	}
}

// TestHitsCatchUp: where the archive has segments without hits, these are made of the log.
func TestHitsCatchUp(t *testing.T) {
	t.Parallel()
	log := hitLog(4, 300)
	store, chain := newMemory(), &commitLog{}
	without := mustArchiver(t, smallOptions(store))
	if err := feed(session(t), without, log[:200], 0); err != nil {
		t.Fatal(err)
	}
	o := smallOptions(store)
	o.Hits = testHits([]*commitLog{chain}, [][]record{log})
	a := mustArchiver(t, o)
	if err := feed(session(t), a, log, without.Limit(testTopic, 0)-5); err != nil {
		t.Fatal(err)
	}
	s := sameHits(t, store, 0, chain, log)
	if st := a.HitStats(); s.Began != 0 || st.CaughtUp != without.Limit(testTopic, 0) || st.Anew != 0 {
		t.Errorf("hits are whole from %s, %+v", s.Began, st)
	}
}

// TestHitsOfTheRest: what Kafka has deleted has no hits, and the commits say from when they are whole.
func TestHitsOfTheRest(t *testing.T) {
	t.Parallel()
	log := hitLog(5, 300)
	store, chain := newMemory(), &commitLog{}
	without := mustArchiver(t, smallOptions(store))
	if err := feed(session(t), without, log[:200], 0); err != nil {
		t.Fatal(err)
	}
	const begin = 100
	o := smallOptions(store)
	o.Begin = func(context.Context, int32) (int64, error) { return begin, nil }
	o.Hits = testHits([]*commitLog{chain}, [][]record{log})
	if err := feed(session(t), mustArchiver(t, o), log, without.Limit(testTopic, 0)); err != nil {
		t.Fatal(err)
	}
	s := stateOf(t, store, 0, chain)
	first := int64(1) << 60
	for _, f := range s.Files(commits.Hits) {
		first = min(first, f.First)
	}
	if low := t0 + event.Time(begin)*3*event.Hour/300; first != begin || s.Began < low+12*event.Hour || s.Began > low+14*event.Hour {
		t.Errorf("hits begin at %d and are whole from %s; the log begins at %s", first, s.Began, low)
	}
}

// TestHitsAnew: what can't be gone on with is made anew of the log.
func TestHitsAnew(t *testing.T) {
	t.Parallel()
	f := func(name string, spoil func(store *memory, s *commits.State, o *Options, log []record)) {
		t.Helper()
		log := hitLog(6, 200)
		store, chain := newMemory(), &commitLog{}
		o := smallOptions(store)
		o.Hits = testHits([]*commitLog{chain}, [][]record{log})
		a := mustArchiver(t, o)
		if err := feed(session(t), a, log[:150], 0); err != nil {
			t.Fatal(err)
		}
		spoil(store, stateOf(t, store, 0, chain), &o, log)
		b := mustArchiver(t, o)
		if err := feed(session(t), b, log, a.Limit(testTopic, 0)); err != nil {
			t.Fatal(name, err)
		}
		sameHits(t, store, 0, chain, log)
		if st := b.HitStats(); st.Anew != 1 {
			t.Errorf("%s: %+v", name, st)
		}
	}
	newest := func(s *commits.State) string { return s.Checkpoints()[len(s.Checkpoints())-1].Key }
	f("a checkpoint is gone", func(store *memory, s *commits.State, _ *Options, _ []record) { delete(store.objects, newest(s)) })
	f("a checkpoint is damaged", func(store *memory, s *commits.State, _ *Options, _ []record) {
		b := bytes.Clone(store.objects[newest(s)])
		b[len(b)/2] ^= 1
		store.objects[newest(s)] = b
	})
	f("the log is another", func(_ *memory, s *commits.State, o *Options, log []record) {
		log[s.Next-1] = record{value: event.AppendEnvelope(nil, "c9", t0, nil)}
		o.Begin = nil
		for key := range o.Store.(*memory).objects { // or the raw archive would refuse it
			if strings.HasPrefix(key, progressPrefix) {
				delete(o.Store.(*memory).objects, key)
			}
		}
	})
}

// TestHitsMerges: what has been merged rides on the next commit, if what was merged is still there.
func TestHitsMerges(t *testing.T) {
	t.Parallel()
	log := hitLog(7, 300)
	store, chain := newMemory(), &commitLog{}
	o := smallOptions(store)
	o.Hits = testHits([]*commitLog{chain}, [][]record{log})
	a := mustArchiver(t, o)
	if a.HitsState(0) != nil {
		t.Error("there are hits before the first session")
	}
	ctx, end := context.WithCancel(t.Context())
	if err := feed(ctx, a, log[:150], 0); err != nil {
		t.Fatal(err)
	}
	s := a.HitsState(0)
	var day []*commits.File
	for _, f := range s.Files(commits.Hits) {
		if f.Day == s.Files(commits.Hits)[0].Day {
			day = append(day, f)
		}
	}
	m := mergeOf(t, store, log, day)
	a.Offer(0, m)
	a.Offer(0, m) // what it merges is not there any more by then
	p := a.partition(0)
	for offset := int64(150); offset < int64(len(log)); offset++ {
		if err := p.consume(ctx, offset, log[offset].value); err != nil {
			t.Fatal(err)
		}
	}
	now := sameHits(t, store, 0, chain, log)
	if st := a.HitStats(); st.Merges != 1 || st.MergesOff != 1 || len(now.Files(commits.Hits)) > int(st.Commits)-len(day)+30 {
		t.Errorf("%+v, %d files", st, len(now.Files(commits.Hits)))
	}
	for _, f := range day {
		if now.File(f.Key) != nil {
			t.Errorf("%s is still there", f.Key)
		}
	}
	if end(); a.HitsState(0) != nil {
		t.Error("the session is over, and merges are planned")
	}
}

// mergeOf makes one file of some, of the log and not of them.
func mergeOf(t *testing.T, store blob.Store, log []record, list []*commits.File) Merge {
	t.Helper()
	of := list[0].Day
	rows := newHitRows(testTopic, 0)
	l := newTestLedger(0)
	m, out := Merge{}, commits.File{Table: commits.Hits, Day: of, Level: commits.Hourly, First: list[0].First}
	for _, f := range list {
		m.Inputs = append(m.Inputs, f.Key)
		out.First, out.Next = min(out.First, f.First), max(out.Next, f.Next)
		out.Rows += f.Rows
	}
	for offset, r := range log[:out.Next] {
		_ = l.Step(int64(offset), r.value, rows)
	}
	var file bytes.Buffer
	b := rows.hits[of]
	if err := b.Encode(&file); err != nil {
		t.Fatal(err)
	}
	if is := b.Bounds(); int64(b.Len()) != out.Rows {
		t.Fatalf("%d rows in %d", b.Len(), out.Rows)
	} else {
		out.MinTime, out.MaxTime, out.MinSite, out.MaxSite = is.MinTime, is.MaxTime, is.MinSite, is.MaxSite
	}
	m.Outputs = []Merged{{File: out, Body: file.Bytes()}}
	return m
}

// TestHitsSeal: a sole archiver that is stopped has the hits of all that it has, and goes on behind them.
func TestHitsSeal(t *testing.T) {
	t.Parallel()
	log := hitLog(8, 200)
	store, chain := newMemory(), &commitLog{}
	o := smallOptions(store)
	o.Hits = testHits([]*commitLog{chain}, [][]record{log})
	a := mustArchiver(t, o)
	if err := feed(session(t), a, log[:101], 0); err != nil {
		t.Fatal(err)
	}
	a.seal(t.Context())
	if s := sameHits(t, store, 0, chain, log); s.Next != 101 {
		t.Errorf("hits end at %d", s.Next)
	}
	b := mustArchiver(t, o)
	if err := feed(session(t), b, log, 95); err != nil {
		t.Fatal(err)
	}
	b.seal(t.Context())
	if s := sameHits(t, store, 0, chain, log); s.Next != 200 || b.HitStats().CaughtUp != 0 {
		t.Errorf("hits end at %d, %+v", s.Next, b.HitStats())
	}
	mustCheck(t, store)
}

// TestHitsOptions: what is missing is named.
func TestHitsOptions(t *testing.T) {
	o := testOptions(newMemory())
	o.Hits = &HitsOptions{Settle: -1, Grace: -1}
	err := o.Validate()
	for _, what := range []string{"no ledger for hits", "no commits for hits", "no name of the rules", "hits can't settle", "files of hits that were replaced"} {
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%v does not say %q", err, what)
		}
	}
}

// TestCheckpointObject: what is not an object of a checkpoint is refused.
func TestCheckpointObject(t *testing.T) {
	b := wrapCheckpoint(7, []byte("some"))
	if sum, got, err := unwrapCheckpoint(b); err != nil || sum != 7 || string(got) != "some" {
		t.Errorf("%d, %q, %v", sum, got, err)
	}
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 1
		if _, _, err := unwrapCheckpoint(bad); !errors.Is(err, errDamaged) {
			t.Errorf("byte %d: %v", i, err)
		}
		if _, _, err := unwrapCheckpoint(b[:i]); !errors.Is(err, errDamaged) {
			t.Errorf("cut to %d: %v", i, err)
		}
	}
}

// shakyStore fails every third request.
type shakyStore struct {
	blob.Store
	n atomic.Int64
}

func (s *shakyStore) bad() error {
	if s.n.Add(1)%3 == 0 {
		return errors.New("the store fails on purpose")
	}
	return nil
}

func (s *shakyStore) Get(ctx context.Context, key string) ([]byte, error) {
	if err := s.bad(); err != nil {
		return nil, err
	}
	return s.Store.Get(ctx, key)
}

func (s *shakyStore) Put(ctx context.Context, key string, body []byte) error {
	return errors.Join(s.bad(), s.Store.Put(ctx, key, body))
}

// TestHitsOfAShakyStore: a chain of dozens of commits is opened although one request in three fails. An owner began with the first
// of them again each time, and waited longer and longer.
func TestHitsOfAShakyStore(t *testing.T) {
	t.Parallel()
	log := hitLog(9, 200)
	store, chain := newMemory(), &commitLog{}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	from := int64(0)
	for range 3 {
		o := smallOptions(&shakyStore{Store: store})
		o.Hits = testHits([]*commitLog{chain}, [][]record{log})
		a := mustArchiver(t, o)
		session, end := context.WithCancel(ctx)
		if err := feed(session, a, log[:from+60], from); err != nil {
			t.Fatal(err)
		}
		from = a.Limit(testTopic, 0)
		end()
	}
	if s := sameHits(t, store, 0, chain, log); s.Version < 30 || s.Next != from {
		t.Errorf("%d commits, hits end at %d of %d", s.Version, s.Next, from)
	}
}

// halfway is a log of commits that loses a reader's place once, and then gives it one record and no more.
type halfway struct {
	*commitLog
	fails int // how often still
}

func (l *halfway) Read(ctx context.Context, from, to int64, fn func(int64, []byte) error) error {
	l.fails--
	switch l.fails {
	case 1:
		return commits.ErrTrimmed
	case 0:
		return errors.Join(l.commitLog.Read(ctx, from, from+1, fn), errors.New("no answer"))
	}
	return l.commitLog.Read(ctx, from, to, fn)
}

// TestHitsPassedHalfway: another owner has committed, and it is found out by reading on that fails halfway. The segment was then committed
// on the other's commit, which had some of its rows.
func TestHitsPassedHalfway(t *testing.T) {
	t.Parallel()
	log := hitLog(11, 200)
	store, chain := newMemory(), &commitLog{}
	o := smallOptions(store)
	o.Hits = testHits([]*commitLog{chain}, [][]record{log})
	other := mustArchiver(t, o)
	slow := &halfway{commitLog: chain}
	o.Hits = testHits([]*commitLog{chain}, [][]record{log})
	o.Hits.Commits = func(int32) commits.Log { return slow }
	a := mustArchiver(t, o)
	ctx := session(t)
	if err := feed(ctx, a, log[:90], 0); err != nil {
		t.Fatal(err)
	}
	q, session, commits := other.partition(0), session(t), len(chain.records)
	for offset := a.partition(0).done.NextOffset; len(chain.records) == commits; offset++ {
		if err := q.consume(session, offset, log[offset].value); err != nil {
			t.Fatal(err)
		}
	}
	slow.fails = 2
	p := a.partition(0)
	p.done.Cut.Flush = event.Hour // as of an owner of other options
	for offset := int64(90); offset < 200; offset++ {
		if err := p.consume(ctx, offset, log[offset].value); err != nil {
			t.Fatal(err)
		}
	}
	sameHits(t, store, 0, chain, log)
	if slow.fails > 0 || a.HitStats().Passed == 0 {
		t.Errorf("it was not found out halfway: %+v", a.HitStats())
	}
}

// onceStore is a store in which no object of hits may be put with other bytes than before (rule L4).
type onceStore struct {
	*memory
	tb testing.TB
}

func (s onceStore) Put(ctx context.Context, key string, body []byte) error {
	if was, err := s.Get(ctx, key); err == nil && strings.Contains(key, "/_ledger/") && !bytes.Equal(was, body) {
		s.tb.Errorf("%s is put with other bytes than before", key)
	}
	return s.memory.Put(ctx, key, body)
}

// TestHitsAnewBeside: who begins anew makes another checkpoint, on the same base and after the same record, than an owner that was
// replaced and is about to commit. They had one name: that of the first, put late, took the place of the other, which was live.
func TestHitsAnewBeside(t *testing.T) {
	t.Parallel()
	log := hitLog(12, 200)
	store, chain := onceStore{newMemory(), t}, &commitLog{}
	o := smallOptions(store)
	o.MaxRows = 100_000 // what b makes anew is one segment
	o.Hits = testHits([]*commitLog{chain}, [][]record{log})
	a := mustArchiver(t, o)
	ctx, kill := context.WithCancel(session(t))
	if err := feed(ctx, a, log[:100], 0); err != nil {
		t.Fatal(err)
	}
	chain.before = func() error { kill(); return ctx.Err() } // its files are stored, and it is suspended
	p, next := a.partition(0), a.Limit(testTopic, 0)
	for offset := int64(100); ctx.Err() == nil; offset++ {
		_ = p.consume(ctx, offset, log[offset].value)
	}
	chain.before = nil
	without := o
	without.Hits = nil
	if err := feed(session(t), mustArchiver(t, without), log[:p.expect], next); err != nil {
		t.Fatal(err)
	}
	for key := range store.objects {
		if strings.Contains(key, "/_ledger/") && stateOf(t, store, 0, chain).Names(key) {
			delete(store.objects, key)
		}
	}
	b := mustArchiver(t, o)
	if err := feed(session(t), b, log, p.expect-1); err != nil {
		t.Fatal(err)
	}
	if sameHits(t, store, 0, chain, log); b.HitStats().Anew != 1 {
		t.Errorf("%+v", b.HitStats())
	}
}

// TestHitsMadeAgain: what is dropped and made again while the deletion of the first is pending has other names, so that the deletion
// takes none of it, and happens.
func TestHitsMadeAgain(t *testing.T) {
	t.Parallel()
	log := hitLog(13, 200)
	store, chain := newMemory(), &commitLog{}
	clock := time.Unix(1_800_000_000, 0)
	o := smallOptions(store)
	o.now = func() time.Time { return clock }
	o.Hits = testHits([]*commitLog{chain}, [][]record{log})
	a := mustArchiver(t, o)
	if err := feed(session(t), a, log[:80], 0); err != nil {
		t.Fatal(err)
	}
	before := stateOf(t, store, 0, chain)
	for _, c := range before.Checkpoints() {
		delete(store.objects, c.Key)
	}
	b := mustArchiver(t, o)
	ctx, p := session(t), b.partition(0)
	offset := a.Limit(testTopic, 0)
	read := func(to int64) {
		for ; offset < to; offset++ {
			clock = clock.Add(time.Minute)
			if err := p.consume(ctx, offset, log[offset].value); err != nil {
				t.Fatal(err)
			}
		}
	}
	read(100)
	if b.HitStats().Anew != 1 {
		t.Fatalf("%+v", b.HitStats())
	}
	for _, table := range commits.Tables() {
		for _, f := range before.Files(table) {
			if s := stateOf(t, store, 0, chain); s.File(f.Key) != nil || store.objects[f.Key] == nil {
				t.Errorf("%s is live again, or gone already", f.Key)
			}
		}
	}
	clock = clock.Add(time.Hour)
	read(200)
	sameHits(t, store, 0, chain, log)
	for _, table := range commits.Tables() {
		for _, f := range before.Files(table) {
			if store.objects[f.Key] != nil {
				t.Errorf("%s is still there", f.Key)
			}
		}
	}
}
