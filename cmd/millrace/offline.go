package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"strings"

	"millrace/cmd/internal/datadir"
	"millrace/emit/local"
	"millrace/emit/parquet"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/engine/replay"
	"millrace/engine/window"
	"millrace/internal/blob"
)

// offline is archive and rollup store for a command that runs beside no serve on the same folder.
type offline struct {
	dir     *datadir.Dir // nil: everything is elsewhere
	stores  stores
	closers []func() error
}

// openOffline opens archive and rollups. The data folder is locked if any of it is used, which a running serve does not
// allow; with a bucket and an InfluxDB nothing of it is, and serve may go on.
func openOffline(f *storeFlags, mayCreate, needFolder bool, log *slog.Logger) (*offline, error) {
	o := &offline{}
	err := o.open(f, mayCreate, needFolder, log)
	if err != nil {
		return nil, errors.Join(err, o.close())
	}
	return o, nil
}

func (o *offline) open(f *storeFlags, mayCreate, needFolder bool, log *slog.Logger) error {
	if f.S3 != "" && !mayCreate {
		if err := lakeExists(f.S3); err != nil {
			return err
		}
	}
	if f.Influx == "" || f.S3 == "" || needFolder {
		if _, err := os.Stat(f.Data); errors.Is(err, fs.ErrNotExist) && !mayCreate {
			return fmt.Errorf("there is no data folder %s; name it with --data", f.Data)
		}
		dir, err := datadir.Open(f.Data)
		if errors.Is(err, datadir.ErrInUse) {
			return fmt.Errorf("%w; stop it first (or let both use --s3 and --influx)", err)
		}
		if err != nil {
			return err
		}
		o.dir = dir
		o.closers = append(o.closers, dir.Close)
	}
	folder, rollups := "", ""
	if o.dir != nil {
		folder, rollups = o.dir.Lake(), o.dir.Rollups()
	}
	var err error
	if o.stores.lake, err = openLake(f.S3, folder); err != nil {
		return err
	}
	if f.Influx == "" {
		if o.stores.local, err = openLocal(rollups, log); err != nil {
			return err
		}
		o.closers = append(o.closers, o.stores.local.Close)
		return nil
	}
	if o.stores.influx, err = openInflux(f.Influx, logDead(log), log); err != nil {
		return err
	}
	o.closers = append(o.closers, o.stores.influx.Close)
	return nil
}

// lakeExists refuses the address of a folder that is not there: who mistypes it would be told that there is nothing to
// count. Whether a bucket is there shows when it is read.
func lakeExists(address string) error {
	path, err := blob.FolderOf(address)
	if err != nil {
		return fmt.Errorf("open archive: %w", err)
	}
	if path == "" {
		return nil
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no archive %s; name it with --s3", path)
	}
	return nil
}

func (o *offline) close() error {
	var errs []error
	for i := len(o.closers) - 1; i >= 0; i-- {
		errs = append(errs, o.closers[i]())
	}
	o.closers = nil
	return errors.Join(errs...)
}

// lateSlack is how long ago a window may have ended that a late event still reaches, with the default of serve's --lateness.
const lateSlack = event.Hour + 2*event.Minute

// ahead is replay's Options.Ahead. The local store tells which windows have fired behind the archive's end. Beside an InfluxDB serve
// may go on meanwhile: there it is what late events still reach.
func (o *offline) ahead(ctx context.Context, a *archived) (func(window.Kind, string, event.Time) bool, error) {
	if o.stores.local == nil {
		complete, streams, err := lake{parquet.NewLake(o.stores.lake)}.CompleteUntil(ctx)
		return func(k window.Kind, _ string, start event.Time) bool {
			return streams && start+k.Length() > complete-lateSlack
		}, err
	}
	type id struct {
		kind  window.Kind
		site  string
		start event.Time
	}
	fired := map[id]bool{}
	err := o.stores.local.Versions(ctx, func(w *window.Window) {
		if a.partitions > 0 && w.Version > a.version(w.Site, w.Shard) {
			fired[id{w.Kind, strings.Clone(w.Site), w.Start}] = true
		}
	})
	return func(k window.Kind, site string, start event.Time) bool { return fired[id{k, site, start}] }, err
}

