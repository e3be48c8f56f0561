package lake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	pq "github.com/parquet-go/parquet-go"

	"millrace/emit/lake/commits"
	"millrace/emit/lake/hitfile"
	"millrace/emit/lake/seal"
	"millrace/engine"
	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
	"millrace/internal/blob"
)

// commitLog is a log of commits without a broker. Its appends may be cut off as faultyStore's puts.
type commitLog struct {
	mu      sync.Mutex // guards what follows
	records [][]byte
	before  func() error // called before an append
	after   func() error // and after it
}

func (l *commitLog) Bounds(context.Context) (start, end int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return 0, int64(len(l.records)), nil
}

func (l *commitLog) Append(ctx context.Context, record []byte) (int64, error) {
	l.mu.Lock()
	before, after := l.before, l.after
	l.mu.Unlock()
	if before != nil {
		if err := before(); err != nil {
			return 0, err
		}
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	l.mu.Lock()
	l.records = append(l.records, bytes.Clone(record))
	offset := int64(len(l.records)) - 1
	l.mu.Unlock()
	if after != nil {
		return offset, after()
	}
	return offset, nil
}

func (l *commitLog) Read(_ context.Context, from, to int64, fn func(int64, []byte) error) error {
	for ; from < to; from++ {
		l.mu.Lock()
		r := l.records[from]
		l.mu.Unlock()
		if err := fn(from, r); err != nil {
			return err
		}
	}
	return nil
}

func (*commitLog) Trim(context.Context, int64) error { return nil }

func newTestLedger(partition int32) *engine.Ledger {
	return engine.NewLedger(engine.LedgerOptions{
		Topic: testTopic, Partition: partition, Rules: engine.Rules{Lateness: 40 * event.Minute, VisitTimeout: 5 * event.Minute},
		Deriver: enrich.New(enrich.Options{CacheSize: 64}),
	})
}

func headOf(checkpoint []byte) (commits.Checkpoint, error) {
	h, err := engine.ReadHead(checkpoint)
	return commits.Checkpoint{Prev: h.Prev, Last: h.Last, IDs: h.IDs, SeenFrom: h.SeenFrom, Until: h.Until, Watermark: h.Watermark}, err
}

// testHits returns the options of hits of logs that begin at their records before.
func testHits(chains []*commitLog, logs [][]record) *HitsOptions {
	return &HitsOptions{
		NewLedger: func(partition int32) Ledger { return newTestLedger(partition) },
		Rules:     "test", Head: headOf,
		Commits: func(partition int32) commits.Log { return chains[partition] },
		Records: func(ctx context.Context, partition int32, from, to int64, f func(int64, []byte) error) error {
			for ; from < to; from++ {
				if err := errors.Join(ctx.Err(), f(from, logs[partition][from].value)); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// hitLog is a log of a partition whose visits end and join within it.
func hitLog(seed uint64, n int) []record {
	g := newGenerator(seed)
	g.site, g.who = 3, 40
	return g.log(n, 3*event.Hour)
}

// textOfRow returns all values of a row.
func textOfRow(row pq.Row) string {
	var b []byte
	for _, v := range row {
		b = fmt.Append(b, v.Column(), ":", v.DefinitionLevel(), " ")
		switch v.Kind() {
		case pq.ByteArray:
			b = strconv.AppendQuote(b, string(v.ByteArray()))
		case pq.Boolean:
			b = strconv.AppendBool(b, v.Boolean())
		case pq.Int32:
			b = strconv.AppendInt(b, int64(v.Int32()), 10)
		case pq.Int64:
			b = strconv.AppendInt(b, v.Int64(), 10)
		}
		b = append(b, ' ')
	}
	return string(b)
}

// rowsOf returns the rows of Parquet files as texts, in order.
func rowsOf(tb testing.TB, files ...[]byte) (rows []string) {
	tb.Helper()
	for _, file := range files {
		f, err := pq.OpenFile(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			tb.Fatal(err)
		}
		for _, group := range f.RowGroups() {
			r := group.Rows()
			buf := make([]pq.Row, 100)
			for {
				n, err := r.ReadRows(buf)
				for _, row := range buf[:n] {
					rows = append(rows, textOfRow(row))
				}
				if err != nil {
					break
				}
			}
			if err := r.Close(); err != nil {
				tb.Fatal(err)
			}
		}
	}
	slices.Sort(rows)
	return rows
}

// both is a hits.Sink for files of everything.
type both struct {
	*hitfile.Buffer
	*hitfile.VisitBuffer
}

func (b both) Len() int               { return b.Buffer.Len() }
func (b both) Hit(h *hits.Hit)        { b.Buffer.Hit(h) }
func (b both) Visit(v *visit.Visit)   { b.VisitBuffer.Visit(v) }
func (b both) Join(j hits.Join)       { b.VisitBuffer.Join(j) }
func (b both) Bounds() hitfile.Bounds { panic("of which?") }

// wantHits returns the rows of hits and visits of a log up to an offset, as a Ledger makes them without an archive.
func wantHits(tb testing.TB, partition int32, log []record, end int64) (rows [2][]string) {
	tb.Helper()
	b := both{hitfile.NewBuffer(), hitfile.NewVisitBuffer(testTopic, partition)}
	l := newTestLedger(partition)
	for offset, r := range log[:end] {
		_ = l.Step(int64(offset), r.value, b) // some can't be read
	}
	for i, t := range []table{b.Buffer, b.VisitBuffer} {
		var out bytes.Buffer
		if err := t.Encode(&out); err != nil {
			tb.Fatal(err)
		}
		rows[i] = rowsOf(tb, out.Bytes())
	}
	return rows
}

// stateOf folds a chain of commits.
func stateOf(tb testing.TB, store blob.Store, partition int32, log commits.Log) *commits.State {
	tb.Helper()
	c, err := commits.Open(context.Background(), commits.Options{Topic: testTopic, Partition: partition, Log: log, Store: store})
	if err != nil {
		tb.Fatal(err)
	}
	return c.State()
}

// sameHits holds what is committed of a partition against its log: each row once, and in the right day.
func sameHits(tb testing.TB, store blob.Store, partition int32, chain commits.Log, log []record) *commits.State {
	tb.Helper()
	return sameHitsAs(tb, store, partition, chain, func(end int64) [2][]string { return wantHits(tb, partition, log, end) })
}

func sameHitsAs(tb testing.TB, store blob.Store, partition int32, chain commits.Log, wantOf func(end int64) [2][]string) *commits.State {
	tb.Helper()
	s := stateOf(tb, store, partition, chain)
	want := wantOf(s.Next)
	for i, t := range commits.Tables() {
		var files [][]byte
		n := int64(0)
		for _, f := range s.Files(t) {
			body, err := store.Get(context.Background(), f.Key)
			if err != nil {
				tb.Fatal(err)
			}
			if err := seal.Check(body); err != nil || int64(len(body)) != f.Size {
				tb.Errorf("%s: %d of %d bytes, %v", f.Key, len(body), f.Size, err)
			}
			files, n = append(files, body), n+f.Rows
		}
		got := rowsOf(tb, files...)
		if int64(len(got)) != n {
			tb.Errorf("%d rows of %v, the commits say %d", len(got), t, n)
		}
		if len(got) != len(want[i]) {
			tb.Errorf("%d rows of %v up to record %d, want %d", len(got), t, s.Next, len(want[i]))
		}
		for j := range min(len(got), len(want[i])) {
			if got[j] != want[i][j] {
				tb.Fatalf("row %d of %v is\n%s\nwant\n%s", j, t, got[j], want[i][j])
			}
		}
	}
	return s
}

// TestHits: beside the raw rows each segment has its hits and visits, committed before its progress.
func TestHits(t *testing.T) {
	t.Parallel()
	store, chain, log := newMemory(), &commitLog{}, hitLog(1, 600)
	o := smallOptions(store)
	o.Hits = testHits([]*commitLog{chain}, [][]record{log})
	a := mustArchiver(t, o)
	if err := feed(session(t), a, log, 0); err != nil {
		t.Fatal(err)
	}
	s := sameHits(t, store, 0, chain, log)
	if end := a.Limit(testTopic, 0); s.Next != end || s.Began != 0 || end < 500 {
		t.Errorf("hits end at %d, the archive at %d; whole from %s", s.Next, end, s.Began)
	}
	mustCheck(t, store)
	want := wantHits(t, 0, log, s.Next)
	st := a.HitStats()
	if st.Hits != int64(len(want[0])) || st.Visits != int64(len(want[1])) || st.Commits != a.Stats().Segments || st.Passed+st.CaughtUp+st.Anew != 0 || st.Visits < 300 {
		t.Errorf("%+v; %d hits and %d visits", st, len(want[0]), len(want[1]))
	}
	if n := len(s.Checkpoints()); n == 0 || int64(n) > st.Commits/2 {
		t.Errorf("%d of %d checkpoints are kept", n, st.Commits)
	}
	days := map[string]bool{}
	for _, table := range commits.Tables() {
		for _, f := range s.Files(table) {
			days[f.Key[:len(f.Key)-len(f.Key[strings.LastIndex(f.Key, "/"):])]] = true
			if f.MaxTime < f.MinTime || f.MaxSite < f.MinSite || f.MaxSite == "" {
				t.Errorf("%+v", f)
			}
		}
	}
	if len(days) < 2 {
		t.Errorf("the files lie in %v", days)
	}
}

// TestHitsCrashes cuts an archiver off at each place: before and after each put, each append of a commit, and goes on from any
// committed offset. The same rows are there as without it, each once.
func TestHitsCrashes(t *testing.T) {
	t.Parallel()
	log := hitLog(2, 120)
	wanted := map[int64][2][]string{}
	wantOf := func(end int64) [2][]string {
		if _, ok := wanted[end]; !ok {
			wanted[end] = wantHits(t, 0, log, end)
		}
		return wanted[end]
	}
	places := 5
	if *thorough {
		places = 40 // of the first six segments each: before and after each put, and the commit
	}
	for n := range places {
		for _, after := range []bool{false, true} {
			rng := rand.New(rand.NewPCG(uint64(n), 1))
			inner, chain := newMemory(), &commitLog{}
			crashing := &faultyStore{Store: inner}
			commit := int64(0)
			for restart := 0; ; restart++ {
				ctx, kill := context.WithCancel(context.Background())
				place := -1
				switch {
				case restart == 0:
					place = n
				case restart < 3:
					place = rng.IntN(20)
				}
				crash := cutter{n: place, kill: kill, after: after != (restart%2 == 1)}
				crashing.set(-1, nil, false)
				crashing.hook = crash.at
				chain.before, chain.after = func() error { return crash.at(false) }, func() error { return crash.at(true) }
				o := smallOptions(crashing)
				o.FlushInterval = 20 * time.Minute
				o.Hits = testHits([]*commitLog{chain}, [][]record{log})
				a := mustArchiver(t, o)
				err := feed(ctx, a, log, commit)
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
			chain.before, chain.after = nil, nil
			sameHitsAs(t, inner, 0, chain, wantOf)
			mustCheck(t, inner)
			if t.Failed() {
				t.Fatalf("cut off at place %d, after it: %v", n, after)
			}
		}
	}
}

// cutter ends a session at the n-th place that is tried, before or after what happens there.
type cutter struct {
	n     int
	kill  func()
	after bool
}

func (c *cutter) at(after bool) error {
	if !after {
		c.n--
	}
	if c.n != -1 || after != c.after {
		return nil
	}
	c.n-- // once
	c.kill()
	return errors.New("cut off")
}
