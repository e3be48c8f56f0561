package main

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"millrace/emit/lake"
	"millrace/engine/event"
)

// TestForget: beside a serve visitors are erased by a name and by an address. Queries of events, raw rows and replays have none of them any
// more, not after a kill either; and after an old copy of the archive was put back they are gone as soon as it is erased again.
func TestForget(t *testing.T) {
	t.Parallel()
	at := localPlace(t)
	s := mustServe(t, at, "--archive-every", "1s")
	const agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
	for i := range 12 {
		e := map[string]any{"site": "shop.example.com", "name": "pageview", "url": fmt.Sprintf("https://shop.example.com/p%d?utm_source=s%d", i%2, i%4)}
		if i%4 == 3 {
			e["ip"], e["ua"] = "192.0.2.7", agent
		} else {
			e["visitor"] = fmt.Sprint("visitor ", i%4)
		}
		s.mustSend(t, e)
	}
	check := func(want map[string][]float64) {
		t.Helper()
		q := map[string]any{"site_id": "shop.example.com", "date_range": aroundNow(), "metrics": []string{"visitors", "events", "visits"},
			"dimensions": []string{"visit:utm_source", "visit:browser"}}
		waitFor(t, time.Minute, func() error {
			a, err := s.ask(q)
			if err != nil {
				return err
			}
			got := map[string][]float64{}
			for _, r := range a.Results {
				got[r.Dimensions[0]] = r.Metrics
			}
			if !reflect.DeepEqual(got, want) || a.Meta.Source != "lake" {
				return fmt.Errorf("%v (%+v), want %v", got, a.Meta, want)
			}
			return nil
		})
	}
	past := filepath.Join(t.TempDir(), "past.ndjson")
	line := `{"site": "shop.example.com", "name": "pageview", "url": "https://shop.example.com/past", "ts": "2024-02-28T10:00:00Z", "visitor": "visitor %d"}` + "\n"
	if err := os.WriteFile(past, fmt.Appendf(nil, line+line, 1, 2), 0o600); err != nil {
		t.Fatal(err)
	}
	imported := func(want float64) {
		t.Helper()
		waitFor(t, time.Minute, func() error {
			a, err := s.ask(map[string]any{"site_id": "shop.example.com", "date_range": []string{"2024-02-28", "2024-02-28"}, "metrics": []string{"visitors"},
				"dimensions": []string{"event:page", "visit:browser"}})
			if err == nil && (a.Meta.Source != "lake" || len(a.Results) != 1 || a.Results[0].Metrics[0] != want) {
				err = fmt.Errorf("%+v, want %v", a, want)
			}
			return err
		})
	}
	three := []float64{1, 3, 1}
	check(map[string][]float64{"s0": three, "s1": three, "s2": three, "s3": three})
	waitFor(t, time.Minute, func() error {
		var errs bytes.Buffer
		if code := run(t.Context(), at.args("import", "--format", "events", past), nil, &errs, &errs); code != 0 {
			return errors.New(errs.String())
		}
		return nil
	})
	imported(2)
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(filepath.Join(at.data, "lake"))); err != nil {
		t.Fatal(err)
	}

	forget := func(want string, args ...string) {
		t.Helper()
		if out := mustRun(t, 0, append([]string{"forget", "--data", at.data}, args...)...); !strings.Contains(out, want) {
			t.Errorf("forget %v: %s, want %q", args, out, want)
		}
	}
	refused := func(code int, want string, args ...string) {
		t.Helper()
		var out, errs bytes.Buffer
		if got := run(t.Context(), append([]string{"forget", "--data", at.data, "--site", "shop.example.com"}, args...), nil, &out, &errs); got != code || !strings.Contains(errs.String(), want) {
			t.Errorf("forget %v: exit code %d, %q, want %q", args, got, &errs, want)
		}
	}
	refused(2, "give one of")
	refused(2, "needs --agent", "--address", "192.0.2.7")
	refused(2, "the salt of 2026-01-02 was destroyed 2026-01-03 14:00 UTC", "--address", "192.0.2.7", "--agent", agent, "--day", "2026-01-02")
	refused(2, "go with --address", "--client-id", "x", "--day", "2026-01-02")

	who := []string{"--site", "shop.example.com", "--visitor", "visitor 1"}
	forget("4 events would be erased", append(who, "--dry-run")...)
	forget("4 events erased", who...)
	imported(1)
	check(map[string][]float64{"s0": three, "s2": three, "s3": three})
	forget("3 events erased", "--site", "shop.example.com", "--address", "192.0.2.7", "--agent", agent)
	left := map[string][]float64{"s0": three, "s2": three}
	check(left)
	forget("0 events erased", who...)
	list := filepath.Join(t.TempDir(), "erased.json")
	if err := os.WriteFile(list, []byte(mustRun(t, 0, "forget", "--data", at.data, "--list")), 0o600); err != nil {
		t.Fatal(err)
	}

	s.kill()
	s = mustServe(t, at, "--archive-every", "1s")
	check(left)
	rows := func() (n int) {
		l, err := at.lake()
		if err != nil {
			t.Fatal(err)
		}
		report, err := l.Check(t.Context())
		if err = errors.Join(err, report.Err()); err != nil {
			t.Fatal(err)
		}
		hours, err := l.Hours(t.Context(), 0, math.MaxInt64)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range hours {
			err = errors.Join(err, l.ReadHour(t.Context(), h.Start, "shop.example.com", func(*event.Event, lake.Source) error { n++; return nil }))
		}
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	mustRun(t, 0, at.args("import", "--format", "events", past)...) // once more
	imported(1)
	if n := rows(); n != 7 {
		t.Errorf("the archive has %d rows, want 7", n)
	}

	s.mustStop(t)
	folder := filepath.Join(at.data, "lake")
	if err := errors.Join(os.RemoveAll(folder), os.CopyFS(folder, os.DirFS(copied)), os.Remove(filepath.Join(at.data, "broker", "groups.log"))); err != nil {
		t.Fatal(err)
	}
	// Without a serve hits can wait: with its start the erasures are in force.
	if out := mustRun(t, 1, "forget", "--data", at.data, "--again", list, "--wait", "0s"); !strings.Contains(out, "7 events erased") || strings.Contains(out, "No query") {
		t.Errorf("forget --again: %s", out)
	}
	s = mustServe(t, at, "--archive-every", "1s")
	check(left)
	imported(1)
	if n := rows(); n != 7 {
		t.Errorf("after the copy was put back the archive has %d rows, want 7", n)
	}
}
