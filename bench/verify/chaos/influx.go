package chaos

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"millrace/bench/tally"
	emitinflux "millrace/emit/influx"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/influxdb"
	"millrace/internal/services"
)

// lagBack is how soon after an outage the emitter has to have caught up.
const lagBack = 2 * time.Minute

// influx is T8: an InfluxDB that is away, refuses, does what was asked and says nothing, and takes
// the half.
func influx(ctx context.Context, o Options) error {
	db, down, err := influxOf(ctx, o)
	if err != nil {
		return err
	}
	defer down()
	r, err := open(ctx, o, plan{work: crowd(o), read: true})
	if err != nil {
		return err
	}
	defer r.close()
	front, err := newBadFront(db, r.rng.Uint64())
	if err != nil {
		return err
	}
	defer front.close()
	if _, err := r.start(ctx, r.job(0)); err != nil {
		return err
	}
	j := r.job(1)
	j.Role, j.Store, j.Steady = roleInflux, front.url, true
	emitter, err := r.start(ctx, j)
	if err != nil {
		return err
	}
	peak := int64(0)
	for i := range o.Times {
		o.progress("harm", i, o.Times)
		front.be(badness(1 + i%int(badnesses-1)))
		if err := r.feed.until(ctx, r.share(float64(i+1)/float64(o.Times+1))); err != nil {
			return err
		}
		if err := sleep(ctx, time.Duration(r.rng.IntN(700))*time.Millisecond); err != nil {
			return err
		}
		peak = max(peak, emitter.status().Memory)
	}
	// Away, for as long as the scenario says, with windows coming all the time.
	front.be(away)
	if err := r.feed.live(ctx, r.share(float64(o.Times)/float64(o.Times+1)), float64(r.work.Span)/float64(o.Times+1)/float64(o.Wall.Milliseconds()),
		r.work.Start+r.work.Span, nil); err != nil {
		return err
	}
	peak = max(peak, emitter.status().Memory)
	front.be(well)
	back := time.Now()
	if err := r.finish(ctx); err != nil {
		return err
	}
	ends, err := r.world.ends(ctx, engine.WindowsTopic)
	if err != nil {
		return err
	}
	for {
		at, err := r.world.committedOf(ctx, emitinflux.Group, engine.WindowsTopic)
		if err == nil && slices.Equal(at, ends) {
			break
		}
		if time.Since(back) > 2*lagBack || !emitter.alive() {
			return fmt.Errorf("the emitter has committed %v of %v\n%s", at, ends, emitter.errs.String())
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	took := time.Since(back)
	if took > lagBack {
		r.report.Fail("the lag was gone %v after the outage", took)
	}
	points, err := r.checkInflux(ctx, db)
	if err != nil {
		return err
	}
	r.report.Add("harm", "%v", front.told())
	r.report.Add("InfluxDB", "%d points compared; away for %v, caught up after %v more; at most %d MB of memory", points, o.Wall, took.Round(100*time.Millisecond), peak>>20)
	return nil
}

// influxOf returns the database that is given, or one of a server of its own, and how to end that.
func influxOf(ctx context.Context, o Options) (influxdb.Config, func(), error) {
	address, down := o.Store, func() {}
	if address == "" {
		m, err := o.services(filepath.Join(cmp.Or(o.Dir, os.TempDir()), fmt.Sprintf("millrace-chaos-influx-%d", time.Now().UnixNano())))
		if err != nil {
			return influxdb.Config{}, nil, err
		}
		running, err := m.Up(ctx, services.Influx)
		if err != nil {
			return influxdb.Config{}, nil, err
		}
		address, down = running[0].URL, func() { m.Down(context.WithoutCancel(ctx)) }
	}
	cfg, err := influxdb.ParseURL(address)
	if err != nil {
		down()
	}
	return cfg, down, err
}

// checkInflux reads everything from the database and compares it with the recount.
func (r *run) checkInflux(ctx context.Context, db influxdb.Config) (int, error) {
	reader, err := emitinflux.NewReader(emitinflux.ReaderOptions{DB: db})
	if err != nil {
		return 0, err
	}
	defer reader.Close()
	got := tally.Written{}
	n := 0
	for _, site := range r.counts.sites {
		for k := range window.NumKinds {
			for f := range window.NumFamilies {
				if !f.In(k) {
					continue
				}
				sel := window.Selection{Kind: k, Site: site, Family: f, From: r.work.Start - 4*event.Hour, To: r.work.Start + r.work.Span + event.Hour}
				err := reader.Scan(ctx, sel, func(start event.Time, final bool, p *window.Point) error {
					n++
					key := tally.Window{Kind: k, Site: site, Start: start}
					if got[key] == nil {
						got[key] = &tally.Stored{Final: true, Points: map[tally.Key]window.Rollup{}}
					}
					got[key].Final = got[key].Final && final
					v := p.Rollup
					v.Sketch = bytes.Clone(v.Sketch)
					got[key].Points[tally.Key{Family: f, A: strings.Clone(p.Dims[0]), B: strings.Clone(p.Dims[1])}] = v
					return nil
				})
				if err != nil {
					return n, err
				}
			}
		}
	}
	for _, line := range r.counts.compare(got).Wrong {
		r.report.Fail("InfluxDB: %s", line)
	}
	return n, nil
}

// badness is what a badFront does to every second write.
type badness int

const (
	well        badness = iota
	refuses             // 503
	throttles           // 429, come back in a second
	hangsUp             // the connection ends
	losesAnswer         // it does what was asked, and the connection ends
	writesHalf          // it writes the first half, and says 500
	badnesses
	away // no request is answered
)

// badFront stands in front of an InfluxDB.
type badFront struct {
	url    string
	db     influxdb.Config
	server *http.Server
	done   chan struct{}
	client *http.Client

	mu   sync.Mutex // guards what follows
	rng  *rand.Rand
	mood badness
	did  map[badness]int
}

// newBadFront starts one that is well, on a port of its own. Its URL names the database.
func newBadFront(db influxdb.Config, seed uint64) (*badFront, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &badFront{
		db: db, done: make(chan struct{}), client: &http.Client{Timeout: time.Minute},
		rng: rand.New(rand.NewPCG(seed, 0x66726f6e74)), did: map[badness]int{},
	}
	u := url.URL{Scheme: "http", Host: ln.Addr().String(), Path: "/" + db.DB}
	f.url = u.String()
	f.server = &http.Server{Handler: f}
	go func() {
		defer close(f.done)
		f.server.Serve(ln)
	}()
	return f, nil
}

// close ends it and waits for it.
func (f *badFront) close() {
	f.server.Close()
	<-f.done
	f.client.CloseIdleConnections()
}

// be says what it does to the writes from now on.
func (f *badFront) be(b badness) { f.mu.Lock(); f.mood = b; f.mu.Unlock() }

// told says how often it did what.
func (f *badFront) told() string {
	names := map[badness]string{
		refuses: "refused", throttles: "throttled", hangsUp: "hung up", losesAnswer: "lost the answer", writesHalf: "wrote half", away: "away",
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []string
	for _, b := range slices.Sorted(maps.Keys(f.did)) {
		list = append(list, fmt.Sprintf("%s %d", names[b], f.did[b]))
	}
	return strings.Join(list, ", ")
}

// choose says what becomes of the next request.
func (f *badFront) choose() badness {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.mood
	if b != away && f.rng.IntN(2) == 0 {
		b = well
	}
	if b != well {
		f.did[b]++
	}
	return b
}

// ServeHTTP implements http.Handler. The body is read first: what writes half has to have it all.
func (f *badFront) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	switch b := f.choose(); b {
	case refuses:
		http.Error(w, `{"error":"on purpose"}`, http.StatusServiceUnavailable)
	case throttles:
		w.Header().Set("Retry-After", "1")
		http.Error(w, `{"error":"on purpose"}`, http.StatusTooManyRequests)
	case hangsUp, away:
		panic(http.ErrAbortHandler)
	case losesAnswer:
		if resp, err := f.pass(req, body); err == nil {
			resp.Body.Close()
		}
		panic(http.ErrAbortHandler)
	case writesHalf:
		if resp, err := f.pass(req, half(req, body)); err == nil {
			resp.Body.Close()
		}
		http.Error(w, `{"error":"on purpose"}`, http.StatusInternalServerError)
	default:
		resp, err := f.pass(req, body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		maps.Copy(w.Header(), resp.Header)
		w.WriteHeader(resp.StatusCode)
		io.Copy(w, resp.Body)
	}
}

// pass hands a request on.
func (f *badFront) pass(req *http.Request, body []byte) (*http.Response, error) {
	u := f.db.Base
	u.Path += req.URL.Path
	u.RawQuery = req.URL.RawQuery
	out, err := http.NewRequestWithContext(req.Context(), req.Method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	out.Header = req.Header.Clone()
	return f.client.Do(out)
}

// half returns the first half of a write's lines, compressed if they were.
func half(req *http.Request, body []byte) []byte {
	if req.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil
		}
		if body, err = io.ReadAll(z); err != nil {
			return nil
		}
	}
	body = body[:bytes.LastIndexByte(body[:len(body)/2], '\n')+1]
	if req.Header.Get("Content-Encoding") != "gzip" {
		return body
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(body)
	z.Close()
	return b.Bytes()
}
