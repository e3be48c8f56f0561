package lake

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"millrace/engine/event"
	"millrace/internal/blob"
)

// These tests drive a partition as goka would, record by record, so that a schedule of crashes is
// exact and quick. kafka_test.go runs the whole over Kafka.

// feed hands a session's records to the archiver until the log ends or consume fails, and returns
// the error.
func feed(ctx context.Context, a *Archiver, log []record, from int64) error {
	p := a.partition(0)
	for offset := from; offset < int64(len(log)); offset++ {
		if err := p.consume(ctx, offset, log[offset].value); err != nil {
			return err
		}
	}
	return nil
}

// session returns a context of its own, as goka gives one to each session.
func session(tb testing.TB) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	tb.Cleanup(cancel)
	return ctx
}

func smallOptions(store blob.Store) Options {
	o := testOptions(store)
	o.MaxRows, o.FlushInterval = 300, 2*time.Minute
	return o
}

func TestArchiveAndRead(t *testing.T) {
	t.Parallel()
	store := mustFolder(t)
	log := newGenerator(1).log(600, 20*event.Minute)
	a := mustArchiver(t, smallOptions(store))
	if err := feed(session(t), a, log, 0); err != nil {
		t.Fatal(err)
	}
	end := a.Limit(testTopic, 0)
	if end < 400 {
		t.Fatalf("archived up to %d of %d", end, len(log))
	}
	sameRows(t, readAll(t, store, ""), wantRows(log, 0, "", end))
	for _, site := range []string{"site0.example.com", "site19.example.com", "none.example.com"} {
		sameRows(t, readAll(t, store, site), wantRows(log, 0, site, end))
	}
	r := mustCheck(t, store)
	st := a.Stats()
	if int64(r.Objects) != st.Objects || r.Rows != st.Rows || r.Unfinished != 0 || st.Segments < 3 || st.Objects <= st.Segments {
		t.Errorf("report %+v, stats %+v", r, st)
	}
	var skipped int64
	for _, rec := range log {
		if rec.events == nil && (rec.value == nil || strings.Contains(string(rec.value), "BAD")) {
			skipped++
		}
	}
	if st.Skipped != skipped {
		t.Errorf("skipped %d, want %d", st.Skipped, skipped)
	}
	if keys := must(listProgress(context.Background(), store, "")); len(keys) != 1 || len(contents(t, store)) != r.Objects+1 {
		t.Errorf("old progress was left: %q", keys)
	}
}

// Whatever the crashes, the batches and the limits configured at a restart, the objects are the
// same, byte for byte.
func TestDeterminism(t *testing.T) {
	t.Parallel()
	log := newGenerator(2).log(500, 15*event.Minute)
	store := newMemory()
	a := mustArchiver(t, smallOptions(store))
	if err := feed(session(t), a, log, 0); err != nil {
		t.Fatal(err)
	}
	want := contents(t, store)

	seeds := uint64(4)
	if *thorough {
		seeds = 12
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			inner := newMemory()
			crashing := &faultyStore{Store: inner}
			commit := int64(0)
			for restarts := 0; ; restarts++ {
				ctx, kill := context.WithCancel(context.Background())
				if restarts < 12 {
					crashing.set(rng.IntN(6), kill, rng.IntN(2) == 0)
				} else {
					crashing.set(-1, nil, false)
				}
				a := mustArchiver(t, smallOptions(crashing))
				err := feed(ctx, a, log, commit)
				// The commit is asynchronous: it may be anywhere up to the limit.
				if limit := a.Limit(testTopic, 0); limit > commit {
					commit += rng.Int64N(limit - commit + 1)
				}
				kill()
				if err == nil {
					break
				}
				if !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
			}
			got := contents(t, inner)
			// Of the progress, only the highest counts; what a crash kept from being deleted stays.
			keys := must(listProgress(context.Background(), inner, ""))
			for key := range got {
				if strings.HasPrefix(key, progressPrefix) && key != keys[0] {
					delete(got, key)
				}
			}
			sameContents(t, got, want)
			mustCheck(t, inner)
		})
	}
}

