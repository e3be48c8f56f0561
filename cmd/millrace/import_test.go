package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"millrace/engine/event"
)

// TestImportAccessLog imports 10,000 lines of a real site's log, twice, and compares the API's answers with a recount by other
// means, apache_combined.tsv:
//
//   - lines, events, and events of each day (759, 1398, 1117, 958) by awk and by a regular expression in Python over the log;
//   - pageviews and visitors in all, of each day, country and browser by DuckDB over the Parquet files, with
//     testdata/import/recount.sql. Countries are those in the files, whose table a new version of the dependency can change.
//   - visitors in all, 1068, also by Python as the log's different (day, address, user agent) without those of bots;
//   - then Digg Feed Fetcher (21 page views, 19 visitors, taken for Safari until then) and libfetch (4 and 4, of no browser) became
//     bots, and Lynx, Links, Midori, BonEcho, Conkeror, UP.Browser and Reeder got names: 1777 page views and 1045 visitors are what is
//     left without these lines, as Python found them in the log by their user agents, with their days and addresses.
func TestImportAccessLog(t *testing.T) {
	const log = "../../../shared/data/apache_combined.log"
	if _, err := os.Stat(log); err != nil {
		t.Skipf("the shared data set is not there: %v", err)
	}
	testImport(t, log, "www.example.com", []string{"2015-05-01", "2015-05-31"}, "testdata/import/apache_combined.tsv", importSummary{
		Lines: 10_000, Events: 4232, Bots: 2455, Visits: 1166, Malformed: 1,
		Skipped: map[string]int64{"asset": 5348, "method": 48, "status": 371},
	})
}

// TestImportSmallLog does the same with a log whose numbers can be told by reading it.
func TestImportSmallLog(t *testing.T) {
	testImport(t, "testdata/import/small.log", "shop.example", []string{"2024-02-01", "2024-03-31"}, "testdata/import/small.tsv", importSummary{
		Lines: 17, Events: 7, Bots: 1, Visits: 3, Malformed: 3,
		Skipped: map[string]int64{"asset": 2, "empty": 1, "method": 2, "status": 2},
	})
}

func testImport(t *testing.T, log, site string, days []string, want string, sum importSummary) {
	at := localPlace(t)
	args := func(site, log string) []string {
		return at.args("import", "--format", "combined", "--json", "--site", site, log)
	}
	mustSum := func(args ...string) {
		t.Helper()
		var got importSummary
		if err := json.Unmarshal([]byte(mustRun(t, 0, args...)), &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, sum) {
			t.Errorf("summary %+v, want %+v", got, sum)
		}
		mustRun(t, 0, at.args("replay", "--verify")...)
	}
	mustSum(args(site, log)...)
	rows, points := lakeFiles(t, at), at.dump(t, math.MaxInt64)
	askAll(t, at, site, days, want)

	// Once more, and packed: nothing changes.
	mustSum(args(site, log)...)
	mustSum(args(site, mustPack(t, log))...)
	if !maps.Equal(lakeFiles(t, at), rows) || !maps.Equal(at.dump(t, math.MaxInt64), points) {
		t.Error("a second import changes the archive or the numbers")
	}

	// The same file for another site is other traffic.
	mustSum(args("other.example", log)...)
	if n := len(lakeFiles(t, at)); n != 2*len(rows) {
		t.Errorf("%d files of two sites, %d of one", n, len(rows))
	}
	askAll(t, at, site, days, want)
	askAll(t, at, "other.example", days, want)

	if err := at.loseRollups(); err != nil {
		t.Fatal(err)
	}
	mustRun(t, 0, at.args("replay")...)
	askAll(t, at, site, days, want)
}

// askAll asks for the groups of a file (dimension, value, visitors, pageviews) and compares: pageviews and visitors up to
// 1,000 exactly, more visitors within 2 %.
func askAll(t *testing.T, at place, site string, days []string, want string) {
	t.Helper()
	f, err := os.Open(want)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	groups := map[string]map[string][2]float64{}
	for in := bufio.NewScanner(f); in.Scan(); {
		w := strings.Split(in.Text(), "\t")
		visitors, err1 := strconv.ParseFloat(w[2], 64)
		pageviews, err2 := strconv.ParseFloat(w[3], 64)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatalf("%s: %v", want, err)
		}
		if groups[w[0]] == nil {
			groups[w[0]] = map[string][2]float64{}
		}
		groups[w[0]][w[1]] = [2]float64{visitors, pageviews}
	}
	s := mustServe(t, at, "--roles", "query")
	defer s.mustStop(t)
	for dim, values := range groups {
		q := map[string]any{"site_id": site, "date_range": days, "metrics": []string{"visitors", "pageviews"}}
		if dim != "-" {
			q["dimensions"] = []string{dim}
		}
		a, err := s.ask(q)
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Results) != len(values) {
			t.Errorf("%s %s: %d groups, want %d", site, dim, len(a.Results), len(values))
		}
		for _, r := range a.Results {
			value := strings.Join(append(r.Dimensions, "-")[:1], "")
			w := values[value]
			tolerance := 0.0
			if w[0] >= 1000 {
				tolerance = 0.02 * w[0]
			}
			if math.Abs(r.Metrics[0]-w[0]) > tolerance || r.Metrics[1] != w[1] {
				t.Errorf("%s %s %s: %v visitors and pageviews, want %v", site, dim, value, r.Metrics, w)
			}
		}
	}
}

