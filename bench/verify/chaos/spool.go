package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/engine"
	"millrace/engine/event"
	"millrace/ingest"
	"millrace/ingest/identity"
	"millrace/ingest/protocol/all"
	"millrace/ingest/spool"
	"millrace/internal/front"
)

// collect runs a collector with a spool, and tells its address.
func (w *worker) collect(ctx context.Context) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer ln.Close()
	secret := make([]byte, identity.SecretLen)
	c, err := ingest.Open(ctx, ingest.Options{
		Kafka: []kgo.Opt{kgo.SeedBrokers(w.Brokers...)}, CollectorID: "chaos", Secret: secret, Salts: identity.NewDerived(secret), Protocols: all.Protocols(),
		AckTimeout: time.Second, TickEvery: 50 * time.Millisecond, Linger: time.Millisecond, Log: w.log,
		Spool: &spool.Options{Dir: w.Dir, MaxBytes: 64 << 20, SegmentBytes: 16 << 10},
	})
	if err != nil {
		return err
	}
	s := c.Server(front.ServerOptions{Log: w.log, Metrics: front.NewMetrics(nil)})
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	w.mu.Lock()
	w.collector, w.addr, w.ready = c, ln.Addr().String(), true
	w.mu.Unlock()
	<-ctx.Done()
	stop, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.ShutdownWithContext(stop); errors.Is(err, context.DeadlineExceeded) {
		err = nil
	}
	return errors.Join(err, c.Close(), <-served)
}

// beacons is what clients send while a collector is killed, and what became of it.
type beacons struct {
	client *http.Client

	mu   sync.Mutex // guards what follows
	addr string
	sent map[string]*beacon // by page
}

// beacon is one event.
type beacon struct {
	again          bool // its client sends again, with an id
	taken          bool // it was answered with 2xx
	from, answered event.Time
}

// run sends one event after the other until ctx ends. A quarter of the senders send again: such a
// one is busy with one event while Kafka is away.
func (b *beacons) run(ctx context.Context, sender int) {
	for i := 0; ctx.Err() == nil; i++ {
		page := fmt.Sprintf("%d-%d", sender, i)
		at := &beacon{again: sender%4 == 0, from: event.TimeOf(time.Now())}
		b.mu.Lock()
		b.sent[page] = at
		b.mu.Unlock()
		for ctx.Err() == nil {
			taken := b.send(ctx, page, at.again)
			b.mu.Lock()
			at.taken, at.answered = taken, event.TimeOf(time.Now())
			b.mu.Unlock()
			if taken || !at.again {
				break
			}
			sleep(ctx, 50*time.Millisecond)
		}
		sleep(ctx, 20*time.Millisecond)
	}
}

// send sends an event and reports whether the answer is 2xx.
func (b *beacons) send(ctx context.Context, page string, again bool) bool {
	b.mu.Lock()
	addr := b.addr
	b.mu.Unlock()
	path, body := "/api/event", `{"n":"pageview","d":"spool.example","u":"https://spool.example/`+page+`"}`
	if again {
		path, body = "/v1/events", `{"site":"spool.example","name":"pageview","url":"https://spool.example/`+page+`","id":"`+page+`"}`
	}
	// Not ctx: a request that is under way has its answer.
	req, err := http.NewRequest(http.MethodPost, "http://"+addr+path, strings.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36")
	res, err := b.client.Do(req)
	if err != nil {
		sleep(ctx, 10*time.Millisecond)
		return false
	}
	defer res.Body.Close()
	io.Copy(io.Discard, res.Body)
	return res.StatusCode/100 == 2
}

// calm is how long Kafka is there at the beginning and at the end.
const calm = 300 * time.Millisecond

// senders is the number of clients that send at a time.
const senders = 12

// spooling is T21's other half: a collector is killed, in rounds, while Kafka comes and goes.
func spooling(ctx context.Context, o Options) error {
	dir, err := os.MkdirTemp(o.Dir, "millrace-chaos-")
	if err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	defer os.RemoveAll(dir)
	w, err := openWorld(ctx, 1, 4, dir, &o)
	if err != nil {
		return err
	}
	defer w.close()
	r := &spoolRun{opts: o, world: w, rng: rand.New(rand.NewPCG(o.Seed, 0x73706f6f6c)), dir: filepath.Join(dir, "spool"),
		fleet:   &fleet{world: w, group: engine.Group, worker: o.Worker, at: map[int32]progress{}},
		beacons: &beacons{client: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}, sent: map[string]*beacon{}},
	}
	defer r.fleet.end()
	if err := r.start(ctx); err != nil {
		return err
	}
	load, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() { r.beacons.run(load, i) })
	}
	for i := range o.Times {
		o.progress("kill", i, o.Times)
		if err := r.round(ctx); err != nil {
			return err
		}
	}
	r.back()
	if err := sleep(ctx, calm); err != nil {
		return err
	}
	stop()
	wg.Wait()
	if err := r.drained(ctx); err != nil {
		return err
	}
	if err := r.proc.stop(ctx); err != nil {
		return err
	}
	if err := r.check(ctx); err != nil || o.Audit == nil {
		return err
	}
	return r.audit(ctx, dir)
}

