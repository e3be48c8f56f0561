package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The load: 400 requests a second of 10 events, from 8 workers, over 60 sites. A request has a page of its own, and
// a site has fewer of them in a minute than the 500 values a family keeps.
const (
	loadWorkers      = 8
	requestsPerSec   = 400
	eventsPerRequest = 10
	loadSites        = 60
)

func siteName(i int) string { return fmt.Sprintf("site-%02d.example", i) }

func discardLog() *slog.Logger { return slog.New(slog.DiscardHandler) }

// requestKey is where the events of a request are counted.
type requestKey struct {
	site, page string
	minute     int64 // its start, Unix seconds
}

// sentList is what was sent: true if it was answered with 2xx. What was not may have been taken in or not.
type sentList struct {
	from     time.Time
	requests map[requestKey]bool
	acked    int
}

// check compares with the events counted by request, whole being those of one.
func (s *sentList) check(have map[requestKey]int, whole int, where string) error {
	for k, n := range have {
		acked, known := s.requests[k]
		switch {
		case !known:
			return fmt.Errorf("%s: %+v has %d events that nobody sent", where, k, n)
		case acked && n != whole, n > whole:
			return fmt.Errorf("%s: %+v has %d events, %d were sent (answered with 2xx: %v)", where, k, n, whole, acked)
		}
	}
	for k, acked := range s.requests {
		if acked && have[k] == 0 {
			return fmt.Errorf("%s: %+v is missing", where, k)
		}
	}
	return nil
}

// load sends until it is stopped.
type load struct {
	tb     testing.TB
	past   bool // two of three requests carry a time some minutes ago
	url    atomic.Pointer[string]
	next   atomic.Int64
	quit   chan struct{}
	group  sync.WaitGroup
	client *http.Client

	mu   sync.Mutex // guards sent
	sent sentList
}

func startLoad(tb testing.TB, past bool) *load {
	l := &load{
		tb: tb, past: past, quit: make(chan struct{}),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: loadWorkers}, Timeout: 15 * time.Second},
		sent:   sentList{from: time.Now().UTC().Truncate(time.Minute).Add(-10 * time.Minute), requests: map[requestKey]bool{}},
	}
	for range loadWorkers {
		l.group.Go(l.work)
	}
	return l
}

// target is where the server is now.
func (l *load) target(url string) { l.url.Store(&url) }

func (l *load) stop() *sentList {
	close(l.quit)
	l.group.Wait()
	l.client.CloseIdleConnections()
	return &l.sent
}

func (l *load) work() {
	tick := time.NewTicker(time.Second * loadWorkers / requestsPerSec)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-l.quit:
			return
		}
		if url := l.url.Load(); url != nil {
			l.send(*url, l.next.Add(1))
		}
	}
}

// send posts one request and notes what became of it.
func (l *load) send(url string, n int64) {
	at := time.Now()
	if l.past && n%3 != 0 {
		at = at.Add(-time.Duration(1+n%5) * time.Minute)
	}
	key := requestKey{siteName(int(n % loadSites)), fmt.Sprintf("/r%d", n), at.Truncate(time.Minute).Unix()}
	resp, err := l.client.Post(url+"/v1/events", "application/json", bytes.NewReader(requestBody(key, n, at)))
	acked := false
	if err == nil {
		acked = resp.StatusCode/100 == 2
		if resp.StatusCode/100 == 4 {
			body, _ := io.ReadAll(resp.Body)
			l.tb.Errorf("status %d: %s", resp.StatusCode, body)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	} else {
		time.Sleep(20 * time.Millisecond) // the server is down
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent.requests[key] = acked
	if acked {
		l.sent.acked++
	}
}

func requestBody(key requestKey, n int64, at time.Time) []byte {
	b := []byte("[")
	for i := range eventsPerRequest {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"id":"r%d-%d","site":"%s","name":"pageview","url":"https://%s%s","ts":%d,"ip":"192.0.2.%d","ua":%q,"language":"en"}`,
			n, i, key.site, key.site, key.page, at.UnixMilli(), n%250, firefox)
	}
	return append(b, ']')
}