// storeComplete returns the instant up to which the rollup store has final windows of the stream: the least of the
// partitions' progress. It is false if no stream has ever reported.
func (o *offline) storeComplete(ctx context.Context) (event.Time, bool, error) {
	all, err := o.stores.rollups().Progress(ctx)
	if err != nil {
		return 0, false, fmt.Errorf("ask the rollup store for its progress: %w", err)
	}
	least := event.Time(math.MaxInt64)
	for _, p := range all {
		least = min(least, p.Low)
	}
	return least, len(all) > 0, nil
}

// lake is the archive as package replay wants it.
type lake struct{ *parquet.Lake }

func (l lake) Files(ctx context.Context, from, to event.Time) ([]replay.File, error) {
	hours, err := l.Lake.Hours(ctx, from, to)
	var files []replay.File
	for _, h := range hours {
		for _, k := range h.Keys {
			files = append(files, replay.File(k))
		}
	}
	return files, err
}

func (l lake) ReadSegment(ctx context.Context, files []replay.File, site string, fn func(e *event.Event, offset int64, index int) error) error {
	keys := make([]parquet.Key, len(files))
	for i, f := range files {
		keys[i] = parquet.Key(f)
	}
	return l.Lake.ReadSegment(ctx, keys, site, func(e *event.Event, s parquet.Source) error {
		return fn(e, s.Offset, int(s.Index))
	})
}

func (l lake) LastReceived(ctx context.Context, f replay.File) (event.Time, error) {
	return l.Lake.LastReceived(ctx, parquet.Key(f))
}

func (l lake) Began(ctx context.Context) (event.Time, error) {
	return l.Lake.Began(ctx, engine.EventsTopic)
}

// CompleteUntil is false only where no stream was ever archived; one of which a partition has not begun is complete until
// the beginning of time.
func (l lake) CompleteUntil(ctx context.Context) (event.Time, bool, error) {
	until, err := l.Lake.CompleteUntil(ctx, engine.EventsTopic)
	if !errors.Is(err, parquet.ErrIncomplete) {
		return until, err == nil, err
	}
	all, err := l.Lake.Progress(ctx)
	if err != nil {
		return 0, false, err
	}
	for _, p := range all {
		if p.Topic == engine.EventsTopic {
			return 0, true, nil
		}
	}
	return 0, false, nil
}

var _ replay.Lake = lake{}

// archived is what replay has to know of how far the archive is.
type archived struct {
	partitions int             // of the log; 0 if none was archived
	last       map[int32]int64 // offset that is archived, by partition
}

func readArchived(ctx context.Context, l *parquet.Lake) (*archived, error) {
	of, err := l.ProgressOf(ctx, engine.EventsTopic)
	if err != nil {
		return nil, err
	}
	a := &archived{last: map[int32]int64{}}
	for partition, p := range of {
		a.last[partition] = p.NextOffset - 1
		a.partitions = max(a.partitions, int(p.Partitions))
	}
	return a, nil
}

// version is replay's Options.Version: the last offset that the archive has of the partition that a site's shard is in, 0
// where it has none.
func (a *archived) version(site string, shard uint16) int64 {
	if a.partitions == 0 {
		return 0
	}
	return max(a.last[event.Partition(site, shard, int32(a.partitions))], 0)
}

// replaySink returns the rollup store as replay writes it. The local one keeps the windows' versions: a new store is
// filled from the log of windows, whose firings must not undo what replay has put there.
func (s *stores) replaySink() replay.Sink {
	if s.influx != nil {
		return s.influx
	}
	return archivedSink{s.local}
}

type archivedSink struct{ *local.Store }

func (s archivedSink) Replace(ctx context.Context, ws []*window.Window) error {
	return s.ReplaceArchived(ctx, ws)
}
