package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"millrace/cmd/internal/stores"
	"millrace/cmd/internal/storesocket"
)

// TestBesideServe: while serve takes beacons on the embedded defaults, events of the past among them, logs are imported, an import is
// killed and repeated, and the store is verified and repaired. Nothing of the traffic or the imports is lost or doubled.
func TestBesideServe(t *testing.T) {
	if !*long {
		t.Skip("a load, and five commands beside it; -long runs it")
	}
	t.Parallel()
	at := localPlace(t)
	s := mustServe(t, at, "--archive-every", "1s")
	l := startLoad(t, true)
	l.target(s.url)

	importSmall := func() error {
		var sum importSummary
		out := mustRun(t, 0, at.args("import", "--format", "combined", "--json", "--site", "shop.example", "testdata/import/small.log")...)
		if err := json.Unmarshal([]byte(out), &sum); err != nil || sum.Events != 8 || sum.Visits != 4 {
			return fmt.Errorf("summary %+v, %v", sum, err)
		}
		return nil
	}
	// Nothing is counted before each partition has begun its archive.
	waitFor(t, 20*time.Second, importSmall)
	mustCount(t, s, "shop.example", "2024-02-28", 5, 7)
	if err := importSmall(); err != nil {
		t.Error(err)
	}
	mustCount(t, s, "shop.example", "2024-02-28", 5, 7)

	big := mustBigLog(t, 6_000)
	args := at.args("import", "--format", "combined", "--site", "big.example", big)
	killed := exec.Command(mustExecutable(t), args...)
	killed.Env = append(os.Environ(), asProgram+"=1")
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, 20*time.Second, func() error {
		if n := len(lakeFiles(t, at)); n < 20 {
			return fmt.Errorf("%d files", n)
		}
		return nil
	})
	killed.Process.Kill()
	if err := killed.Wait(); err == nil {
		t.Error("the import was over before it was killed")
	}
	mustRun(t, 0, args...)
	mustRun(t, 0, at.args("replay", "--verify")...)
	mustRun(t, 0, at.args("replay")...)

	sent := l.stop()
	if sent.acked < 20 {
		t.Fatal("too few requests to prove anything")
	}
	waitFor(t, 40*time.Second, func() error { return checkRollups(s, sent) })
	mustRun(t, 0, at.args("replay", "--verify")...)
	mustCount(t, s, "shop.example", "2024-02-28", 5, 7)
	s.mustStop(t)
	mustRun(t, 0, at.args("replay", "--verify")...)

	whole := localPlace(t)
	mustRun(t, 0, whole.args("import", "--format", "combined", "--site", "big.example", big)...)
	want, got := countPoints(t, whole, "big.example"), countPoints(t, at, "big.example")
	if want == 0 || got != want {
		t.Errorf("%d points of the killed import, %d of one that was left alone", got, want)
	}
}

// TestBesideServeRefused: one command at a time, and a serve that ends is named.
func TestBesideServeRefused(t *testing.T) {
	t.Parallel()
	at := localPlace(t)
	s := mustServe(t, at)
	c, err := storesocket.Dial(t.Context(), stores.Socket(at.data), stores.Build(version))
	if err != nil {
		t.Fatal(err)
	}
	refused := func(want string) {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(t.Context(), at.args("replay"), nil, &out, &errs); code != 1 || !strings.Contains(errs.String(), want) {
			t.Errorf("exit code %d, %q, want %q", code, &errs, want)
		}
	}
	refused("another import or replay is at work")
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	waitFor(t, 10*time.Second, func() error {
		c, err := storesocket.Dial(t.Context(), stores.Socket(at.data), stores.Build(version))
		if err == nil {
			err = c.Close()
		}
		return err
	})
	s.mustStop(t)

	s, err = launchServer(t, at.args("serve", "--influx", "http://127.0.0.1:1/none"))
	if err != nil {
		t.Fatal(err)
	}
	refused("has no rollups of its own")
	s.kill()
	mustRun(t, 0, at.args("replay")...)
}

// mustCount waits until a site has so many visitors and pageviews in the 30 days from a day on.
func mustCount(t *testing.T, s *serving, site, day string, visitors, pageviews float64) {
	t.Helper()
	from, err := time.Parse(time.DateOnly, day)
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.ask(map[string]any{
		"site_id": site, "date_range": []string{day, from.AddDate(0, 0, 30).Format(time.DateOnly)}, "metrics": []string{"visitors", "pageviews"},
	})
	if err != nil || len(a.Results) != 1 || !reflect.DeepEqual(a.Results[0].Metrics, numbers{visitors, pageviews}) {
		t.Errorf("%s: %+v %v, want %v visitors and %v pageviews", site, a, err, visitors, pageviews)
	}
}

// countPoints returns how many points the rollups of a stopped server have of a site, and proves nothing about them: verify does.
func countPoints(t *testing.T, at place, site string) (n int) {
	for key := range at.dump(t, 1<<62) {
		if strings.Contains(key, site) {
			n++
		}
	}
	return n
}
