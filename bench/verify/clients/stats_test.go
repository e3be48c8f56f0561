package clients

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The site of TestStatsClient, and its key.
const (
	statsSite = "stats.example"
	statsKey  = "query-key-of-the-test"
)

// statsLog is an access log of three days: five visits of one view and of two views, five minutes apart.
const statsLog = `198.51.100.7 - - [05/Jan/2026:10:00:00 +0000] "GET /a HTTP/1.1" 200 1000 "https://www.google.com/" "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0"
198.51.100.7 - - [05/Jan/2026:10:05:00 +0000] "GET /b HTTP/1.1" 200 1000 "https://stats.example/a" "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0"
203.0.113.9 - - [05/Jan/2026:11:00:00 +0000] "GET /a HTTP/1.1" 200 1000 "-" "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"
198.51.100.7 - - [06/Jan/2026:10:00:00 +0000] "GET /a HTTP/1.1" 200 1000 "https://www.google.com/" "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0"
203.0.113.10 - - [06/Jan/2026:12:00:00 +0000] "GET /b HTTP/1.1" 200 1000 "https://news.example/item" "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"
203.0.113.9 - - [07/Jan/2026:09:00:00 +0000] "GET /a HTTP/1.1" 200 1000 "-" "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"
`

// TestStatsClient asks by an unchanged client of the Stats API v1, with a key, about days that were
// imported and about a visitor who is there now.
func TestStatsClient(t *testing.T) {
	folder := os.Getenv(variable)
	if folder == "" {
		t.Skip(variable + " not set: see TestClients")
	}
	sites := fmt.Sprintf("sites:\n  %s: {query_keys: [\"sha256:%x\"]}\n", statsSite, sha256.Sum256([]byte(statsKey)))
	p := mustImported(t, sites, statsLog, "combined", "--site", statsSite)
	ask := func(key string, calls ...[]any) []string { return mustAskStats(t, folder, p.URL, key, calls) }

	const week, day = "7d", "2026-01-07"
	none := any(nil)
	for _, c := range []struct {
		call []any
		want string // of the JSON of what is returned, or what is thrown
	}{
		{[]any{"getAggregate", week, "visitors", none, none, day}, `{"value":5}`},
		{[]any{"getAggregate", week, "pageviews", none, none, day}, `{"value":6}`},
		{[]any{"getAggregate", week, "bounce_rate", none, none, day}, `{"value":80}`},
		{[]any{"getAggregate", week, "visit_duration", none, none, day}, `{"value":60}`},
		{[]any{"getAggregate", "day", "visitors", true, none, day}, `{"value":1,"change":-50}`},
		{[]any{"getAggregate", week, "visitors", none, "event:page==/b", day}, `{"value":2}`},
		{[]any{"getAggregate", week, "visitors", none, "visit:source==Google|news.example", day}, `{"value":3}`},
		{[]any{"getTimeseries", "custom", "visitors", none, none, "2026-01-05,2026-01-08"},
			`[{"date":"2026-01-05","visitors":2},{"date":"2026-01-06","visitors":2},{"date":"2026-01-07","visitors":1},{"date":"2026-01-08","visitors":0}]`},
		{[]any{"getBreakdown", week, "pageviews", "event:page", none, none, none, day}, `[{"page":"/a","pageviews":4},{"page":"/b","pageviews":2}]`},
		{[]any{"getBreakdown", week, "visitors", "visit:os", "event:page==/a", none, none, day}, `[{"os":"Linux","visitors":2},{"os":"Windows","visitors":2}]`},
		{[]any{"getBreakdown", week, "visitors", "event:page", none, 1, 2, day}, `[{"page":"/b","visitors":2}]`},
		{[]any{"getAggregate", week, "visitor", none, none, day}, `Invalid metrics "visitor"`},
		{[]any{"getTimeseries", week, "visitors", none, "minute", day}, `Invalid interval`},
	} {
		if got := ask(statsKey, c.call)[0]; got != c.want && !(strings.HasPrefix(got, "thrown ") && strings.HasPrefix(got[len("thrown "):], c.want)) {
			t.Errorf("%v: %s, want %s", c.call, got, c.want)
		}
	}
	if got := ask("another key", []any{"getRealtime"})[0]; !strings.HasPrefix(got, "thrown ") {
		t.Errorf("without a key of the site: %s", got)
	}

	body := fmt.Sprintf(`{"site":%q,"name":"pageview","url":"https://%[1]s/a"}`, statsSite)
	res, err := http.Post(p.URL+"/v1/events", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode/100 != 2 {
		t.Fatalf("a page view is answered with %d", res.StatusCode)
	}
	waitFor(t, func() error {
		if got := ask(statsKey, []any{"getRealtime"})[0]; got != "1" {
			return fmt.Errorf("%s visitors are there now, want 1", got)
		}
		return nil
	})
}

// mustImported starts a program that has imported a file, with sites as in a file of sites.
func mustImported(t *testing.T, sitesYAML, content, format string, flags ...string) *Program {
	t.Helper()
	ctx, dir := t.Context(), t.TempDir()
	sites, file, data := filepath.Join(dir, "sites.yaml"), filepath.Join(dir, "imported"), filepath.Join(dir, "data")
	for name, text := range map[string]string{sites: sitesYAML, file: content} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	exe, err := Build(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	imports := exec.CommandContext(ctx, exe, slices.Concat([]string{"import", "--data", data, "--sites-file", sites, "--format", format}, flags, []string{file})...)
	imports.Env = plainEnv()
	if out, err := imports.CombinedOutput(); err != nil {
		t.Fatalf("import: %v\n%s", err, out)
	}
	p, err := Start(ctx, exe, data, sites)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Errorf("millrace serve ends with %v\n%s", err, p.Log())
		}
	})
	return p
}

// mustAskStats has the client make calls, and returns of each the JSON of what it returned, or "thrown" and
// the message of what it threw.
func mustAskStats(t *testing.T, folder, url, key string, calls [][]any) []string {
	t.Helper()
	in, err := json.Marshal(calls)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join(folder, "node", "plausible-stats.cjs"), url, statsSite, key)
	cmd.Env, cmd.Stdin = plainEnv(), bytes.NewReader(in)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", calls, err, errs.String())
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(calls) {
		t.Fatalf("%d calls have printed %d lines\n%s", len(calls), len(lines), out)
	}
	for i, line := range lines {
		var r struct {
			Returned json.RawMessage `json:"returned"`
			Thrown   string          `json:"thrown"`
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if lines[i] = string(r.Returned); r.Thrown != "" {
			lines[i] = "thrown " + r.Thrown
		}
	}
	return lines
}
