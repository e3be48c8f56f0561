package hitmerge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"millrace/bench"
	"millrace/emit/lake/colfile"
	"millrace/emit/lake/hitfile"
	"millrace/emit/lake/seal"
	"millrace/engine"
	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/visit"
)

// taken is a hits.Sink that keeps all it is given.
type taken struct {
	hits   []*hits.Hit
	joins  []hits.Join
	visits []*visit.Visit
}

func (s *taken) Hit(h *hits.Hit) { s.hits = append(s.hits, h.Clone()) }

func (s *taken) Join(j hits.Join) {
	j.Site = strings.Clone(j.Site)
	s.joins = append(s.joins, j)
}

func (s *taken) Visit(v *visit.Visit) {
	c := *v
	c.Site = strings.Clone(v.Site)
	for d := range c.Dims {
		c.Dims[d] = strings.Clone(v.Dims[d])
	}
	s.visits = append(s.visits, &c)
}

// logOf makes what a log of n events gives, of which many are late, so that visits join.
func logOf(tb testing.TB, seed uint64, n int) *taken {
	tb.Helper()
	s := &taken{}
	l := engine.NewLedger(engine.LedgerOptions{Topic: event.Topic, Partition: 2, Deriver: enrich.New(enrich.Options{CacheSize: 256})})
	stream := bench.NewWorkload(bench.WorkloadOptions{Seed: seed, Rate: 2, Sites: 7})
	rng := rand.New(rand.NewPCG(seed, 2))
	step := func(offset int, low event.Time, list []byte) {
		if err := l.Step(int64(offset), event.AppendEnvelope(nil, "c1", low, list), s); err != nil {
			tb.Fatal(err)
		}
	}
	offset := 0
	for ; offset < n/20; offset++ {
		var list []byte
		for i := range 20 {
			if i > 0 {
				list = append(list, ',')
			}
			e := *stream.Next()
			e.Visitor = e.Visitor%60 + 1 // few, so that they come again
			e.Time -= event.Time(rng.Int64N(int64(50 * event.Minute)))
			switch rng.IntN(30) {
			case 0:
				e.Bot = "datacenter"
			case 1:
				e.Name, e.Amount, e.Currency = "purchase", event.Money(rng.IntN(3))*19_900, "EUR"
			case 2:
				e.Name, e.Ping, e.Engaged = "ping", true, event.Time(rng.IntN(9000))
			case 3:
				e.Visitor = 0
			case 4:
				e.Time -= 2 * event.Hour
			case 5:
				e.Props = []event.Prop{{Key: "k", Value: fmt.Sprint(rng.IntN(99))}}
			}
			list = e.Append(list)
		}
		step(offset, stream.Now(), list)
	}
	for i := range 10 {
		step(offset+i, stream.Now()+event.Time(i+1)*event.Hour, nil)
	}
	return s
}

// open opens a file that is in memory.
func open(tb testing.TB, table *hitfile.Table, body []byte) *colfile.File {
	tb.Helper()
	f, err := table.Open("a file", bytes.NewReader(body), int64(len(body)))
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func hitsFile(tb testing.TB, list []*hits.Hit) *colfile.File {
	tb.Helper()
	b := hitfile.NewBuffer()
	for _, h := range list {
		b.Hit(h)
	}
	var out bytes.Buffer
	if err := b.Encode(&out); err != nil {
		tb.Fatal(err)
	}
	return open(tb, hitfile.Hits, out.Bytes())
}

func visitsFile(tb testing.TB, visits []*visit.Visit, joins []hits.Join) *colfile.File {
	tb.Helper()
	b := hitfile.NewVisitBuffer(event.Topic, 2)
	for _, v := range visits {
		b.Visit(v)
	}
	for _, j := range joins {
		b.Join(j)
	}
	var out bytes.Buffer
	if err := b.Encode(&out); err != nil {
		tb.Fatal(err)
	}
	return open(tb, hitfile.Visits, out.Bytes())
}

// deal deals a list out to at most n parts, of which none is empty, at random or in pieces.
func deal[T any](rng *rand.Rand, list []T, n int) (parts [][]T) {
	all := make([][]T, n)
	pieces := rng.IntN(2) == 0
	for i, v := range list {
		k := rng.IntN(n)
		if pieces {
			k = i * n / len(list)
		}
		all[k] = append(all[k], v)
	}
	for _, p := range all {
		if len(p) > 0 {
			parts = append(parts, p)
		}
	}
	rng.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	return parts
}

func mustMerge(tb testing.TB, o Options, files []*colfile.File) *Output {
	tb.Helper()
	o.Level = zstd.SpeedFastest
	out, err := Merge(tb.Context(), o, files)
	if err != nil {
		tb.Fatal(err)
	}
	if err := seal.Check(out.Body); err != nil {
		tb.Fatal(err)
	}
	return out
}

// TestMerge: files merged are the file that a Buffer writes of all their rows with the names that visits have in the end, however the
// rows are dealt out to files, in whatever order these come, and in how many steps.
func TestMerge(t *testing.T) {
	joined := 0
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 5))
		log := logOf(t, seed, 4000)
		joins := hits.Joins{}
		for _, j := range log.joins {
			joins.Add(j)
		}
		joined += len(joins)
		var files []*colfile.File
		for _, part := range deal(rng, log.hits, 1+rng.IntN(30)) {
			files = append(files, hitsFile(t, part))
		}
		final := hitfile.NewBuffer()
		for _, h := range log.hits {
			c := *h
			c.Visit = joins.Of(h.Visit)
			final.Hit(&c)
		}
		var want bytes.Buffer
		if err := final.Encode(&want); err != nil {
			t.Fatal(err)
		}
		o := Options{Table: hitfile.Hits, Joins: joins}
		got := mustMerge(t, o, files)
		if !bytes.Equal(got.Body, want.Bytes()) {
			t.Fatalf("seed %d: the merged file of %d is another than of all hits at once: %d and %d bytes", seed, len(files), len(got.Body), want.Len())
		}
		if is := final.Bounds(); got.Rows != int64(len(log.hits)) || is != (hitfile.Bounds{MinTime: got.MinTime, MaxTime: got.MaxTime, MinSite: got.MinSite, MaxSite: got.MaxSite}) {
			t.Fatalf("seed %d: %+v, want %+v", seed, got, is)
		}
		if n := len(files) / 2; n > 0 { // in two steps, the first of which knows of no joins
			first := mustMerge(t, Options{Table: hitfile.Hits}, files[:n])
			again := mustMerge(t, o, append([]*colfile.File{open(t, hitfile.Hits, first.Body)}, files[n:]...))
			if !bytes.Equal(again.Body, want.Bytes()) {
				t.Fatalf("seed %d: in two steps it is another file", seed)
			}
		}
	}
	if joined < 50 {
		t.Errorf("only %d joins: the test shows nothing of them", joined)
	}
}

