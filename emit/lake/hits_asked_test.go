package lake

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"millrace/emit/lake/commits"
	"millrace/emit/lake/hitread"
	"millrace/engine"
	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/blob"
	"millrace/query"
	"millrace/query/statsapi"
)

// change is what an archiver did to a store, and when.
type change struct {
	key  string
	body []byte // nil: it was deleted
	at   time.Time
}

// notingStore notes each change.
type notingStore struct {
	*memory
	now     func() time.Time
	changes []change
}

func (s *notingStore) Put(ctx context.Context, key string, body []byte) error {
	s.changes = append(s.changes, change{key, bytes.Clone(body), s.now()})
	return s.memory.Put(ctx, key, body)
}

func (s *notingStore) Delete(ctx context.Context, key string) error {
	s.changes = append(s.changes, change{key, nil, s.now()})
	return s.memory.Delete(ctx, key)
}

// askedStore is a store whose changes come between any two requests of a query, as in a bucket: a file that is open is not held.
type askedStore struct {
	*memory
	mu      sync.Mutex // guards what follows
	rest    []change
	clock   time.Time
	between func() int // how many come before the next request
}

func (s *askedStore) step(n int) {
	for ; n > 0 && len(s.rest) > 0; n-- {
		c := s.rest[0]
		if s.rest, s.clock = s.rest[1:], c.at; c.body == nil {
			_ = s.memory.Delete(context.Background(), c.key)
			continue
		}
		_ = s.memory.Put(context.Background(), c.key, c.body)
	}
}

func (s *askedStore) request() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.between != nil {
		s.step(s.between())
	}
}

func (s *askedStore) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock
}

func (s *askedStore) Get(ctx context.Context, key string) ([]byte, error) {
	s.request()
	return s.memory.Get(ctx, key)
}

func (s *askedStore) List(ctx context.Context, prefix, after string) iter.Seq2[blob.Info, error] {
	s.request()
	return s.memory.List(ctx, prefix, after)
}

func (s *askedStore) Open(ctx context.Context, key string) (blob.Object, error) {
	s.request()
	o, err := s.memory.Open(ctx, key)
	return askedObject{o, s, key}, err
}

type askedObject struct {
	blob.Object
	store *askedStore
	key   string
}

func (o askedObject) ReadAt(p []byte, at int64) (int, error) {
	body, err := o.store.Get(context.Background(), o.key)
	if err != nil {
		return 0, err
	}
	return bytes.NewReader(body).ReadAt(p, at)
}

// lister is that of what a reader finds, or of one snapshot.
type lister struct {
	reader   *commits.Reader
	snapshot *commits.Snapshot
}

func (l *lister) List(ctx context.Context) (*hitread.List, error) {
	if l.reader != nil {
		s, err := l.reader.Snapshot(ctx)
		if err != nil {
			return nil, err
		}
		l.snapshot = s
	}
	return hitread.ListOf(l.snapshot.Partitions), nil
}

// noWindows is a query.Reader of a store without any.
type noWindows struct{ low event.Time }

func (noWindows) Scan(context.Context, window.Selection, func(event.Time, bool, *window.Point) error) error {
	return nil
}
func (noWindows) Sites(context.Context) ([]string, error) { return nil, nil }
func (r noWindows) Progress(context.Context) ([]window.Progress, error) {
	return []window.Progress{{Low: r.low}}, nil
}

// apiOf returns the query API over what a lister lists.
func apiOf(t *testing.T, store blob.Store, l hitread.Lister, low event.Time) *statsapi.Server {
	t.Helper()
	a := must(hitread.New(hitread.Options{Store: store, Lister: l, OpenFiles: 1, CacheBytes: 1}))
	x := must(query.New(query.Options{Reader: noWindows{low}, Hits: a, Partitions: 1, Now: func() time.Time { return low.Std().Add(time.Minute) }}))
	return must(statsapi.New(statsapi.Options{Executor: x}))
}