// A limit configured between a crash and the restart holds from the next segment on: the one that
// was half uploaded is cut as it was.
func TestChangedLimits(t *testing.T) {
	t.Parallel()
	log := newGenerator(3).log(500, 15*event.Minute)
	inner := newMemory()
	ctx, kill := context.WithCancel(context.Background())
	crashing := &faultyStore{Store: inner}
	crashing.set(5, kill, true) // progress, 2 objects, progress, first object of the second segment, …
	if err := feed(ctx, mustArchiver(t, smallOptions(crashing)), log, 0); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	o := smallOptions(inner)
	o.MaxRows = 50
	a := mustArchiver(t, o)
	if err := feed(session(t), a, log, 0); err != nil {
		t.Fatal(err)
	}
	r := mustCheck(t, inner)
	want := wantRows(log, 0, "", a.Limit(testTopic, 0))
	if r.Rows != int64(len(want)) {
		t.Errorf("%d rows with doubles, want %d", r.Rows, len(want))
	}
	sameRows(t, readAll(t, inner, ""), want)
}

// faultyStore ends the session at the n-th Put, before or after it has been done.
type faultyStore struct {
	blob.Store
	mu    sync.Mutex // guards what follows
	n     int
	kill  func()
	after bool
	hook  func(after bool) error // called before and after each Put
}

func (s *faultyStore) set(n int, kill func(), after bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n, s.kill, s.after = n, kill, after
}

func (s *faultyStore) Put(ctx context.Context, key string, body []byte) error {
	s.mu.Lock()
	s.n--
	hit, after, kill := s.n == -1 && s.kill != nil, s.after, s.kill
	s.mu.Unlock()
	if hit && !after {
		kill()
		return errors.New("cut off before")
	}
	if s.hook != nil {
		if err := s.hook(false); err != nil {
			return err
		}
	}
	err := s.Store.Put(ctx, key, body)
	if s.hook != nil && err == nil {
		err = s.hook(true)
	}
	if hit {
		kill()
		return errors.New("cut off after")
	}
	return err
}

// A partition that comes back after another instance has gone on with it, and a zombie: an instance
// that has not noticed that it was replaced, and finishes what it has fetched.
func TestRebalance(t *testing.T) {
	t.Parallel()
	store := newMemory()
	log := newGenerator(4).log(400, 12*event.Minute)
	a, b := mustArchiver(t, smallOptions(store)), mustArchiver(t, smallOptions(store))
	feedTo := func(ctx context.Context, x *Archiver, from, to int64) {
		t.Helper()
		if err := feed(ctx, x, log[:to], from); err != nil {
			t.Fatal(err)
		}
	}
	feedTo(session(t), a, 0, 130)
	zombie := session(t)
	feedTo(zombie, b, a.Limit(testTopic, 0), 200)
	feedTo(session(t), a, b.Limit(testTopic, 0), 350)
	feedTo(zombie, b, 200, 300)
	if a.Limit(testTopic, 0) <= b.Limit(testTopic, 0) || b.Limit(testTopic, 0) < 200 {
		t.Fatalf("the zombie is at %d, its successor at %d", b.Limit(testTopic, 0), a.Limit(testTopic, 0))
	}
	// Whoever comes next starts where the successor was, not where the zombie is.
	c := mustArchiver(t, smallOptions(store))
	feedTo(session(t), c, a.Limit(testTopic, 0), 400)
	mustCheck(t, store)
	sameRows(t, readAll(t, store, ""), wantRows(log, 0, "", c.Limit(testTopic, 0)))
}

