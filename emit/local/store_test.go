package local

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"millrace/emit/readertest"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/engine/wire"
	"millrace/internal/testgc"
	"millrace/internal/testtmp"
	"millrace/query"
)

func TestMain(m *testing.M) {
	testgc.Relax()
	testtmp.Memory()
	// Sarama's metrics library keeps one goroutine for ever.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}

func testLogger(tb testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(tb.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func mustOpen(tb testing.TB, o Options) *Store {
	tb.Helper()
	if o.Logger == nil {
		o.Logger = testLogger(tb)
	}
	if o.Dir == "" {
		o.Dir, o.FS = "rollups", vfs.NewMem()
	}
	s, err := Open(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func TestConformance(t *testing.T) {
	t.Parallel()
	readertest.Run(t, func(t *testing.T) (readertest.Sink, query.Reader) {
		s := mustOpen(t, Options{})
		return s, s
	})
}

// point makes a window of one page.
func pageWindow(site string, start event.Time, version, events int64) *window.Window {
	return &window.Window{Site: site, Start: start, Version: version, Final: true, Points: []window.Point{
		{Family: window.Totals, Rollup: window.Rollup{Events: events}},
		{Family: window.Pages, Dims: [2]string{"/"}, Rollup: window.Rollup{Events: events}},
	}}
}

func mustWrite(tb testing.TB, s *Store, ws ...*window.Window) {
	tb.Helper()
	if err := s.Write(tb.Context(), ws); err != nil {
		tb.Fatal(err)
	}
}

// total returns the events of a site, -1 if it has no windows.
func total(tb testing.TB, s *Store, site string) int64 {
	tb.Helper()
	sum := int64(-1)
	sel := window.Selection{Site: site, Family: window.Totals, From: 0, To: 1 << 50}
	err := s.Scan(tb.Context(), sel, func(_ event.Time, _ bool, p *window.Point) error {
		sum = max(sum, 0) + p.Events
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return sum
}

func TestReopen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "rollups")
	for i := range int64(3) {
		s := mustOpen(t, Options{Dir: dir})
		mustWrite(t, s, pageWindow("a.example", event.Time(i)*event.Minute, 5, 1), pageWindow("a.example", 0, 1, 99))
		if got := total(t, s, "a.example"); got != i+1 {
			t.Errorf("open %d: %d events, want %d", i, got, i+1)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPowerLoss takes the disk away after each of many writes: what Write has returned for is
// there, whole, and what was under way is there whole or not at all.
func TestPowerLoss(t *testing.T) {
	for survive := range 3 {
		fs := vfs.NewCrashableMem()
		s := mustOpen(t, Options{Dir: "rollups", FS: fs})
		var clones []vfs.FS
		for i := range int64(20) {
			mustWrite(t, s, pageWindow("a.example", 0, i, i+1))
			clones = append(clones, fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: survive * 50, RNG: rand.New(rand.NewPCG(uint64(survive), uint64(i)))}))
		}
		for i, fs := range clones {
			s := mustOpen(t, Options{Dir: "rollups", FS: fs})
			if got := total(t, s, "a.example"); got != int64(i+1) {
				t.Errorf("after a crash behind write %d: %d events", i, got)
			}
		}
	}
}

func TestLocked(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, Options{Dir: dir})
	_, err := Open(Options{Dir: dir, Logger: testLogger(t)})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("a second Open: %v, want ErrLocked and the folder", err)
	}
	mustWrite(t, s, pageWindow("a.example", 0, 1, 1))
}

// TestDamaged breaks a folder in several ways: Open or the first Scan says ErrDamaged, and nothing
// panics.
func TestDamaged(t *testing.T) {
	f := func(name, pattern string, harm func(path string) error) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := mustOpen(t, Options{Dir: dir})
			for i := range int64(50) {
				mustWrite(t, s, pageWindow("a.example", event.Time(i)*event.Minute, 1, 1))
			}
			if err := pebbleOf(s).Flush(); err != nil {
				t.Fatal(err)
			}
			mustWrite(t, s, pageWindow("b.example", 0, 1, 1))
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			files, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil || len(files) == 0 {
				t.Fatalf("no file %s: %v", pattern, err)
			}
			for _, p := range files {
				if err := harm(p); err != nil {
					t.Fatal(err)
				}
			}
			s, err = Open(Options{Dir: dir, Logger: slog.New(slog.DiscardHandler), Fatal: func(err error) { panic(err) }})
			if err == nil {
				sel := window.Selection{Site: "a.example", Family: window.Pages, From: 0, To: 1 << 50}
				err = s.Scan(t.Context(), sel, func(event.Time, bool, *window.Point) error { return nil })
				if found := s.Check(t.Context()); err != nil && !errors.Is(found, ErrDamaged) {
					t.Errorf("Check returns %v after %v", found, err)
				}
				s.Close() // may complain as well
			}
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("%v, want ErrDamaged", err)
			}
		})
	}
	overwrite := func(p string) error {
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		for i := range b {
			b[i] ^= 0x55
		}
		return os.WriteFile(p, b, 0o644)
	}
	f("tables overwritten", "*.sst", overwrite)
	f("tables gone", "*.sst", os.Remove)
	f("tables cut", "*.sst", func(p string) error { return os.Truncate(p, 20) })
	f("manifest overwritten", "MANIFEST-*", overwrite)
	f("manifest gone", "MANIFEST-*", os.Remove)
	f("options overwritten", "OPTIONS-*", overwrite)
}

