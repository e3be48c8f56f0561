package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRollupsLost deletes the rollup store while the archive lags behind what was counted: what replay can't know yet comes
// back from the log of windows.
func TestRollupsLost(t *testing.T) {
	at := localPlace(t)
	s := mustServe(t, at, "--archive-every", "1h")
	minute := time.Now().UTC().Add(-10 * time.Minute).Truncate(time.Minute)
	send := func(s *server, page string) {
		t.Helper()
		body := fmt.Sprintf(`{"site":"shop.example.com","name":"pageview","url":"https://shop.example.com%s","ts":%d}`, page, minute.UnixMilli())
		resp, err := http.Post(s.url+"/v1/events", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusAccepted {
			t.Fatalf("status %d", resp.StatusCode)
		}
	}
	views := func(s *server, want int) func() error {
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
	send(s, "/one")
	send(s, "/two")
	waitFor(t, 10*time.Second, views(s, 2))
	s.mustStop(t) // everything is committed
	if err := os.RemoveAll(filepath.Join(at.data, "rollups")); err != nil {
		t.Fatal(err)
	}
	mustRun(t, exitOK, at.args("replay")...)
	s = mustServe(t, at, "--archive-every", "1h")
	waitFor(t, 15*time.Second, views(s, 2))
	s.mustStop(t)
}