func TestGap(t *testing.T) {
	t.Parallel()
	store := newMemory()
	log := newGenerator(5).log(300, 12*event.Minute)
	a := mustArchiver(t, smallOptions(store))
	if err := feed(session(t), a, log, 0); err != nil {
		t.Fatal(err)
	}
	err := feed(session(t), a, log, a.Limit(testTopic, 0)+1)
	if !errors.Is(err, ErrGap) || !strings.Contains(err.Error(), "_progress.") {
		t.Errorf("got %v, want ErrGap and what to do", err)
	}
	// The log has them, and somebody has moved the group on.
	o := smallOptions(store)
	o.Begin = func(context.Context, int32) (int64, error) { return 0, nil }
	err = feed(session(t), mustArchiver(t, o), log, a.Limit(testTopic, 0)+1)
	if !errors.Is(err, ErrGap) || strings.Contains(err.Error(), "_progress.") || !strings.Contains(err.Error(), "delete the group "+Group) {
		t.Errorf("got %v, want ErrGap and no word of deleting the progress", err)
	}
}

// The broker has lost its last records and given their offsets to others.
func TestAnotherLog(t *testing.T) {
	t.Parallel()
	store := newMemory()
	log := newGenerator(6).log(300, 12*event.Minute)
	a := mustArchiver(t, smallOptions(store))
	if err := feed(session(t), a, log, 0); err != nil {
		t.Fatal(err)
	}
	end := a.Limit(testTopic, 0)
	other := append(log[:end-20:end-20], newGenerator(7).log(100, 12*event.Minute)...)
	b := mustArchiver(t, smallOptions(store))
	if err := feed(session(t), b, other, end-40); !errors.Is(err, ErrLog) {
		t.Errorf("got %v, want ErrLog", err)
	}
	if got := b.Limit(testTopic, 0); got != 0 {
		t.Errorf("the limit moved to %d over records that nobody has archived", got)
	}
}

// Records far larger than usual end a segment by their size. A new log that is shorter than the
// archive is refused at its first record, a log read again from before the end is not.
func TestShortLog(t *testing.T) {
	t.Parallel()
	store := newMemory()
	log := newGenerator(6).log(300, 12*event.Minute)
	a := mustArchiver(t, smallOptions(store))
	if err := feed(session(t), a, log, 0); err != nil {
		t.Fatal(err)
	}
	archived := a.Limit(testTopic, 0)
	f := func(end int64, want error) {
		t.Helper()
		o := smallOptions(store)
		o.End = func(context.Context, int32) (int64, error) { return end, nil }
		if err := feed(session(t), mustArchiver(t, o), log[:archived-10], archived-20); !errors.Is(err, want) {
			t.Errorf("end %d: got %v, want %v", end, err, want)
		}
	}
	f(archived-1, ErrLog)
	f(archived-10, ErrLog)
	f(archived, nil)
	f(archived+5, nil)
}

// Damaged progress is an error at once, with its way out, not a lake that can't be reached.
func TestDamagedProgress(t *testing.T) {
	t.Parallel()
	store := newMemory()
	log := newGenerator(6).log(30, 12*event.Minute)
	if err := feed(session(t), mustArchiver(t, smallOptions(store)), log, 0); err != nil {
		t.Fatal(err)
	}
	for key, body := range contents(t, store) {
		if strings.HasPrefix(key, progressPrefix) {
			for _, bad := range []string{"", "junk", "{}", `{"version":2}`, body[:len(body)/2], strings.Replace(body, `"nextOffset":`, `"nextOffset":7`, 1)} {
				if err := store.Put(t.Context(), key, []byte(bad)); err != nil {
					t.Fatal(err)
				}
				err := feed(session(t), mustArchiver(t, smallOptions(store)), log, 0)
				if !errors.Is(err, ErrProgress) || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "delete it") {
					t.Errorf("%q: got %v", bad, err)
				}
			}
		}
	}
}

func TestMaxBytes(t *testing.T) {
	t.Parallel()
	store := newMemory()
	g := newGenerator(8)
	o := testOptions(store)
	o.MaxBytes = 100_000
	a := mustArchiver(t, o)
	log := []record{}
	for range 20 {
		log = append(log, g.record(50))
	}
	if err := feed(session(t), a, log, 0); err != nil {
		t.Fatal(err)
	}
	if st := a.Stats(); st.Segments < 3 {
		t.Errorf("stats %+v, want several segments", st)
	}
}

