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

	"millrace/cmd/internal/offline"
	"millrace/emit/lake"
	"millrace/engine/event"
	"millrace/ingest/identity"
	"millrace/ingest/importer"
)

// TestImportAccessLog imports 10,000 lines of a real site's log, twice, and compares the API's answers with a recount by other
// means, apache_combined.tsv:
//
//   - lines, events, and events of each day (712, 1309, 1047, 904) by a regular expression in Python over the log;
//   - pageviews and visitors in all, of each day, country and browser by DuckDB over the Parquet files, with
//     testdata/import/recount.sql. Countries are those in the files, whose table a new version of the dependency can change.
//   - One line ends in its user agent, and counts. 121 page views of an earlier recount were of feeds, robots.txt and pieces of
//     files. Two views are of pages named like an ending, /blog/tags/xml by a bot and /blog/tags/css by a visitor from the US.
func TestImportAccessLog(t *testing.T) {
	t.Parallel()
	const log = "../../../shared/data/apache_combined.log"
	if _, err := os.Stat(log); err != nil {
		t.Skipf("the shared data set is not there: %v", err)
	}
	testImport(t, log, "www.example.com", []string{"2015-05-01", "2015-05-31"}, "testdata/import/apache_combined.tsv", importSummary{
		Lines: 10_000, Events: 3972, Bots: 2313, Visits: 1116,
		Skipped: map[string]int64{"asset": 5564, "method": 48, "status": 416},
	})
}