// asked are queries of all kinds: of hits, of visits that have ended and of those that have not, and of what visits have done.
var asked = []string{
	`"metrics":["visitors","pageviews","events"],"dimensions":["event:page","visit:country"]`,
	`"metrics":["visits","visit_duration","bounce_rate"],"dimensions":["visit:entry_page","visit:country"]`,
	`"metrics":["visitors","visits"],"filters":[["has_done",["is","event:name",["signup"]]]],"dimensions":["visit:country"]`,
}

func answerTo(api *statsapi.Server, q string) (string, error) {
	answer, err := api.Answer(context.Background(), []byte(`{"site_id":"site0.example.com","date_range":["2026-11-23","2026-11-24"],"pagination":{"limit":5},`+q+`}`))
	if err != nil {
		return "", err
	}
	return string(must(json.Marshal(answer.Results))), nil
}

// switched archives a log, by one rule of visits, then by another: an owner that begins anew. Files are merged, and after an hour
// those that were replaced are deleted. It returns what happened to the store, at which of these changes the other begins, and the rules by
// name.
func switched(t *testing.T, log []record) (changes []change, at int, rules map[string]engine.Rules) {
	t.Helper()
	clock := time.Unix(1_800_000_000, 0)
	now := func() time.Time { return clock }
	store, chain := &notingStore{memory: newMemory(), now: now}, &commitLog{}
	rules = map[string]engine.Rules{
		"short": {Lateness: 40 * event.Minute, VisitTimeout: 5 * event.Minute}, "long": {Lateness: 40 * event.Minute, VisitTimeout: 50 * event.Minute},
	}
	from := int64(0)
	for i, name := range []string{"short", "long"} {
		at = len(store.changes)
		o := smallOptions(store)
		o.MaxRows, o.FlushInterval, o.now = 100_000, 10*time.Minute, now
		o.Hits = testHits([]*commitLog{chain}, [][]record{log})
		o.Hits.Merges, o.Hits.Rules = mergeOften, name
		o.Hits.NewLedger = func(int32) Ledger {
			return engine.NewLedger(engine.LedgerOptions{Topic: testTopic, Rules: rules[name], Deriver: enrich.New(enrich.Options{CacheSize: 64})})
		}
		a := mustArchiver(t, o)
		m := &merging{a: a, o: o.Hits.Merges.withDefaults(), aside: map[mergeDay]time.Time{}}
		ctx, end := context.WithCancel(session(t))
		for offset := from; offset < int64(len(log)*(i+1)/2); offset++ {
			if err := a.partition(0).consume(ctx, offset, log[offset].value); err != nil {
				t.Fatal(err)
			}
			clock = clock.Add(2 * time.Minute)
			m.once(ctx)
		}
		from = a.Limit(testTopic, 0)
		end()
		if st := a.HitStats(); st.Merges < 3 || st.Swept < 10 || st.Anew != int64(i) {
			t.Errorf("%s: %+v", name, st)
		}
		for _, c := range stateOf(t, store, 0, chain).Checkpoints() {
			if name == "short" {
				_ = store.Delete(t.Context(), c.Key)
			}
		}
	}
	return store.changes, at, rules
}

