package engine

import (
	"bytes"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"millrace/engine/delta"
	"millrace/engine/derivetest"
	"millrace/engine/event"
	"millrace/engine/visit"
	"millrace/engine/window"
	"millrace/internal/testgc"
	"millrace/internal/testparallel"
	"millrace/internal/testtmp"
	"millrace/state"
)

// thorough plays what is long in the sizes that it is about, and more seeds: CI's step kills does.
var thorough = flag.Bool("thorough", false, "play tests in full size")

func TestMain(m *testing.M) {
	testparallel.Raise()
	testgc.Relax()
	testtmp.Memory()
	goleak.VerifyTestMain(m,
		// Sarama's metrics library starts one per process, for good.
		goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"),
		// A producer whose connection was cut leaves one that ends after 10 s.
		goleak.IgnoreAnyFunction("github.com/eapache/go-resiliency/breaker.(*Breaker).timer"))
}

// base is the start of a minute; times of the tests count from it.
const base = event.Time(1_700_000_040_000)

// rig is a Partition on a real store. At every step it holds the Partition to what a core that was loaded from the store just before
// does, and every window to what the store's chunks fold to: that nothing depends on what is only in memory.
type rig struct {
	tb    testing.TB
	rules Rules
	limit int
	fs    vfs.FS
	store *state.Store
	part  *Partition
	next  int64

	changelog [][]byte

	// Of the last record.
	delta   delta.Delta
	dead    error
	windows []window.Record
	// All windows, by key, the newest version.
	final map[string]*window.Window
}

func newRig(tb testing.TB, r Rules, limit int) *rig {
	tb.Helper()
	g := &rig{tb: tb, rules: r, limit: limit, fs: vfs.NewMem(), final: map[string]*window.Window{}}
	g.open()
	tb.Cleanup(func() {
		if g.store != nil {
			g.store.Close()
		}
	})
	return g
}

// open opens the store and the Partition on it.
func (g *rig) open() {
	g.tb.Helper()
	var err error
	if g.store, err = openStore(g.fs, g.rules, g.limit); err != nil {
		g.tb.Fatal(err)
	}
	if g.part, err = OpenPartition(0, 0, g.store, g.rules, derivetest.Deriver{}); err != nil {
		g.tb.Fatal(err)
	}
}

func openStore(fs vfs.FS, r Rules, limit int) (*state.Store, error) {
	return state.Open(state.Options{Dir: "state", FS: fs, MemTableBytes: 256 << 10, Limit: limit, Visits: r.Visits()})
}

// process takes the next record.
func (g *rig) process(value []byte) {
	g.tb.Helper()
	g.at(g.next, value)
	g.changelog = append(g.changelog, g.delta.Append(nil))
	g.next++
}

// at takes a record at an offset, for the first time or again.
func (g *rig) at(offset int64, value []byte) {
	g.tb.Helper()
	g.delta, g.dead, g.windows = delta.Delta{}, nil, nil
	out := &rigOutput{rig: g, offset: offset}
	if offset > g.store.Last() {
		loaded := NewCore(g.rules, derivetest.Deriver{})
		if err := loaded.Load(stored{g.store, g.readVisits()}); err != nil {
			g.tb.Fatal(err)
		}
		d, dead := loaded.Step(0, offset, value)
		out.want, out.wantDead = d.Append(nil), dead
	}
	if err := g.part.Process(offset, value, out); err != nil {
		g.tb.Fatalf("record %d: %v", offset, err)
	}
	if out.want != nil && fmt.Sprint(g.dead) != fmt.Sprint(out.wantDead) {
		g.tb.Fatalf("record %d is dead for %v, and for %v by a core loaded before it", offset, g.dead, out.wantDead)
	}
}

// stored is what a store holds on disk: the live visits are not shared with the Partition.
type stored struct {
	*state.Store
	visits *visit.Table
}

func (s stored) Visits() *visit.Table { return s.visits }

func (g *rig) readVisits() *visit.Table {
	g.tb.Helper()
	t := visit.NewTable(g.rules.Visits())
	if err := g.store.ReadVisits(t); err != nil {
		g.tb.Fatal(err)
	}
	return t
}

type rigOutput struct {
	*rig
	offset   int64
	want     []byte // nil for a record that comes again
	wantDead error
}

