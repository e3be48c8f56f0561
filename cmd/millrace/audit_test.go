package main

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"millrace/cmd/internal/offline"
	"millrace/engine/event"
	"millrace/engine/window"
)

func TestAudit(t *testing.T) {
	onlyLong(t)
	t.Parallel()
	testAudit(t, localPlace(t))
}

func TestAuditOnServices(t *testing.T) { testAudit(t, servicesPlace(t)) }

// testAudit: the self-audit finds nothing while events, late and doubled ones among them, an import and a replay come in, nor after
// restarts, one of which is a kill; and it finds numbers that are falsified in the store.
func testAudit(t *testing.T, at place) {
	args := []string{"--audit-share", "1", "--archive-every", "1s", "--early", "500ms", "--partitions", "2"}
	s := mustServe(t, at, args...)
	send := func() {
		t.Helper()
		for i, ago := range []time.Duration{0, 10 * time.Minute, 0, 0, 3 * time.Hour} {
			s.mustSend(t, map[string]any{
				"site": "shop.example", "name": "pageview", "url": "https://shop.example/a", "visitor": strconv.Itoa(i % 2), "ua": firefox,
				"id": strconv.Itoa(i % 4), "ts": time.Now().Add(-ago).UTC().Format(time.RFC3339),
			})
		}
	}
	send()
	// Nothing is counted before each partition has begun its archive.
	waitFor(t, 20*time.Second, func() error {
		if out := mustRun(t, exitOK, at.args("import", "--format", "combined", "--site", "shop.example", "testdata/import/small.log")...); strings.Contains(out, "0 visits") {
			return fmt.Errorf("not counted: %s", out)
		}
		return nil
	})
	mustAudit(t, s)
	mustRun(t, exitOK, at.args("replay")...)
	send()
	mustAudit(t, s)
	s.kill()
	s = mustServe(t, at, args...)
	mustAudit(t, s)
	s.mustStop(t)

	off, err := offline.Open(at.stores(false))
	if err != nil {
		t.Fatal(err)
	}
	var ws []*window.Window
	first := event.TimeOf(time.Date(2024, 2, 28, 12, 0, 0, 0, time.UTC))
	for h := range event.Time(72) {
		ws = append(ws, &window.Window{
			Kind: window.Hour, Site: "shop.example", Start: first + h*event.Hour, Final: true,
			Points: []window.Point{{Family: window.Totals, Rollup: window.Rollup{Events: 4711, Pageviews: 4711}}},
		})
	}
	if err := errors.Join(off.Stores.Rollups().Replace(t.Context(), ws), off.Close()); err != nil {
		t.Fatal(err)
	}
	s = mustServe(t, at, args...)
	waitFor(t, 40*time.Second, func() error {
		if n := s.mustAudited(t, "wrong_total"); n == 0 {
			return fmt.Errorf("nothing is found\n%s", s.stderr.String())
		}
		return nil
	})
	for _, want := range []string{"level=ERROR", "site=shop.example", "metric=events store=4711"} {
		if !strings.Contains(s.stderr.String(), want) {
			t.Errorf("%q is not in the log:\n%s", want, s.stderr.String())
		}
	}
	code, body, err := get(s.admin + "/readyz?verbose")
	if err != nil || code != 200 || !strings.Contains(body, "WRONG") {
		t.Errorf("readyz: %d %q, %v", code, body, err)
	}
	mustRun(t, exitOK, at.args("replay")...)
	mustRun(t, exitOK, at.args("replay", "--verify")...)
}

// mustAudit waits until hours were compared since the start or the last call, of which none may be wrong.
func mustAudit(t *testing.T, s *serving) {
	t.Helper()
	before := s.mustAudited(t, "hours_total")
	waitFor(t, 40*time.Second, func() error {
		if s.mustAudited(t, "hours_total") < before+3 {
			_, body, _ := get(s.admin + "/readyz?verbose")
			return fmt.Errorf("no hours: %s\n%s", body, s.stderr.String())
		}
		return nil
	})
	if n := s.mustAudited(t, "wrong_total"); n != 0 || strings.Contains(s.stderr.String(), "level=ERROR") {
		t.Fatalf("%v numbers are wrong\n%s", n, s.stderr.String())
	}
}

// mustAudited reads a metric of the self-audit.
func (s *serving) mustAudited(t *testing.T, name string) float64 {
	t.Helper()
	_, body, err := get(s.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^millrace_audit_` + name + ` (.+)$`).FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("there is no millrace_audit_%s", name)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