// audit has an engine, an emitter and an archiver take the log that is there, closes its hours, and
// has the stores audited.
func (r *spoolRun) audit(ctx context.Context, dir string) error {
	r.opts.progress("audit", 0, 0)
	j := job{Dir: filepath.Join(dir, "state"), Lateness: event.Hour, Partitions: int(r.world.partitions)}
	a, err := startAuditor(ctx, &r.opts, r.world, dir, j, true)
	if err != nil {
		return err
	}
	defer a.fleet.end()
	p, err := r.fleet.start(j)
	if err == nil {
		err = p.waitReady(ctx)
	}
	if err != nil {
		return err
	}
	c, err := r.world.client()
	if err != nil {
		return err
	}
	defer c.Close()
	lows, until := closing(event.TimeOf(time.Now()), j.Lateness)
	for _, low := range lows {
		for p := range r.world.partitions {
			tick := &kgo.Record{Topic: engine.EventsTopic, Partition: p, Key: []byte(event.Key(p)), Value: event.AppendEnvelope(nil, "closing", low, nil)}
			if err := c.ProduceSync(ctx, tick).FirstErr(); err != nil {
				return fmt.Errorf("close the hours: %w", err)
			}
		}
	}
	err = a.await(ctx, func() (bool, string, error) {
		ends, err := r.world.ends(ctx, engine.EventsTopic)
		if err != nil {
			return false, "engine", err
		}
		at, err := r.world.committed(ctx, engine.Group)
		return slices.Equal(at, ends), fmt.Sprintf("the engine has committed %v of %v", at, ends), err
	})
	if err != nil {
		return err
	}
	return a.judge(ctx, until)
}

// spoolRun is the scenario in progress.
type spoolRun struct {
	opts    Options
	world   *world
	rng     *rand.Rand
	dir     string // of the spool
	fleet   *fleet
	proc    *proc
	beacons *beacons
	fault   *kfake.FaultHandle // nil while Kafka is there

	outages, whileAway, withSpool int
}

// start starts a collector on the spool, and turns the clients to it.
func (r *spoolRun) start(ctx context.Context) (err error) {
	if r.proc, err = r.fleet.start(job{Role: roleCollect, Dir: r.dir}); err != nil {
		return err
	}
	if err := r.proc.waitReady(ctx); err != nil {
		return err
	}
	r.beacons.mu.Lock()
	r.beacons.addr = r.proc.status().Addr
	r.beacons.mu.Unlock()
	return nil
}

// round lets Kafka go or come back, and kills the collector some time later.
func (r *spoolRun) round(ctx context.Context) error {
	wait := r.rng.IntN(1000)
	switch {
	case r.outages == 0:
		if err := sleep(ctx, calm); err != nil {
			return err
		}
		r.leave()
		if err := r.spooled(ctx); err != nil {
			return err
		}
	case r.fault == nil && r.rng.IntN(5) > 0:
		r.leave()
		wait += 500 + r.rng.IntN(1500) // a request waits for a second until it goes to the spool
	case r.fault != nil && r.rng.IntN(3) == 0:
		wait += 1000 // the spool grows
	case r.fault != nil:
		r.back()
		wait /= 3 // while it is drained
	}
	if err := sleep(ctx, time.Duration(wait)*time.Millisecond); err != nil {
		return err
	}
	if r.fault != nil && r.outages > 1 && r.rng.IntN(3) == 0 {
		r.back()
		if err := sleep(ctx, time.Duration(r.rng.IntN(500))*time.Millisecond); err != nil {
			return err
		}
	}
	if !r.proc.alive() {
		return fmt.Errorf("the collector ended by itself: %w\n%s", r.proc.err, r.proc.errs.String())
	}
	if r.fault != nil {
		r.whileAway++
	}
	if r.proc.status().Spool > 0 {
		r.withSpool++
	}
	if err := r.proc.kill(ctx); err != nil {
		return err
	}
	return r.start(ctx)
}

// leave makes Kafka go: it refuses what is produced, or does it and its answer is lost.
func (r *spoolRun) leave() {
	r.outages++
	kind := []*kerr.Error{kerr.NotLeaderForPartition, kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend}[r.rng.IntN(3)]
	if r.rng.IntN(2) == 0 {
		r.world.cutter.cut(true)
	}
	r.fault = r.world.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kind, Count: -1})
}

