package influx_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	emit "millrace/emit/influx"
	"millrace/internal/deadletter"
	"millrace/internal/influxdb"
	"millrace/query"
	"millrace/query/influx"
	"millrace/query/readertest"
)

// The sink of emit/influx and the reader of this package, together, are a store of rollups.
func TestConformance(t *testing.T) {
	addr := os.Getenv("MILLRACE_TEST_INFLUX")
	if addr == "" {
		t.Skip("MILLRACE_TEST_INFLUX not set: run deploy/dev-services.sh up")
	}
	cfg, err := influxdb.ParseURL(addr)
	if err != nil {
		t.Fatal(err)
	}
	readertest.Run(t, func(t *testing.T) (readertest.Sink, query.Reader) {
		cfg := cfg
		cfg.DB = fmt.Sprintf("test_%d_%d", os.Getpid(), time.Now().UnixNano())
		sink, err := emit.NewSink(emit.Options{
			DB:  cfg,
			Log: slog.New(slog.DiscardHandler),
			Dead: func(_ context.Context, l deadletter.Letter) error {
				t.Errorf("InfluxDB refuses %s: %s", l.Value, l.Reason)
				return nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		reader, err := influx.New(influx.Options{DB: cfg})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			c := influxdb.NewClient(cfg, 10*time.Second, nil)
			err := c.Query(context.Background(), "DROP DATABASE "+influxdb.QuoteName(cfg.DB), func(*influxdb.Series) error { return nil })
			if err != nil {
				t.Logf("drop test database: %v", err)
			}
			sink.Close()
			reader.Close()
		})
		return sink, reader
	})
}
