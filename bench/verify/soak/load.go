package soak

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"millrace/bench"
	"millrace/engine/event"
)

const (
	senders    = 4                // connections that send events
	sendAgain  = time.Second      // pause before a request is sent again
	mostBehind = 2 * time.Second  // what the load catches up at most
	answerIn   = 30 * time.Second // how long an answer may take
)

// load sends events at a steady rate, and a query each second.
type load struct {
	o      *Options
	url    string
	client *http.Client
	stream *bench.Workload
	today  func() string // date of the log

	sent, views, again, behind, queries, unanswered atomic.Int64
}

// loadCounts is what became of a load so far.
type loadCounts struct {
	Sent    int64 // events answered with 2xx; their ids are 0 to Sent-1 once the load has ended
	Views   int64 // those of them that are page views
	Again   int64 // requests that had to be sent again
	Behind  int64 // times that the load gave up catching up with its rate
	Queries int64 // queries answered with 200
	Failed  int64 // queries answered with something else, or not at all
}

func newLoad(o *Options, url string, today func() string) *load {
	return &load{
		o: o, url: url, today: today,
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders + 1}, Timeout: answerIn},
		stream: bench.NewWorkload(bench.WorkloadOptions{Seed: o.Seed, Sites: o.Sites}),
	}
}

func (l *load) counts() loadCounts {
	return loadCounts{l.sent.Load(), l.views.Load(), l.again.Load(), l.behind.Load(), l.queries.Load(), l.unanswered.Load()}
}

// request is a body with what is in it.
type request struct {
	body          []byte
	events, views int64
}

// run sends events and queries until ctx is done, and then what it has begun.
func (l *load) run(ctx context.Context) {
	var asking sync.WaitGroup
	asking.Go(func() { l.ask(ctx) })
	l.runEvents(ctx)
	asking.Wait()
}

// runEvents sends events until ctx is done, and then what it has begun.
func (l *load) runEvents(ctx context.Context) {
	var sending sync.WaitGroup
	requests := make(chan request)
	for range senders {
		sending.Go(func() {
			for r := range requests {
				l.send(r)
			}
		})
	}
	gap := time.Duration(float64(time.Second) * float64(l.o.Batch) / l.o.Rate)
	due, n := time.Now(), 0
	for ctx.Err() == nil {
		r := l.next(n)
		n += l.o.Batch
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
		} else if wait < -mostBehind {
			l.behind.Add(1)
			due = time.Now()
		}
		requests <- r
		due = due.Add(gap)
	}
	close(requests)
	sending.Wait()
	l.client.CloseIdleConnections()
}

// sentEvent is an event in a request.
type sentEvent struct {
	ID       string            `json:"id"`
	Site     string            `json:"site"`
	Name     string            `json:"name"`
	URL      string            `json:"url"`
	Referrer string            `json:"referrer,omitempty"`
	UA       string            `json:"ua"`
	IP       string            `json:"ip"`
	Language string            `json:"language"`
	Screen   string            `json:"screen"`
	Props    map[string]string `json:"props,omitempty"`
}

// next makes the request whose first event has a number.
func (l *load) next(first int) request {
	r := request{}
	batch := make([]sentEvent, l.o.Batch)
	for i := range batch {
		e := l.stream.Next()
		who := uint64(e.Visitor)
		batch[i] = sentEvent{
			ID: eventID(first + i), Site: e.Site, Name: e.Name, URL: e.URL, Referrer: e.Referrer, UA: e.UA,
			IP: fmt.Sprintf("%d.%d.%d.%d", 1+who%9, byte(who>>8), byte(who>>16), byte(who>>24)), Language: e.Language, Screen: e.Screen,
		}
		for _, p := range e.Props {
			if batch[i].Props == nil {
				batch[i].Props = map[string]string{}
			}
			batch[i].Props[p.Key] = p.Value
		}
		if e.Name == event.Pageview {
			r.views++
		}
	}
	r.events = int64(len(batch))
	r.body, _ = json.Marshal(batch) // texts and numbers
	return r
}

func eventID(n int) string { return "s" + strconv.Itoa(n) }

// send posts a request until it is answered with 2xx.
func (l *load) send(r request) {
	for {
		status, err := l.post("/v1/events", r.body)
		if err == nil && status/100 == 2 {
			l.sent.Add(r.events)
			l.views.Add(r.views)
			return
		}
		if l.again.Add(1)%100 == 1 {
			l.o.Log.Warn("a request is sent again", "status", status, "err", err)
		}
		if l.o.giveUp.Err() != nil {
			return
		}
		time.Sleep(sendAgain)
	}
}

// post returns the status of an answer.
func (l *load) post(path string, body []byte) (int, error) {
	resp, err := l.client.Post(l.url+path, "application/json", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// questions are the queries that the load makes in turn; %s are a site and a date.
var questions = []string{
	`{"site_id":%q,"date_range":[%q,%[2]q],"metrics":["visitors","pageviews"],"dimensions":["event:page"]}`,
	`{"site_id":%q,"date_range":[%q,%[2]q],"metrics":["visitors","visits","bounce_rate"],"dimensions":["visit:source"]}`,
	`{"site_id":%q,"date_range":[%q,%[2]q],"metrics":["visitors","events"],"dimensions":["time:hour"]}`,
	`{"site_id":%q,"date_range":[%q,%[2]q],"metrics":["visits","visit_duration"],"dimensions":["visit:country","visit:browser"]}`,
	`{"site_id":%q,"date_range":[%q,%[2]q],"metrics":["pageviews"],"dimensions":["visit:device"]}`,
}

// ask makes a query each second until ctx is done.
func (l *load) ask(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		l.query(n)
	}
}

// query makes the query that has a number.
func (l *load) query(n int) {
	body := fmt.Sprintf(questions[n%len(questions)], bench.SiteName(n%l.o.Sites), l.today())
	status, err := l.post("/api/v2/query", []byte(body))
	if err == nil && status == http.StatusOK {
		l.queries.Add(1)
	} else if l.unanswered.Add(1)%100 == 1 {
		l.o.Log.Warn("a query fails", "status", status, "err", err, "query", body)
	}
}
