package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestAnyQuery asks what no rollup holds: it is answered by the events of the archive within a minute, also by a process that only
// answers and is given the archive's address; and refused where there are none.
func TestAnyQuery(t *testing.T) {
	t.Parallel()
	goals := filepath.Join(t.TempDir(), "goals.json")
	if err := os.WriteFile(goals, []byte(`{"shop.example.com": [{"name": "Order", "event": "purchase"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	at := localPlace(t)
	s := mustServe(t, at, "--archive-every", "1s", "--goals", goals)
	for i := range 12 {
		name := "pageview"
		if i == 5 || i == 11 {
			name = "purchase"
		}
		s.mustSend(t, map[string]any{
			"site": "shop.example.com", "name": name, "url": fmt.Sprintf("https://shop.example.com/p%d?utm_source=s%d", i%2, i%3),
			"visitor": fmt.Sprint("visitor ", i%3), "props": map[string]string{"plan": []string{"free", "pro"}[i%2]},
		})
	}
	// Visitors 0 to 2 came by s0 to s2; visitor 2 bought.
	check := func(s *serving, question map[string]any, want map[string][]float64) {
		t.Helper()
		question["site_id"], question["date_range"] = "shop.example.com", aroundNow()
		waitFor(t, time.Minute, func() error {
			a, err := s.ask(question)
			if err != nil {
				return err
			}
			got := map[string][]float64{}
			for _, r := range a.Results {
				got[strings.Join(r.Dimensions, " ")] = r.Metrics
			}
			if !reflect.DeepEqual(got, want) || a.Meta.Source != "lake" || a.Meta.Watermark.IsZero() {
				return fmt.Errorf("%v: %v (%+v), want %v", question, got, a.Meta, want)
			}
			return nil
		})
	}
	pages := map[string]any{"metrics": []string{"visitors", "pageviews"}, "dimensions": []string{"event:page", "visit:utm_source"}}
	byPage := map[string][]float64{"/p0 s0": {1, 2}, "/p0 s1": {1, 2}, "/p0 s2": {1, 2}, "/p1 s0": {1, 2}, "/p1 s1": {1, 2}, "/p1 s2": {1, 0}}
	check(s, pages, byPage)
	check(s, map[string]any{
		"metrics": []string{"visits", "bounce_rate", "visitors"}, "dimensions": []string{"visit:utm_source"},
		"filters": []any{[]any{"has_done", []any{"is", "event:goal", []any{"Order"}}}, []any{"is", "event:props:plan", []any{"free"}}},
	}, map[string][]float64{"s2": {1, 0, 1}})
	s.mustStop(t)

	alone := mustServe(t, localPlace(t), "--roles", "query", "--s3", "file://"+filepath.Join(at.data, "lake"), "--goals", goals)
	check(alone, pages, byPage)

	without := mustServe(t, localPlace(t), "--no-hits", "--archive-every", "1s")
	pages["site_id"] = "shop.example.com"
	if _, err := without.ask(pages); err == nil || !strings.Contains(err.Error(), "--no-hits") {
		t.Errorf("without hits: %v", err)
	}
}