// TestImportKilled kills an import and repeats it: archive and numbers are those of an import that was left alone.
func TestImportKilled(t *testing.T) {
	t.Parallel()
	lines := int64(60_000)
	if testing.Short() { // with the race detector these take as long as all of them without
		lines = 12_000
	}
	log := mustBigLog(t, lines)
	secret := strings.Repeat("5a", 32) // the same rows in both places
	args := func(at place) []string {
		return at.args("import", "--format", "combined", "--site", "big.example", "--secret", secret, log)
	}
	whole := localPlace(t)
	mustRun(t, 0, args(whole)...)

	cut := localPlace(t)
	for _, files := range []int{1, 20} {
		cmd := exec.Command(mustExecutable(t), args(cut)...)
		cmd.Env = append(os.Environ(), asProgram+"=1")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		waitFor(t, 20*time.Second, func() error {
			if n := len(lakeFiles(t, cut)); n < files {
				return fmt.Errorf("%d files", n)
			}
			return nil
		})
		cmd.Process.Kill()
		if err := cmd.Wait(); err == nil {
			t.Error("the import was over before it was killed")
		}
	}
	mustRun(t, 0, args(cut)...)
	mustRun(t, 0, cut.args("replay", "--verify")...)
	if !maps.Equal(lakeFiles(t, cut), lakeFiles(t, whole)) {
		t.Error("another archive than without a kill")
	}
	if !maps.Equal(cut.dump(t, math.MaxInt64), whole.dump(t, math.MaxInt64)) {
		t.Error("other numbers than without a kill")
	}
}

