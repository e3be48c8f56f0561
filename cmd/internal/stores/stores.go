package stores

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/cmd/internal/storesocket"
	emitinflux "millrace/emit/influx"
	"millrace/emit/local"
	"millrace/engine/event"
	"millrace/engine/replay"
	"millrace/engine/window"
	"millrace/internal/blob"
	"millrace/internal/deadletter"
	"millrace/internal/influxdb"
	"millrace/internal/kafka"
	"millrace/query"
)

// Rollups is a rollup store: what queries read and replay writes.
type Rollups interface {
	query.Reader
	Replace(ctx context.Context, ws []*window.Window) error
}

// Set is the stores of one process. A store that the process does not use is nil.
type Set struct {
	Lake blob.Store

	// At most one of the three is set.
	Local  *local.Store
	Influx *Influx
	Served *storesocket.Client // the local store of a serve that runs beside this command
}

// Rollups returns the rollup store that is set.
func (s *Set) Rollups() Rollups {
	switch {
	case s.Influx != nil:
		return s.Influx
	case s.Served != nil:
		return s.Served
	}
	return s.Local
}

// ReplaySink returns the rollup store as replay writes it. The local one keeps the windows'
// versions: a new store is filled from the log of windows, whose firings must not undo what replay
// has written.
func (s *Set) ReplaySink() replay.Sink {
	switch {
	case s.Influx != nil:
		return s.Influx
	case s.Served != nil:
		return s.Served
	}
	return archivedSink{s.Local}
}

type archivedSink struct{ *local.Store }

func (s archivedSink) Replace(ctx context.Context, ws []*window.Window) error {
	return s.ReplaceArchived(ctx, ws)
}

// Socket is the path of the socket by which a serve lets commands use its rollup store.
func Socket(data string) string { return filepath.Join(data, "rollups.sock") }

// Build names the build for package storesocket: another one may number families and kinds of
// windows in another way.
func Build(version string) string {
	return fmt.Sprintf("millrace %s, protocol 1, %d families", version, window.NumFamilies)
}

// Influx is an InfluxDB as a rollup store: a sink and a reader of the same database.
type Influx struct {
	*emitinflux.Sink
	*emitinflux.Reader
}

// Close closes both.
func (s *Influx) Close() error {
	return errors.Join(s.Sink.Close(), s.Reader.Close())
}

// OpenInflux prepares the sink and the reader for a URL. It makes no request.
func OpenInflux(address string, dead emitinflux.DeadLetter, log *slog.Logger) (*Influx, error) {
	cfg, err := influxdb.ParseURL(address)
	if err != nil {
		return nil, fmt.Errorf("--influx: %w", err)
	}
	sink, err := emitinflux.NewSink(emitinflux.Options{DB: cfg, Dead: dead, Log: log})
	if err != nil {
		return nil, fmt.Errorf("--influx: %w", err)
	}
	reader, err := emitinflux.NewReader(emitinflux.ReaderOptions{DB: cfg})
	if err != nil {
		return nil, fmt.Errorf("--influx: %w", err)
	}
	return &Influx{sink, reader}, nil
}

// OpenInfluxReader is OpenInflux for those who only read: there is no Sink. It makes no request.
func OpenInfluxReader(address string) (*Influx, error) {
	cfg, err := influxdb.ParseURL(address)
	if err != nil {
		return nil, fmt.Errorf("--influx: %w", err)
	}
	reader, err := emitinflux.NewReader(emitinflux.ReaderOptions{DB: cfg})
	if err != nil {
		return nil, fmt.Errorf("--influx: %w", err)
	}
	return &Influx{Reader: reader}, nil
}

// OpenLake opens the archive at an address, or in a folder if the address is empty.
func OpenLake(address, folder string) (blob.Store, error) {
	if address == "" {
		address = folder
	}
	lake, err := blob.Open(address)
	if err != nil {
		return nil, fmt.Errorf("open archive: %w", err)
	}
	return lake, nil
}

// OpenLocal opens the local rollup store. Its errors name the remedy.
func OpenLocal(dir string, log *slog.Logger) (*local.Store, error) {
	return local.Open(local.Options{Dir: dir, Logger: log})
}

// ProduceDead writes dead letters to their topic. Their own topic is that of windows, by the names of
// the cluster. The caller closes the client.
func ProduceDead(client *kgo.Client, names kafka.Names) emitinflux.DeadLetter {
	return func(ctx context.Context, l deadletter.Letter) error {
		l.Topic = names.Of(l.Topic)
		return client.ProduceSync(ctx, &kgo.Record{
			Topic: names.Of(deadletter.Topic),
			Key:   []byte(event.Key(l.Partition)),
			Value: l.Append(nil),
		}).FirstErr()
	}
}

// LogDead logs a dead letter in a process without Kafka, and drops it. The log has the name of the
// measurement alone: the rest of a point, which InfluxDB repeats in its reason, is what visitors
// sent.
func LogDead(log *slog.Logger) emitinflux.DeadLetter {
	return func(_ context.Context, l deadletter.Letter) error {
		name, _, _ := strings.Cut(string(l.Value), ",")
		log.Error("InfluxDB refuses a point, and without Kafka there are no dead letters to put it in",
			"measurement", name, "bytes", len(l.Value))
		return nil
	}
}
