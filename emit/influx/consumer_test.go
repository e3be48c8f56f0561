package influx

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"millrace/emit"
	"millrace/emit/emittest"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/influxdb"
)

// TestConsumer runs the suite of all sinks on the fake, and on the real InfluxDB.
func TestConsumer(t *testing.T) {
	t.Parallel()
	open := func(t *testing.T, b *bench) emittest.Store {
		s, _ := mustSink(t, b, nil)
		return emittest.Store{
			Sink: s, Totals: b.totals, Progress: b.progress,
			Refused: [][]byte{[]byte("page,page=/x,site=a.example events=1i,version=1i 61\n")},
		}
	}
	t.Run("fake", func(t *testing.T) {
		emittest.Run(t, func(t *testing.T) emittest.Store { return open(t, newFake(t)) })
	})
	t.Run("real", func(t *testing.T) {
		emittest.Run(t, func(t *testing.T) emittest.Store { return open(t, realDB(t)) })
	})
}

// rows calls fn for each row of a query, with a function that returns a field.
func (b *bench) rows(t *testing.T, q string, fn func(s *influxdb.Series, field func(string) int64)) {
	t.Helper()
	c := influxdb.NewClient(b.cfg, 10*time.Second, nil)
	defer c.CloseIdle()
	err := c.Query(t.Context(), q, func(s *influxdb.Series) error {
		for _, row := range s.Values {
			fn(s, func(name string) int64 {
				n, _ := influxdb.Int(row, s.Column(name))
				return n
			})
		}
		return nil
	})
	if err != nil && !influxdb.NoDatabase(err) {
		t.Fatal(err)
	}
}

// totals returns the rollup of window.Totals of a window, nil if there is none.
func (b *bench) totals(t *testing.T, k window.Kind, site string, start event.Time) (r *window.Rollup) {
	t.Helper()
	q := fmt.Sprintf(`SELECT %s FROM %s WHERE "site" = %s AND time >= %d AND time < %d GROUP BY *`, names(pointFields(k)...),
		influxdb.QuoteName(window.Measurement(k, window.Totals)), influxdb.Quote(site), nanos(start), nanos(start+1))
	b.rows(t, q, func(_ *influxdb.Series, field func(string) int64) {
		r = &window.Rollup{
			Events: field("events"), Pageviews: field("pageviews"), Visitors: uint64(field("visitors")),
			Revenue: event.Money(field("revenue")), Paid: field("paid"),
			Visits: field("visits"), Bounces: field("bounces"), Seconds: field("seconds"), Views: field("views"),
		}
	})
	return r
}

// progress returns the last progress of each partition.
func (b *bench) progress(t *testing.T) []window.Progress {
	t.Helper()
	last := map[int32]window.Progress{}
	q := fmt.Sprintf(`SELECT "low", "hours", "offset" FROM "progress" WHERE time >= 0 AND time < %d GROUP BY *`, int64(1)<<62)
	b.rows(t, q, func(s *influxdb.Series, field func(string) int64) {
		n, err := strconv.ParseInt(s.Tags["partition"], 10, 32)
		if err != nil {
			t.Error(err)
		}
		last[int32(n)] = window.Progress{Partition: int32(n), Low: event.Time(field("low")), Hours: event.Time(field("hours")), Offset: field("offset")}
	})
	var list []window.Progress
	for p := range int32(len(last)) {
		list = append(list, last[p])
	}
	return list
}

