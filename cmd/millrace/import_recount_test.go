package main

import (
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millrace/bench/verify/month"
	"millrace/cmd/internal/offline"
	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/engine/replay"
	"millrace/engine/window"
)

var recountSeed = flag.Uint64("recount-seed", 1, "seed of the month that TestImportRecountMonth generates")

// TestImportRecountAccessLog has the visits of a real site's log counted by DuckDB too. That takes the verdicts on bots from
// Millrace, and nothing else.
func TestImportRecountAccessLog(t *testing.T) {
	python := mustDuckDB(t)
	const log, site = "../../../shared/data/apache_combined.log", "www.example.com"
	text, err := os.ReadFile(log)
	if err != nil {
		t.Skipf("the shared data set is not there: %v", err)
	}
	at := localPlace(t)
	mustRun(t, 0, at.args("import", "--format", "combined", "--site", site, "--secret", strings.Repeat("5a", 32), log)...)
	mustAgree(t, python, at, botsOf(string(text)), month.Site{Name: site, Zone: "UTC"})
}

// TestImportRecountMonth does the same with a generated month of three sites in three time zones, each of which changes its
// clocks in it: 100,000 events, in the long form 5 million. The recount knows by itself who is a bot.
func TestImportRecountMonth(t *testing.T) {
	python := mustDuckDB(t)
	o := month.Options{Events: 100_000, Seed: *recountSeed, First: month.Spring}
	switch {
	case testing.Short():
		o.Events = 20_000
	case *long:
		o.Events, o.First = 5_000_000, month.Autumn
	}
	log := filepath.Join(t.TempDir(), "month.ndjson")
	f, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(month.Write(f, o), f.Close()); err != nil {
		t.Fatal(err)
	}
	at := localPlace(t)
	began := time.Now()
	out := mustRun(t, 0, at.args("import", "--format", "events", "--secret", strings.Repeat("5a", 32), log)...)
	t.Logf("seed %d, imported in %v: %s", o.Seed, time.Since(began).Round(time.Second), out)
	mustAgree(t, python, at, month.Bots(), month.Sites()...)
}

// mustDuckDB returns a Python that has DuckDB, or skips the test.
func mustDuckDB(t *testing.T) string {
	t.Helper()
	python := os.Getenv("MILLRACE_TEST_PYTHON")
	if python == "" {
		python = "python3"
	}
	if out, err := exec.Command(python, "-c", "import duckdb").CombinedOutput(); err != nil {
		t.Skipf("%s has no DuckDB (pip install duckdb; MILLRACE_TEST_PYTHON names another Python): %v %s", python, err, out)
	}
	return python
}

// botsOf returns the user agents of an access log that Millrace takes for bots'.
func botsOf(log string) (bots []string) {
	d := enrich.New(enrich.Options{})
	seen := map[string]bool{}
	for line := range strings.Lines(log) {
		line = strings.TrimRight(line, "\"\n")
		ua := line[strings.LastIndexByte(line, '"')+1:]
		if seen[ua] {
			continue
		}
		seen[ua] = true
		var row window.Row
		d.Row(&event.Event{Site: "a.example", Name: event.Pageview, URL: "/", UA: ua}, &row)
		if row.Flags&window.BotRow != 0 {
			bots = append(bots, ua)
		}
	}
	return bots
}

// mustAgree has recount.py compare the store and the API's answers with what it counts in the archive.
func mustAgree(t *testing.T, python string, at place, bots []string, sites ...month.Site) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	args := []string{
		"../../bench/verify/month/recount.py", "--lake", filepath.Join(at.data, "lake", "dt=*", "**", "*.parquet"),
		"--bots", write("bots.txt", strings.Join(bots, "\n")), "--points", write("points.csv", visitPoints(t, at)),
	}
	var zones []string
	for _, s := range sites {
		args = append(args, "--site", s.Name+"="+s.Zone)
		zones = append(zones, s.Name+"="+s.Zone)
	}
	s := mustServe(t, at, "--roles", "query", "--site-time-zones", strings.Join(zones, ";"))
	defer s.mustStop(t)
	out, err := exec.CommandContext(t.Context(), python, append(args, "--url", s.url)...).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("the recount does not agree: %v", err)
	}
}

// visitPoints returns what the rollup store of a stopped server holds of visits, as CSV.
func visitPoints(t *testing.T, at place) string {
	t.Helper()
	off, err := offline.Open(at.stores(false))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	w := csv.NewWriter(&b)
	w.Write([]string{"site", "start", "family", "value", "visits", "bounces", "seconds", "views"})
	r := off.Stores.Rollups()
	sites, err := r.Sites(t.Context())
	for _, site := range sites {
		for _, f := range []window.Family{window.Totals, window.EntryPages, window.ExitPages} {
			sel := window.Selection{Kind: window.Visits, Site: site, Family: f, From: 0, To: replay.EndOfTime}
			err = errors.Join(err, r.Scan(t.Context(), sel, func(start event.Time, _ bool, p *window.Point) error {
				row := []string{site, fmt.Sprint(int64(start)), f.String(), p.Dims[0]}
				for _, n := range []int64{p.Visits, p.Bounces, p.Seconds, p.Views} {
					row = append(row, fmt.Sprint(n))
				}
				return w.Write(row)
			}))
		}
	}
	w.Flush()
	if err := errors.Join(err, w.Error(), off.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
