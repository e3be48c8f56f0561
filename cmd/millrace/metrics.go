package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"millrace/emit/local"
	"millrace/emit/parquet"
)

// counter registers a counter that is read when somebody looks. Names are fixed in code, so a clash is a bug that the
// first start shows.
func (a *admin) counter(name, help string, labels map[string]string, read func() float64) {
	a.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels}, read))
}

func (n *node) countLocal(e *local.Emitter) {
	stat := func(name, help string, read func(local.EmitterStats) uint64) {
		n.admin.counter("millrace_rollup_"+name+"_total", help, nil, func() float64 { return float64(read(e.Stats())) })
	}
	stat("windows", "Windows written to the rollup store.", func(s local.EmitterStats) uint64 { return s.Windows })
	stat("stale", "Windows ignored because a newer version was stored.", func(s local.EmitterStats) uint64 { return s.Stale })
	stat("batches", "Batches written to the rollup store.", func(s local.EmitterStats) uint64 { return s.Batches })
	stat("dead", "Records of windows that could not be read.", func(s local.EmitterStats) uint64 { return s.Dead })
}

func (n *node) countInflux() {
	sink := n.stores.influx.Sink
	stat := func(name, help string, read func() int64) {
		n.admin.counter("millrace_influx_"+name+"_total", help, nil, func() float64 { return float64(read()) })
	}
	stat("requests", "Requests to write.", func() int64 { return sink.Stats().Requests })
	stat("retries", "Requests repeated after a failure.", func() int64 { return sink.Stats().Retries })
	stat("points", "Points that InfluxDB has acknowledged.", func() int64 { return sink.Stats().Points })
	stat("rejected", "Points that became dead letters.", func() int64 { return sink.Stats().Rejected })
	stat("windows", "Windows written.", func() int64 { return sink.Stats().Windows })
	stat("stale", "Windows ignored because a newer version was stored.", func() int64 { return sink.Stats().Older })
}

func (n *node) countArchive(a *parquet.Archiver) {
	stat := func(name, help string, read func(parquet.Stats) int64) {
		n.admin.counter("millrace_archive_"+name+"_total", help, nil, func() float64 { return float64(read(a.Stats())) })
	}
	stat("rows", "Events written to the archive.", func(s parquet.Stats) int64 { return s.Rows })
	stat("objects", "Files written to the archive.", func(s parquet.Stats) int64 { return s.Objects })
	stat("bytes", "Bytes written to the archive.", func(s parquet.Stats) int64 { return s.Bytes })
	stat("skipped", "Records that could not be decoded.", func(s parquet.Stats) int64 { return s.Skipped })
	stat("failures", "Failed requests to the store, each of which is repeated.", func(s parquet.Stats) int64 { return s.Failures })
}
