package offline

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/cmd/internal/demo"
	"millrace/cmd/internal/stores"
	"millrace/emit/lake"
	"millrace/emit/lake/commits"
	"millrace/emit/lake/hitread"
	"millrace/engine"
	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/engine/replay"
	"millrace/engine/window"
	"millrace/ingest/identity"
	"millrace/ingest/importer"
	"millrace/internal/blob"
	"millrace/internal/site"
	"millrace/query"
	"millrace/query/statsapi"
)

// imported is an archive and a rollup store that files are imported into.
type imported struct {
	tb testing.TB
	s  *Session
	id *identity.Identity
}

var start = time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)

func newImported(tb testing.TB) *imported {
	tb.Helper()
	store, err := blob.OpenFolder(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	rollups, err := stores.OpenLocal(tb.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { rollups.Close() })
	secret := bytes.Repeat([]byte{7}, 32)
	id, err := identity.New(secret, identity.NewDerived(secret))
	if err != nil {
		tb.Fatal(err)
	}
	return &imported{tb, Use(nil, stores.Set{Lake: store, Local: rollups}), id}
}

func derive() engine.Deriver { return enrich.New(enrich.Options{}) }

// add imports files of events with one command.
func (w *imported) add(ctx context.Context, files ...string) error {
	w.tb.Helper()
	sites, err := site.Read(site.Config{})
	if err != nil {
		w.tb.Fatal(err)
	}
	i, err := w.s.NewImport(ctx, ImportOptions{
		Format: importer.Events, Identity: w.id, Rules: RulesOf(sites), NewDeriver: derive, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	var list []*importer.File
	for _, text := range files {
		f, err := importer.Open(ctx, "-", importer.Events, strings.NewReader(text))
		if err != nil {
			w.tb.Fatal(err)
		}
		defer f.Close()
		list = append(list, f)
	}
	_, err = i.Run(ctx, list)
	return err
}

func (w *imported) mustAdd(files ...string) {
	w.tb.Helper()
	if err := w.add(w.tb.Context(), files...); err != nil {
		w.tb.Fatal(err)
	}
}

func (w *imported) mustReplay() {
	w.tb.Helper()
	if _, err := w.s.Replay(w.tb.Context(), ReplayOptions{NewDeriver: derive, Log: slog.New(slog.DiscardHandler)}); err != nil {
		w.tb.Fatal(err)
	}
}

// state returns what is committed of imports.
func (w *imported) state() *commits.State {
	w.tb.Helper()
	r := commits.NewReader(commits.ReaderOptions{Store: w.s.Stores.Lake, Topic: commits.ImportsTopic, Partitions: 1})
	s, err := r.Snapshot(w.tb.Context())
	if err != nil {
		w.tb.Fatal(err)
	}
	return s.Partitions[0]
}

// content returns the live files, by table and day.
func (w *imported) content() map[string]string {
	w.tb.Helper()
	all, s := map[string]string{}, w.state()
	for _, t := range commits.Tables() {
		for _, f := range s.Files(t) {
			body, err := w.s.Stores.Lake.Get(w.tb.Context(), f.Key)
			if err != nil {
				w.tb.Fatal(err)
			}
			all[fmt.Sprint(t, f.Day, len(all))] = string(body)
		}
	}
	return all
}

// keys returns all objects but notes.
func (w *imported) keys() (keys []string) {
	w.tb.Helper()
	for info, err := range w.s.Stores.Lake.List(w.tb.Context(), "", "") {
		if err != nil {
			w.tb.Fatal(err)
		}
		if !strings.Contains(info.Key, "_progress.note.") {
			keys = append(keys, info.Key)
		}
	}
	return keys
}

// settled are rollups of which nothing is open.
type settled struct{ query.Reader }

func (settled) Progress(context.Context) ([]window.Progress, error) {
	now := event.TimeOf(start.AddDate(0, 1, 0))
	return []window.Progress{{Low: now, Hours: now}}, nil
}

// api returns what answers queries of rollups and hits.
func (w *imported) api() *statsapi.Server {
	w.tb.Helper()
	archive, err := hitread.New(hitread.Options{
		Store: w.s.Stores.Lake, Lister: hitread.NewPublished(w.s.Stores.Lake, engine.EventsTopic, 2),
		Imported: func(ctx context.Context, withHits []string) bool {
			topics, err := lake.Imports(ctx, w.s.Stores.Lake)
			return err != nil || lake.Lacks(withHits, topics)
		},
	})
	if err != nil {
		w.tb.Fatal(err)
	}
	x, err := query.New(query.Options{Reader: settled{w.s.Stores.Local}, Hits: archive, Now: func() time.Time { return start.AddDate(0, 1, 0) }})
	if err != nil {
		w.tb.Fatal(err)
	}
	api, err := statsapi.New(statsapi.Options{Executor: x})
	if err != nil {
		w.tb.Fatal(err)
	}
	return api
}

func ask(tb testing.TB, api *statsapi.Server, q map[string]any) *statsapi.Answer {
	tb.Helper()
	q["date_range"] = []string{"2024-02-25", "2024-03-20"}
	body, err := json.Marshal(q)
	if err != nil {
		tb.Fatal(err)
	}
	a, err := api.Answer(tb.Context(), body)
	if err != nil {
		tb.Fatalf("%s: %v", body, err)
	}
	return a
}

// dimensions are those that rollups and hits both answer by.
var dimensions = []string{
	"", "time:hour", "time:day", "event:page", "event:name", "visit:entry_page", "visit:exit_page", "visit:source", "visit:referrer",
	"visit:channel", "visit:utm_medium", "visit:utm_source", "visit:utm_campaign", "visit:device", "visit:browser",
	"visit:browser_version", "visit:os", "visit:country", "visit:region", "visit:city",
}

// mustAgree compares what hits and what rollups answer: the filter lets all pass, and no rollup has it.
func (w *imported) mustAgree() {
	w.tb.Helper()
	api, rows := w.api(), 0
	for _, site := range demo.Sites() {
		for _, dim := range dimensions {
			metrics := []string{"visitors", "visits", "pageviews", "events", "bounce_rate", "visit_duration", "views_per_visit"}
			if strings.HasPrefix(dim, "event:") {
				metrics = []string{"visitors", "pageviews", "events"}
			}
			q := map[string]any{"site_id": site, "metrics": metrics}
			if dim != "" {
				q["dimensions"] = []string{dim}
			}
			want := ask(w.tb, api, q)
			q["filters"] = []any{[]any{"is_not", "visit:utm_content", []string{"none such"}}, []any{"is_not", "visit:utm_term", []string{"none such"}}}
			got := ask(w.tb, api, q)
			if got.Meta.Source != "lake" || len(got.Meta.Warnings) > 0 {
				w.tb.Errorf("%s by %q: source %s, warnings %q", site, dim, got.Meta.Source, got.Meta.Warnings)
			}
			rows += len(got.Results)
			if !reflect.DeepEqual(got.Results, want.Results) {
				w.tb.Errorf("%s by %q: hits %+v, rollups %+v", site, dim, got.Results, want.Results)
			}
		}
	}
	if rows < 100 {
		w.tb.Errorf("only %d rows were compared", rows)
	}
}

// texts returns days of the demo's traffic.
func texts(tb testing.TB, days int) (list []string) {
	tb.Helper()
	for d := range days {
		var b strings.Builder
		if _, err := demo.WriteDay(&b, start.AddDate(0, 0, d), start.AddDate(0, 1, 0), 0.004); err != nil {
			tb.Fatal(err)
		}
		list = append(list, b.String())
	}
	return list
}

// TestImportedHits: imports have hits that say what rollups do, however the files come; the same again changes nothing.
func TestImportedHits(t *testing.T) {
	t.Parallel()
	files := texts(t, 3)
	one := newImported(t)
	one.mustAdd(files...)
	one.mustAgree()
	one.byHand(files)
	keys, content := one.keys(), one.content()
	if s := one.state(); len(s.Imports) != 3 || s.Version != 0 || len(content) < 6 {
		t.Errorf("imports %q with %d files at version %d", s.Imports, len(content), s.Version)
	}
	one.mustAdd(files...)
	one.mustReplay()
	if !slices.Equal(one.keys(), keys) {
		t.Error("the same again changes the archive")
	}

	// In pieces, the last day first, and the second, which is between two that there are, in two parts.
	lines := slices.Collect(strings.Lines(files[1]))
	var odd, even string
	for i, line := range lines {
		if i%2 == 0 {
			even += line
		} else {
			odd += line
		}
	}
	two := newImported(t)
	for _, f := range []string{files[2], odd, files[0], even} {
		two.mustAdd(f)
	}
	two.mustReplay() // windows of visits over midnight, which was the end of a file
	two.mustAgree()
	two.byHand(files)
	if s := two.state(); len(s.Imports) != 4 || len(s.Removed()) == 0 {
		t.Errorf("imports %q, removed %v", s.Imports, s.Removed())
	}
}

// byHand counts by two dimensions in the files.
func (w *imported) byHand(files []string) {
	w.tb.Helper()
	want := map[string]map[string]float64{}
	for _, text := range files {
		for line := range strings.Lines(text) {
			var e struct{ Site, Name, URL string }
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				w.tb.Fatal(err)
			}
			if strings.Contains(line, "Googlebot") {
				continue
			}
			u, err := url.Parse(e.URL)
			if err != nil {
				w.tb.Fatal(err)
			}
			if want[e.Site] == nil {
				want[e.Site] = map[string]float64{}
			}
			want[e.Site][u.Path+" "+e.Name]++
		}
	}
	api := w.api()
	for _, site := range demo.Sites() {
		a := ask(w.tb, api, map[string]any{"site_id": site, "metrics": []string{"events"}, "dimensions": []string{"event:page", "event:name"}})
		got := map[string]float64{}
		text, err := json.Marshal(a.Results)
		var rows []struct {
			Dimensions []string
			Metrics    []float64
		}
		if err = errors.Join(err, json.Unmarshal(text, &rows)); err != nil {
			w.tb.Fatal(err)
		}
		for _, r := range rows {
			got[strings.Join(r.Dimensions, " ")] = r.Metrics[0]
		}
		if len(got) < 5 || !maps.Equal(got, want[site]) {
			w.tb.Errorf("%s: events %v, want %v", site, got, want[site])
		}
	}
}

// dying is a store that takes no more after so many puts.
type dying struct {
	blob.Store
	left int
	die  context.CancelFunc // ends the process
}

var errDied = errors.New("the process died")

func (d *dying) Put(ctx context.Context, key string, body []byte) error {
	if d.left--; d.left < 0 {
		d.die()
		return errDied
	}
	return d.Store.Put(ctx, key, body)
}

func (d *dying) Delete(ctx context.Context, key string) error {
	if d.left < 0 {
		return errDied
	}
	return d.Store.Delete(ctx, key)
}

// TestImportedHitsKilled: an import that ends before any of its puts leaves what there was, and is completed by another.
func TestImportedHitsKilled(t *testing.T) {
	t.Parallel()
	first := `{"site":"a.example","name":"pageview","url":"https://a.example/1","ts":1709337000000,"id":"1","ip":"192.0.2.1","ua":"` + chrome + "\"}\n"
	second := strings.NewReplacer("/1", "/2", "1709337000000", "1709337540000", `"1"`, `"2"`).Replace(first)
	clean := newImported(t)
	clean.mustAdd(first)
	before := clean.content()
	clean.mustAdd(second)
	clean.mustAdd(first)
	want := clean.content()
	if len(before) != 2 || len(want) != 2 || reflect.DeepEqual(before, want) {
		t.Fatalf("%d and %d files", len(before), len(want))
	}
	died := 0
	for n := 0; ; n++ {
		w := newImported(t)
		w.mustAdd(first)
		whole := w.s.Stores.Lake
		ctx, cancel := context.WithCancel(t.Context())
		w.s.Stores.Lake = &dying{whole, n, cancel}
		err := w.add(ctx, second)
		cancel()
		w.s.Stores.Lake = whole
		got := w.content()
		if !reflect.DeepEqual(got, before) && !reflect.DeepEqual(got, want) {
			t.Errorf("killed after %d puts: the hits are neither those before nor those after", n)
		}
		if err == nil {
			break
		}
		died++
		w.mustAdd(second)
		if !reflect.DeepEqual(w.content(), want) {
			t.Errorf("killed after %d puts and repeated: other hits", n)
		}
		if topics, err := lake.Imports(t.Context(), whole); err != nil || lake.Lacks(w.state().Imports, topics) {
			t.Errorf("killed after %d puts and repeated: hits of %q, imports %q, %v", n, w.state().Imports, topics, err)
		}
	}
	if died < 7 {
		t.Errorf("it was killed %d times only", died)
	}
}

const chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36"

// TestImportedHitsGo: hits of what is taken out of the archive go when it is counted again; of a build before, which made none, they come.
func TestImportedHitsGo(t *testing.T) {
	t.Parallel()
	w := newImported(t)
	w.mustAdd(texts(t, 1)[0])
	want := w.content()
	for _, key := range w.keys() {
		if strings.HasPrefix(key, "hits/") || strings.HasPrefix(key, "visits/") {
			if err := w.s.Stores.Lake.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
	}
	api, q := w.api(), map[string]any{"site_id": demo.Sites()[0], "metrics": []string{"events"}, "dimensions": []string{"event:page", "event:name"}}
	body, _ := json.Marshal(map[string]any{"site_id": q["site_id"], "metrics": q["metrics"], "dimensions": q["dimensions"], "date_range": "30d"})
	if _, err := api.Answer(t.Context(), body); err == nil {
		t.Error("there are no hits, and they answer")
	}
	w.mustReplay()
	if !reflect.DeepEqual(w.content(), want) {
		t.Error("a replay makes other hits than the import")
	}
	for _, key := range w.keys() {
		if strings.Contains(key, "import-") {
			if err := w.s.Stores.Lake.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, err := w.s.Replay(t.Context(), ReplayOptions{NewDeriver: derive, Log: slog.New(slog.DiscardHandler)})
	if err != nil && !errors.Is(err, replay.ErrEmpty) {
		t.Fatal(err)
	}
	if s := w.state(); s.NumFiles() > 0 || len(s.Imports) > 0 {
		t.Errorf("%d files are left, of %q", s.NumFiles(), s.Imports)
	}
}

// TestImportedHitsAtOnce: of two imports into one day each has its hits, whichever commits first.
func TestImportedHitsAtOnce(t *testing.T) {
	t.Parallel()
	text := func(n string) string {
		return `{"site":"a.example","name":"pageview","url":"https://a.example/` + n + `","ts":170933700` + n + `000,"id":"` + n + `","ip":"192.0.2.` + n + `","ua":"` + chrome + "\"}\n"
	}
	want := newImported(t)
	want.mustAdd(text("1"), text("2"))
	w := newImported(t)
	w.mustAdd(text("1"))
	other := false
	o := hitsOptions{
		from: event.TimeOf(start), to: event.TimeOf(start.AddDate(0, 0, 1)), log: slog.New(slog.DiscardHandler),
		newDeriver: func() engine.Deriver {
			if !other { // behind the reading of what is committed
				other = true
				w.mustAdd(text("2"))
			}
			return derive()
		},
	}
	if err := w.s.hits(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if !other || !reflect.DeepEqual(w.content(), want.content()) || !reflect.DeepEqual(w.state().Imports, want.state().Imports) {
		t.Errorf("files of %v, want those of %v", w.state().Imports, want.state().Imports)
	}
}
