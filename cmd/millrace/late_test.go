package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestLateIsNotComplete: an answer about an hour that is long over is not complete while an event
// of it that has been accepted is missing, be it from the views or from the visits.
func TestLateIsNotComplete(t *testing.T) {
	t.Parallel()
	s := mustServe(t, localPlace(t), "--lateness", "24h")
	at := time.Now().UTC().Add(-3 * time.Hour).Truncate(time.Hour)
	question := map[string]any{
		"site_id": "shop.example.com", "metrics": []string{"pageviews"},
		"date_range": []string{at.Format(time.RFC3339), at.Add(time.Hour - time.Second).Format(time.RFC3339)},
	}
	ask := func(metric string) (n float64, complete bool) {
		t.Helper()
		question["metrics"] = []string{metric}
		a, err := s.ask(question)
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Results) > 0 {
			n = a.Results[0].Metrics[0]
		}
		return n, a.Meta.Complete
	}
	waitFor(t, 20*time.Second, func() error {
		if _, complete := ask("pageviews"); !complete {
			return fmt.Errorf("an hour that is over, of which nothing has come, is not complete")
		}
		return nil
	})
	body := fmt.Sprintf(`{"site":"shop.example.com","name":"pageview","url":"https://shop.example.com/","visitor":"v","ts":%d}`, at.Add(time.Minute).UnixMilli())
	resp, err := http.Post(s.url+"/v1/events", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		t.Fatalf("status %d", resp.StatusCode)
	}
	for _, metric := range []string{"pageviews", "visits"} {
		if n, complete := ask(metric); complete && n != 1 {
			t.Errorf("%s: %v, and complete", metric, n)
		}
	}
	waitFor(t, 20*time.Second, func() error {
		n, complete := ask("pageviews")
		if complete && n != 1 {
			t.Errorf("%v pageviews, and complete", n)
		}
		if n != 1 {
			return fmt.Errorf("%v pageviews", n)
		}
		return nil
	})
	s.mustStop(t)
}