// Ticks alone move the progress, once per flush interval, and make no objects.
func TestTicks(t *testing.T) {
	t.Parallel()
	store := newMemory()
	a := mustArchiver(t, testOptions(store))
	g := newGenerator(9)
	ctx := session(t)
	for offset := range int64(150) {
		g.now = t0 + event.Time(offset)*event.Second
		value := event.AppendEnvelope(nil, "c1", g.now, nil)
		if err := a.partition(0).consume(ctx, offset, value); err != nil {
			t.Fatal(err)
		}
	}
	if st := a.Stats(); st.Segments != 2 || st.Objects != 0 {
		t.Errorf("stats %+v, want 2 segments without objects", st)
	}
	until, err := NewReader(store).CompleteUntil(context.Background(), testTopic)
	if err != nil || until != t0+121*event.Second {
		t.Errorf("complete until %s, %v; want %s", until, err, t0+121*event.Second)
	}
}

// The first record says how far the log had come: before that the archive lacks nothing, and an
// import of older events is counted and replayed although no segment is full yet.
func TestBegin(t *testing.T) {
	t.Parallel()
	tick, poison := event.AppendEnvelope(nil, "c1", t0, nil), []byte("poison")
	for _, c := range []struct {
		name       string
		offset     int64
		value      []byte
		low, began event.Time // as stored
		lake       event.Time // as the lake says it
	}{
		{"from the start", 0, tick, t0, 0, 0},
		{"in the midst", 848, tick, t0, t0, t0},
		{"from the start, with what can't be read", 0, poison, 0, 0, 0},
		{"in the midst, with what can't be read", 848, poison, 0, beganUnknown, 0},
	} {
		store := newMemory()
		if err := mustArchiver(t, testOptions(store)).partition(0).consume(session(t), c.offset, c.value); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		p := must(loadProgress(context.Background(), store, testTopic, 0))
		if p.NextOffset != c.offset || p.Low != c.low || p.Began != c.began {
			t.Errorf("%s: offset %d, low %s, began %d; want %d, %s, %d", c.name, p.NextOffset, p.Low, p.Began, c.offset, c.low, c.began)
		}
		if got := must(NewReader(store).Began(context.Background(), testTopic)); got != c.lake {
			t.Errorf("%s: the lake began %s, want %s", c.name, got, c.lake)
		}
	}
}

// An archive whose first record can't be read began where its first segment ends, at the latest.
func TestBeginUnknown(t *testing.T) {
	t.Parallel()
	store := newMemory()
	ctx, p := session(t), mustArchiver(t, smallOptions(store)).partition(0)
	if err := p.consume(ctx, 848, []byte("poison")); err != nil {
		t.Fatal(err)
	}
	for i := range int64(60) { // an hour of ticks
		if err := p.consume(ctx, 849+i, event.AppendEnvelope(nil, "c1", t0+event.Time(i)*event.Minute, nil)); err != nil {
			t.Fatal(err)
		}
	}
	stored := must(loadProgress(context.Background(), store, testTopic, 0))
	began := must(NewReader(store).Began(context.Background(), testTopic))
	if began < t0 || began > stored.Low || stored.NextOffset < 860 {
		t.Errorf("it began %s; the first tick was at %s, and what is stored goes to %s, offset %d", began, t0, stored.Low, stored.NextOffset)
	}
	if began == stored.Low {
		t.Errorf("Began follows Low")
	}
}

// An archive that has lost its progress alone has what came before.
func TestLostProgress(t *testing.T) {
	t.Parallel()
	l, _, _ := mustLake(t)
	ctx := context.Background()
	of := must(l.ProgressOf(ctx, testTopic))
	for _, p := range of {
		if err := l.store.Delete(ctx, p.key()); err != nil {
			t.Fatal(err)
		}
	}
	if err := mustArchiver(t, testOptions(l.store)).partition(0).consume(session(t), of[0].NextOffset, event.AppendEnvelope(nil, "c1", t0, nil)); err != nil {
		t.Fatal(err)
	}
	if began := must(l.Began(ctx, testTopic)); began != 0 || of[0].NextOffset == 0 {
		t.Errorf("it began %s, at offset %d", began, of[0].NextOffset)
	}
}

