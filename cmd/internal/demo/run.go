package demo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// Options say what to send and where to.
type Options struct {
	// URL is the collector, such as http://127.0.0.1:8080.
	URL string
	// Rate is the mean number of events a second over a day, 0.01 to 1000.
	Rate float64
	// Seed picks the traffic.
	Seed uint64
	// Start is the time of day and week that the traffic begins at, whatever the clock says. Default: now.
	Start time.Time
	// Log is told when sending begins to fail and when it works again. Required.
	Log *slog.Logger
}

// Validate reports what is wrong with the options.
func (o Options) Validate() error {
	if !(o.Rate >= 0.01 && o.Rate <= 1000) {
		return fmt.Errorf("demo: rate %v is not between 0.01 and 1000 events a second", o.Rate)
	}
	return nil
}

// Run sends until ctx is done. Events that the collector does not take are left out: demo traffic is not worth a retry.
func Run(ctx context.Context, o Options) error {
	if err := o.Validate(); err != nil {
		return err
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 15 * time.Second}
	began := time.Now()
	if o.Start.IsZero() {
		o.Start = began
	}
	t := newTraffic(o.Seed, o.Rate, o.Start)
	failing := false
	for {
		due, b := t.next()
		select {
		case <-time.After(due.Sub(o.Start) - time.Since(began)):
		case <-ctx.Done():
			return nil
		}
		err := send(ctx, client, o.URL, &b)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !failing:
			o.Log.Warn("demo traffic is not taken", "err", err)
		case err == nil && failing:
			o.Log.Info("demo traffic is taken again")
		}
		failing = err != nil
	}
}

func send(ctx context.Context, client *http.Client, url string, b *beacon) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/events", bytes.NewReader(b.body()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("status %d: %s", resp.StatusCode, bytes.TrimSpace(body))
	}
	return nil
}
