package main

import (
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"millrace/emit/local"
	"millrace/emit/parquet"
	"millrace/engine"
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

// engineMetrics are what the engine's partitions tell. The counts are part of the journal: they go on after a restart, and
// a partition's are told by whoever owns it. Observing is one store of a pointer, for the hot path; the rest is done when
// somebody looks.
type engineMetrics struct {
	partitions sync.Map // int32 -> *engine.Snapshot
}

var (
	descEvents    = prometheus.NewDesc("millrace_engine_events_total", "Events of the log by what became of them.", []string{"partition", "outcome"}, nil)
	descRecords   = prometheus.NewDesc("millrace_engine_records_total", "Records of the log, ticks included.", []string{"partition"}, nil)
	descDead      = prometheus.NewDesc("millrace_engine_dead_records_total", "Records of the log that could not be read.", []string{"partition"}, nil)
	descOpen      = prometheus.NewDesc("millrace_engine_open_windows", "Windows that are not final yet.", []string{"partition"}, nil)
	descWatermark = prometheus.NewDesc("millrace_engine_watermark_seconds", "Event time up to which the log is complete, Unix seconds.", []string{"partition"}, nil)
	descOffset    = prometheus.NewDesc("millrace_engine_offset", "Offset of the last record applied.", []string{"partition"}, nil)
)

// observe is called from the partitions' goroutines after each record.
func (m *engineMetrics) observe(partition int32, s engine.Snapshot) {
	m.partitions.Store(partition, &s)
}

// Describe is part of prometheus.Collector.
func (m *engineMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descEvents, descRecords, descDead, descOpen, descWatermark, descOffset} {
		ch <- d
	}
}

// Collect is part of prometheus.Collector.
func (m *engineMetrics) Collect(ch chan<- prometheus.Metric) {
	m.partitions.Range(func(key, value any) bool {
		p, s := strconv.Itoa(int(key.(int32))), value.(*engine.Snapshot)
		send := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, kind, v, append([]string{p}, labels...)...)
		}
		c := &s.Counters
		send(descRecords, prometheus.CounterValue, float64(c.Records))
		send(descDead, prometheus.CounterValue, float64(c.Dead))
		send(descEvents, prometheus.CounterValue, float64(c.OnTime), "on_time")
		send(descEvents, prometheus.CounterValue, float64(c.Late), "late")
		send(descEvents, prometheus.CounterValue, float64(c.Dropped), "dropped")
		send(descEvents, prometheus.CounterValue, float64(c.Bots), "bot")
		send(descEvents, prometheus.CounterValue, float64(c.Duplicates), "duplicate")
		send(descOpen, prometheus.GaugeValue, float64(s.OpenWindows))
		send(descWatermark, prometheus.GaugeValue, float64(s.Watermark)/1000)
		send(descOffset, prometheus.GaugeValue, float64(s.Offset))
		return true
	})
}