func TestLows(t *testing.T) {
	t.Parallel()
	// Each step: a collector says its low watermark, in seconds; then the partition's is as given.
	f := func(steps ...any) {
		t.Helper()
		l := newLows(nil, event.Minute)
		for i := 0; i < len(steps); i += 3 {
			l.observe(steps[i].(string), event.Time(steps[i+1].(int))*event.Second)
			if i%2 == 1 { // as if stored and loaded in between
				l = newLows(l.byCollector, event.Minute)
			}
			if got := l.watermark(); got != event.Time(steps[i+2].(int))*event.Second {
				t.Errorf("step %d: %v, want %ds", i/3, int64(got)/1000, steps[i+2])
			}
		}
	}
	f("a", 100, 100, "a", 101, 101)
	f("a", 100, 100, "b", 90, 90, "a", 110, 90, "b", 120, 110)
	f("a", 100, 100, "b", 100, 100, "a", 160, 100, "a", 161, 161)         // b is silent for more than a minute
	f("a", 100, 100, "b", 10, 10, "a", 150, 10, "b", 60, 60)              // b is slow, but not silent
	f("a", 100, 100, "b", 100, 100, "a", 200, 200, "b", 120, 120)         // b comes back
	f("a", 100, 100, "b", 99, 99, "a", 95, 95, "b", 150, 95, "a", 96, 96) // a's clock was set back
}

// A collector's clock was ahead and has been set right: its low stands, for hours maybe, and
// segments end all the same. Ticks behind batches, of the same millisecond, are no such thing.
func TestSegmentsEndWhileLowStands(t *testing.T) {
	t.Parallel()
	f := func(want int, records ...[]byte) {
		t.Helper()
		store := newMemory()
		a := mustArchiver(t, smallOptions(store)) // a segment ends after two minutes
		var log []record
		for _, r := range records {
			log = append(log, record{value: r})
		}
		if err := feed(session(t), a, log, 0); err != nil {
			t.Fatal(err)
		}
		l := NewReader(store)
		of := must(l.ProgressOf(t.Context(), testTopic))
		if got := int(of[0].NextOffset); got != want {
			t.Errorf("archived up to %d, want %d", got, want)
		}
	}
	at := func(low event.Time, ids ...string) []byte {
		var events []byte
		for _, id := range ids {
			e := event.Event{ID: id, Site: "a.example", Name: "x", Time: t0, Received: t0}
			events = e.Append(events)
		}
		return event.AppendEnvelope(nil, "c1", low, events)
	}
	standing := [][]byte{at(t0, "1")}
	for range 200 {
		standing = append(standing, at(t0))
	}
	f(122, standing...) // the first tick is free, 120 more are two minutes
	var batches [][]byte
	for i := range event.Time(60) {
		batches = append(batches, at(t0+i*event.Second, fmt.Sprint(i)), at(t0+i*event.Second))
	}
	f(0, batches...)
}

// The store fails for a while: nothing is lost, and the limit stands still meanwhile.
func TestStoreFails(t *testing.T) {
	t.Parallel()
	store := &failingStore{Store: newMemory(), left: 7}
	log := newGenerator(10).log(300, 12*event.Minute)
	o := smallOptions(store)
	a := mustArchiver(t, o)
	if err := feed(session(t), a, log, 0); err != nil {
		t.Fatal(err)
	}
	if st := a.Stats(); st.Failures != 7 {
		t.Errorf("%d failures, want 7", st.Failures)
	}
	mustCheck(t, store)
	sameRows(t, readAll(t, store, ""), wantRows(log, 0, "", a.Limit(testTopic, 0)))
}