// back makes it come back.
func (r *spoolRun) back() {
	if r.fault != nil {
		r.fault.Remove()
		r.fault = nil
	}
}

// spooled waits until the collector has something in its spool.
func (r *spoolRun) spooled(ctx context.Context) error {
	for deadline := time.Now().Add(patience); r.proc.status().Spool == 0; {
		if time.Now().After(deadline) {
			return fmt.Errorf("kafka has been away for %v, and nothing is in the spool\n%s", patience, r.proc.errs.String())
		}
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// drained waits until the collector has nothing in its spool any more.
func (r *spoolRun) drained(ctx context.Context) error {
	deadline := time.Now().Add(patience)
	for empty := 0; empty < 5; { // some lines, each of a tenth of a second
		if time.Now().After(deadline) {
			return fmt.Errorf("the spool has %d events after %v\n%s", r.proc.status().Spool, patience, r.proc.errs.String())
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
		if empty++; r.proc.status().Spool > 0 {
			empty = 0
		}
	}
	return nil
}

// check compares the log with what was sent.
func (r *spoolRun) check(ctx context.Context) error {
	found, late, err := r.read(ctx)
	if err != nil {
		return err
	}
	rep := r.opts.report
	taken, again, unanswered := 0, 0, 0
	for page, b := range r.beacons.sent {
		at := found[page]
		delete(found, page)
		copies := 0
		for _, n := range at.ids {
			copies += n
		}
		switch {
		case b.taken && len(at.ids) == 0:
			rep.Fail("page %s was answered with 2xx and is not in the log", page)
		case len(at.ids) > 1:
			rep.Fail("page %s is in the log under %d ids", page, len(at.ids))
		case copies > 1 && !b.again:
			rep.Fail("page %s, which was sent once, is in the log %d times", page, copies)
		case len(at.ids) > 0 && (at.first < b.from || b.taken && at.first > b.answered):
			rep.Fail("page %s has the time %v, it was sent at %v and answered at %v", page, at.first, b.from, b.answered)
		}
		switch {
		case b.taken && b.again:
			again++
		case b.taken:
			taken++
		case len(at.ids) > 0:
			unanswered++
		}
	}
	for page := range maps.Keys(found) {
		rep.Fail("page %s is in the log, and nobody has sent it", page)
	}
	if taken == 0 || r.outages == 0 || r.withSpool == 0 {
		rep.Fail("%d events were taken in %d outages, %d kills found a spool: the scenario did no harm", taken, r.outages, r.withSpool)
	}
	rep.Add("kills", "%d, %d of them while Kafka was away, %d with events in the spool; Kafka was away %d times", r.opts.Times, r.whileAway, r.withSpool, r.outages)
	rep.Add("sent", "%d events: %d answered with 2xx by clients that never send again, %d by others; %d of the unanswered are in the log",
		len(r.beacons.sent), taken, again, unanswered)
	rep.Add("late", "%d events came behind a low watermark that was past them", late)
	return nil
}

// pageFound is what the log has of a page.
type pageFound struct {
	ids   map[string]int
	first event.Time // the receive time of the first copy
}

// read reads the log. It returns what it has of each page, and how many events came behind a greater
// low of the collector.
func (r *spoolRun) read(ctx context.Context) (map[string]pageFound, int, error) {
	ends, err := r.world.ends(ctx, engine.EventsTopic)
	if err != nil {
		return nil, 0, err
	}
	left := map[int32]kgo.Offset{}
	for p, end := range ends {
		if end > 0 {
			left[int32(p)] = kgo.NewOffset().AtStart()
		}
	}
	c, err := r.world.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{engine.EventsTopic: left}))
	if err != nil {
		return nil, 0, err
	}
	defer c.Close()
	found, late := map[string]pageFound{}, 0
	lows := make([]event.Time, len(ends))
	for len(left) > 0 {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, 0, fmt.Errorf("read the log: %w", err)
		}
		var bad error
		fetches.EachRecord(func(rec *kgo.Record) {
			var dec event.Decoder
			var env event.Envelope
			bad = errors.Join(bad, dec.Decode(rec.Value, &env))
			for i := range env.Events {
				e := &env.Events[i]
				if e.Received < lows[rec.Partition] {
					late++
				}
				page := strings.Clone(strings.TrimPrefix(e.URL, "https://spool.example/"))
				at, ok := found[page]
				if !ok {
					at = pageFound{map[string]int{}, e.Received}
				}
				at.ids[strings.Clone(e.ID)]++
				found[page] = at
			}
			lows[rec.Partition] = max(lows[rec.Partition], env.Low)
			if rec.Offset+1 >= ends[rec.Partition] {
				delete(left, rec.Partition)
			}
		})
		if bad != nil {
			return nil, 0, fmt.Errorf("read the log: %w", bad)
		}
	}
	return found, late, nil
}
