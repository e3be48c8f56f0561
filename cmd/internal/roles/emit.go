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
		Sink: store, Brokers: c.Cluster.Brokers, Goka: c.goka(), Log: c.Log,
		Before: func(ctx context.Context) error {
			return store.BeginEmit(ctx, func(ctx context.Context) error { return c.Cluster.Rewind(ctx, local.Group) })
		},
	})
	if err != nil {
		return Task{}, err
	}
	metrics.Local(c.Metrics, e)
	return Task{Role: Emit, Group: local.Group, Topic: engine.WindowsTopic, Probe: c.probeEmit(store.Check), Run: e.Run}, nil
}

// NewEmitInflux returns the role emit into an InfluxDB.
func NewEmitInflux(c Common, db *stores.Influx) (Task, error) {
	e, err := emit.New(emit.Options{Sink: db.Sink, Brokers: c.Cluster.Brokers, Goka: c.goka(), Log: c.Log})
	if err != nil {
		return Task{}, err
	}
	metrics.Influx(c.Metrics, db.Sink)
	return Task{Role: Emit, Group: influx.Group, Topic: engine.WindowsTopic, Probe: c.probeEmit(db.Probe), Waiting: db.Sink.Waiting, Run: e.Run}, nil
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