func TestFormat(t *testing.T) {
	g := func(sentinel error, key, value, want string) {
		t.Helper()
		dir := t.TempDir()
		db, err := pebble.Open(dir, &pebble.Options{Logger: newLogger(testLogger(t), nil, "")})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.Set([]byte(key), []byte(value), pebble.Sync), db.Close()); err != nil {
			t.Fatal(err)
		}
		s, err := Open(Options{Dir: dir, Logger: testLogger(t)})
		if err == nil {
			s.Close()
		}
		if !errors.Is(err, sentinel) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %v with %q", err, sentinel, want)
		}
	}
	f := func(key, value, want string) { t.Helper(); g(ErrFormat, key, value, want) }
	f("something", "else", "something else")
	f("something", "else", "in a data folder of Millrace remove it") // a manifest that was cut off shows no more
	f(string(formatKey), "1", "number \"1\", this build knows 2; rollups are derived: remove the folder")
	g(wire.ErrNewer, string(formatKey), "3", "data of a newer Millrace (format 3; this one reads 2): use the newer program")
}

func TestNotAFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: path, Logger: testLogger(t)}); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("Open of a file: %v", err)
	}
	if _, err := Open(Options{Logger: testLogger(t)}); err == nil {
		t.Error("Open without a folder succeeded")
	}
}

// TestClosed: a closed store refuses every call; Close waits for a scan under way.
func TestClosed(t *testing.T) {
	s := mustOpen(t, Options{})
	mustWrite(t, s, pageWindow("a.example", 0, 1, 1))
	closed := make(chan error)
	sel := window.Selection{Site: "a.example", Family: window.Totals, From: 0, To: 1 << 50}
	err := s.Scan(t.Context(), sel, func(event.Time, bool, *window.Point) error {
		go func() { closed <- s.Close() }()
		for s.enter() == nil { // until Close has begun
			s.leave()
		}
		return nil
	})
	if err := errors.Join(err, <-closed, s.Close()); err != nil {
		t.Error(err)
	}
	ctx := context.Background()
	_, sitesErr := s.Sites(ctx)
	_, progressErr := s.Progress(ctx)
	for i, err := range []error{
		s.Write(ctx, nil), s.Replace(ctx, nil), s.WriteProgress(ctx, nil), s.Scan(ctx, sel, nil), sitesErr, progressErr,
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("call %d: %v, want ErrClosed", i, err)
		}
	}
}