func (o *rigOutput) Delta(b []byte) error {
	o.tb.Helper()
	if o.want != nil && !bytes.Equal(b, o.want) {
		o.tb.Fatalf("record %d has the delta\n%x\nand by a core loaded before it\n%x", o.offset, b, o.want)
	}
	if err := o.delta.Decode(bytes.Clone(b)); err != nil {
		return err
	}
	most := o.rules.WithDefaults().FiredBytes
	if n := len(delta.AppendFired(nil, o.delta.Fired)); n > most+10 && len(o.delta.Fired) > 1 { // their number takes up to 10
		o.tb.Fatalf("record %d fires names of %d bytes, at most %d may be", o.offset, n, most)
	}
	return o.store.Apply(b)
}

func (o *rigOutput) Window(key string, value []byte) error {
	rec, err := window.Decode(value)
	if err != nil {
		return err
	}
	o.windows = append(o.windows, rec)
	w := rec.Window
	if w == nil {
		o.checkProgress(rec.Progress)
		return nil
	}
	want, err := o.stored(w).AppendLines(nil)
	if err != nil {
		return err
	}
	if !bytes.Equal(value, want) {
		o.tb.Fatalf("record %d fires\n%sand the store holds\n%s", o.offset, value, want)
	}
	if old := o.final[key]; old == nil || old.Version <= w.Version {
		o.final[key] = w
	}
	return nil
}

// checkProgress checks that all that progress speaks of has fired.
func (o *rigOutput) checkProgress(p *window.Progress) {
	o.tb.Helper()
	for start, sites := range o.part.core.open {
		if start < p.Low {
			o.tb.Fatalf("record %d announces %s, and minutes of %s of %d sites are open", o.offset, since(p.Low), since(start), len(sites))
		}
	}
	for start, sites := range o.part.core.hours {
		if start < p.Hours {
			o.tb.Fatalf("record %d announces hours to %s, and those of %s of %d sites are open", o.offset, since(p.Hours), since(start), len(sites))
		}
	}
}

// stored is the window as the store's chunks give it.
func (o *rigOutput) stored(w *window.Window) *window.Window {
	o.tb.Helper()
	fold := func(k window.Kind, start event.Time) *window.Agg {
		a := window.NewAgg(o.store.Limit())
		if _, err := o.store.Fold(k, w.Site, start, a); err != nil {
			o.tb.Fatal(err)
		}
		return a
	}
	a := fold(w.Kind, w.Start)
	if w.Kind == window.Hour {
		a = window.NewAgg(o.store.Limit())
		for start := w.Start; start < w.Start+event.Hour; start += event.Minute {
			a.Merge(fold(window.Minute, start))
		}
	}
	got := &window.Window{Kind: w.Kind, Site: w.Site, Start: w.Start, Version: o.offset, Final: w.Final}
	a.Fill(got)
	return got
}

func (o *rigOutput) Dead(reason error) error {
	o.dead = reason
	return nil
}

// envelope encodes a record.
func envelope(collector string, low event.Time, events ...event.Event) []byte {
	var list []byte
	for i := range events {
		if i > 0 {
			list = append(list, ',')
		}
		list = events[i].Append(list)
	}
	return event.AppendEnvelope(nil, collector, low, list)
}

// clock reads m:ss or m:ss.mmm, minutes and seconds since base; a minus in front goes back.
func clock(tb testing.TB, s string) event.Time {
	tb.Helper()
	digits, neg := strings.CutPrefix(s, "-")
	m, sec, ok := strings.Cut(digits, ":")
	minutes, err := strconv.Atoi(m)
	seconds, err2 := strconv.ParseFloat(sec, 64)
	if !ok || err != nil || err2 != nil {
		tb.Fatalf("%q is not a time m:ss", s)
	}
	d := event.Time(minutes)*event.Minute + event.Time(seconds*1000+0.5)
	if neg {
		d = -d
	}
	return base + d
}

// since renders a time as clock reads it.
func since(t event.Time) string {
	if t == 0 {
		return "0"
	}
	t -= base
	sign := ""
	if t < 0 {
		sign, t = "-", -t
	}
	s := fmt.Sprintf("%s%d:%02d", sign, t/event.Minute, t%event.Minute/event.Second)
	if ms := t % event.Second; ms != 0 {
		s += fmt.Sprintf(".%03d", ms)
	}
	return s
}
