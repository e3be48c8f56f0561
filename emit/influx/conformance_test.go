package influx_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"millrace/emit/influx"
	"millrace/emit/readertest"
	"millrace/internal/deadletter"
	"millrace/internal/influxdb"
	"millrace/query"
)

// TestConformance: Sink and Reader of one database, together, are a store of rollups.
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
		sink, err := influx.NewSink(influx.Options{
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
		reader, err := influx.NewReader(influx.ReaderOptions{DB: cfg})
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