// InfluxDB is away when the windows come; nothing is lost, nothing committed before, and the newest
// version stays.
func TestConsumerOutlivesAnOutage(t *testing.T) {
	t.Parallel()
	eachDB(t, func(t *testing.T, b *bench) {
		k := emittest.NewKafka(t)
		var down atomic.Bool
		down.Store(true)
		tr := &faults{always: func(r *http.Request) (*http.Response, error) {
			if down.Load() {
				return nil, syscall.ECONNREFUSED
			}
			return http.DefaultTransport.RoundTrip(r)
		}}
		s, _ := mustSink(t, b, func(o *Options) { o.Transport = tr })
		k.Start(k.Consumer(s))
		const sites, versions = 20, 10
		for v := range int64(versions) {
			for i := range sites {
				k.Windows(win(fmt.Sprintf("s%d.example", i), 60000, v, fmt.Sprintf("/x=%d", v+1)))
			}
		}
		emittest.Eventually(t, "attempts", func() bool { return s.Stats().Retries > 3 })
		if n := k.Committed(Group); n != 0 {
			t.Errorf("%d records were committed while InfluxDB was away", n)
		}
		down.Store(false)
		k.WaitCommitted(Group)
		for i := range sites {
			b.want(t, fmt.Sprintf("s%d.example", i), "60 page/x=10 v9", "60 totals=10 v9")
		}
	})
}

// Killed between the write and the commit, again and again, while an engine that was thought dead
// sends old versions: what comes again does no harm.
func TestConsumerKilledBetweenWriteAndCommit(t *testing.T) {
	t.Parallel()
	eachDB(t, func(t *testing.T, b *bench) {
		k := emittest.NewKafka(t)
		k.Windows(win("a.example", 60000, 5, "/x=5"))
		k.Windows(win("a.example", 60000, 7, "/x=7"))
		k.Windows(win("a.example", 60000, 6, "/x=6"))
		for range 3 {
			// The answer never comes: as far as this process knows, nothing was written.
			written := make(chan struct{}, 100)
			tr := &faults{always: func(r *http.Request) (*http.Response, error) {
				resp, err := http.DefaultTransport.RoundTrip(r)
				if err != nil || r.URL.Path != "/write" || resp.StatusCode != 204 {
					return resp, err
				}
				resp.Body.Close()
				written <- struct{}{}
				<-r.Context().Done()
				return nil, r.Context().Err()
			}}
			s, _ := mustSink(t, b, func(o *Options) { o.Transport = tr; o.Timeout = time.Minute })
			stop := k.Start(k.Consumer(s))
			select {
			case <-written:
			case <-time.After(20 * time.Second):
				t.Fatal("nothing was written")
			}
			_ = stop()
			if n := k.Committed(Group); n != 0 {
				t.Fatalf("%d records committed", n)
			}
			b.want(t, "a.example", "60 page/x=7 v7", "60 totals=7 v7")
		}
		k.Windows(win("a.example", 60000, 6, "/x=6"))
		s, _ := mustSink(t, b, nil)
		stop := k.Start(k.Consumer(s))
		k.WaitCommitted(Group)
		_ = stop()
		// And an old one that comes after everything was committed, to another process.
		k.Windows(win("a.example", 60000, 6, "/x=6"))
		s, _ = mustSink(t, b, nil)
		k.Start(k.Consumer(s))
		k.WaitCommitted(Group)
		b.want(t, "a.example", "60 page/x=7 v7", "60 totals=7 v7")
		if s.Stats().Older != 1 {
			t.Errorf("%+v", s.Stats())
		}
		if b.fake != nil {
			for _, p := range b.fake.log {
				if p.fields["version"] != int64(7) {
					t.Errorf("written: %+v", p)
				}
			}
		}
	})
}

