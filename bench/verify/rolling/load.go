package rolling

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// beacon is one event: when it was due, and what became of it.
type beacon struct {
	number                int
	due, first, answered  time.Time
	attempts              int
	taken                 bool
	refused, disconnected int // attempts that ended so
}

// id is the event's, by which it may be sent again.
func (b *beacon) id() string { return fmt.Sprintf("b-%d", b.number) }

// site, page and visitor are functions of the number.
func (b *beacon) site() string    { return sites[b.number%len(sites)] }
func (b *beacon) page() string    { return fmt.Sprintf("/p/%d", b.number/len(sites)%7) }
func (b *beacon) visitor() string { return fmt.Sprintf("v%d", b.number/3%400) }

// sites are those that are sent to.
var sites = []string{"a.example", "b.example", "c.example", "d.example", "e.example", "f.example", "g.example", "h.example"}

const agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"

// body is the request at /v1/events.
func (b *beacon) body() string {
	return fmt.Sprintf(`{"site":%q,"name":"pageview","url":"https://%s%s","id":%q,"visitor":%q,"ua":%q,"language":"en-US"}`,
		b.site(), b.site(), b.page(), b.id(), b.visitor(), agent)
}

// balancer knows which collectors are ready, as one in front of them does.
type balancer struct {
	fleet  *fleet
	client *http.Client

	mu    sync.Mutex // guards what follows
	ready []string
	next  int
}

// probeEvery is the interval of the balancer's probes. The drain is six of them.
const probeEvery = 500 * time.Millisecond

func newBalancer(f *fleet) *balancer {
	return &balancer{fleet: f, client: &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: senders}}}
}

// run probes until ctx ends.
func (l *balancer) run(ctx context.Context) {
	for ctx.Err() == nil {
		l.probe()
		select {
		case <-ctx.Done():
		case <-time.After(probeEvery):
		}
	}
}

// probe looks at all collectors.
func (l *balancer) probe() {
	var ready []string
	for _, p := range l.fleet.of(roleCollect) {
		if ok, _ := p.ready(); ok {
			ready = append(ready, p.addr)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready = ready
}

// pick returns the next ready collector, another one than that of the attempt before if there is
// one; "" if none is ready.
func (l *balancer) pick(before string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range l.ready {
		l.next++
		if addr := l.ready[l.next%len(l.ready)]; addr != before || len(l.ready) == 1 {
			return addr
		}
	}
	return ""
}

const (
	// senders is how many beacons can be under way.
	senders = 64
	// givesUp is how long a beacon is sent again.
	givesUp = 30 * time.Second
)

// send sends a beacon until it is answered with 2xx or 4xx.
func (l *balancer) send(b *beacon) {
	at := ""
	b.first = time.Now()
	for deadline := b.first.Add(givesUp); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if at = l.pick(at); at == "" {
			continue
		}
		b.attempts++
		req, err := http.NewRequest(http.MethodPost, "http://"+at+"/v1/events", strings.NewReader(b.body()))
		if err != nil {
			return
		}
		res, err := l.client.Do(req)
		if err != nil {
			b.disconnected++
			continue
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		switch {
		case res.StatusCode/100 == 2:
			b.taken, b.answered = true, time.Now()
			return
		case res.StatusCode != http.StatusServiceUnavailable:
			b.answered = time.Now()
			return
		}
		b.refused++
	}
}

// load sends beacons at a steady rate.
type load struct {
	balancer *balancer
	rate     int
	stop     context.CancelFunc
	done     sync.WaitGroup

	beacons []*beacon // once stopped
}

// startLoad begins to send.
func startLoad(ctx context.Context, l *balancer, rate int) *load {
	ctx, stop := context.WithCancel(ctx)
	g := &load{balancer: l, rate: rate, stop: stop}
	queue := make(chan *beacon, 1<<16)
	for range senders {
		g.done.Go(func() {
			for b := range queue {
				l.send(b)
			}
		})
	}
	g.done.Go(func() {
		defer close(queue)
		began := time.Now()
		for n := 0; ctx.Err() == nil; n++ {
			b := &beacon{number: n, due: began.Add(time.Duration(n) * time.Second / time.Duration(rate))}
			time.Sleep(time.Until(b.due))
			g.beacons = append(g.beacons, b)
			queue <- b
		}
	})
	return g
}

// finish ends the load and returns all beacons, each answered or given up.
func (g *load) finish() []*beacon {
	g.stop()
	g.done.Wait()
	return g.beacons
}

// latencies are those of the beacons that were due in a time, unsorted.
func latencies(all []*beacon, from, to time.Time) (list []time.Duration) {
	for _, b := range all {
		if b.taken && !b.due.Before(from) && b.due.Before(to) {
			list = append(list, b.answered.Sub(b.due))
		}
	}
	return list
}
