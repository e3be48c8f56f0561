package ingest

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/engine/event"
	"millrace/ingest/arrivals"
	"millrace/ingest/protocol"
)

// TestBriefIsReadAgain: events whose batch Kafka did not take are spooled as they would have been
// stored, wherever in the record they are, and are counted and remembered as the others.
func TestBriefIsReadAgain(t *testing.T) {
	t.Parallel()
	cluster := mustCluster(t)
	c := mustOpen(t, cluster, func(o *Options) {
		spoolOn(vfs.NewMem())(o)
		o.Linger = 20 * time.Millisecond
	})
	waitTicks(t, cluster)
	const each = 6
	more := [each]string{`"r":"https://b.example/ä\"\\"`, `"p":{"a":"1","b":"\u00e9\n"}`, `"$":{"amount":1.5,"currency":"EUR"}`, `"w":1280,"i":false`, `"h":1`, `"v":36`}
	send := func(page string) {
		var wg sync.WaitGroup
		for i := range 2 * each {
			wg.Go(func() {
				body := fmt.Sprintf(`{"n":"view %d","d":"s%d.example","u":"https://a.example/%s/%[1]d?q#f",%[4]s}`, i, i%3, page, more[i%each])
				if res := call(c, outside, "POST", "/api/event", body); res.StatusCode() != 202 || string(res.Body()) != "ok" {
					t.Errorf("%s: %d %s", body, res.StatusCode(), res.Body())
				}
			})
		}
		wg.Wait()
	}
	send("stored")
	for _, p := range c.partitions { // a tick that fails before would send them to the spool alone
		eventually(t, "no tick is on its way", func() bool { return p.ticking.CompareAndSwap(false, true) })
	}
	fault := away(cluster, kerr.NotLeaderForPartition)
	send("spooled")
	if n := c.SpoolStats().Events; n != 2*each {
		t.Errorf("%d events are in the spool", n)
	}
	for _, p := range c.partitions {
		p.ticking.Store(false)
	}
	fault.Remove()
	mustDrain(t, c)
	have := map[string]event.Event{}
	for _, r := range readAll(t, cluster) {
		for _, e := range r.events {
			page := e.URL
			e.ID, e.Time, e.Received, e.URL = "", 0, 0, ""
			have[page] = e
		}
	}
	if len(have) != 4*each {
		t.Errorf("%d pages are in the log", len(have))
	}
	for page, e := range have {
		as := have[strings.Replace(page, "/stored/", "/spooled/", 1)]
		if !reflect.DeepEqual(e, as) || e.Name == "" {
			t.Errorf("%s: stored  %+v\nspooled %+v", page, e, as)
		}
	}
	seen := map[string]bool{}
	for _, e := range c.arrivals.Last(arrivals.Filter{Outcome: arrivals.Stored, Protocol: "plausible"}) {
		seen[fmt.Sprint(e.Site, " ", e.Name, " ", e.URL, " ", e.Path, " ", e.Events)] = true
	}
	for i := range 2 * each {
		for _, page := range []string{"stored", "spooled"} {
			if want := fmt.Sprintf("s%d.example view %d a.example/%s/%[2]d /api/event 1", i%3, i, page); !seen[want] {
				t.Errorf("%q is not among the arrivals: %v", want, seen)
			}
		}
	}
	rt := c.endpoints.find([]byte("/api/event"))
	if n := value(t, rt.rest().accepted); n != 4*each {
		t.Errorf("%v events are counted", n)
	}
	counted := int64(0)
	for i := range 3 {
		counts := c.siteCounts.of(fmt.Sprintf("s%d.example", i))
		counted += counts.n[rt.rest().number*len(counts.of.names)].Load()
	}
	if counted != 4*each {
		t.Errorf("%d events are counted by site", counted)
	}
}

