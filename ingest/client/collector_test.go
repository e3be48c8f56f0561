package client

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/valyala/fasthttp"

	"millrace/bench/verify/clients"
	"millrace/engine/event"
	"millrace/ingest"
	"millrace/ingest/identity"
	"millrace/ingest/protocol/all"
	"millrace/internal/front"
	"millrace/internal/site"
)

// collector is a real one, with a broker of its own.
type collector struct {
	url     string
	cluster *kfake.Cluster
}

// mustCollect starts a collector; change may be nil.
func mustCollect(t *testing.T, change func(*ingest.Options)) *collector {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, event.Topic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	secret := make([]byte, identity.SecretLen)
	o := ingest.Options{
		Kafka:       []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)},
		CollectorID: "c1", Secret: secret, Salts: identity.NewDerived(secret),
		Linger: time.Millisecond, Protocols: all.Protocols(),
	}
	if change != nil {
		change(&o)
	}
	c, err := ingest.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := c.Server(front.ServerOptions{
		Handler: func(ctx *fasthttp.RequestCtx) { ctx.SetStatusCode(fasthttp.StatusNotFound) },
		Log:     slog.New(slog.DiscardHandler), Metrics: front.NewMetrics(nil),
	})
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		if err := errors.Join(s.Shutdown(), <-served, c.Close()); err != nil {
			t.Error(err)
		}
	})
	return &collector{"http://" + ln.Addr().String(), cluster}
}

// events returns what the collector has written to its topic so far.
func (c *collector) events(t *testing.T) []event.Event {
	t.Helper()
	consumer, err := kgo.NewClient(kgo.SeedBrokers(c.cluster.ListenAddrs()...), kgo.ConsumeTopics(event.Topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var events []event.Event
	end := c.cluster.PartitionInfo(event.Topic, 0).HighWatermark
	for next := int64(0); next < end; {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			var d event.Decoder // one each: its events are kept
			var env event.Envelope
			if err := d.Decode(r.Value, &env); err != nil {
				t.Fatal(err)
			}
			events, next = append(events, env.Events...), r.Offset+1
		})
	}
	return events
}

// mustNew returns a client that does not wait for long.
func mustNew(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	c.pause = time.Millisecond
	return c
}

func mustClose(t *testing.T, c *Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.Close(ctx); err != nil {
		t.Error(err)
	}
}

// answering returns a fault that answers as a collector or what stands before it does, without
// naming a pause.
func answering(status int, body string) clients.Fault {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) int {
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
		io.WriteString(w, body)
		return status
	}
}

// mustFault returns what resets a connection, before the collector has a request or after.
func mustFault(t *testing.T, answer clients.Answer) clients.Fault {
	t.Helper()
	fault, err := new(clients.Refusers).Fault(answer)
	if err != nil {
		t.Fatal(err)
	}
	return fault
}

