package influx

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"millrace/engine/window"
	"millrace/internal/deadletter"
	"millrace/internal/influxdb"
)

func TestProbe(t *testing.T) {
	f := func(want string, h http.HandlerFunc) {
		t.Helper()
		srv := httptest.NewServer(h)
		defer srv.Close()
		s := mustProbeSink(t, srv.URL)
		defer s.Close()
		err := s.Probe(t.Context())
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v, want %q", err, want)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the password is shown: %v", err)
		}
	}
	status := func(write, query int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			code := write
			if r.URL.Path == "/query" {
				code = query
			}
			w.WriteHeader(code)
			if code != http.StatusNoContent {
				w.Write([]byte(text))
			}
		}
	}
	f("", status(204, 200, `{"results":[{}]}`))
	f("write to InfluxDB http://127.0.0.1:", status(401, 200, `{"error":"authorization failed"}`))
	f("401 Unauthorized: authorization failed", status(401, 200, `{"error":"authorization failed"}`))
	f("read from InfluxDB http://127.0.0.1:", status(204, 403, `{"error":"not for you"}`))
	f("database not found", status(404, 404, `{"error":"database not found: \"db\""}`)) // and can't be made
	f("read answer of InfluxDB", status(200, 200, `<html>`))
	f("302", status(302, 302, ``))
}

func mustProbeSink(t *testing.T, url string) *Sink {
	t.Helper()
	_, host, _ := strings.Cut(url, "://")
	cfg, err := influxdb.ParseURL("http://user:s3cret@" + host + "/db")
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSink(Options{DB: cfg, Dead: func(context.Context, deadletter.Letter) error { return nil }, Log: slog.New(slog.DiscardHandler), MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestWaiting: a Sink knows since when it has waited, from the first try on, whether the server
// refuses or is silent.
func TestWaiting(t *testing.T) {
	f := func(want string, h func(hang chan struct{}) http.HandlerFunc) {
		t.Helper()
		hang := make(chan struct{})
		srv := httptest.NewServer(h(hang))
		defer srv.Close()
		s := mustProbeSink(t, srv.URL)
		defer s.Close()
		if since, _ := s.Waiting(); !since.IsZero() {
			t.Error("it waits before it has anything to write")
		}
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		done := make(chan error, 1)
		go func() { done <- s.WriteProgress(ctx, []window.Progress{{Partition: 1}}) }()
		for end := began.Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			since, why := s.Waiting()
			if !since.IsZero() && !since.Before(began) && (want == "" || why != nil && strings.Contains(why.Error(), want)) {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("waits since %v for %v, want %q", since, why, want)
			}
		}
		cancel()
		if err := <-done; err == nil {
			t.Error("no error")
		}
		close(hang) // after the call has ended: an answer that comes now could win against cancel
		if since, _ := s.Waiting(); !since.IsZero() {
			t.Error("it waits after its end")
		}
	}
	f("503", func(chan struct{}) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }
	})
	f("", func(hang chan struct{}) http.HandlerFunc {
		return func(http.ResponseWriter, *http.Request) { <-hang }
	})
}
