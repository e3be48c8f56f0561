package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestRecount: beside a serve, days that are over are counted again by other goals and another spelling, with what was imported into them, what
// came too late and what was erased since. Queries by rollups and by hits say the same afterwards, also when it is done again.
func TestRecount(t *testing.T) {
	t.Parallel()
	at, dir := localPlace(t), t.TempDir()
	const site = "shop.example.com"
	noon := time.Now().UTC().AddDate(0, 0, -3).Truncate(24 * time.Hour).Add(12 * time.Hour)
	sites := filepath.Join(dir, "sites.yaml")
	past := filepath.Join(dir, "past.ndjson")
	line := fmt.Sprintf(`{"site": %q, "name": "order", "url": "https://%s/Past/", "ts": %d, "visitor": "v9"}`, site, site, noon.Add(time.Hour).UnixMilli())
	for name, text := range map[string]string{sites: "sites:\n  " + site + ":\n    goals: [{name: Order, event: order}]\n    spelling: {trailing_slash: cut, case: lower}\n",
		past: line + "\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := mustServe(t, at, "--archive-every", "1s")
	mustRun(t, 0, at.args("import", "--format", "events", past)...)
	for i := range 12 {
		s.mustSend(t, map[string]any{"site": site, "name": []string{"pageview", "order"}[i/9], "url": fmt.Sprintf("https://%s/P%d%s?utm_source=s%d", site, i%2, []string{"", "/"}[i/6], i%3),
			"visitor": fmt.Sprint("v", i%3), "ts": noon.Add(time.Duration(i) * time.Minute).UnixMilli(), "id": fmt.Sprint(i)})
	}
	s.mustStop(t) // it archives all

	refused := func(code int, want string, args ...string) {
		t.Helper()
		var out, errs bytes.Buffer
		if got := run(t.Context(), at.args(append([]string{"recount"}, args...)...), nil, &out, &errs); got != code || !strings.Contains(errs.String(), want) {
			t.Errorf("recount %v: exit code %d, %q, want %q", args, got, &errs, want)
		}
	}
	day, today := noon.Format(time.DateOnly), time.Now().UTC().Format(time.DateOnly)
	refused(1, "Start serve with the new rules first", "--sites-file", sites)

	s = mustServe(t, at, "--archive-every", "1s", "--sites-file", sites)
	refused(1, "give this command the same --goals or --sites-file")
	refused(1, "may still go on", "--sites-file", sites, "--to", today)
	refused(1, "from "+day+" on only", "--sites-file", sites, "--from", "2020-01-01")
	refused(1, "no whole days", "--sites-file", sites, "--from", day+"T01:00:00Z")
	recount := func(want string) {
		t.Helper()
		if out := mustRun(t, 0, at.args("recount", "--sites-file", sites)...); !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("recount says %s, want %s", out, want)
		}
	}
	check := func(orders float64, want map[string][]float64) {
		t.Helper()
		for _, source := range []string{"rollup", "lake"} {
			q := map[string]any{"site_id": site, "date_range": []string{day, day}, "metrics": []string{"visitors", "pageviews", "events"}, "dimensions": []string{"event:page"}}
			if source == "lake" { // no rollup has both
				q["filters"] = []any{[]any{"is_not", "visit:utm_term", []string{"none such"}}}
			}
			waitFor(t, time.Minute, func() error {
				a, err := s.ask(q)
				if err != nil {
					return err
				}
				got := map[string][]float64{}
				for _, r := range a.Results {
					got[r.Dimensions[0]] = r.Metrics
				}
				if !reflect.DeepEqual(got, want) || a.Meta.Source != source {
					return fmt.Errorf("%s: %v (%+v), want %v", source, got, a.Meta, want)
				}
				return nil
			})
		}
		goals, err := s.ask(map[string]any{"site_id": site, "date_range": []string{day, day}, "metrics": []string{"events"}, "dimensions": []string{"event:goal"}})
		if err != nil || len(goals.Results) != 1 || goals.Results[0].Metrics[0] != orders {
			t.Errorf("goals: %+v, %v", goals, err)
		}
	}
	recount(day + ` to .*: 13 events \(0 of bots\), [1-9]\d* windows changed\n12 hits and 3 rows of visits: [1-9]\d* files put in the place of [1-9]`)
	check(4, map[string][]float64{"/p0": {3, 5, 6}, "/p1": {3, 4, 6}, "/past": {1, 0, 1}})
	recount(`13 events \(0 of bots\), 0 windows changed\n12 hits and 3 rows of visits: 0 files put in the place of 0, in 0 commits; [1-9]`)

	mustRun(t, 0, "forget", "--data", at.data, "--site", site, "--visitor", "v0")
	recount(`9 events`)
	s.kill()
	recount(`9 events \(0 of bots\), 0 windows changed`) // the data folder is this command's
	s = mustServe(t, at, "--archive-every", "1s", "--sites-file", sites)
	check(3, map[string][]float64{"/p0": {2, 3, 4}, "/p1": {2, 3, 4}, "/past": {1, 0, 1}})
	s.mustStop(t)
}
