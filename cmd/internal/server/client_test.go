package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"millrace/bench/verify/clients"
	"millrace/ingest/client"
	"millrace/query/statsapi"
)

// TestClient: events that a Go program tracks are in the answer of a query once, whatever became of
// the requests that they came in.
func TestClient(t *testing.T) {
	t.Parallel()
	up := make(chan Up, 1)
	o := options(t.TempDir())
	o.Up, o.Engine.Early = func(u Up) { up <- u }, 100*time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, o) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	var u Up
	select {
	case u = <-up:
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
	}

	lost, err := new(clients.Refusers).Fault(clients.Lost)
	if err != nil {
		t.Fatal(err)
	}
	reset, err := new(clients.Refusers).Fault(clients.Closed)
	if err != nil {
		t.Fatal(err)
	}
	var n atomic.Int32
	p, err := clients.StartProxy(u.URL, func(w http.ResponseWriter, r *http.Request, next http.Handler) int {
		switch n.Add(1) % 5 {
		case 1:
			io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2:
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
		case 3:
			return lost(w, r, next)
		case 4:
			return reset(w, r, next)
		default:
			next.ServeHTTP(w, r)
		}
		return 0
	}, 1<<30, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()

	c, err := client.New(client.Options{URL: p.URL, Site: "a.example", BatchEvents: 20, OnError: func(events []client.Event, err error) {
		t.Errorf("%d events: %v", len(events), err)
	}})
	if err != nil {
		t.Fatal(err)
	}
	const visitors, each = 8, 5
	for i := range visitors * each {
		if err := c.Track(client.Event{
			Name: client.PageView, URL: fmt.Sprintf("https://a.example/%d", i%4), Visitor: fmt.Sprint(i % visitors),
			Revenue: &client.Revenue{Amount: 0.25, Currency: "EUR"},
		}); err != nil {
			t.Error(err)
		}
	}
	hurrying, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	for c.Stats().Pending > 0 && hurrying.Err() == nil { // each time it ends a pause
		short, end := context.WithTimeout(hurrying, 10*time.Millisecond)
		_ = c.Flush(short)
		end()
	}
	if err := c.Close(hurrying); err != nil {
		t.Error(err)
	}
	if n.Load() < 8 {
		t.Errorf("only %d requests", n.Load())
	}

	now := time.Now().UTC()
	query, err := json.Marshal(map[string]any{
		"site_id": "a.example", "metrics": []string{"pageviews", "visitors", "total_revenue"},
		"date_range": []string{now.Add(-time.Hour).Format(time.RFC3339), now.Add(time.Hour).Format(time.RFC3339)},
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = "[40 8 10]"
	got := ""
	for deadline := time.Now().Add(time.Minute); got != want && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		res, err := http.Post(u.URL+"/api/v2/query", "application/json", bytes.NewReader(query))
		if err != nil {
			t.Fatal(err)
		}
		var answer struct{ Results []struct{ Metrics []any } }
		err = json.NewDecoder(res.Body).Decode(&answer)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if len(answer.Results) == 1 {
			m := answer.Results[0].Metrics
			got = fmt.Sprint([]any{m[0], m[1], statsapi.Number(m[2])})
		}
	}
	if got != want {
		t.Errorf("page views, visitors, revenue: %s, want %s", got, want)
	}
}