// TestMergeVisits is TestMerge for files of visits, whose joins stay rows.
func TestMergeVisits(t *testing.T) {
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 6))
		log := logOf(t, seed, 4000)
		var files []*colfile.File
		for _, part := range deal(rng, log.visits, 5) {
			files = append(files, visitsFile(t, part, nil))
		}
		for _, part := range deal(rng, log.joins, 3) {
			f := visitsFile(t, nil, part)
			files = append(files, f)
		}
		got := mustMerge(t, Options{Table: hitfile.Visits, Joins: hits.Joins{1: 2}}, files)
		b := hitfile.NewVisitBuffer(event.Topic, 2)
		for _, v := range log.visits {
			b.Visit(v)
		}
		for _, j := range log.joins {
			b.Join(j)
		}
		var want bytes.Buffer
		if err := b.Encode(&want); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Body, want.Bytes()) {
			t.Fatalf("seed %d: the merged file is another", seed)
		}
		if is := b.Bounds(); is != (hitfile.Bounds{MinTime: got.MinTime, MaxTime: got.MaxTime, MinSite: got.MinSite, MaxSite: got.MaxSite}) {
			t.Fatalf("seed %d: %+v, want %+v", seed, got, is)
		}
		if joins := visitsFile(t, nil, log.joins); seed == 0 {
			if got := mustMerge(t, Options{Table: hitfile.Visits}, []*colfile.File{joins}); got.MinTime != 0 || got.MaxTime != 0 {
				t.Errorf("joins alone have times: %+v", got)
			}
		}
	}
}

// TestLongTexts: where texts are long and all different, row groups are cut before they hold too much, by the rows and not by the
// files that they came in.
func TestLongTexts(t *testing.T) {
	log := logOf(t, 1, 1200)
	rng := rand.New(rand.NewPCG(1, 7))
	for i, h := range log.hits {
		h.Row.Props = []event.Prop{{Key: "k", Value: fmt.Sprintf("%07d", i) + strings.Repeat(string(rune('a'+rng.IntN(26))), rng.IntN(60_000))}}
	}
	b := hitfile.NewBuffer()
	for _, h := range log.hits {
		b.Hit(h)
	}
	var want bytes.Buffer
	if err := b.Encode(&want); err != nil {
		t.Fatal(err)
	}
	if n := open(t, hitfile.Hits, want.Bytes()).Groups(); n < 2 {
		t.Fatalf("%d row groups", n)
	}
	for range 2 {
		var files []*colfile.File
		for _, part := range deal(rng, log.hits, 1+rng.IntN(6)) {
			files = append(files, hitsFile(t, part))
		}
		if got := mustMerge(t, Options{Table: hitfile.Hits}, files); !bytes.Equal(got.Body, want.Bytes()) {
			t.Fatal("the merged file is another")
		}
	}
}

// TestRefused: a row that is in two files, a damaged file, no files, and an end from outside are errors.
func TestRefused(t *testing.T) {
	log := logOf(t, 1, 1000)
	o := Options{Table: hitfile.Hits}
	if _, err := Merge(t.Context(), o, []*colfile.File{hitsFile(t, log.hits[:500]), hitsFile(t, log.hits[499:])}); !errors.Is(err, ErrDouble) {
		t.Error(err)
	}
	if _, err := Merge(t.Context(), o, nil); err == nil {
		t.Error("no files give a file")
	}
	body := mustMerge(t, o, []*colfile.File{hitsFile(t, log.hits)}).Body
	for i := 4; i < len(body)/2; i += len(body) / 17 {
		damaged := slices.Clone(body)
		damaged[i] ^= 8
		if _, err := Merge(t.Context(), o, []*colfile.File{open(t, hitfile.Hits, damaged)}); !errors.Is(err, colfile.ErrCorrupt) || !strings.Contains(err.Error(), "a file") {
			t.Error(i, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	o.Pace = func(context.Context) error {
		if calls++; calls == 2 {
			cancel()
		}
		return nil
	}
	var files []*colfile.File
	for part := range slices.Chunk(log.hits, 50) {
		files = append(files, hitsFile(t, part))
	}
	if _, err := Merge(ctx, o, files); !errors.Is(err, context.Canceled) || calls != 2 {
		t.Error(calls, err)
	}
}
