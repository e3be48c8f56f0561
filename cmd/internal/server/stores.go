package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/cmd/internal/stores"
	"millrace/emit/lake"
	"millrace/emit/local"
	"millrace/internal/blob"
)

// openLocal opens the local rollup store. It logs a store that is new beside an archive that has
// events: the archive was restored, or the store lost. Archive is nil in a process without.
func openLocal(ctx context.Context, dir string, archive blob.Store, closers *closers, log *slog.Logger) (*local.Store, error) {
	_, missing := os.Stat(dir)
	store, err := stores.OpenLocal(dir, log)
	if err != nil {
		return nil, err
	}
	closers.add("rollup store", store.Close)
	if !errors.Is(missing, fs.ErrNotExist) || archive == nil {
		return store, nil
	}
	if events := archivedEvents(ctx, archive); events > 0 {
		log.Warn("the rollup store is new, but the archive has events, which answers lack: stop, run \"millrace replay\" "+
			"with the same --data, --s3 and --goals, and start again", "events", events, "archive", archive.String())
	}
	return store, nil
}

// archivedEvents returns how many events an archive has; 0 if it can't be read now, which the
// role of the archive reports.
func archivedEvents(ctx context.Context, archive blob.Store) int64 {
	ctx, cancel := context.WithTimeout(ctx, archiveWait)
	defer cancel()
	all, err := lake.NewReader(archive).Progress(ctx)
	if err != nil {
		return 0
	}
	var rows int64
	for _, p := range all {
		rows += p.Rows
	}
	return rows
}

// openInflux prepares an InfluxDB as a rollup store, with a topic for dead letters if there is
// Kafka. It makes no request.
func openInflux(address string, c *cluster, closers *closers, log *slog.Logger) (*stores.Influx, error) {
	dead := stores.LogDead(log)
	if c != nil {
		client, err := kgo.NewClient(c.clients...)
		if err != nil {
			return nil, fmt.Errorf("connect to Kafka for dead letters: %w", err)
		}
		closers.add("dead letters", func() error { client.Close(); return nil })
		dead = stores.ProduceDead(client, c.Names)
	}
	db, err := stores.OpenInflux(address, dead, log)
	if err != nil {
		return nil, err
	}
	closers.add("InfluxDB", db.Close)
	return db, nil
}
