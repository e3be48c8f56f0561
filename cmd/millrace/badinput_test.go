package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millrace/cmd/internal/brokersocket"
	"millrace/cmd/internal/stores"
)

const (
	pathEvents    = "/v1/events"
	pathPlausible = "/api/event"
	pathQuestions = "/api/v2/query"
)

// TestBadRequests sends what can be wrong with a request to a running server: each answer has the right status and names
// what is wrong, and only the good beacons between them are counted.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	s := mustServe(t, localPlace(t), "--early", "500ms")
	f := func(path, body string, status int, want string) {
		t.Helper()
		code, answer := mustPost(t, s.url+path, body)
		if code != status || !strings.Contains(answer, want) {
			t.Errorf("%s %.60s: status %d, %s; want %d with %q", path, body, code, answer, status, want)
		}
	}
	good := 0
	beacon := func() {
		t.Helper()
		mustBeacon(t, s, "a.example", good)
		good++
	}
	large := strings.Repeat("x", 2_000_000)

	beacon()
	f(pathEvents, `{"site":`, 400, "not JSON")
	f(pathEvents, ``, 400, "empty")
	f(pathEvents, `[]`, 400, "no events")
	f(pathEvents, `7`, 400, "a JSON number")
	f(pathEvents, `{"site":5,"name":"pageview"}`, 400, "site: a JSON number, want a string")
	f(pathEvents, `{"name":"pageview"}`, 400, "site: is missing")
	f(pathEvents, `{"site":"a.example","name":"pageview","nmae":"x"}`, 400, "nmae: unknown field")
	f(pathEvents, `{"site":"a.example","name":"pageview","ts":"today"}`, 400, `ts: \"today\"`)
	f(pathEvents, `[{"site":"a.example","name":"pageview"},{"site":"a.example"}]`, 400, "events[1].name")
	f(pathEvents, `{"site":"a.example","name":"pageview"}`+"\n"+`{"site":`, 400, "line 2")
	f(pathEvents, `{"site":"a.example","name":"pageview","url":"https://a.example/`+large+`"}`, 413, "1048576 bytes")
	beacon()
	f(pathPlausible, `x`, 400, "not JSON")
	f(pathPlausible, `{"n":"pageview","d":"a.example"}`, 400, "url")
	f(pathPlausible, large, 413, "1048576 bytes")
	f("/v2/events", `{}`, 404, "/v1/events")
	beacon()

	question := func(metrics, dateRange, more string) string {
		return fmt.Sprintf(`{"site_id":"a.example","metrics":%s,"date_range":%s%s}`, metrics, dateRange, more)
	}
	f(pathQuestions, `{"site_id":`, 400, "not JSON")
	f(pathQuestions, ``, 400, "empty")
	f(pathQuestions, large, 413, "1048576 bytes")
	f(pathQuestions, question(`["vistors"]`, `"day"`, ""), 400, `metrics \"vistors\"`)
	f(pathQuestions, question(`[]`, `"day"`, ""), 400, "metrics")
	f(pathQuestions, question(`"visitors"`, `"day"`, ""), 400, "metrics")
	f(pathQuestions, question(`["visitors"]`, `"yesterday"`, ""), 400, `date_range \"yesterday\"`)
	f(pathQuestions, question(`["visitors"]`, `["2026-02-02","2026-02-01"]`, ""), 400, "ends before it begins")
	f(pathQuestions, question(`["visitors"]`, `["2026-02-30","2026-03-01"]`, ""), 400, "2026-02-30")
	f(pathQuestions, question(`["visitors"]`, `"day"`, `,"dimensions":["visit:planet"]`), 400, "visit:planet")
	f(pathQuestions, question(`["visitors"]`, `"day"`, `,"filters":[["is","event:page"]]`), 400, "filters")
	f(pathQuestions, question(`["visitors"]`, `"day"`, `,"limit":5`), 400, "limit")

	waitFor(t, 10*time.Second, func() error { return checkPageviews(s, "a.example", good) })
	s.mustStop(t)
}

