package server

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"millrace/cmd/internal/demo"
	"millrace/cmd/internal/offline"
	"millrace/cmd/internal/roles"
	"millrace/engine"
	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/engine/hits"
	"millrace/engine/replay"
	"millrace/engine/window"
	"millrace/internal/blob"
	"millrace/internal/site"
)

func newDeriver() engine.Deriver { return enrich.New(enrich.Options{}) }

// options are those of a server that has everything in a folder, with the defaults of the flags.
func options(data string) Options {
	sites, err := site.Read(site.Config{})
	if err != nil {
		panic(err)
	}
	return Options{
		Roles: roles.All(), Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Data: data,
		Kafka:  KafkaOptions{Partitions: 4, Retention: 24 * time.Hour},
		Access: AccessOptions{Sites: sites, LoopbackTrust: true},
		Collector: CollectorOptions{
			Linger: 5 * time.Millisecond, MaxBody: 1 << 20, MaxPending: 64 << 20, NewSites: 500,
		},
		Engine: EngineOptions{
			Grace: 2 * time.Second, Lateness: time.Hour, Early: 5 * time.Second, SilentAfter: 10 * time.Second,
			NewDeriver: newDeriver,
		},
		ArchiveEvery: time.Minute,
		Log:          slog.New(slog.DiscardHandler),
	}
}

// mustStart starts a server. Stop stops it once.
func mustStart(t *testing.T, o Options) (s *server, stop func()) {
	t.Helper()
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	s = newServer(o)
	if err := s.start(t.Context()); err != nil {
		t.Fatal(errors.Join(err, s.stop()))
	}
	return s, func() {
		t.Helper()
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	}
}

// TestDemoPast: the past of the demo's sites is there whatever the hour of the start, once
// however often it is begun, and it is what a replay makes of the archive.
func TestDemoPast(t *testing.T) {
	t.Parallel()
	yesterday := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -1)
	for name, now := range map[string]time.Time{
		"at night":        yesterday.Add(4*time.Hour + 10*time.Minute),
		"behind midnight": yesterday.Add(30 * time.Minute),
		"in the evening":  yesterday.Add(20 * time.Hour),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			s, stop := mustStart(t, options(data))
			p, err := s.past(now)
			if err != nil {
				t.Fatal(err)
			}
			p.days, p.rate, p.wait = 2, 0.01, 20*time.Second
			// Once cut short, before it has counted; then whole; then there is nothing left to do.
			cut, cancel := context.WithCancel(t.Context())
			p.log = slog.New(slog.NewTextHandler(writerFunc(func(line []byte) (int, error) {
				if strings.Contains(string(line), "counting the past") {
					cancel()
				}
				return len(line), nil
			}), nil))
			if err := p.make(cut); !errors.Is(err, context.Canceled) {
				t.Errorf("cut short: %v", err)
			}
			for range 2 {
				if err := p.make(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			stop()
			if _, err := os.Stat(filepath.Join(data, pastFile)); err != nil {
				t.Error(err)
			}
			checkPast(t, data, p)
		})
	}
}

// checkPast compares the events of the store with those that were made up, and with a replay.
func checkPast(t *testing.T, data string, p *past) {
	t.Helper()
	const day = 24 * time.Hour
	until := p.now.Add(-2 * time.Hour).Truncate(time.Hour)
	want := map[string]int64{} // by site and day
	for d := p.now.Truncate(day).AddDate(0, 0, -p.days); d.Before(until); d = d.AddDate(0, 0, 1) {
		var b bytes.Buffer
		if _, err := demo.WriteDay(&b, d, until, p.rate); err != nil {
			t.Fatal(err)
		}
		for _, site := range demo.Sites() {
			for line := range strings.Lines(b.String()) {
				if strings.Contains(line, `"site":"`+site+`"`) && !strings.Contains(line, "Googlebot") {
					want[site+" "+d.Format(time.DateOnly)]++
				}
			}
		}
	}
	log := slog.New(slog.DiscardHandler)
	off, err := offline.Open(offline.Options{Data: data, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer off.Close()
	got := map[string]int64{}
	for _, site := range demo.Sites() {
		sel := window.Selection{Kind: window.Hour, Site: site, Family: window.Totals, To: event.Time(math.MaxInt64 / 2)}
		err := off.Stores.Rollups().Scan(t.Context(), sel, func(start event.Time, _ bool, p *window.Point) error {
			got[site+" "+start.Std().Format(time.DateOnly)] += p.Events
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("events by day %v, want %v", got, want)
	}
	if got := hitsByDay(t, off.Stores.Lake); !maps.Equal(got, want) {
		t.Errorf("hits by day %v, want %v", got, want)
	}
	if len(want) < 3*p.days {
		t.Errorf("days without events: %v", want)
	}
	report, err := off.Replay(t.Context(), offline.ReplayOptions{Mode: replay.Verify, NewDeriver: newDeriver, Log: log})
	if err != nil || report.Differing > 0 || report.Total().Windows == 0 {
		t.Errorf("replay finds %d differences in %d windows: %v", report.Differing, report.Total().Windows, err)
	}
}

// hitsByDay counts the hits of people on the demo's sites.
func hitsByDay(t *testing.T, store blob.Store) map[string]int64 {
	t.Helper()
	archive, err := hitsOf(store, 4, engine.Rules{})
	if err != nil {
		t.Fatal(err)
	}
	snapshot, err := archive.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if snapshot.Extent().Imported {
		t.Error("there are imports without hits")
	}
	got := map[string]int64{}
	for _, site := range demo.Sites() {
		sel := &hits.Selection{Site: site, To: event.Time(math.MaxInt64 / 2), Workers: 1}
		err := snapshot.Hits(t.Context(), sel, func(_ int, b hits.Block) error {
			at, err := b.Times()
			human, e := b.Of(hits.Human)
			for i := range at {
				if human[i/64]>>(i%64)&1 != 0 {
					got[site+" "+at[i].Std().Format(time.DateOnly)]++
				}
			}
			return errors.Join(err, e)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return got
}

// writerFunc is a function as an io.Writer.
type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
