package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"millrace/cmd/internal/datadir"
	"millrace/cmd/internal/offline"
	"millrace/cmd/internal/rules"
	"millrace/cmd/internal/stores"
	"millrace/emit/lake"
	"millrace/emit/local"
	"millrace/engine"
	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/blob"
	"millrace/internal/testgc"
	"millrace/internal/testtmp"
)

func TestMain(m *testing.M) {
	testgc.Relax()
	testtmp.Memory()
	code := m.Run()
	os.RemoveAll(first.dir)
	os.Exit(code)
}

const (
	// noon is where the events begin, eventHours how long they go on, complete until when archive
	// and store are.
	noon       event.Time = 1431864000000 // 2015-05-17T12:00Z
	eventHours            = 40
	complete              = noon + 60*event.Hour
	// closed is the end of the hours that may be compared: 12 h and 30 min of visits, an hour of
	// lateness and the slack before complete.
	closed  = complete - 14*event.Hour
	counted = "this build"
)

func newDeriver() engine.Deriver { return enrich.New(enrich.Options{}) }

// world is an archive of one partition and a local store that is right.
type world struct {
	archive *flaky
	store   *local.Store
	log     bytes.Buffer
	*Auditor
}

// first is the world that the others are copied from: it is made once, by the test that needs it first.
var first struct {
	once sync.Once
	dir  string
}

// makeFirst archives the events and has them counted.
func makeFirst(t *testing.T) {
	t.Helper()
	dir, err := os.MkdirTemp("", "millrace-audit-")
	if err != nil {
		t.Fatal(err)
	}
	folder, err := blob.OpenFolder(dir + "/archive")
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	stream := lake.NewImporter(folder, engine.EventsTopic)
	offset := int64(0)
	for h := range eventHours {
		for i := range 12 {
			at := noon + event.Time(h)*event.Hour + event.Time(i)*5*event.Minute
			e := event.Event{
				ID: fmt.Sprintf("%d-%d", h, i), Site: []string{"a.example", "b.example"}[i%2], Name: event.Pageview, Time: at, Received: at,
				Visitor: event.Visitor(1 + (h+i)%5), URL: fmt.Sprintf("https://a.example/%d", i), UA: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
			}
			if err := stream.Add(ctx, &e, offset); err != nil {
				t.Fatal(err)
			}
			offset++
		}
	}
	if err := stream.Close(ctx); err != nil {
		t.Fatal(err)
	}
	next := offset + 1
	text := fmt.Sprintf(`{"version":1,"topic":%q,"partition":0,"partitions":1,"nextOffset":%d,"low":%d,"rows":%d}`,
		engine.EventsTopic, next, complete, offset)
	if err := folder.Put(ctx, fmt.Sprintf("_progress/%s-0-%020d.json", engine.EventsTopic, next), []byte(text)); err != nil {
		t.Fatal(err)
	}
	store := openLocal(t, dir)
	if err := store.WriteProgress(ctx, []window.Progress{{Low: complete, Hours: complete, Offset: next}}); err != nil {
		t.Fatal(err)
	}
	(&world{archive: &flaky{Store: folder}, store: store}).replay(t)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	first.dir = dir
}