// TestImportEvents imports our own events, from several files, and asks for what they say.
func TestImportEvents(t *testing.T) {
	at := localPlace(t)
	dir := t.TempDir()
	const first = `{"site":"b.example","name":"pageview","url":"https://b.example/x","ts":"2023-10-10T13:58:00Z","visitor":"anna"}
{"site":"b.example","name":"Signup","url":"https://b.example/x","ts":1696946338000,"visitor":"anna","revenue":{"amount":"12.5","currency":"EUR"}}
{"site":"b.example","name":"pageview","ts":"2023-10-10T13:58:00Z","visitor":5}
not json
`
	const second = `{"site":"b.example","name":"pageview","url":"https://b.example/y","ts":"2023-10-11T00:00:00+02:00","visitor":"bob"}
{"site":"c.example","name":"pageview","url":"https://c.example/","ts":"2023-10-10T13:58:00Z","visitor":"anna"}
`
	names := []string{filepath.Join(dir, "1"), filepath.Join(dir, "2")}
	for i, text := range []string{first, second} {
		if err := os.WriteFile(names[i], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		var sum importSummary
		if err := json.Unmarshal([]byte(mustRun(t, 0, append(at.args("import", "--format", "events", "--json"), names...)...)), &sum); err != nil {
			t.Fatal(err)
		}
		if sum.Lines != 6 || sum.Events != 4 || sum.Malformed != 2 {
			t.Errorf("summary %+v", sum)
		}
	}
	mustRun(t, 0, at.args("replay", "--verify")...)
	s := mustServe(t, at, "--roles", "query")
	for site, want := range map[string][]float64{"b.example": {2, 2, 3}, "c.example": {1, 1, 1}} {
		a, err := s.ask(map[string]any{
			"site_id": site, "date_range": []string{"2023-10-10", "2023-10-10"}, "metrics": []string{"visitors", "pageviews", "events"},
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Results) != 1 || !reflect.DeepEqual(a.Results[0].Metrics, want) {
			t.Errorf("%s: %+v, want %v", site, a.Results, want)
		}
	}
	s.mustStop(t)
}

// TestImportBreaksOff: what got into the archive before a file fails is counted.
func TestImportBreaksOff(t *testing.T) {
	at := localPlace(t)
	c := importCommand{Format: "combined", Site: "shop.example", Files: []string{"testdata/import/small.log", "testdata/import/small.tsv"}}
	c.Data = at.data
	var out, log bytes.Buffer
	p := &process{ctx: t.Context(), stdout: &out, stderr: &log}
	files, err := c.open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer closeFiles(files)
	off, err := openOffline(&c.storeFlags, true, true, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	id, err := c.identity(off)
	if err != nil {
		t.Fatal(err)
	}
	files[1].Close() // reading it fails
	err = newImported(&c, p, slog.New(slog.DiscardHandler), off, id).all(files)
	if err == nil || !strings.Contains(err.Error(), "small.tsv") || !strings.Contains(err.Error(), "repeat the import") {
		t.Errorf("the error is %v", err)
	}
	if err := off.close(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "17 lines: 7 events") {
		t.Errorf("printed %q", &out)
	}
	mustRun(t, 0, at.args("replay", "--verify")...)
}

// TestImportStopped: one that is told to stop gives one advice, to repeat it, and not what counting could do no more.
func TestImportStopped(t *testing.T) {
	at := localPlace(t)
	c := importCommand{Format: "combined", Site: "shop.example", Files: []string{"testdata/import/small.log"}}
	c.Data = at.data
	ctx, cancel := context.WithCancel(t.Context())
	var out, log bytes.Buffer
	p := &process{ctx: ctx, stdout: &out, stderr: &log}
	files, err := c.open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer closeFiles(files)
	off, err := openOffline(&c.storeFlags, true, true, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	id, err := c.identity(off)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	err = newImported(&c, p, slog.New(slog.DiscardHandler), off, id).all(files)
	if err == nil || !strings.HasSuffix(err.Error(), "\nrepeat the import to complete it") {
		t.Errorf("the error is %v", err)
	}
	if err := off.close(); err != nil {
		t.Fatal(err)
	}
	mustRun(t, 0, at.args("import", "--format", "combined", "--site", "shop.example", "testdata/import/small.log")...)
	mustRun(t, 0, at.args("replay", "--verify")...)
}

// TestImportRecent: events whose minutes the engine may still fire are told.
func TestImportRecent(t *testing.T) {
	at := localPlace(t)
	file := filepath.Join(t.TempDir(), "events")
	var b strings.Builder
	for _, age := range []time.Duration{3 * time.Hour, 61 * time.Minute, 30 * time.Minute, time.Minute} {
		fmt.Fprintf(&b, "{\"site\":\"a.example\",\"name\":\"pageview\",\"ts\":%d}\n", time.Now().Add(-age).UnixMilli())
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, log bytes.Buffer
	if code := run(t.Context(), at.args("import", "--format", "events", file), nil, &out, &log); code != 0 {
		t.Fatalf("exit code %d: %s", code, &log)
	}
	if got := log.String(); !strings.Contains(got, "millrace replay") || !strings.Contains(got, "events=2") {
		t.Errorf("the log is %q, want 2 events told", got)
	}
}

// TestImportBehindStream tells events before, within the last hour of and behind the archived stream apart.
func TestImportBehindStream(t *testing.T) {
	var text strings.Builder
	end := event.TimeOf(time.Date(2024, 3, 1, 12, 0, 30, 0, time.UTC))
	i := newImported(&importCommand{}, nil, slog.New(slog.NewTextHandler(&text, nil)), nil, nil)
	i.end, i.streams = end, true
	for _, before := range []event.Time{2 * event.Hour, event.Hour, event.Minute, 31 * event.Second, 30 * event.Second, -event.Hour} {
		i.note(&event.Event{Site: "a.example", Name: event.Pageview, Time: end - before})
	}
	i.warn()
	if got := text.String(); !strings.Contains(got, "in an hour\" events=3 ") || !strings.Contains(got, "an hour later\" events=2 ") {
		t.Errorf("the log is %s", got)
	}
}

// lakeFiles returns the rows' files of the archive in the folder, by name, with their content.
func lakeFiles(tb testing.TB, at place) map[string]string {
	tb.Helper()
	files := map[string]string{}
	root := filepath.Join(at.data, "lake")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // not yet, or just renamed
			return nil
		}
		if err != nil || d.IsDir() || filepath.Ext(path) != ".parquet" || !strings.HasPrefix(strings.TrimPrefix(path, root), "/dt=") {
			return err
		}
		data, err := os.ReadFile(path)
		files[path[len(root):]] = string(data)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return files
}

func mustPack(tb testing.TB, path string) string {
	tb.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err = z.Write(data)
	packed := filepath.Join(tb.TempDir(), "log.gz")
	if err := errors.Join(err, z.Close(), os.WriteFile(packed, b.Bytes(), 0o600)); err != nil {
		tb.Fatal(err)
	}
	return packed
}

// mustBigLog makes a log of two days with many visitors and pages.
func mustBigLog(tb testing.TB, lines int64) string {
	tb.Helper()
	var b bytes.Buffer
	start := event.TimeOf(time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC))
	for i := range lines {
		at := (start + event.Time(i)*48*event.Hour/event.Time(lines)).Std()
		fmt.Fprintf(&b, "198.51.%d.%d - - [%s] \"GET /p/%d HTTP/1.1\" 200 10 \"-\" \"%s\"\n",
			i*7%256, i*31%251, at.Format("02/Jan/2006:15:04:05 -0700"), i*i%1009%97, firefox)
	}
	path := filepath.Join(tb.TempDir(), "big.log")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}