// TestDelivered: an event reaches the topic as it was tracked, and whatever happens to the first two
// requests it has one id. The lost answers are the only ones whose events are there more than once.
func TestDelivered(t *testing.T) {
	t.Parallel()
	col := mustCollect(t, nil)
	want := map[string]int{} // copies by id
	f := func(name string, copies int, fault clients.Fault) {
		t.Helper()
		p, err := clients.StartProxy(col.url, fault, 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		c := mustNew(t, Options{URL: p.URL, Site: "a.example", OnError: func(events []Event, err error) { t.Error(name, len(events), err) }})
		for i := range 3 {
			id := fmt.Sprint(name, i)
			want[id] = copies
			if err := c.Track(Event{Name: "Order", ID: id}); err != nil {
				t.Error(name, err)
			}
		}
		mustClose(t, c)
		if got := c.Stats(); got != (Stats{Delivered: 3, Retries: 2}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	f("503", 1, answering(503, `{"error":"the log can't be written to"}`))
	f("429", 1, answering(429, `{"error":"too many requests"}`))
	f("502", 1, answering(502, "<html>Bad Gateway</html>"))
	f("500 of a proxy", 1, answering(500, "<html>Internal Server Error</html>"))
	f("500", 1, answering(500, `{"error":"a mistake in Millrace"}`))
	f("another server", 1, answering(200, "<html>It works!</html>"))
	f("reset", 1, mustFault(t, clients.Closed))
	f("lost", 3, mustFault(t, clients.Lost))
	got := map[string]int{}
	for _, e := range col.events(t) {
		got[e.ID]++
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("events by id: %v\nwant           %v", got, want)
	}
}

// TestFields: what an event says is what the collector makes of it.
func TestFields(t *testing.T) {
	t.Parallel()
	col := mustCollect(t, func(o *ingest.Options) { o.Default.ClientIDs = true })
	c := mustNew(t, Options{URL: col.url + "/", OnError: func(_ []Event, err error) { t.Error(err) }})
	at := time.Now().Add(-time.Minute)
	track := func(e Event) {
		t.Helper()
		e.Site = "a.example"
		if err := c.Track(e); err != nil {
			t.Error(err)
		}
	}
	track(Event{
		Name: "Order", URL: "https://a.example/cart?a=1&b=<2>", Referrer: "https://b.example/", Language: "de-AT", Screen: "1280x720",
		Props:   map[string]any{"plan": "pro", "seats": 3, "trial": false, "rate": 0.5},
		Revenue: &Revenue{Amount: 1e-3 + 12345678901, Currency: "EUR"}, NonInteractive: true,
		IP: netip.MustParseAddr("8.8.8.8"), UserAgent: "MyUA", ID: "order-1", Time: at,
	})
	track(Event{Name: "a", Visitor: "Ada", IP: netip.MustParseAddr("8.8.8.8")})
	track(Event{Name: "b", Visitor: "Ada"})
	track(Event{Name: "c", ClientID: "c1"})
	track(Event{Name: PageView})
	mustClose(t, c)
	events := col.events(t)
	if len(events) != 5 {
		t.Fatalf("%d events", len(events))
	}
	e := events[0]
	if e.ID != "order-1" || e.Time != event.TimeOf(at) || e.URL != "https://a.example/cart?a=1&b=<2>" || e.Referrer != "https://b.example/" ||
		e.Language != "de-AT" || e.Screen != "1280x720" || e.UA != "MyUA" || e.Country != "US" || e.Currency != "EUR" ||
		e.Amount != 123456789010010 || !e.NonInteractive || e.Client != "v1" || len(e.Props) != 4 {
		t.Errorf("%+v", e)
	}
	if events[1].Visitor != events[2].Visitor || events[1].Visitor == e.Visitor || events[3].Visitor == events[4].Visitor {
		t.Errorf("visitors %v %v %v %v", events[1].Visitor, events[2].Visitor, events[3].Visitor, events[4].Visitor)
	}
	if e := events[4]; len(e.ID) < 20 || e.Client != "v1.server" || event.TimeOf(time.Now())-e.Time > event.Time(time.Minute/time.Millisecond) {
		t.Errorf("%+v", e)
	}
}

// TestRefused: an event that the collector does not take is given back with its reason, and costs no
// other.
func TestRefused(t *testing.T) {
	t.Parallel()
	col := mustCollect(t, func(o *ingest.Options) {
		o.Sites = []site.Site{{ID: "a.example"}}
		o.MaxBodyBytes = 2000
	})
	var given []string
	c := mustNew(t, Options{URL: col.url, Site: "a.example", OnError: func(events []Event, err error) {
		var ref *Refusal
		if !errors.As(err, &ref) {
			t.Error(err)
			return
		}
		for _, e := range events {
			given = append(given, fmt.Sprintf("%s: %d %s", e.Name, ref.Status, ref.Reason))
		}
	}})
	good := 0
	for i := range 40 {
		e := Event{Name: fmt.Sprint("good", i)}
		switch i {
		case 3:
			e = Event{Name: "no address", URL: "/cart"}
		case 7, 30:
			e = Event{Name: "other site", Site: "b.example"}
		case 20:
			e = Event{Name: "long", Props: map[string]any{"text": strings.Repeat("x", 2000)}}
		case 39:
			e = Event{Name: "nested", Props: map[string]any{"a": []int{1}}}
		default:
			good++
		}
		if err := c.Track(e); err != nil {
			t.Error(err)
		}
	}
	mustClose(t, c)
	slices.Sort(given)
	want := []string{
		`long: 413 the body is larger than 2000 bytes`,
		`nested: 400 props: the value of "a" is a JSON array, want a string, number or boolean`,
		`no address: 400 url: "/cart" is not a full address such as https://example.com/page`,
		`other site: 400 site: "b.example" is not a configured site`,
		`other site: 400 site: "b.example" is not a configured site`,
	}
	if !slices.Equal(given, want) {
		t.Errorf("given back\n%s\nwant\n%s", strings.Join(given, "\n"), strings.Join(want, "\n"))
	}
	ids := map[string]bool{}
	for _, e := range col.events(t) {
		ids[e.ID] = true
	}
	if got := c.Stats(); len(ids) != good || got != (Stats{Delivered: uint64(good), Refused: 5}) {
		t.Errorf("%d of %d good events are there, %+v", len(ids), good, got)
	}
}

// TestKey: events of another machine need a write key.
func TestKey(t *testing.T) {
	t.Parallel()
	const key = "0123456789abcdef"
	keys := site.NewKeys(site.Key{Hash: sha256.Sum256([]byte(key)), Sites: []string{"a.example"}})
	col := mustCollect(t, func(o *ingest.Options) { o.NoLoopbackTrust, o.WriteKeys = true, keys })
	f := func(key, site, want string) {
		t.Helper()
		got := ""
		c := mustNew(t, Options{URL: col.url, Site: site, Key: key, OnError: func(events []Event, err error) {
			if got = err.Error(); len(events) != 2 { // no matter how many there are, it is one request
				t.Errorf("%d events: %v", len(events), err)
			}
		}})
		for range 2 {
			if err := c.Track(Event{Name: "x"}); err != nil {
				t.Error(err)
			}
		}
		mustClose(t, c)
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(key, "a.example", "")
	f(key, "b.example", `millrace client: refused with status 403: site: the write key is not for "b.example"`)
	f("other", "a.example", `millrace client: refused with status 401: the write key is not known: send it as "Authorization: Bearer KEY"`)
	f("", "a.example", `millrace client: refused with status 400: ts: only trusted callers may send it: from the loopback interface, or with a write key`)
}

// TestMany: many goroutines, over a collector that fails at every third request: all of it, once.
func TestMany(t *testing.T) {
	t.Parallel()
	col := mustCollect(t, nil)
	var n atomic.Int32
	p, err := clients.StartProxy(col.url, func(w http.ResponseWriter, r *http.Request, next http.Handler) int {
		if n.Add(1)%3 == 0 {
			return answering(503, "")(w, r, next)
		}
		next.ServeHTTP(w, r)
		return 0
	}, 1<<30, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	c := mustNew(t, Options{URL: p.URL, Site: "a.example", BatchEvents: 50, OnError: func(_ []Event, err error) { t.Error(err) }})
	const workers, each = 20, 100
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				if err := c.Track(Event{Name: "x"}); err != nil {
					t.Error(err)
				}
			}
			if err := c.Flush(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	mustClose(t, c)
	ids := map[string]bool{}
	events := col.events(t)
	for _, e := range events {
		ids[e.ID] = true
	}
	if len(events) != workers*each || len(ids) != workers*each {
		t.Errorf("%d events with %d ids, want %d", len(events), len(ids), workers*each)
	}
}
