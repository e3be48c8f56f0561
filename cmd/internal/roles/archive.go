package roles

import (
	"context"
	"errors"
	"time"

	"github.com/lovoo/goka"

	"millrace/cmd/internal/metrics"
	"millrace/emit/lake"
	"millrace/engine"
	"millrace/internal/blob"
)

// ArchiveOptions configure the role archive. All fields but Sole, Hits and Retain are required.
type ArchiveOptions struct {
	Common
	Lake        blob.Store
	Sole        bool          // no other process can have a partition of the log, see lake.Options
	Every       time.Duration // how often events are written, 1 s or more
	SilentAfter time.Duration // how long a collector may be silent; a minute if that is less
	Hits        *HitsOptions  // nil: events alone are kept
	// Retain is how what sites keep no longer is deleted; nil: it is not.
	Retain *lake.RetainOptions
}

// NewArchive returns the archiver of events.
func NewArchive(o ArchiveOptions) (Task, error) {
	hits, closeHits, err := o.hits()
	if err != nil {
		return Task{}, err
	}
	a, err := lake.New(lake.Options{
		Brokers: o.Cluster.Brokers,
		Goka:    func(limit lake.Limit) []goka.ProcessorOption { return o.gokaWith(limit) },
		End: func(ctx context.Context, partition int32) (int64, error) {
			ends, err := o.Cluster.Ends(ctx, o.Cluster.Names.Of(engine.EventsTopic))
			return ends[partition], err
		},
		Begin: func(ctx context.Context, partition int32) (int64, error) {
			begins, err := o.Cluster.Begins(ctx, o.Cluster.Names.Of(engine.EventsTopic))
			return begins[partition], err
		},
		Topic:         engine.EventsTopic,
		Names:         o.Cluster.Names,
		Partitions:    o.Partitions,
		Store:         o.Lake,
		Sole:          o.Sole,
		Log:           o.Log,
		FlushInterval: o.Every,
		SilentAfter:   max(o.SilentAfter, time.Minute),
		Hits:          hits,
		Retain:        o.Retain,
	})
	if err != nil {
		return Task{}, errors.Join(err, closeHits())
	}
	metrics.Archive(o.Metrics, a)
	if hits != nil {
		metrics.Hits(o.Metrics, a)
	}
	if o.Retain != nil {
		metrics.Retention(o.Metrics, a)
	}
	probe := func(ctx context.Context) error {
		if err := o.probe(ctx, Archive); err != nil {
			return err
		}
		return a.Probe(ctx)
	}
	t := o.task(Archive, lake.Group, engine.EventsTopic)
	t.Probe, t.Waiting, t.Run, t.Close = probe, a.Waiting, a.Run, closeHits
	return t, nil
}