// TestImportSmallLog does the same with a log whose numbers can be told by reading it.
func TestImportSmallLog(t *testing.T) {
	t.Parallel()
	testImport(t, "testdata/import/small.log", "shop.example", []string{"2024-02-01", "2024-03-31"}, "testdata/import/small.tsv", importSummary{
		Lines: 17, Events: 8, Bots: 1, Visits: 4, Malformed: 2,
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

// TestImportOverlap: files of one server may be rotated, put together, cut and imported again, by this build or the one before,
// and each line counts once. What is in several of them as often counts as often as in the one that has it most.
func TestImportOverlap(t *testing.T) {
	t.Parallel()
	const page = `192.0.2.%d - - [10/Oct/2023:13:55:%02d +0000] "GET /%s HTTP/1.1" 200 10 "-" "` + firefox + "\"\n"
	line := func(client, second int, path string) string { return fmt.Sprintf(page, client, second, path) }
	a, b, c, d := line(1, 1, "a"), line(1, 2, "b"), line(2, 2, "b"), line(1, 3, "a")
	whole := a + b + b + c + b + d + d
	f := func(name string, files ...string) {
		t.Helper()
		at := localPlace(t)
		for i, text := range files {
			path := filepath.Join(t.TempDir(), fmt.Sprint(name, i))
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			mustRun(t, 0, at.args("import", "--format", "combined", "--site", "a.example", path)...)
		}
		mustRun(t, 0, at.args("replay", "--verify")...)
		s := mustServe(t, at, "--roles", "query")
		defer s.mustStop(t)
		answer, err := s.ask(map[string]any{"site_id": "a.example", "date_range": []string{"2023-10-10", "2023-10-10"}, "metrics": []string{"visitors", "pageviews"}})
		if err != nil || len(answer.Results) != 1 || !reflect.DeepEqual(answer.Results[0].Metrics, numbers{2, 7}) {
			t.Errorf("%s: %+v %v, want 2 visitors and 7 pageviews", name, answer.Results, err)
		}
	}
	f("again", whole, whole)
	f("grown", a+b+b, whole)
	f("rotated and overlapping", a+b+b+c+b, b+b+c+b+d+d)
	f("cut", c+b+d+d, a+b+b+c, whole)
	f("begun at another line", b+b+c+b+d+d, whole)
	f("other order and line ends", d+a, strings.ReplaceAll(whole, "\n", "\r\n"))
	f("a torn end", a+b+b[:len(b)-20], whole)
	f("put together", a+b, b+c+b+d+d+a, whole)
}

// TestImportSuperseded: the events that a build before gave ids by place count once beside those of the same lines, and go when
// their own file is imported again; what it took for a pageview and was none goes with them.
func TestImportSuperseded(t *testing.T) {
	t.Parallel()
	at := localPlace(t)
	const path = "testdata/import/small.log"
	file, err := importer.Open(t.Context(), path, "combined", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	off, err := offline.Open(at.stores(true))
	if err != nil {
		t.Fatal(err)
	}
	id, err := off.ImportIdentity("")
	if err != nil {
		t.Fatal(err)
	}
	importPlaced(t, off, file, id, file.PlacedDigest("shop.example"))
	importPlaced(t, off, file, id, []byte("another file that has all lines"))
	if err := off.Close(); err != nil {
		t.Fatal(err)
	}
	mustRun(t, 0, at.args("replay")...)
	mustRun(t, 0, at.args("import", "--format", "combined", "--site", "shop.example", path)...)
	mustRun(t, 0, at.args("replay", "--verify")...)
	for name := range lakeFiles(t, at) {
		topic, err := lake.PlacedTopic(file.PlacedDigest("shop.example"))
		if err != nil || strings.Contains(name, topic) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	s := mustServe(t, at, "--roles", "query")
	defer s.mustStop(t)
	for page, want := range map[string]float64{"/a": 4, "/robots.txt": 1} { // the other old file has the latter
		a, err := s.ask(map[string]any{
			"site_id": "shop.example", "date_range": []string{"2024-02-01", "2024-03-31"}, "metrics": []string{"pageviews"},
			"filters": []any{[]any{"is", "event:page", []string{page}}},
		})
		if err != nil || len(a.Results) != 1 || a.Results[0].Metrics[0] != want {
			t.Errorf("%s: %+v %v, want %v pageviews", page, a.Results, err, want)
		}
	}
}

// importPlaced writes the events of a file as a build before has, and one that is none any more.
func importPlaced(t *testing.T, off *offline.Session, file *importer.File, id *identity.Identity, digest []byte) {
	t.Helper()
	topic, err := lake.PlacedTopic(digest)
	if err != nil {
		t.Fatal(err)
	}
	to := lake.NewImporter(off.Stores.Lake, topic)
	r, err := file.Read("shop.example", id, func(string) identity.Rule { return identity.Rule{} })
	if err != nil {
		t.Fatal(err)
	}
	for r.Scan() {
		e := *r.Event()
		e.ID = e.ID[:16] + "-" + strconv.FormatInt(r.Line(), 10)
		if err := to.Add(t.Context(), &e, r.Line()-1); err != nil {
			t.Fatal(err)
		}
		if r.Line() == 1 { // the next line of the file can't be of another hour
			e.ID, e.URL = "0123456789abcdef-2", "https://shop.example/robots.txt"
			err = to.Add(t.Context(), &e, 1)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(r.Err(), to.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// TestImportHints: a log of another site is told, and search engines are none.
func TestImportHints(t *testing.T) {
	f := func(line string, n int, want string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, []byte(strings.Repeat(line, n)), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, log bytes.Buffer
		if code := run(t.Context(), localPlace(t).args("import", "--format", "combined", "--site", "a.example", path), nil, &out, &log); code != 0 {
			t.Fatalf("exit code %d: %s", code, &log)
		}
		if got := strings.Contains(log.String(), "hint: "); got != (want != "") || !strings.Contains(log.String(), want) {
			t.Errorf("%s: wrote %q, want %q", line, &log, want)
		}
	}
	const tail = ` - - [10/Oct/2023:13:55:36 +0000] "GET /a HTTP/1.1" 200 10 "%s" "` + firefox + "\"\n"
	f("8.8.8.8"+fmt.Sprintf(tail, "https://www.shop.example/b"), 5, "hint: 5 of 5 referrers are pages of shop.example: ")
	f("8.8.8.8"+fmt.Sprintf(tail, "https://www.a.example/b"), 5, "")
	f("8.8.8.8"+fmt.Sprintf(tail, "https://www.google.com/"), 5, "")
	f("8.8.8.8"+fmt.Sprintf(tail, "-"), 5, "")
	f("www.a.example:443 8.8.8.8"+fmt.Sprintf(tail, "-"), 5, "")
	f("b.example:443 8.8.8.8"+fmt.Sprintf(tail, "-"), 5, "hint: 5 of 5 lines are of the virtual host b.example, ")
	f("10.0.0.1"+fmt.Sprintf(tail, "-"), 20, "hint: 20 of 20 clients have a private or loopback address")
	f("10.0.0.1"+fmt.Sprintf(tail, "-"), 19, "")
}

// TestImportKilled kills an import and repeats it: archive and numbers are those of an import that was left alone.
func TestImportKilled(t *testing.T) {
	if !*long {
		t.Skip("two days' lines, four times; -long runs it")
	}
	t.Parallel()
	log := mustBigLog(t, 20_000)
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
	t.Parallel()
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
	for site, want := range map[string]numbers{"b.example": {2, 2, 3}, "c.example": {1, 1, 1}} {
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
	files, err := importer.OpenAll(p.ctx, c.Files, c.Format, p.stdin)
	if err != nil {
		t.Fatal(err)
	}
	defer importer.CloseAll(files)
	off, err := offline.Open(at.stores(true))
	if err != nil {
		t.Fatal(err)
	}
	sites, err := c.sites("")
	if err != nil {
		t.Fatal(err)
	}
	id, err := off.ImportIdentity(c.Secret)
	if err != nil {
		t.Fatal(err)
	}
	files[1].Close() // reading it fails
	err = c.importFiles(p, off, id, sites, files, discardLog())
	if err == nil || !strings.Contains(err.Error(), "small.tsv") || !strings.Contains(err.Error(), "repeat the import") {
		t.Errorf("the error is %v", err)
	}
	if err := off.Close(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "17 lines: 8 events") {
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
	files, err := importer.OpenAll(ctx, c.Files, c.Format, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer importer.CloseAll(files)
	off, err := offline.Open(at.stores(true))
	if err != nil {
		t.Fatal(err)
	}
	sites, err := c.sites("")
	if err != nil {
		t.Fatal(err)
	}
	id, err := off.ImportIdentity(c.Secret)
	if err != nil {
		t.Fatal(err)
	}
	i, err := off.NewImport(ctx, offline.ImportOptions{Format: c.Format, Site: c.Site, Identity: id, Rules: offline.RulesOf(sites), NewDeriver: deriverOf(sites), Log: discardLog()})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	_, err = i.Run(ctx, files)
	if err == nil || !strings.HasSuffix(err.Error(), "\nrepeat the import to complete it") {
		t.Errorf("the error is %v", err)
	}
	if err := off.Close(); err != nil {
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

// TestImportLateness: import knows how long the serve of the folder counts late events, also once that has stopped.
func TestImportLateness(t *testing.T) {
	t.Parallel()
	at := localPlace(t)
	mustServe(t, at, "--lateness", "6h").mustStop(t)
	file := filepath.Join(t.TempDir(), "events")
	var b strings.Builder
	for _, age := range []time.Duration{7 * time.Hour, 3 * time.Hour, time.Minute} {
		fmt.Fprintf(&b, "{\"site\":\"a.example\",\"name\":\"pageview\",\"ts\":%d}\n", time.Now().Add(-age).UnixMilli())
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, log bytes.Buffer
	if code := run(t.Context(), at.args("import", "--format", "events", file), nil, &out, &log); code != 0 {
		t.Fatalf("exit code %d: %s", code, &log)
	}
	if got := log.String(); !strings.Contains(got, "millrace replay\\\" in 6h0m0s\" events=2 ") {
		t.Errorf("the log is %q, want 2 events told", got)
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
