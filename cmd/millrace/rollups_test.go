package main

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millrace/engine/event"
	"millrace/internal/testlog"
)

// TestRollupsLost deletes the rollup store while the archive lags behind what was counted: what replay can't know yet comes
// back from the log of windows.
func TestRollupsLost(t *testing.T) {
	t.Parallel()
	at := localPlace(t)
	s := mustServe(t, at, "--archive-every", "1h")
	minute := time.Now().UTC().Add(-10 * time.Minute).Truncate(time.Minute)
	mustView(t, s, minute, "/one")
	mustView(t, s, minute, "/two")
	waitFor(t, 10*time.Second, checkViews(s, minute, 2))
	s.mustStop(t) // everything is committed
	if err := os.RemoveAll(filepath.Join(at.data, "rollups")); err != nil {
		t.Fatal(err)
	}
	mustRun(t, exitOK, at.args("replay")...)
	s = mustServe(t, at, "--archive-every", "1h")
	waitFor(t, 15*time.Second, checkViews(s, minute, 2))
	s.mustStop(t)
}

// TestReplayBehind replays an archive that lags behind what was counted, in a minute that is long over. The late event stays
// counted.
func TestReplayBehind(t *testing.T) {
	onlyLong(t)
	t.Parallel()
	at := localPlace(t)
	minute := time.Now().UTC().Add(-10 * time.Minute).Truncate(time.Minute)
	s := mustServe(t, at, "--archive-every", "1s")
	mustView(t, s, minute, "/one")
	waitFor(t, 10*time.Second, checkViews(s, minute, 1))
	mustArchive(t, at, 1)
	s.mustStop(t)

	// A segment that has begun under the old setting may still end after a second, and on a slow machine hold what comes then.
	views, archived := 1, 1
	for range 6 {
		if archived < views {
			break
		}
		s = mustServe(t, at, "--archive-every", "1h")
		views++
		mustView(t, s, minute, fmt.Sprint("/", views))
		waitFor(t, 10*time.Second, checkViews(s, minute, views))
		s.kill()
		// A kill may come between a segment and the progress that has it: replay reads the segment.
		archived = 0
		eachArchived(t, at, func(*event.Event) { archived++ })
	}
	if archived >= views {
		t.Fatalf("%d of %d events are archived; too many", archived, views)
	}
	for _, mode := range []string{"--verify", "--dry-run"} {
		if out := mustRun(t, exitOK, at.args("replay", mode)...); !strings.Contains(out, fmt.Sprintf(" %d events", archived)) {
			t.Errorf("%s: %s", mode, out)
		}
	}
	mustRun(t, exitOK, at.args("replay")...)

	s = mustServe(t, at)
	if err := checkViews(s, minute, views)(); err != nil {
		t.Error(err)
	}
	s.mustStop(t)
	mustRun(t, exitOK, at.args("replay", "--verify")...)
}

// mustView sends a page view of a minute.
func mustView(t *testing.T, s *serving, minute time.Time, page string) {
	t.Helper()
	code, answer := mustPost(t, s.url+pathEvents,
		fmt.Sprintf(`{"site":"shop.example.com","name":"pageview","url":"https://shop.example.com%s","ts":%d}`, page, minute.UnixMilli()))
	if code != http.StatusAccepted {
		t.Fatalf("status %d, %s", code, answer)
	}
}

// checkViews asks for the page views of a minute.
func checkViews(s *serving, minute time.Time, want int) func() error {
	return func() error {
		a, err := s.ask(map[string]any{
			"site_id": "shop.example.com", "metrics": []string{"pageviews"},
			"date_range": []string{minute.Format(time.RFC3339), minute.Add(59 * time.Second).Format(time.RFC3339)},
		})
		if err == nil && int(a.Results[0].Metrics[0]) != want {
			err = fmt.Errorf("%v pageviews, want %d", a.Results[0].Metrics[0], want)
		}
		return err
	}
}

// TestReplayOfLostObjects: a file of the archive is gone, and the store has its numbers. Replay does not take them out, verify
// says why it differs, and --incomplete does as it was told.
func TestReplayOfLostObjects(t *testing.T) {
	t.Parallel()
	at := localPlace(t)
	mustRun(t, exitOK, at.args("import", "--format", "combined", "--site", "shop.example", "testdata/import/small.log")...)
	files, err := filepath.Glob(filepath.Join(at.data, "lake", "dt=2*", "hr=*", "*.parquet"))
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	if err := os.Remove(files[1]); err != nil {
		t.Fatal(err)
	}
	want := at.dump(t, math.MaxInt64)
	for _, mode := range [][]string{{"replay"}, {"replay", "--verify"}} {
		var out, errs testlog.Buffer
		code := run(t.Context(), at.args(mode...), strings.NewReader(""), &out, &errs)
		if code != exitError || !strings.Contains(errs.String(), "the archive has lost events: the objects "+filepath.Base(files[1])) {
			t.Errorf("%s: %d %s", mode, code, errs.String())
		}
	}
	if got := at.dump(t, math.MaxInt64); len(want) == 0 || !maps.Equal(got, want) {
		t.Errorf("%d points, want the %d of before", len(got), len(want))
	}
	mustRun(t, exitOK, at.args("replay", "--incomplete")...)
	if got := at.dump(t, math.MaxInt64); maps.Equal(got, want) {
		t.Error("--incomplete changes nothing")
	}
}