type failingStore struct {
	blob.Store
	left int
}

func (s *failingStore) Put(ctx context.Context, key string, body []byte) error {
	if strings.HasSuffix(key, ".parquet") && s.left > 0 {
		s.left--
		return errors.New("503 slow down")
	}
	return s.Store.Put(ctx, key, body)
}

func TestOptionsValidate(t *testing.T) {
	t.Parallel()
	if _, err := New(Options{MaxRows: -1, Topic: "../x"}); err == nil {
		t.Error("no error")
	} else {
		for _, want := range []string{"brokers", "goka", "topic", "partitions", "store", "log", "max rows"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not in %v", want, err)
			}
		}
	}
}

// TestArchiveOfAnotherPrefix: the archive of the topics of one prefix is not gone on with by an
// archiver of another, also if both have begun at once and one has put its progress over the other's.
func TestArchiveOfAnotherPrefix(t *testing.T) {
	t.Parallel()
	log := newGenerator(8).log(600, 20*event.Minute)
	of := func(store blob.Store, prefix string) *Archiver {
		o := smallOptions(store)
		o.Names.Prefix = prefix
		return mustArchiver(t, o)
	}
	refused := func(err error, names ...string) {
		t.Helper()
		for _, want := range append(names, "archive this one into another folder") {
			if !errors.Is(err, ErrLog) || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want ErrLog with %q", err, want)
			}
		}
	}
	store := newMemory()
	staging, plain := of(store, "staging."), of(store, "")
	ctx := session(t)
	if err := feed(ctx, staging, log[:1], 0); err != nil {
		t.Fatal(err)
	}
	refused(feed(session(t), plain, log, 0), "was made with --topic-prefix staging.", "has no --topic-prefix")
	for key := range contents(t, store) { // as the other one finds it that looks at the same moment
		if err := store.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	if err := feed(session(t), plain, log[:1], 0); err != nil {
		t.Fatal(err)
	}
	refused(feed(ctx, staging, log, 1), "was made with no --topic-prefix", "has --topic-prefix staging.")
	again := of(store, "")
	if err := feed(session(t), again, log, 0); err != nil {
		t.Fatal(err)
	}
	sameRows(t, readAll(t, store, ""), wantRows(log, 0, "", again.Limit(testTopic, 0)))
}

// The folder is removed under an archiver, and made again or not: the archiver notices before it
// writes more, and what it writes from then on does not vouch for what was removed.
func TestArchiveRemovedWhileInUse(t *testing.T) {
	t.Parallel()
	for _, again := range []bool{false, true} {
		root := filepath.Join(t.TempDir(), "lake")
		store, err := blob.OpenFolder(root)
		if err != nil {
			t.Fatal(err)
		}
		log := newGenerator(8).log(600, 20*event.Minute)
		a := mustArchiver(t, smallOptions(store))
		ctx := session(t)
		if err := feed(ctx, a, log[:300], 0); err != nil {
			t.Fatal(err)
		}
		from := a.Limit(testTopic, 0)
		if err := os.RemoveAll(root); err != nil {
			t.Fatal(err)
		}
		if again {
			if err := os.Mkdir(root, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := feed(ctx, a, log, 300); !errors.Is(err, errRemoved) {
			t.Fatalf("got %v, want errRemoved", err)
		}
		if err := feed(session(t), a, log, from); err != nil {
			t.Fatal(err)
		}
		end := a.Limit(testTopic, 0)
		if from < 100 || end < from+100 {
			t.Fatalf("archived up to %d, then from there to %d", from, end)
		}
		var want []placed
		for _, p := range wantRows(log, 0, "", end) {
			if p.Offset >= from {
				want = append(want, p)
			}
		}
		sameRows(t, readAll(t, store, ""), want)
		progress, err := NewReader(store).ProgressOf(t.Context(), testTopic)
		if err != nil || progress[0].Began == 0 {
			t.Errorf("progress %+v, %v: it vouches for what was removed", progress[0], err)
		}
	}
}
