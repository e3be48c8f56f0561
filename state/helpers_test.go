package state

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"millrace/engine/delta"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/testgc"
)

func TestMain(m *testing.M) {
	testgc.Relax()
	goleak.VerifyTestMain(m)
}

func mustOpen(tb testing.TB, o Options) *Store {
	tb.Helper()
	if o.Dir == "" {
		o.Dir = "state"
	}
	s, err := Open(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

func mustApply(tb testing.TB, s *Store, deltas ...[]byte) {
	tb.Helper()
	for _, b := range deltas {
		if err := s.Apply(b); err != nil {
			tb.Fatal(err)
		}
	}
}

func mustClose(tb testing.TB, s *Store) {
	tb.Helper()
	if err := s.Close(); err != nil {
		tb.Fatal(err)
	}
}

// mk encodes a delta whose Meta is its offset in decimal.
func mk(prev, offset int64, edit ...func(*delta.Delta)) []byte {
	d := delta.Delta{Offset: offset, Prev: prev, Watermark: event.Time(offset) * event.Second, Meta: fmt.Append(nil, offset)}
	for _, e := range edit {
		e(&d)
	}
	return d.Append(nil)
}

// add gives a delta one row per page in a window.
func add(site string, start event.Time, pages ...string) func(*delta.Delta) {
	return func(d *delta.Delta) {
		d.Adds = append(d.Adds, delta.Add{Site: site, Start: start, Chunk: chunk(pages...)})
	}
}

func chunk(pages ...string) []byte {
	var w window.RowWriter
	for i, p := range pages {
		r := window.Row{Flags: window.PageviewRow, Visitor: event.Visitor(i + 1)}
		r.Dims[window.Page] = p
		w.Add(&r)
	}
	return w.AppendChunk(nil)
}

func fire(site string, start event.Time, final bool) func(*delta.Delta) {
	return func(d *delta.Delta) {
		d.Fired = append(d.Fired, delta.Fired{Site: site, Start: start, Final: final})
	}
}

func horizon(h event.Time) func(*delta.Delta) {
	return func(d *delta.Delta) { d.Horizon, d.Progress = h, h }
}

func watermark(w event.Time) func(*delta.Delta) {
	return func(d *delta.Delta) { d.Watermark = w }
}

// lines returns what a window fires as.
func lines(tb testing.TB, s *Store, site string, start event.Time) string {
	tb.Helper()
	a := window.NewAgg(s.Limit())
	if _, err := s.Fold(window.Minute, site, start, a); err != nil {
		tb.Fatal(err)
	}
	return render(tb, a, site, start)
}

func render(tb testing.TB, a *window.Agg, site string, start event.Time) string {
	b, err := a.Window(site, 0, start, 0, true).AppendLines(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// events returns the events of a window, 0 if it is not there.
func events(tb testing.TB, s *Store, site string, start event.Time) int64 {
	tb.Helper()
	a := window.NewAgg(s.Limit())
	if _, err := s.Fold(window.Minute, site, start, a); err != nil {
		tb.Fatal(err)
	}
	w := a.Window(site, 0, start, 0, true)
	if len(w.Points) == 0 {
		return 0
	}
	return w.Points[0].Events
}

// fingerprint is all that can be read of a store's windows, its last offset and its meta.
func fingerprint(tb testing.TB, s *Store) string {
	tb.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "last %d meta %s\n", s.Last(), s.Meta())
	type id struct {
		site  string
		start event.Time
		st    window.Status
	}
	var ids []id
	err := s.Windows(func(_ window.Kind, site string, start event.Time, st window.Status) error {
		ids = append(ids, id{string(append([]byte{}, site...)), start, st})
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	for _, i := range ids {
		fmt.Fprintf(&b, "%s %d %+v\n%s", i.site, i.start, i.st, lines(tb, s, i.site, i.start))
	}
	return b.String()
}

// script is a run of deltas and what a store must be after each of them, counted by a model that
// shares nothing with the store but package window's fold of one flat list of chunks.
type script struct {
	deltas    [][]byte
	committed []int64 // told to the store before each delta
	want      map[int64]string
}

// newScript makes n deltas over three sites, with firings, late rows and windows that close and are
// deleted.
func newScript(tb testing.TB, seed uint64, n, rows int) *script {
	rng := rand.New(rand.NewPCG(seed, 1))
	sc := &script{want: map[int64]string{-1: "last -1 meta \n"}}
	type key struct {
		start event.Time
		site  string
	}
	windows := map[key][]byte{}
	type closed struct {
		offset int64
		at     event.Time
	}
	var waiting []closed
	prev, offset := int64(-1), int64(0)
	for i := range n {
		committed := max(0, prev-int64(rng.IntN(5)))
		now := event.Time(i) * 5 * event.Second
		var edits []func(*delta.Delta)
		edits = append(edits, watermark(now))
		for _, site := range []string{"a", "b", "c"}[:1+rng.IntN(3)] {
			pages := make([]string, 1+rng.IntN(rows))
			for j := range pages {
				pages[j] = fmt.Sprintf("/%d", rng.IntN(4*rows))
			}
			start := max(0, now-event.Time(rng.IntN(2))*event.Minute).Floor(event.Minute)
			edits = append(edits, add(site, start, pages...))
			k := key{start, site}
			windows[k] = append(windows[k], chunk(pages...)...)
			if rng.IntN(3) == 0 {
				final := rng.IntN(2) == 0
				edits = append(edits, fire(site, start, final))
				windows[k] = window.AppendMark(windows[k], offset, final)
			}
		}
		h := (now - 2*event.Minute).Floor(event.Minute)
		if h > 0 && i%12 == 0 {
			edits = append(edits, horizon(h))
		}
		sc.deltas = append(sc.deltas, mk(prev, offset, edits...))
		sc.committed = append(sc.committed, committed)
		for len(waiting) > 0 && waiting[0].offset < committed {
			for k := range windows {
				if k.start < waiting[0].at {
					delete(windows, k)
				}
			}
			waiting = waiting[1:]
		}
		if h > 0 && i%12 == 0 {
			waiting = append(waiting, closed{offset, h})
		}
		keys := make([]key, 0, len(windows))
		for k := range windows {
			keys = append(keys, k)
		}
		slices.SortFunc(keys, func(a, b key) int {
			if a.start != b.start {
				return int(a.start - b.start)
			}
			return bytes.Compare([]byte(a.site), []byte(b.site))
		})
		var want bytes.Buffer
		fmt.Fprintf(&want, "last %d meta %d\n", offset, offset)
		for _, k := range keys {
			st, err := window.ReadStatus(windows[k])
			if err != nil {
				tb.Fatal(err)
			}
			a := window.NewAgg(testLimit)
			if err := a.Add(windows[k]); err != nil {
				tb.Fatal(err)
			}
			fmt.Fprintf(&want, "%s %d %+v\n%s", k.site, k.start, st, render(tb, a, k.site, k.start))
		}
		sc.want[offset] = want.String()
		prev = offset
		offset += 1 + int64(rng.IntN(2)) // offsets need not be dense
	}
	return sc
}

// run applies the script to a store until an error, which it returns.
func (sc *script) run(s *Store) error {
	for i, d := range sc.deltas {
		s.Committed(sc.committed[i])
		if err := s.Apply(d); err != nil {
			return err
		}
		if i%4 == 3 {
			if err := s.Sync(); err != nil {
				return err
			}
		}
	}
	return nil
}

// check reports whether a store is what it must be after its last delta.
func (sc *script) check(tb testing.TB, s *Store) {
	tb.Helper()
	want, ok := sc.want[s.Last()]
	if !ok {
		tb.Fatalf("the store ends at %d, which is no delta", s.Last())
	}
	if got := fingerprint(tb, s); got != want {
		tb.Fatalf("after delta %d the store is\n%s\nwant\n%s", s.Last(), got, want)
	}
}

// small makes flushes and compactions happen within a short script.
// testLimit is engine.Rules.Values, as serve has it.
const testLimit = 500

func small(fs vfs.FS) Options {
	return Options{Dir: "state", FS: fs, MemTableBytes: 32 << 10, Limit: testLimit}
}