func openLocal(t *testing.T, dir string) *local.Store {
	t.Helper()
	s, err := local.Open(local.Options{Dir: dir + "/rollups", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newWorld(t *testing.T) *world {
	t.Helper()
	first.once.Do(func() { makeFirst(t) })
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(first.dir)); err != nil {
		t.Fatal(err)
	}
	folder, err := blob.OpenFolder(dir + "/archive")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{archive: &flaky{Store: folder}, store: openLocal(t, dir)}
	t.Cleanup(func() { w.store.Close() })
	w.count(t, counted, 0)
	w.Auditor = New(Options{
		Stores: stores.Set{Lake: w.archive, Local: w.store}, Share: 1, By: counted, NewDeriver: newDeriver,
		Metrics: prometheus.NewRegistry(), Log: slog.New(slog.NewTextHandler(&w.log, nil)),
	})
	w.pacer.sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return w
}

// count leaves what is counted by.
func (w *world) count(t *testing.T, by string, since event.Time) {
	t.Helper()
	dir, err := datadir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := rules.LeaveCounting(t.Context(), w.archive.Store, dir, by, engine.Rules{}, since); err != nil {
		t.Fatal(err)
	}
}

func (w *world) replay(t *testing.T) {
	t.Helper()
	s := offline.Use(nil, stores.Set{Lake: w.archive.Store, Local: w.store})
	if _, err := s.Replay(t.Context(), offline.ReplayOptions{NewDeriver: newDeriver, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}); err != nil {
		t.Fatal(err)
	}
}

// cycle compares every hour once.
func (w *world) cycle(t *testing.T) {
	t.Helper()
	w.picker.to, w.picker.picked, w.picker.open = 0, 0, nil
	for range int((closed-noon)/event.Hour) + 1 {
		w.next(t.Context())
		if len(w.picker.open) == 0 {
			return
		}
	}
	t.Errorf("%d hours are left", len(w.picker.open))
}

// falsify adds an event to the store's number of an hour of a site.
func (w *world) falsify(t *testing.T, hour event.Time) {
	t.Helper()
	err := w.store.Replace(t.Context(), []*window.Window{{
		Kind: window.Hour, Site: "b.example", Start: hour, Final: true,
		Points: []window.Point{{Family: window.Totals, Rollup: window.Rollup{Events: 7, Pageviews: 6}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
}

// want compares what was counted since the last call.
func (w *world) want(t *testing.T, hours, wrong int, skipped string, log ...string) {
	t.Helper()
	if got := valueOf(w.hours); got != float64(hours) {
		t.Errorf("%v hours compared, want %d", got, hours)
	}
	if got := valueOf(w.wrong); (got > 0) != (wrong > 0) || wrong > 0 && got < float64(wrong) {
		t.Errorf("%v numbers are wrong, want %d or more", got, wrong)
	}
	for _, reason := range []string{skipBusy, skipArchive, skipDropped, skipStore, skipError} {
		if n := valueOf(w.skipped.WithLabelValues(reason)); (n > 0) != (reason == skipped) {
			t.Errorf("%v hours skipped for %q, want %q", n, reason, skipped)
		}
	}
	for _, s := range log {
		if !strings.Contains(w.log.String(), s) {
			t.Errorf("%q is not in the log:\n%s", s, w.log.String())
		}
	}
	if errs := strings.Count(w.log.String(), "level=ERROR"); (errs > 0) != (wrong > 0) || errs > 2*(1+mostLogged) {
		t.Errorf("%d errors in the log:\n%s", errs, w.log.String())
	}
}

func valueOf(c prometheus.Metric) float64 {
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		panic(err)
	}
	return m.GetCounter().GetValue()
}

const allHours = int((closed - noon) / event.Hour)

// TestRight: nothing is wrong in a store that is right, whose hours without events are compared too.
func TestRight(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cycle(t)
	w.want(t, allHours, 0, "")
	if n := valueOf(w.points); n < 1000 {
		t.Errorf("%v numbers compared", n)
	}
	if note := w.Note(); !strings.HasPrefix(note, fmt.Sprintf("%d hours with ", allHours)) || strings.Contains(note, "WRONG") {
		t.Errorf("the note is %q", note)
	}
}

// TestWrong: a number that is changed in the store is found within a cycle, in an hour with events
// and in one without.
func TestWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, hour := range []event.Time{noon + 9*event.Hour, noon + 42*event.Hour} {
		w.falsify(t, hour)
	}
	var found []int // places in the cycle
	for i := range allHours {
		before := valueOf(w.wrong)
		w.next(t.Context())
		if valueOf(w.wrong) > before {
			found = append(found, i+1)
		}
	}
	t.Logf("2 of %d hours were falsified, and found at the places %v of the cycle", allHours, found)
	if len(found) != 2 {
		t.Errorf("%d falsified hours are found, want 2", len(found))
	}
	w.want(t, allHours, 2, "", "site=b.example", "hour=2015-05-17T21:00", "hour=2015-05-19T06:00", "metric=events store=7 archive=6", "metric=events store=7 archive=0")
	if note := w.Note(); !strings.Contains(note, "numbers of 2 hours are WRONG") {
		t.Errorf("the note is %q", note)
	}
	w.replay(t) // the remedy
	before := valueOf(w.wrong)
	for _, hour := range []event.Time{noon + 9*event.Hour, noon + 42*event.Hour} {
		if v, err := w.judge(t.Context(), hour, part(2)); err != nil || v.wrong > 0 {
			t.Errorf("%s after a replay: %+v, %v", hour, v, err)
		}
	}
	if n := valueOf(w.wrong); n != before {
		t.Errorf("%v numbers are wrong after a replay, %v before", n, before)
	}
}

// TestCycle: each hour is compared once, and what was falsified is found, as often as it is looked for.
func TestCycle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := func(wrong []event.Time, skipped map[string]int) {
		t.Helper()
		c, err := w.Cycle(t.Context())
		slices.Sort(c.WrongHours)
		hours := allHours
		for _, n := range skipped {
			hours -= n
		}
		if err != nil || c.Hours != hours || c.Points < 1000 || !slices.Equal(c.WrongHours, wrong) || (c.Wrong > 0) != (len(wrong) > 0) ||
			!maps.Equal(c.Skipped, skipped) {
			t.Errorf("%+v, %v; want %d hours, wrong %v, skipped %v", c, err, hours, wrong, skipped)
		}
	}
	falsified := []event.Time{noon + 9*event.Hour, noon + 42*event.Hour}
	for _, hour := range falsified {
		w.falsify(t, hour)
	}
	f(falsified, map[string]int{})
	err := w.store.Replace(t.Context(), []*window.Window{{
		Kind: window.Hour, Site: "b.example", Start: noon + 40*event.Hour, Final: true,
		Points: []window.Point{{Family: window.Dropped, Rollup: window.Rollup{Events: 1}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	// Within reach of an event that was dropped a difference is no mistake.
	f(falsified[:1], map[string]int{skipDropped: 2})
	w.archive.err = errors.New("away")
	if c, err := w.Cycle(t.Context()); err == nil || c.Hours > 0 {
		t.Errorf("without the archive: %+v, %v", c, err)
	}
	w.archive.err = nil
	w.count(t, "another build", complete)
	if c, err := w.Cycle(t.Context()); err != nil || c.Hours > 0 || !strings.Contains(c.Why, "counts by other goals or sites") {
		t.Errorf("counted by something else: %+v, %v", c, err)
	}
}

// TestPartOfSites: of many sites a recount takes some, and the differences of the others are none.
func TestPartOfSites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hour := noon + 9*event.Hour
	w.falsify(t, hour)
	for site, want := range map[string]bool{"a.example": false, "b.example": true} {
		v, err := w.judge(t.Context(), hour, func(s string) bool { return s == site })
		if err != nil || v.wrong > 0 != want || v.points == 0 {
			t.Errorf("%s: %+v, %v", site, v, err)
		}
	}
	n, of := 0, part(100*mostSites)
	for i := range 100 * mostSites {
		if of(fmt.Sprint(i, ".example")) {
			n++
		}
	}
	if n < mostSites/2 || n > 2*mostSites {
		t.Errorf("%d sites of %d in a part", n, 100*mostSites)
	}
}

// TestNotWrong: what has another explanation than a mistake is none.
func TestNotWrong(t *testing.T) {
	t.Parallel()
	hour := noon + 20*event.Hour
	f := func(name, skipped string, change func(t *testing.T, w *world)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.falsify(t, hour)
			change(t, w)
			v, err := w.judge(t.Context(), hour, part(2))
			w.settle(t.Context(), hour, &v, err)
			w.want(t, 0, 0, skipped)
		})
	}
	f("a command is at work", skipBusy, func(t *testing.T, w *world) {
		text := fmt.Sprintf(`{"what":"import","at":%q}`, time.Now().Format(time.RFC3339))
		if err := lake.PutNote(t.Context(), w.archive, "busy.abc", text); err != nil {
			t.Fatal(err)
		}
	})
	f("a file was deleted", skipArchive, func(t *testing.T, w *world) {
		key := lake.Key{Hour: hour - 2*event.Hour, Topic: engine.EventsTopic}
		if err := w.archive.Delete(t.Context(), key.String()); err != nil {
			t.Fatal(err)
		}
	})
	f("a file is damaged", skipError, func(t *testing.T, w *world) {
		key := lake.Key{Hour: hour, Topic: engine.EventsTopic}
		if err := w.archive.Put(t.Context(), key.String(), []byte("damaged")); err != nil {
			t.Fatal(err)
		}
	})
	f("events were dropped", skipDropped, func(t *testing.T, w *world) {
		err := w.store.Replace(t.Context(), []*window.Window{{
			Kind: window.Hour, Site: "b.example", Start: hour + 3*event.Hour, Shard: 5, Final: true,
			Points: []window.Point{{Family: window.Dropped, Rollup: window.Rollup{Events: 1}}},
		}})
		if err != nil {
			t.Fatal(err)
		}
	})
	f("the archive is away", skipError, func(_ *testing.T, w *world) { w.archive.err = errors.New("away") })
	f("the store is away", skipError, func(t *testing.T, w *world) {
		if err := w.store.Close(); err != nil {
			t.Fatal(err)
		}
	})
	f("counted by something else now", skipBusy, func(t *testing.T, w *world) { w.count(t, "another build", complete) })
}

// TestChangesBetween: a difference that is gone when it is looked for again is none.
func TestChangesBetween(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hour := noon + 9*event.Hour
	w.falsify(t, hour)
	w.pacer.sleep = func(context.Context, time.Duration) error { w.replay(t); return nil }
	v, err := w.judge(t.Context(), hour, part(2))
	w.settle(t.Context(), hour, &v, err)
	w.want(t, 1, 0, "")
}

// TestImportedLater: hours that an import brings after the picker has looked are picked.
func TestImportedLater(t *testing.T) {
	t.Parallel()
	folder, err := blob.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := Auditor{picker: picker{rng: rand.New(rand.NewPCG(1, 1))}}
	l := lake.NewReader(folder)
	if hour, found, err := w.picker.pick(t.Context(), l, 0, closed); found || err != nil {
		t.Fatal(hour, found, err)
	}
	m := lake.NewImporter(folder, "import-r0102030405ab")
	e := event.Event{Site: "a.example", Name: event.Pageview, Time: noon, Received: noon}
	if err := errors.Join(m.Add(t.Context(), &e, 0), m.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	seen := map[event.Time]bool{}
	for range 25 { // the hour, and a day behind it
		hour, found, err := w.picker.pick(t.Context(), l, 0, noon+25*event.Hour)
		if !found || err != nil {
			t.Fatal(hour, found, err)
		}
		seen[hour] = true
	}
	if !seen[noon] {
		t.Errorf("%v", seen)
	}
}

// TestStopped: an end in the midst of an hour says nothing about it.
func TestStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.falsify(t, noon+9*event.Hour)
	for n := 1; n < 60; n++ {
		ctx, cancel := context.WithCancel(t.Context())
		w.archive.gets = n
		w.archive.last = cancel
		w.next(ctx)
		if ctx.Err() == nil {
			cancel()
			if n < 10 {
				t.Errorf("%d requests were enough for an hour", n)
			}
			break
		}
		w.want(t, 0, 0, "")
	}
}

// TestClosed: which hours are compared.
func TestClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := func(by string, from, to event.Time) {
		t.Helper()
		gotFrom, gotTo, why, err := w.session().Closed(t.Context(), by)
		if err != nil || gotTo-gotFrom != to-from || from != to && (gotFrom != from || gotTo != to) || (why == "") != (from < to) {
			t.Errorf("%s to %s, %q, %v; want %s to %s", gotFrom, gotTo, why, err, from, to)
		}
	}
	f(counted, 0, closed)
	f("something else", 0, 0)
	w.count(t, "changed", noon+10*event.Minute)
	f(counted, 0, 0)
	f("changed", noon+14*event.Hour, closed)
	// The store is behind the archive.
	if err := w.store.WriteProgress(t.Context(), []window.Progress{{Low: complete + event.Hour, Hours: complete, Offset: 1 << 40}}); err != nil {
		t.Fatal(err)
	}
	f("changed", noon+14*event.Hour, closed)
	w.count(t, "late", complete)
	f("late", 0, 0)
}

func TestPacer(t *testing.T) {
	t.Parallel()
	var cpu, slept time.Duration
	p := newPacer(0.02, true, true)
	p.cpu = func() time.Duration { return cpu }
	p.sleep = func(_ context.Context, d time.Duration) error { slept += d; return nil }
	var now time.Time
	p.now = func() time.Time { return now }
	p.begin()
	for range 1000 {
		cpu += time.Millisecond
		if err := p.pace(t.Context(), false); err != nil {
			t.Fatal(err)
		}
	}
	if share := float64(cpu) / float64(cpu+slept); share < 0.0199 || share > 0.0201 {
		t.Errorf("a share of %v", share)
	}
	if used := time.Duration(p.used.Load()); used != time.Second {
		t.Errorf("used %v", used)
	}
	slept = 0
	now = now.Add(time.Hour)
	for range 3 {
		if err := p.pace(t.Context(), true); err != nil {
			t.Fatal(err)
		}
	}
	if slept != 2*requestEvery {
		t.Errorf("waited %v between three requests", slept)
	}
	slept = 0
	for range 100 {
		if err := p.query(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		now = now.Add(10 * time.Millisecond) // for the answer
	}
	if err := p.query(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if want := 49 * time.Second; slept < want*99/100 || slept > want*101/100 {
		t.Errorf("waited %v for a second of answers", slept)
	}
}

// TestThreadTime: the clock goes by work, and not by waiting where the system can tell.
func TestThreadTime(t *testing.T) {
	t.Parallel()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := threadTime()
	for end := time.Now().Add(20 * time.Millisecond); time.Now().Before(end); {
	}
	if used := threadTime() - before; used <= 0 {
		t.Errorf("%v for work", used)
	}
}

// flaky is an archive that may be away, and calls last with the gets-th request.
type flaky struct {
	blob.Store
	err  error
	gets int
	last func()
}

func (f *flaky) Get(ctx context.Context, key string) ([]byte, error) {
	if f.err != nil {
		return nil, f.err
	}
	if f.gets--; f.gets == 0 {
		f.last()
	}
	return f.Store.Get(ctx, key)
}

func (f *flaky) List(ctx context.Context, prefix, after string) iter.Seq2[blob.Info, error] {
	if f.err != nil {
		return func(yield func(blob.Info, error) bool) { yield(blob.Info{}, f.err) }
	}
	return f.Store.List(ctx, prefix, after)
}

// TestKept: hours that a site keeps no longer are not missed, and those of other sites are compared.
func TestKept(t *testing.T) {
	t.Parallel()
	const kept = noon + 20*event.Hour
	w := newWorld(t)
	if _, err := w.store.DeleteBefore(t.Context(), "a.example", kept); err != nil {
		t.Fatal(err)
	}
	w.o.KeptFrom = func(site string, _ time.Time) event.Time {
		if site == "a.example" {
			return kept
		}
		return 0
	}
	w.cycle(t)
	w.want(t, allHours, 0, "")
	w.falsify(t, noon+3*event.Hour) // of b.example
	w.o.KeptFrom = nil
	w.cycle(t)
	if n := valueOf(w.wrong); n < 20 {
		t.Errorf("%v numbers are wrong without it", n)
	}
}