// TestBriefAfterTimeout: a record that is acknowledged too late may be what a request reads its event
// from, so that its memory is no other record's.
func TestBriefAfterTimeout(t *testing.T) {
	c := &Collector{partitions: []*partition{{}}}
	b := &batch{notes: &notes{}, done: make(chan struct{})}
	if !b.finish(c, errAckTimeout) || b.finish(c, nil) {
		t.Fatal("the first end of a batch is its end")
	}
	b.record = []byte("..one,two")
	at := place{batch: b, from: 6, to: 9}
	if got := string(at.text(c)); got != "two" {
		t.Errorf("of an open batch %q", got)
	}
	b.record, b.sealed = nil, []byte("{}one,two]}")
	if got := string(at.text(c)); got != "two" {
		t.Errorf("of a sealed batch %q", got)
	}
}

// lateClient has the records of events in Kafka at once, and says so of every third of them only when
// nobody waits any more.
type lateClient struct {
	producer
	late    time.Duration
	records atomic.Int64
}

func (l *lateClient) TryProduce(ctx context.Context, r *kgo.Record, promise func(*kgo.Record, error)) {
	late := strings.Contains(string(r.Value), `"url"`) && l.records.Add(1)%3 == 1
	l.producer.TryProduce(ctx, r, func(r *kgo.Record, err error) {
		if late {
			time.Sleep(l.late) // those behind it wait, too: a client answers in order
		}
		promise(r, err)
	})
}

// TestBriefAcknowledgedLate: events whose acknowledgements come too late are in the log and in the spool,
// beside others that come in time and whose memory is used again, and each is stored and counted once.
func TestBriefAcknowledgedLate(t *testing.T) {
	t.Parallel()
	cluster := mustCluster(t)
	c := mustOpen(t, cluster, func(o *Options) {
		spoolOn(vfs.NewMem())(o)
		o.Linger = time.Millisecond
	})
	waitTicks(t, cluster)
	for _, p := range c.partitions {
		p.mu.Lock()
		p.out = &lateClient{producer: p.out, late: c.opts.AckTimeout * 5 / 4}
		p.mu.Unlock()
	}
	const senders, each = 8, 12
	var want []string
	var wg sync.WaitGroup
	for i := range senders {
		for j := range each {
			want = append(want, fmt.Sprint(i, "/", j))
		}
		wg.Go(func() {
			for j := range each {
				if got := shown(c, fmt.Sprint(i, "/", j)); got != 202 {
					t.Errorf("%d/%d: %d", i, j, got)
				}
				time.Sleep(100 * time.Millisecond) // while Kafka is taken to be away there is no wait
			}
		})
	}
	wg.Wait()
	mustDrain(t, c)
	mustHave(t, cluster, want...)
	if copies, spooled := value(t, c.metrics.spoolCopies), value(t, c.metrics.spooled); copies == 0 || copies > spooled {
		t.Errorf("%v copies of %v spooled events were found", copies, spooled)
	}
	if n := value(t, c.endpoints.find([]byte("/api/event")).rest().accepted); n != senders*each {
		t.Errorf("%v events are counted", n)
	}
	if n := len(c.arrivals.Last(arrivals.Filter{Outcome: arrivals.Stored, Protocol: "plausible"})); n != senders*each {
		t.Errorf("%d events are remembered", n)
	}
	eventually(t, "nothing is reserved", func() bool { return c.pending.used.Load() == 0 })
}

// TestBrief: what is needed after the wait keeps a request's memory.
func TestBrief(t *testing.T) {
	one := make([]protocol.Input, 1)
	for _, r := range []*request{{left: make([]leftOut, 1)}, {quota: []string{"a.example"}}, {Request: protocol.Request{Unknown: 1}}, {Request: protocol.Request{State: 1}}} {
		if r.isBrief(one) {
			t.Errorf("%+v is brief", r)
		}
	}
	if r := new(request); !r.isBrief(one) || r.isBrief(nil) || r.isBrief(make([]protocol.Input, 2)) {
		t.Error("a request of one event is brief, and of others none")
	}
}