// TestRefireWritesChanges: a firing that repeats a window writes what has changed and no more.
func TestRefireWritesChanges(t *testing.T) {
	s := mustOpen(t, Options{})
	w := &window.Window{Site: "a.example", Version: 1}
	for i := range 100 {
		w.Points = append(w.Points, window.Point{Family: window.Pages, Dims: [2]string{fmt.Sprint(i)}, Rollup: window.Rollup{Events: 1}})
	}
	mustWrite(t, s, w)
	w.Points = slices.Clone(w.Points[:99])
	w.Points[3].Events++
	w.Version++
	b := &batch{store: s, Batch: pebbleOf(s).NewBatch()}
	if _, err := b.windows([]*window.Window{w}, live); err != nil {
		t.Fatal(err)
	}
	if n := b.Count(); n != 3 {
		t.Errorf("%d changes, want 3: a value, a deletion, the version", n)
	}
	if err := b.close(nil); err != nil {
		t.Fatal(err)
	}
}

// TestScanValues: a scan for values sees what a scan of everything and a filter see, over windows
// with more values than are stepped over, so that it seeks; shards at the end of their range
// included.
func TestScanValues(t *testing.T) {
	s := mustOpen(t, Options{})
	for i := range 8 {
		w := &window.Window{Site: "a.example", Shard: []uint16{0, 1, 65535}[i%3], Start: event.Time(i/3) * event.Minute, Version: 1}
		for j := range 200 {
			v := [2]string{fmt.Sprint(j * 7 % (100 + i)), fmt.Sprint("b", j%3)}
			w.Points = append(w.Points,
				window.Point{Family: window.CountryBrowsers, Dims: v, Rollup: window.Rollup{Events: int64(i*1000 + j)}},
				window.Point{Family: window.Pages, Dims: [2]string{v[0]}, Rollup: window.Rollup{Events: int64(i*1000 + j)}})
		}
		mustWrite(t, s, w)
	}
	r := rand.New(rand.NewPCG(3, 3))
	for range 60 {
		sel := window.Selection{Site: "a.example", Family: []window.Family{window.Pages, window.CountryBrowsers}[r.IntN(2)], To: 3 * event.Minute}
		all := sel
		for range 1 + r.IntN(4) {
			sel.Values[0] = append(sel.Values[0], fmt.Sprint(r.IntN(120)))
		}
		if sel.Family == window.CountryBrowsers && r.IntN(2) == 0 {
			sel.Values[1] = []string{"b1"}
		}
		collect := func(sel window.Selection, keep func(*window.Point) bool) (list []string) {
			err := s.Scan(t.Context(), sel, func(at event.Time, _ bool, p *window.Point) error {
				if keep(p) {
					list = append(list, fmt.Sprint(at, p.Dims, p.Events))
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return list
		}
		got := collect(sel, func(*window.Point) bool { return true })
		want := collect(all, func(p *window.Point) bool {
			return slices.Contains(sel.Values[0], p.Dims[0]) && (sel.Values[1] == nil || p.Dims[1] == "b1")
		})
		if !slices.Equal(got, want) {
			t.Fatalf("%q:\ngot  %q\nwant %q", sel.Values, got, want)
		}
	}
}

// TestReplaceVersion: a replayed window keeps out the firings that it holds already, and yields to
// later ones.
func TestReplaceVersion(t *testing.T) {
	s := mustOpen(t, Options{Dir: t.TempDir()})
	w := func(version, events int64) []*window.Window {
		return []*window.Window{{Site: "a.example", Start: event.Minute, Version: version, Final: true,
			Points: []window.Point{{Rollup: window.Rollup{Events: events, Pageviews: events}}}}}
	}
	events := func() (n int64) {
		err := s.Scan(t.Context(), window.Selection{Site: "a.example", To: event.Hour}, func(_ event.Time, _ bool, p *window.Point) error {
			n += p.Events
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	f := func(write func(context.Context, []*window.Window) error, version, count, want int64) {
		t.Helper()
		if err := write(t.Context(), w(version, count)); err != nil {
			t.Fatal(err)
		}
		if got := events(); got != want {
			t.Errorf("after version %d with %d events: %d, want %d", version, count, got, want)
		}
	}
	f(s.ReplaceArchived, 20, 5, 5)
	f(s.Write, 10, 3, 5) // fired before what the archive had
	f(s.Write, 30, 6, 6)
	f(s.ReplaceArchived, 20, 5, 5)
	f(s.Write, 29, 4, 5) // the store had seen 30
	f(s.Write, 31, 7, 7)

	// The versions of an hour and of visits that start with it are their own.
	for _, k := range []window.Kind{window.Hour, window.Visits} {
		other := &window.Window{Kind: k, Site: "a.example", Version: 50, Points: []window.Point{{Rollup: window.Rollup{Events: 3, Visits: 3}}}}
		if err := s.ReplaceArchived(t.Context(), []*window.Window{other}); err != nil {
			t.Fatal(err)
		}
	}
	f(s.Write, 32, 8, 8)
	f(s.ReplaceArchived, 33, 9, 9)
	hour := &window.Window{Kind: window.Hour, Site: "a.example", Version: 40}
	mustWrite(t, s, hour) // fired before what the archive had
	n := 0
	err := s.Scan(t.Context(), window.Selection{Kind: window.Hour, Site: "a.example", To: event.Hour}, func(event.Time, bool, *window.Point) error { n++; return nil })
	if err != nil || n != 1 {
		t.Errorf("%d points of the hour, %v", n, err)
	}
}

// TestVersions: each window tells which firing it is of, whatever a replay has put there.
func TestVersions(t *testing.T) {
	s := mustOpen(t, Options{Dir: t.TempDir()})
	win := func(k window.Kind, site string, shard uint16, start event.Time, version int64) *window.Window {
		return &window.Window{Kind: k, Site: site, Shard: shard, Start: start, Version: version, Final: true,
			Points: []window.Point{{Rollup: window.Rollup{Events: 1}}}}
	}
	mustWrite(t, s, win(window.Minute, "a.example", 0, event.Minute, 7), win(window.Hour, "a.example", 3, 0, 9), win(window.Visits, "b.example", 0, 0, 11))
	mustWrite(t, s, win(window.Minute, "a.example", 0, event.Minute, 8))
	if err := s.Replace(t.Context(), []*window.Window{win(window.Hour, "a.example", 3, 0, 1)}); err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	err := s.Versions(t.Context(), func(w *window.Window) { got[fmt.Sprint(w.Kind, w.Site, w.Shard, w.Start)] = w.Version })
	want := map[string]int64{}
	for _, w := range []*window.Window{win(window.Minute, "a.example", 0, event.Minute, 8), win(window.Hour, "a.example", 3, 0, 9), win(window.Visits, "b.example", 0, 0, 11)} {
		want[fmt.Sprint(w.Kind, w.Site, w.Shard, w.Start)] = w.Version
	}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}

// TestCacheKeepsBlocks: what has been read once is read from memory the next time, also when the
// memtables have grown to their full size, which Pebble takes out of the cache's.
func TestCacheKeepsBlocks(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, Options{})
	for i := range event.Time(12) {
		mustWrite(t, s, pageWindow("a.example", i*event.Minute, 1, 1))
	}
	for i := range 3 * memtableBytes >> 16 { // they grow by and by, as they are filled
		if err := pebbleOf(s).Set(binary.BigEndian.AppendUint16([]byte{0xfe}, uint16(i)), make([]byte, 1<<16), pebble.NoSync); err != nil {
			t.Fatal(err)
		}
	}
	if err := pebbleOf(s).Compact(t.Context(), []byte{0}, []byte{0xff, 0xff}, false); err != nil {
		t.Fatal(err)
	}
	read := func() (hits, misses int64) {
		before := pebbleOf(s).Metrics().BlockCache
		if got := scanPages(t, s); got != 12 {
			t.Fatalf("%d points, want 12", got)
		}
		after := pebbleOf(s).Metrics().BlockCache
		return after.Hits - before.Hits, after.Misses - before.Misses
	}
	read()
	if hits, misses := read(); hits == 0 || misses > 0 {
		t.Errorf("%d hits and %d misses of the block cache by what was read just before", hits, misses)
	}
}

// scanPages returns the number of points of pages of a.example.
func scanPages(t *testing.T, s *Store) (n int) {
	t.Helper()
	sel := window.Selection{Site: "a.example", Family: window.Pages, To: event.Hour}
	if err := s.Scan(t.Context(), sel, func(event.Time, bool, *window.Point) error { n++; return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}
