package roles

import (
	"context"

	"millrace/cmd/internal/metrics"
	"millrace/cmd/internal/stores"
	"millrace/emit"
	"millrace/emit/influx"
	"millrace/emit/local"
	"millrace/engine"
)

// NewEmitLocal returns the role emit into the local rollup store.
func NewEmitLocal(c Common, store *local.Store) (Task, error) {
	e, err := emit.New(emit.Options{
		Sink: store, Brokers: c.Cluster.Brokers, Names: c.Cluster.Names, Goka: c.goka(), Log: c.Log,
		Before: func(ctx context.Context) error {
			return store.BeginEmit(ctx, func(ctx context.Context) error { return c.Cluster.Rewind(ctx, c.Cluster.Names.Of(local.Group)) })
		},
	})
	if err != nil {
		return Task{}, err
	}
	metrics.Local(c.Metrics, e)
	t := c.task(Emit, local.Group, engine.WindowsTopic)
	t.Probe, t.Run = c.probeEmit(store.Check), e.Run
	return t, nil
}

// NewEmitInflux returns the role emit into an InfluxDB.
func NewEmitInflux(c Common, db *stores.Influx) (Task, error) {
	e, err := emit.New(emit.Options{Sink: db.Sink, Brokers: c.Cluster.Brokers, Names: c.Cluster.Names, Goka: c.goka(), Log: c.Log})
	if err != nil {
		return Task{}, err
	}
	metrics.Influx(c.Metrics, db.Sink)
	t := c.task(Emit, influx.Group, engine.WindowsTopic)
	t.Probe, t.Waiting, t.Run = c.probeEmit(db.Probe), db.Sink.Waiting, e.Run
	return t, nil
}

// probeEmit returns a probe of the topics and then of the store.
func (c *Common) probeEmit(store func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		err := c.probe(ctx, Emit)
		if err != nil {
			return err
		}
		return store(ctx)
	}
}