// InfluxDB is away and 40 MB of windows wait: what is read is bounded, and the group stays. It
// measures the heap, so no other test runs beside it.
func TestConsumerMemoryIsBounded(t *testing.T) {
	b := newFake(t)
	k := emittest.NewKafka(t)
	var down atomic.Bool
	down.Store(true)
	tr := &faults{always: func(r *http.Request) (*http.Response, error) {
		if down.Load() {
			return nil, syscall.ECONNREFUSED
		}
		return http.DefaultTransport.RoundTrip(r)
	}}
	s, _ := mustSink(t, b, func(o *Options) { o.Transport = tr; o.MaxBackoff = 50 * time.Millisecond })
	const windows = 5000
	sketch := make([]byte, 6000)
	noise := rand.NewChaCha8([32]byte{1}) // real sketches don't compress either
	// Of two partitions: each costs a fetch.
	var sites []string
	for i := 0; len(sites) < 500; i++ {
		if site := fmt.Sprintf("s%d.example", i); event.Partition(site, 0, emittest.Partitions) < 2 {
			sites = append(sites, site)
		}
	}
	batches := map[int32][][]byte{}
	for i := range windows {
		w := win(sites[i%500], event.Time(i/500)*60000, 1, "/x=1")
		noise.Read(sketch)
		w.Points[0].Sketch = sketch
		lines, err := w.AppendLines(nil)
		if err != nil {
			t.Fatal(err)
		}
		p := event.Partition(w.Site, 0, emittest.Partitions)
		batches[p] = append(batches[p], lines)
	}
	for p, values := range batches {
		k.Produce(p, event.Key(p), values...)
	}
	batches = nil
	before := heap()
	k.Start(k.Consumer(small{s}))
	emittest.Eventually(t, "attempts", func() bool { return s.Stats().Retries > 5 })
	time.Sleep(300 * time.Millisecond)
	// 2 MiB here, as much again decoded, and for each of two partitions a fetch of 4 MiB in
	// Sarama's hands and one on its way.
	grown := heap() - before
	t.Logf("the heap has grown by %d KiB", grown>>10)
	if grown > 30<<20 {
		t.Errorf("the heap has grown by %d MiB while 40 MB wait", grown>>20)
	}
	if n := k.Committed(Group); n != 0 {
		t.Errorf("%d committed", n)
	}
	down.Store(false)
	k.WaitCommitted(Group)
	b.fake.mu.Lock()
	defer b.fake.mu.Unlock()
	if len(b.fake.points) != 2*windows {
		t.Errorf("%d points, want %d", len(b.fake.points), 2*windows)
	}
}

// small is a Sink with room for 2 MiB of windows.
type small struct{ *Sink }

func (s small) Intake() emit.Intake {
	i := s.Sink.Intake()
	i.MaxPending = 2 << 20
	return i
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A partition goes to another process and comes back: what that one wrote is not overwritten from
// memory.
func TestSinkForgetsBetweenSessions(t *testing.T) {
	t.Parallel()
	b := newFake(t)
	k := emittest.NewKafka(t)
	s, _ := mustSink(t, b, nil)
	k.Windows(win("a.example", 60000, 5, "/x=5"))
	stop := k.Start(k.Consumer(s))
	k.WaitCommitted(Group)
	_ = stop()
	other, _ := mustSink(t, b, nil)
	if err := other.Write(t.Context(), []*window.Window{win("a.example", 60000, 9, "/x=9")}); err != nil {
		t.Fatal(err)
	}
	k.Windows(win("a.example", 60000, 8, "/x=8"))
	k.Start(k.Consumer(s))
	k.WaitCommitted(Group)
	b.want(t, "a.example", "60 page/x=9 v9", "60 totals=9 v9")
}

// A refused point that can't be kept as a dead letter holds the commit.
func TestSinkHoldsTheCommitForDeadLetters(t *testing.T) {
	t.Parallel()
	b := newFake(t)
	b.fake.refuse = "/bad"
	k := emittest.NewKafka(t)
	var broken atomic.Int64
	s, dead := mustSink(t, b, nil)
	good := s.opts.Dead
	s.opts.Dead = func(ctx context.Context, l letter) error {
		if broken.Add(1) < 3 {
			return errors.New("nobody takes letters")
		}
		return good(ctx, l)
	}
	k.Windows(win("a.example", 60000, 5, "/bad=5 /x=1"))
	k.Start(k.Consumer(s))
	k.WaitCommitted(Group)
	if dead.len() != 1 || broken.Load() != 3 {
		t.Errorf("%d letters after %d tries", dead.len(), broken.Load())
	}
}