// TestAsked: between any two requests of a query the archive goes on, is made anew by other rules, or gets further by hours, after which
// files of the query's snapshot are deleted. An answer is that of its snapshot, whatever comes meanwhile, and the snapshot that of the log by
// one of the rules; without an answer the query took longer than the grace. The reader of the next one has slept as long, and
// comes back to what there is.
func TestAsked(t *testing.T) {
	t.Parallel()
	log := hitLogOver(17, 240, 8*event.Hour)
	changes, other, rules := switched(t, log)
	all := newMemory() // what was ever put
	for _, c := range changes {
		if old, ok := all.objects[c.key]; ok && c.body != nil && strings.HasSuffix(c.key, ".parquet") && !strings.Contains(c.key, "_delta_log") && !bytes.Equal(old, c.body) {
			t.Fatalf("%s was put with other bytes", c.key)
		}
		if c.body != nil {
			all.objects[c.key] = c.body
		}
	}
	low := t0 + 48*event.Hour
	seeds, proved, wanted := uint64(8), map[string]bool{}, map[string]string{}
	if *thorough {
		seeds = 200
	}
	answers, across, late, byRules, last := 0, 0, 0, map[string]int{}, int64(0)
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 11))
		store := &askedStore{memory: newMemory(), rest: changes, clock: changes[0].at}
		l := &lister{reader: commits.NewReader(commits.ReaderOptions{Store: store, Topic: testTopic, Partitions: 1, MaxAge: 1, Now: store.now})}
		api := apiOf(t, store, l, low)
		last = -1
		if seed%2 == 1 { // a query begins before the other rules, and ends after
			store.step(other)
			_ = must(l.List(t.Context()))
			store.between = func() int { return 1 }
		}
		for len(store.rest) > 0 {
			if store.between == nil {
				store.step(rng.IntN(6))
				much := []int{2, 2, 2, 30, 300}[rng.IntN(5)]
				store.between = func() int {
					if rng.IntN(10) != 0 {
						return 0
					}
					return rng.IntN(much)
				}
			}
			q, began := asked[rng.IntN(len(asked))], store.now()
			got, err := answerTo(api, q)
			store.between = nil
			if l.snapshot == nil || l.snapshot.Partitions[0].Version < 0 {
				continue // there is nothing yet
			}
			if err != nil {
				if took := store.now().Sub(began); took < time.Hour || !strings.Contains(err.Error(), "archive of events could not be read") {
					t.Fatalf("seed %d: %s took %v: %v", seed, q, took, err)
				}
				late++
				continue
			}
			of := l.snapshot.Partitions[0]
			if of.Version < last {
				t.Fatalf("seed %d: version %d came after %d", seed, of.Version, last)
			}
			last = of.Version
			if !proved[of.Sum] {
				proveState(t, all, of, log, rules[of.Rules])
				proved[of.Sum] = true
			}
			key := fmt.Sprint(of.Sum, q)
			if wanted[key] == "" {
				wanted[key] = must(answerTo(apiOf(t, all, &lister{snapshot: l.snapshot}, low), q))
			}
			if got != wanted[key] {
				t.Fatalf("seed %d: %s of version %d is answered with\n%s\nwant\n%s", seed, q, of.Version, got, wanted[key])
			}
			answers++
			byRules[of.Rules]++
			if at := must(commits.NewReader(commits.ReaderOptions{Store: store.memory, Topic: testTopic, Partitions: 1}).Snapshot(t.Context())); at.Partitions[0].Rules != of.Rules {
				across++
			}
		}
		store.clock = store.clock.Add(2 * time.Minute)
		end := must(l.reader.Snapshot(t.Context())).Partitions[0]
		if newest := must(commits.NewReader(commits.ReaderOptions{Store: store, Topic: testTopic, Partitions: 1}).Snapshot(t.Context())).Partitions[0]; end.Sum != newest.Sum {
			t.Errorf("seed %d: the reader ends at version %d, the archive at %d", seed, end.Version, newest.Version)
		}
	}
	t.Logf("%d changes, %d answers of %d states, %v by rules, %d of them while the rules were switched; %d took too long", len(changes), answers, len(proved), byRules, across, late)
	if answers < 2*int(seeds) || across == 0 || late == 0 || byRules["short"] == 0 || byRules["long"] == 0 {
		t.Error("too little was asked")
	}
}

// proveState holds the rows of a state, whose files are in a store, against its log.
func proveState(t *testing.T, store *memory, s *commits.State, log []record, rules engine.Rules) {
	t.Helper()
	want, one := rowsAsFiles(t, s.Next, log, engine.NewLedger(engine.LedgerOptions{Topic: testTopic, Rules: rules, Deriver: enrich.New(enrich.Options{CacheSize: 64})}))
	for _, table := range commits.Tables() {
		if len(one.Files(table)) == 0 && len(s.Files(table)) == 0 {
			continue
		}
		if !bytes.Equal(allRows(t, store, s, table), allRows(t, want, one, table)) {
			t.Fatalf("version %d by the rules %q has other %v than the log", s.Version, s.Rules, table)
		}
	}
}
