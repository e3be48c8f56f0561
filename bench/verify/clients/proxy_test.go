package clients

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"millrace/ingest/protocol/all"
)

// TestFaults holds that the first request has the answer that a client is to get, that the others
// have the collector's, and that only what is lost or accepted reaches it before.
func TestFaults(t *testing.T) {
	refusers, err := StartRefusers(t.Context(), all.Protocols(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := refusers.Close(); err != nil {
			t.Error(err)
		}
	})
	f := func(answer Answer, status int, retryAfter string, taken int32) {
		t.Helper()
		var got atomic.Int32
		collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got.Add(1)
			w.WriteHeader(http.StatusAccepted)
		}))
		defer collector.Close()
		fault, err := refusers.Fault(answer)
		if err != nil {
			t.Fatal(err)
		}
		p, err := StartProxy(collector.URL, fault, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		post := func() (int, http.Header) {
			res, err := http.Post(p.URL+"/v1/events", "application/json", strings.NewReader(`{"site":"a.example","name":"Order"}`))
			if err != nil {
				return 0, nil
			}
			res.Body.Close()
			return res.StatusCode, res.Header
		}
		first, header := post()
		if first != status || header.Get("Retry-After") != retryAfter || p.Status() != status || got.Load() != taken {
			t.Errorf("%s: status %d, Retry-After %q, noted %d, and the collector got %d; want %d, %q and %d",
				answer, first, header.Get("Retry-After"), p.Status(), got.Load(), status, retryAfter, taken)
		}
		if second, _ := post(); second != http.StatusAccepted || p.Requests() != 2 {
			t.Errorf("%s: the second of %d requests has status %d", answer, p.Requests(), second)
		}
	}
	f(Accepted, http.StatusAccepted, "", 1)
	f(Invalid, http.StatusBadRequest, "", 0)
	f(TooLarge, http.StatusRequestEntityTooLarge, "", 0)
	f(TooMany, http.StatusTooManyRequests, "1", 0)
	f(Unavailable, http.StatusServiceUnavailable, "2", 0)
	f(Mistake, http.StatusInternalServerError, "", 0)
	f(NoCollector, http.StatusBadGateway, "", 0)
	f(Closed, 0, "", 0)
	f(Lost, 0, "", 1)
}
