package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"

	emitinflux "millrace/emit/influx"
	"millrace/emit/local"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/internal/blob"
	"millrace/internal/deadletter"
	"millrace/internal/influxdb"
	"millrace/query"
	queryinflux "millrace/query/influx"
)

// rollups is a rollup store: what queries read and replay writes.
type rollups interface {
	query.Reader
	Replace(ctx context.Context, ws []*window.Window) error
}

// stores are the places where things are kept. What is nil is not needed by this process.
type stores struct {
	lake blob.Store

	// One of the two is set.
	local  *local.Store
	influx *influxStore
}

// rollups returns the rollup store that is set.
func (s *stores) rollups() rollups {
	if s.influx != nil {
		return s.influx
	}
	return s.local
}

// influxStore is an InfluxDB as a rollup store: a sink and a reader of the same database.
type influxStore struct {
	*emitinflux.Sink
	*queryinflux.Reader
}

func (s *influxStore) Close() error {
	return errors.Join(s.Sink.Close(), s.Reader.Close())
}

// openInflux prepares the sink and the reader for a URL. It makes no request.
func openInflux(address string, dead emitinflux.DeadLetter, log *slog.Logger) (*influxStore, error) {
	cfg, err := influxdb.ParseURL(address)
	if err != nil {
		return nil, usagef("--influx: %w", err)
	}
	sink, err := emitinflux.NewSink(emitinflux.Options{DB: cfg, Dead: dead, Log: log})
	if err != nil {
		return nil, fmt.Errorf("--influx: %w", err)
	}
	reader, err := queryinflux.New(queryinflux.Options{DB: cfg})
	if err != nil {
		return nil, fmt.Errorf("--influx: %w", err)
	}
	return &influxStore{sink, reader}, nil
}

// openLake opens the bucket that is given, or the folder.
func openLake(address, folder string) (blob.Store, error) {
	if address == "" {
		address = folder
	}
	lake, err := blob.Open(address)
	if err != nil {
		return nil, fmt.Errorf("open archive: %w", err)
	}
	return lake, nil
}

// openLocal opens the local rollup store. Its errors say what to do.
func openLocal(dir string, log *slog.Logger) (*local.Store, error) {
	return local.Open(local.Options{Dir: dir, Logger: log})
}

// openStores opens what this process' roles need. Remote stores are not contacted: that one of them is away for now is no
// reason not to take beacons.
func (n *node) openStores(context.Context) error {
	f := n.flags
	var err error
	if f.has(roleArchive) {
		if n.stores.lake, err = openLake(f.S3, n.dir.Lake()); err != nil {
			return err
		}
	}
	if !f.has(roleEmit) && !f.has(roleQuery) {
		return nil
	}
	if f.Influx == "" {
		if n.stores.local, err = openLocal(n.dir.Rollups(), n.log); err != nil {
			return err
		}
		n.onStop("rollup store", n.stores.local.Close)
		return nil
	}
	dead := logDead(n.log)
	if n.clients != nil {
		client, err := kgo.NewClient(n.clients...)
		if err != nil {
			return fmt.Errorf("connect to Kafka for dead letters: %w", err)
		}
		n.onStop("dead letters", func() error { client.Close(); return nil })
		dead = produceDead(client)
	}
	if n.stores.influx, err = openInflux(f.Influx, dead, n.log); err != nil {
		return err
	}
	n.onStop("InfluxDB", n.stores.influx.Close)
	return nil
}

// produceDead writes dead letters to their topic.
func produceDead(client *kgo.Client) emitinflux.DeadLetter {
	return func(ctx context.Context, l deadletter.Letter) error {
		return client.ProduceSync(ctx, &kgo.Record{
			Topic: deadletter.Topic,
			Key:   []byte(event.Key(l.Partition)),
			Value: l.Append(nil),
		}).FirstErr()
	}
}

// logDead is where letters go in a process without Kafka: to the log, with what is needed to find the cause.
func logDead(log *slog.Logger) emitinflux.DeadLetter {
	const most = 500
	return func(_ context.Context, l deadletter.Letter) error {
		log.Error("InfluxDB refuses a point", "reason", l.Reason, "point", string(l.Value[:min(len(l.Value), most)]))
		return nil
	}
}