// TestDamagedFolder kills a server, damages one thing in its folder, and does what the message says: every beacon that was
// answered with 2xx is counted in the end.
func TestDamagedFolder(t *testing.T) {
	t.Parallel()
	const site = "a.example"
	sound := localPlace(t)
	s := mustServe(t, sound, "--early", "500ms")
	const beacons = 20
	for i := range beacons {
		mustBeacon(t, s, site, i)
	}
	waitFor(t, 10*time.Second, func() error { return checkPageviews(s, site, beacons) })
	s.kill()
	if err := errors.Join(os.Remove(brokersocket.Path(sound.data)), os.Remove(stores.Socket(sound.data))); err != nil { // a socket can't be copied
		t.Fatal(err)
	}

	// damaged is a copy of the folder with garbage in the files of a pattern.
	damaged := func(t *testing.T, pattern string) place {
		at := localPlace(t)
		if err := os.CopyFS(at.data, os.DirFS(sound.data)); err != nil {
			t.Fatal(err)
		}
		files, err := fs.Glob(os.DirFS(at.data), pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("no file is named %s: %v", pattern, err)
		}
		for _, name := range files {
			if err := os.WriteFile(filepath.Join(at.data, name), bytes.Repeat([]byte("junk"), 100), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return at
	}
	// refused starts a server, which must say so and end.
	refused := func(t *testing.T, at place, wants ...string) {
		t.Helper()
		_, err := startServer(t, at.args("serve"))
		if err == nil {
			t.Fatal("the server starts")
		}
		for _, want := range append(wants, "exit status 1") {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%v\nwant %q", err, want)
			}
		}
		if strings.Contains(err.Error(), "goroutine ") {
			t.Errorf("a panic: %v", err)
		}
	}
	whole := func(t *testing.T, at place) {
		t.Helper()
		s := mustServe(t, at)
		waitFor(t, 10*time.Second, func() error { return checkPageviews(s, site, beacons) })
		s.mustStop(t)
		mustNotDiffer(t, at)
	}
	remove := func(t *testing.T, at place, name string) {
		t.Helper()
		if err := os.RemoveAll(filepath.Join(at.data, name)); err != nil {
			t.Fatal(err)
		}
	}

	t.Run("lock", func(t *testing.T) { onlyLong(t); whole(t, damaged(t, "lock")) })
	t.Run("secret", func(t *testing.T) {
		onlyLong(t)
		at := damaged(t, "secret")
		refused(t, at, filepath.Join(at.data, "secret"), "64 hexadecimal digits", "backup")
		remove(t, at, "secret")
		whole(t, at)
	})
	t.Run("rollups", func(t *testing.T) {
		at := damaged(t, "rollups/MANIFEST-*")
		refused(t, at, filepath.Join(at.data, "rollups"), "damaged", "millrace replay")
	})
	t.Run("copy of the log's topics", func(t *testing.T) {
		onlyLong(t)
		whole(t, damaged(t, "broker/topics.json"))
	})
	t.Run("log", func(t *testing.T) {
		at := damaged(t, "broker/*.json") // the copy, too
		refused(t, at, filepath.Join(at.data, "broker"), "damaged", "from a copy")
	})
	t.Run("groups of the log", func(t *testing.T) { onlyLong(t); whole(t, damaged(t, "broker/groups.log")) })
	t.Run("state", func(t *testing.T) {
		at := damaged(t, "state/*/MANIFEST-*")
		refused(t, at, filepath.Join(at.data, "state", "partition-"), "state is damaged", "delete", "comes back from the changelog")
		remove(t, at, "state")
		whole(t, at)
	})
}

// TestTruncatedArchive cuts a Parquet file short: replay names it and changes nothing, the server goes on.
func TestTruncatedArchive(t *testing.T) {
	t.Parallel()
	at := localPlace(t)
	mustRun(t, 0, at.args("import", "--format", "combined", "--site", "shop.example", "testdata/import/small.log")...)
	points := at.dump(t, math.MaxInt64)
	for name, content := range lakeFiles(t, at) {
		if strings.Contains(name, "dt=2024-02-28") {
			if err := os.WriteFile(filepath.Join(at.data, "lake", name), []byte(content[:len(content)/2]), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, mode := range []string{"--verify", "--dry-run", "--json"} {
		var out, errs bytes.Buffer
		code := run(t.Context(), at.args("replay", mode), strings.NewReader(""), &out, &errs)
		if code != exitError || !strings.Contains(errs.String(), "dt=2024-02-28/hr=23/import-") || !strings.Contains(errs.String(), "corrupt") {
			t.Errorf("replay %s: exit code %d, %s", mode, code, errs.String())
		}
	}
	if !maps.Equal(at.dump(t, math.MaxInt64), points) {
		t.Error("replay of a damaged archive changed the numbers")
	}
	s := mustServe(t, at, "--roles", "query")
	a, err := s.ask(map[string]any{"site_id": "shop.example", "date_range": []string{"2024-02-01", "2024-03-01"}, "metrics": []string{"pageviews"}})
	if err != nil || len(a.Results) != 1 || a.Results[0].Metrics[0] != 7 {
		t.Errorf("answer %+v, %v", a, err)
	}
	s.mustStop(t)
}

// mustBeacon sends a pageview that has to be taken.
func mustBeacon(tb testing.TB, s *serving, site string, i int) {
	tb.Helper()
	code, answer := mustPost(tb, s.url+pathEvents,
		fmt.Sprintf(`{"site":%q,"name":"pageview","url":"https://%s/%d","ua":%q}`, site, site, i, firefox))
	if code != http.StatusAccepted {
		tb.Fatalf("beacon: status %d, %s", code, answer)
	}
}

func checkPageviews(s *serving, site string, want int) error {
	a, err := s.ask(map[string]any{"site_id": site, "date_range": "7d", "metrics": []string{"pageviews"}})
	if err == nil && (len(a.Results) != 1 || a.Results[0].Metrics[0] != float64(want)) {
		err = fmt.Errorf("answer %+v, want %d pageviews", a.Results, want)
	}
	return err
}

func mustPost(tb testing.TB, url, body string) (code int, answer string) {
	tb.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		tb.Fatal(err)
	}
	return resp.StatusCode, b.String()
}
