package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/lovoo/goka"

	"millrace/emit"
	emitinflux "millrace/emit/influx"
	"millrace/emit/lake"
	"millrace/emit/local"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/internal/blob"
	"millrace/internal/deadletter"
	"millrace/internal/influxdb"
	"millrace/internal/kafka"
)

// What a worker is; the zero value is the engine.
const (
	roleArchive = "archive"
	roleInflux  = "influx"
	roleLocal   = "local"
	roleCollect = "collect"
)

// More points, of the archive.
const (
	beforePut    = "before-put"    // an object is about to be stored
	afterPut     = "after-put"     // it is stored, and nobody knows
	midMerge     = "mid-merge"     // a file is about to be opened, which only merging does, and an owner that makes sure of a commit
	beforeDelete = "before-delete" // an object is about to be deleted
	afterDelete  = "after-delete"  // it is deleted, and nobody knows
)

// cluster is the way to the brokers, through the points of the wire.
func (w *worker) cluster() *kafka.Cluster {
	return &kafka.Cluster{Brokers: w.Brokers, Dialer: bombDialer{w.bomb, w.Via}}
}

// archive runs the archiver into a store that fails now and then.
func (w *worker) archive(ctx context.Context) error {
	store, err := blob.Open(w.Store)
	if err != nil {
		return err
	}
	c := w.cluster()
	hits, closeHits, err := w.hits()
	if err != nil {
		return err
	}
	a, err := lake.New(lake.Options{
		Hits:    hits,
		Brokers: w.Brokers,
		Goka: func(limit lake.Limit) []goka.ProcessorOption {
			return c.GokaOptions(kafka.GroupOptions{Hasher: event.NewHasher, Log: w.log, Limit: limit})
		},
		Topic: engine.EventsTopic, Partitions: int32(w.Partitions), Log: w.log, FlushInterval: cmp.Or(w.Flush, 5*time.Minute),
		Store: &badStore{Store: store, bomb: w.bomb, share: w.Faults, rng: rand.New(rand.NewPCG(w.Seed, 0x73746f7265))},
	})
	if err != nil {
		return errors.Join(err, closeHits())
	}
	w.setReady()
	return errors.Join(a.Run(ctx), closeHits())
}

// influx runs the emitter into an InfluxDB.
func (w *worker) influx(ctx context.Context) error {
	cfg, err := influxdb.ParseURL(w.Store)
	if err != nil {
		return err
	}
	sink, err := emitinflux.NewSink(emitinflux.Options{
		DB: cfg, Log: w.log, Timeout: 3 * time.Second, MaxBackoff: 2 * time.Second,
		Dead: func(_ context.Context, l deadletter.Letter) error {
			return fmt.Errorf("InfluxDB refuses a point: %s: %.200s", l.Reason, l.Value)
		},
	})
	if err != nil {
		return err
	}
	return errors.Join(w.emit(ctx, sink), sink.Close())
}

// local runs the emitter into a local rollup store.
func (w *worker) local(ctx context.Context) error {
	store, err := local.Open(local.Options{Dir: w.Store, Logger: w.log})
	if err != nil {
		return err
	}
	return errors.Join(w.emit(ctx, store), store.Close())
}

// emit runs the emitter into a sink.
func (w *worker) emit(ctx context.Context, sink emit.Sink) error {
	e, err := emit.New(emit.Options{
		Sink: sink, Brokers: w.Brokers, Log: w.log, Goka: w.cluster().GokaOptions(kafka.GroupOptions{Hasher: event.NewHasher, Log: w.log}),
	})
	if err != nil {
		return err
	}
	w.setReady()
	return e.Run(ctx)
}

// errStore is what a bad store says.
var errStore = errors.New("the store fails on purpose")

// badStore fails a share of the requests, half of those that change something only after they have
// been done.
type badStore struct {
	blob.Store
	bomb  *bomb
	share float64
	mu    sync.Mutex // guards rng
	rng   *rand.Rand
}

// fails decides whether the next request fails, and whether before or after it has been done.
func (s *badStore) fails() (before, after bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	bad := s.rng.Float64() < s.share
	late := s.rng.IntN(2) == 0
	return bad && !late, bad && late
}

// Put implements blob.Store, and has the points of the archive.
func (s *badStore) Put(ctx context.Context, key string, body []byte) error {
	before, after := s.fails()
	s.bomb.hit(beforePut)
	if before {
		return fmt.Errorf("put %s: %w", key, errStore)
	}
	if err := s.Store.Put(ctx, key, body); err != nil {
		return err
	}
	s.bomb.hit(afterPut)
	if after {
		return fmt.Errorf("put %s, which is there: %w", key, errStore)
	}
	return nil
}

// Get implements blob.Store.
func (s *badStore) Get(ctx context.Context, key string) ([]byte, error) {
	if before, after := s.fails(); before || after {
		return nil, fmt.Errorf("get %s: %w", key, errStore)
	}
	return s.Store.Get(ctx, key)
}

// Open implements blob.Store, and has a point of merging.
func (s *badStore) Open(ctx context.Context, key string) (blob.Object, error) {
	if before, after := s.fails(); before || after {
		return nil, fmt.Errorf("open %s: %w", key, errStore)
	}
	s.bomb.hit(midMerge)
	return s.Store.Open(ctx, key)
}

// Delete implements blob.Store, and has points of deletion.
func (s *badStore) Delete(ctx context.Context, key string) error {
	before, after := s.fails()
	s.bomb.hit(beforeDelete)
	if before {
		return fmt.Errorf("delete %s: %w", key, errStore)
	}
	if err := s.Store.Delete(ctx, key); err != nil {
		return err
	}
	s.bomb.hit(afterDelete)
	if after {
		return fmt.Errorf("delete %s, which is gone: %w", key, errStore)
	}
	return nil
}
